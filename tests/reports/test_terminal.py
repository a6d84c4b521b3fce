import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from perturbx.exceptions import ArgumentError
from perturbx.reports import print_terminal, render_terminal
from perturbx.reports.safe_text import one_line

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def test_plain_lines_hold_no_escape_and_the_colours_change_no_letter(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=60)
    def law(explanation):
        plain = render_terminal(explanation, colour="never")
        coloured = COLOURS.sub("", render_terminal(explanation, colour="always"))
        assert not set(map(chr, range(32))) & set(plain) - {"\n"}
        assert [line.rstrip() for line in coloured.split("\n")] == plain.split("\n")

    law()


def test_every_word_and_every_number_is_there(any_script):
    shown = render_terminal(any_script, colour="never")
    for label, value in any_script.as_list(n=8):
        assert f"{value:+.2f}" in shown
        assert one_line(label) in shown


def test_markup_in_the_text_is_text(explain):
    text = "[bold]loud[/bold] [link=file:///x]y[/link] :smile:"
    assert text in render_terminal(explain(text), colour="never")


def test_wide_letters_do_not_push_the_bars_apart(explain):
    explanation = explain("餐厅 ok 👍 ดี رائع ", [[0, v] for v in (5, 4, 3, 2, 1)])
    rows = [
        line for line in render_terminal(explanation, colour="never").split("\n") if "│" in line
    ]
    assert len(rows) == 5
    assert len({cell_len(row.partition("│")[0]) for row in rows}) == 1


def test_bars_grow_with_the_value_on_its_side(explain):
    explanation = explain("a b c", [[0, 4], [0, -2], [0, 1]])
    sides = [
        tuple(side.count("█") + side.count("▌") / 2 + side.count("▐") / 2 for side in halves)
        for line in render_terminal(explanation, colour="never").split("\n")
        if "│" in line
        for halves in [line.split("│")]
    ]
    assert sides == [(0, 10), (5, 0), (0, 2.5)]


def test_the_head_tells_score_base_method_calls_and_a_poor_fit(explain):
    explanation = explain("a b", [[1, 0.25], [1, 0.5]], scores=[0, 3], r2=0.31)
    title, facts = render_terminal(explanation, colour="never").split("\n")[:2]
    assert title == "yes 3.000 logit, predicted"
    assert facts == "base value 2.250 · ridge · 9 calls · poor fit, r² 0.31"


def test_what_is_not_listed_is_summed(explain):
    explanation = explain("a b c d", [[0, 4], [0, 3], [0, 2], [0, 1]])
    lines = render_terminal(explanation, n=2, colour="never").split("\n")
    assert lines[-1].split()[:3] == ["2", "others", "+3.00"]
    assert sum("│" in line for line in lines) == 2


def test_it_says_how_sure_the_first_three_are(explain):
    values = [[0, 4], [0, 3], [0, 2], [0, 1]]
    said = "the first 3 are the 3 largest with over 99% confidence"
    explanation = explain("a b c d", values)
    assert render_terminal(explanation, colour="never").split("\n")[-1] == said
    assert said not in render_terminal(explanation, n=2, colour="never")
    exact = explain("a b c d", values, std_errors=np.zeros((4, 2)))
    assert "confidence" not in render_terminal(exact, colour="never")


def test_colour_follows_the_terminal(explain, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert COLOURS.search(render_terminal(explain("a b")))
    monkeypatch.delenv("FORCE_COLOR")
    assert not COLOURS.search(render_terminal(explain("a b")))
    assert str(explain("a b")) == render_terminal(explain("a b"))


def test_a_console_of_ones_own_is_used(explain):
    stream = io.StringIO()
    print_terminal(explain("a b"), output="no", console=Console(file=stream, width=60))
    assert stream.getvalue().startswith("no 0.00 logit\n")


def test_an_unknown_colour_or_output_is_an_error(explain):
    with pytest.raises(ArgumentError, match=r"colour.*'red'"):
        render_terminal(explain("a"), colour="red")
    with pytest.raises(ArgumentError, match=r"output.*'maybe'"):
        render_terminal(explain("a"), "maybe")


@pytest.mark.parametrize("width", [36, 50, 57, 80])
def test_a_narrow_terminal_cuts_labels_and_no_number(explain, width):
    text = "an unbelievably-long-winded-plot-without-an-end. " * 3
    explanation = explain(text, [[0, 40.123], [0, -0.5]] * 3, std_errors=np.full((6, 2), 0.2))
    page = io.StringIO()
    print_terminal(explanation, console=Console(file=page, width=width, color_system=None))
    for value in ("+40.1 ± 0.2", "-0.5 ± 0.2"):
        assert re.sub(r" +", " ", page.getvalue()).count(value) == 3
    assert max(map(cell_len, page.getvalue().split("\n"))) <= width
    assert ("█" in page.getvalue()) == (width >= 57)
