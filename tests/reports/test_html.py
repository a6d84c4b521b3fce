import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings

from perturbx.explanations import Explanations
from perturbx.reports import render_html
from perturbx.reports.safe_text import one_line, visible

VOID = {"meta", "input"}


class Page(HTMLParser):
    """The elements of a page, which must close in order, and the text inside each."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def of(self, name):
        return [e for e in self.elements if name in (e.get("class") or "").split()]


def test_the_whole_text_stands_in_every_panel_and_acts_nowhere(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=60)
    def law(explanation):
        html = render_html([explanation], standalone=True)
        html.encode("utf-8")
        page = Page(html)
        panels = [element["text"] for element in page.of("px-text")]
        parts = "".join(visible(part) for _, part in explanation.units.parts)
        assert panels == [parts] * (len(explanation.output_names) if explanation.text else 0)
        assert {element["tag"] for element in page.elements} <= {
            *("html", "head", "meta", "title", "style", "body", "main", "h1", "section", "div"),
            *("input", "label", "b", "bdi", "p", "span", "dl", "dt", "dd", "table", "caption"),
            *("tbody", "tr", "th", "td"),
        }

    law()


def test_each_unit_tells_its_value_on_hover_and_on_focus(any_script):
    page = Page(render_html([any_script], standalone=True))
    tips = [unit["title"] for unit in page.of("px-unit")]
    assert tips == [unit["data-tip"] for unit in page.of("px-unit")]
    assert all(unit["tabindex"] == "0" for unit in page.of("px-unit"))
    expected = [
        f"{one_line(label)}: {any_script.values[unit, column]:+.2f} ± 0.01"
        for column in range(2)
        for unit, label in enumerate(any_script.units.labels)
    ]
    assert tips == expected


def test_tint_and_line_follow_sign_and_size(explain):
    page = Page(render_html([explain("a b c", [[4], [-2], [0]], names=("y",))], standalone=True))
    assert [(unit["class"], unit["style"]) for unit in page.of("px-unit")] == [
        ("px-unit px-up", "--w:1.00"),
        ("px-unit px-down", "--w:0.50"),
        ("px-unit", "--w:0.00"),
    ]


def test_one_tab_per_output_of_which_the_top_one_is_open(explain):
    page = Page(render_html([explain("a b", names=("x", "y", "z"))], standalone=True))
    tabs = [element for element in page.elements if element["tag"] == "input"]
    assert ["checked" in tab for tab in tabs] == [False, False, True]
    assert [label["for"] for label in page.of("px-tab")] == [tab["id"] for tab in tabs]
    assert len(page.of("px-panel")) == 3
    assert not Page(render_html([explain("a", names=("x",))], standalone=True)).of("px-tab")


def test_outputs_whose_names_begin_alike_are_told_apart(explain):
    names = tuple(f"{'a label of the ontology ' * 4}number {i}" for i in range(3))
    page = Page(render_html([explain("a b", names=names)], standalone=True))
    assert [tab["title"] for tab in page.of("px-tab")] == list(names)
    assert [p["text"].removesuffix("predicted") for p in page.of("px-title")] == list(names)


def test_the_tabs_of_a_response_read_as_it_was_said(explain):
    """Names of parts that come again have numbers, which nobody said."""
    names = (" the", " the (2)", " cat", " the (3)", " (2)", " (2) (2)", " dog (2)")
    units = {"spans": [(0, 2)], "segments": ((0, 2), (2, 6)), "frozen": ((2, 6),)}
    explanation = explain("so yes", names=names, kind="log_prob", **units)
    tabs = Page(render_html([explanation], standalone=True)).of("px-tab")
    said = [" the", " the", " cat", " the", " (2)", " (2)", " dog (2)"]
    assert [tab["text"] for tab in tabs] == said


@pytest.mark.parametrize(("said", "runs"), [(" نعم.", "rtl"), (" 2 ja", "ltr"), (" 2.", "ltr")])
def test_the_tabs_of_a_response_run_as_it_does(explain, said, runs):
    segments = ((0, 2), (2, 2 + len(said)))
    units = {"spans": [(0, 2)], "segments": segments, "frozen": segments[1:]}
    explanation = explain("so" + said, names=("a", "b"), kind="log_prob", **units)
    (tabs,) = Page(render_html([explanation], standalone=True)).of("px-said")
    assert tabs["dir"] == runs


def test_fragments_do_not_share_tabs_and_a_page_is_the_same_each_time(explain):
    explanation = explain("a b")
    both = Page(explanation._repr_html_() + explanation._repr_html_())
    ids = [element["id"] for element in both.elements if "id" in element]
    assert len(ids) == len(set(ids)) == 4
    assert len({e["name"] for e in both.elements if e["tag"] == "input"}) == 2
    assert explanation.to_html() == explanation.to_html()


@pytest.mark.parametrize(
    ("locale", "language"), [("de@ss=standard", "de"), ("pt_BR", "pt-BR"), ("en,zh", None)]
)
def test_the_language_of_a_text_is_a_tag_that_browsers_know(explain, locale, language):
    page = Page(render_html([explain("so good", locale=locale)], standalone=True))
    assert {element.get("lang") for element in page.of("px-text")} == {language}


def test_a_page_is_whole_and_asks_the_network_for_nothing(explain, tmp_path):
    explanation = explain("שלום עולם", locale="he")
    page = explanation.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    assert '<meta charset="utf-8">' in page
    assert not re.search(r"https?:|src=|href=|url\(|@import|<script", page)
    assert all(e["dir"] == "auto" and e["lang"] == "he" for e in Page(page).of("px-text"))


def test_every_rule_is_kept_to_our_own_elements():
    css = (resources.files("perturbx.reports") / "style.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", css, flags=re.S)
    selectors = [
        part.strip() for rule in re.findall(r"([^{}]+)\{", css) for part in rule.split(",")
    ]
    assert selectors
    assert [s for s in selectors if ".perturbx" not in s] == []


def test_several_texts_stand_in_one_page(explain):
    explanations = Explanations([explain("a b"), explain("这家 餐厅")])
    page = Page(explanations.to_html())
    assert [element["text"] for element in page.of("px-text")][::2] == ["a b", "这家 餐厅"]
    assert [e["text"] for e in page.elements if e["tag"] == "h2"] == ["Text 1", "Text 2"]
    assert "No texts" in Explanations([])._repr_html_()


def test_frozen_text_and_pairs_are_told_apart(explain):
    text = "Premise one. Claim"
    explanation = explain(text, spans=[(8, 13), (13, 18)], segments=((0, 13), (13, 18)))
    page = Page(render_html([explanation], standalone=True))
    assert [e["text"] for e in page.of("px-text")][:2] == ["Premise one. ", "Claim"]
    assert page.of("px-frame")[0]["text"] == "Premise "


def test_the_table_lists_the_largest_and_sums_up_the_rest(explain):
    explanation = explain("w " * 14, np.arange(14.0), names=("y",))
    page = Page(render_html([explanation], standalone=True))
    assert [e["text"] for e in page.elements if e["tag"] == "th"][-1] == "4 others, together"
    assert len(page.of("px-bar")) == len(page.of("px-whisker")) == 10
    starts = [float(re.match(r"left:([\d.]+)%", bar["style"])[1]) for bar in page.of("px-bar")]
    widths = [float(re.search(r"width:([\d.]+)%", bar["style"])[1]) for bar in page.of("px-bar")]
    assert set(starts) == {0.0}
    assert widths == pytest.approx(100 * np.arange(13, 3, -1) / 13.01, abs=0.06)


def test_it_says_how_sure_the_first_three_are(explain):
    values = [[0, 4], [0, 3], [0, 2], [0, 1]]
    said = "; the first 3 are the 3 largest with over 99% confidence"
    assert said in render_html([explain("a b c d", values)], standalone=True)
    exact = explain("a b c d", values, std_errors=np.zeros((4, 2)))
    assert "confidence" not in render_html([exact], standalone=True)
