import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from perturbx.fairness.wording import percent
from perturbx.reports.audit_terminal import print_audit
from perturbx.reports.safe_text import one_line

markdown_it = pytest.importorskip("markdown_it")
NASTY = "*a* _b_ [c](d) <i>e</i> `f` |g| &amp; # h ~~i~~ \\ ![j](k)\n- l\x1b[31m"
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.just(NASTY)


def parsed(report):
    reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return reader.parse(report.to_markdown())


def plain(token):
    return "".join(child.content for child in token.children)


def blocks(tokens, kind):
    """Return the texts inside every element of a kind."""
    return [
        plain(tokens[place + 1])
        for place, token in enumerate(tokens)
        if token.type == kind and tokens[place + 1].type == "inline"
    ]


@given(st.lists(names, min_size=2, max_size=2, unique=True), names, names)
@settings(max_examples=25)
def test_no_name_is_markup(audit_report, groups, attribute, outcome):
    report = audit_report(tuple(groups), attributes=(attribute,), outcomes=(outcome,))
    report.facts["notes"] = [NASTY]
    report.facts["model"] = NASTY
    tokens = parsed(report)
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {"text", "text_special", "softbreak", "strong_open", "strong_close"}
    assert "html_block" not in {token.type for token in tokens}
    levels = [token.tag for token in tokens if token.type == "heading_open"]
    assert levels.count("h1") == 1
    texts = [plain(token) for token in tokens if token.type == "inline"]
    for verdict in report.verdicts:
        assert one_line(verdict.text) in texts


def test_tables_hold_the_numbers_of_the_report(audit_report):
    report = audit_report(few=("nonbinary",))
    tokens = parsed(report)
    cells = blocks(tokens, "td_open")
    for _, row in report.metrics[report.metrics["metric"] == "fpr"].iterrows():
        if row["group"] != "nonbinary":
            ends = f"{percent(row['low'])} to {percent(row['high'])}"
            assert f"{percent(row['value'])} ({ends})" in cells
    assert "too few" in cells
    widths = re.findall(r"^\|.*\|$", report.to_markdown(), flags=re.M)
    assert widths


def test_headings_are_in_order_and_many_rows_are_cut(audit_report):
    report = audit_report(tuple(f"g{i}" for i in range(40)), outcomes=("x", "y"))
    tokens = parsed(report)
    levels = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "more rows stand in the HTML and JSON reports" in report.to_markdown()
    headings = blocks(tokens, "heading_open")
    assert [h for h in headings if h.startswith("Gaps between groups")] == [
        "Gaps between groups: x",
        "Gaps between groups: y",
    ]
    assert headings[-3:] == ["Method", "Data", "Limits"]


def test_it_is_written_where_it_is_asked_for(audit_report, tmp_path):
    report = audit_report()
    text = report.to_markdown(tmp_path / "audit.md")
    assert (tmp_path / "audit.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("facts", [{}, None])
def test_the_terminal_shows_verdicts_and_gaps_and_obeys_no_name(audit_report, facts):
    group = "[bold]\x1b[31m[/nothing]"
    report = audit_report((group, "men"), facts=facts)
    console = Console(width=400, force_terminal=False, color_system=None)
    with console.capture() as capture:
        print_audit(report, console)
    said = capture.get()
    assert "\x1b" not in said
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for verdict in report.verdicts:
        assert f"• {one_line(verdict.text)}"[:390] in "\n".join(lines)
    assert "The clearest gaps" in said
    assert f"{one_line(group)} less men" in said


def test_a_narrow_terminal_still_says_what_each_gap_is_of(audit_report):
    console = Console(width=40, force_terminal=False, color_system=None)
    with console.capture() as capture:
        print_audit(audit_report(("women", "men")), console)
    gaps = capture.get().split("The clearest gaps")[1]
    assert "women less men: " in " ".join(gaps.split())


def test_a_report_of_nothing_says_so(audit_report):
    from perturbx.fairness.frames import FRAMES

    report = audit_report(without=tuple(FRAMES))
    console = Console(width=100, force_terminal=False, color_system=None)
    with console.capture() as capture:
        print_audit(report, console)
    assert "Nothing was measured." in capture.get()
    assert "Nothing was measured." in report.to_markdown()
