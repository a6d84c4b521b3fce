import re
from html import unescape
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.fairness.frames import FRAMES
from perturbx.fairness.report import FairnessReport
from perturbx.fairness.wording import number, percent
from perturbx.reports.audit_html import render_audit
from perturbx.reports.audit_swaps import marked
from perturbx.reports.audit_tables import MOST
from perturbx.reports.safe_text import visible

VOID = {"meta"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "nav", "main", "footer"),
    *("section", "div", "h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "dl", "dt", "dd", "b"),
    *("bdi", "span", "blockquote", "del", "ins", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "text", "line", "rect", "circle"),
}
NASTY = "</style><script>alert(1)</script>\"'&<b>\x00\x1b[31m\u202e\n] | $x$ שלום 女性"


class Element(dict):
    """An element: its attributes, and what stands in it."""

    def __init__(self, tag, attributes, parents):
        super().__init__(attributes)
        self.tag, self.parents, self.children, self.text = tag, parents, [], ""

    def all(self, tag):
        return [own for own in self.children if own.tag == tag]


class Page(HTMLParser):
    """The elements of a page, which must close in order."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        element = Element(tag, attributes, list(self.open))
        self.elements.append(element)
        for parent in self.open:
            parent.children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, tag):
        return [element for element in self.elements if element.tag == tag]

    def of(self, name):
        return [e for e in self.elements if name in (e.get("class") or "").split()]

    def table(self, caption):
        return next(t for t in self.all("table") if t.all("caption")[0].text.startswith(caption))


def cells(row):
    return [own.text for own in row.children if own.tag in ("th", "td")]


def page_of(report):
    return Page(render_audit(report, standalone=True))


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.just(NASTY)


@given(st.lists(names, min_size=3, max_size=3, unique=True), names, names)
@settings(max_examples=25)
def test_whatever_names_and_texts_hold_it_acts_nowhere(audit_report, groups, attribute, outcome):
    report = audit_report(tuple(groups), attributes=(attribute,), outcomes=(outcome,))
    for table, column in (("worst_cases", "text"), ("representatives", "text")):
        report.frames[table][column] = NASTY + groups[0]
    report.facts["notes"] = [NASTY]
    page = render_audit(report, standalone=True)
    page.encode("utf-8")
    parsed = Page(page)
    assert {element.tag for element in parsed.elements} <= TAGS
    assert not any(name.startswith("on") for element in parsed.elements for name in element)
    assert not re.search("[\x00\x1b\u202e]", page)


def test_it_asks_the_network_for_nothing_and_every_link_has_an_end(audit_report, tmp_path):
    report = audit_report(attributes=("gender", "age"))
    page = report.to_html(tmp_path / "audit.html")
    assert (tmp_path / "audit.html").read_text(encoding="utf-8") == page
    assert not re.search(r"https?:|src=|url\(|@import|<script|<link", page)
    parsed = Page(page)
    ids = [element["id"] for element in parsed.elements if "id" in element]
    assert len(ids) == len(set(ids))
    links = [element["href"] for element in parsed.all("a")]
    assert links
    assert {link[1:] for link in links} <= set(ids)
    named = [e["aria-labelledby"] for e in parsed.elements if "aria-labelledby" in e]
    assert set(named) <= set(ids)


def test_a_page_is_the_same_each_time_and_fragments_share_no_place(audit_report):
    report = audit_report()
    assert report.to_html() == report.to_html()
    both = Page(report._repr_html_() + report._repr_html_())
    ids = [element["id"] for element in both.elements if "id" in element]
    assert len(ids) == len(set(ids))
    assert not {"html", "body", "main", "h1"} & {element.tag for element in both.elements}


@pytest.mark.parametrize("outcomes", [("toxic",), ("toxic", "threat", "insult")])
@pytest.mark.parametrize("n_groups", [2, 3, 16])
def test_screen_readers_find_their_way(audit_report, n_groups, outcomes):
    report = audit_report(tuple(f"g{i}" for i in range(n_groups)), outcomes=outcomes, few=("g1",))
    page = page_of(report)
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise([0, *levels]))
    for table in page.all("table"):
        assert table.children[0].tag == "caption"
        assert table.children[0].text.strip()
        scroller = table.parents[-1]
        assert (scroller["role"], scroller["tabindex"]) == ("group", "0")
        assert scroller["aria-label"].strip()
        head, *rows = table.all("tr")
        assert {cell["scope"] for cell in head.children if cell.tag == "th"} == {"col"}
        assert all(cell.text.strip() for cell in head.children if cell.tag == "th")
        for row in rows:
            own = [cell for cell in row.children if cell.tag in ("th", "td")]
            assert own[0].tag == "th"
            assert own[0]["scope"] == "row"
            assert len(own) == len(head.all("th"))
    for drawn in page.of("px-plot"):
        if drawn.tag == "svg":
            assert drawn["role"] == "img"
            assert drawn["aria-label"].strip()
    assert {"header", "nav", "main", "footer"} <= {element.tag for element in page.elements}
    skip = page.of("px-skip")[0]
    assert skip is page.all("a")[0]
    assert [e.tag for e in page.elements if e.get("id") == skip["href"][1:]] == ["main"]


def test_verdicts_come_first_under_their_headings(audit_report):
    report = audit_report(few=("nonbinary",))
    page = page_of(report)
    items = [e.text for block in page.of("px-verdicts") for e in block.all("li")]
    assert [" ".join(item.split()) for item in items] == [v.text for v in report.verdicts]
    headings = [element.text for element in page.all("h2")]
    assert headings == [
        *("What was found", "By gender", "Texts that show the most of what words do"),
        *("Method", "Data", "Limits"),
    ]


def test_many_verdicts_leave_each_attribute_one_to_be_seen(audit_report):
    attributes = tuple(f"attribute {i}" for i in range(20))
    page = page_of(audit_report(attributes=attributes, without=("advice",)))
    block = page.of("px-is-gap")[0]
    seen = [e for e in block.all("li") if not any(p.tag == "details" for p in e.parents)]
    assert {next(a for a in attributes if e.text.startswith(f"{a},")) for e in seen} == {
        next(a for a in attributes if e.text.startswith(f"{a},")) for e in block.all("li")
    }
    assert len(seen) < len(block.all("li"))


def test_tables_hold_the_numbers_of_the_report(audit_report):
    report = audit_report()
    table = page_of(report).table("False positive rate")
    own = report.metrics[report.metrics["metric"] == "fpr"]
    shown = {cells(row)[0]: cells(row)[1:4] for row in table.all("tr")[1:]}
    assert shown == {
        "all texts" if row["group"] == "(all)" else row["group"]: [
            percent(row["value"]),
            f"{percent(row['low'])} to {percent(row['high'])}",
            f"{row['n']:,}",
        ]
        for _, row in own.iterrows()
    }
    labels = {e["aria-label"] for e in table.children if e.tag == "svg" and "role" in e}
    row = own.iloc[0]
    said = f"{row['group']}: {percent(row['value'])}, interval {percent(row['low'])}"
    assert any(label.startswith(said) for label in labels)


def test_dots_stand_where_their_values_are(audit_report):
    report = audit_report()
    table = page_of(report).table("Mean score")
    own = report.metrics[report.metrics["metric"] == "mean_score"].set_index("group")["value"]
    at = {}
    for row in table.all("tr")[1:]:
        group = cells(row)[0].replace("all texts", "(all)")
        at[group] = float(row.all("circle")[0]["cx"].rstrip("%"))
    slope = {(at[a] - at[b]) / (own[a] - own[b]) for a in own.index for b in own.index if a != b}
    assert max(slope) == pytest.approx(min(slope), abs=0.5)
    assert min(slope) > 0


def test_the_parts_of_a_gap_add_up_before_the_eye(audit_report):
    report = audit_report()
    table = page_of(report).table("Gap in mean scores: women less men")
    own = report.categories
    own = own[(own["group_a"] == "women") & (own["group_b"] == "men")]
    rows = table.all("tr")[1:]
    ends = []
    for row in rows:
        bar = row.all("rect")[0]
        left, width = (float(bar[side].rstrip("%")) for side in ("x", "width"))
        ends.append((left, left + width) if bar["class"] != "px-fall" else (left + width, left))
    for before, after in pairwise(ends[:-1]):
        assert after[0] == pytest.approx(before[1], abs=0.35)
    assert ends[-1][0] == pytest.approx(ends[0][0], abs=0.02)
    assert ends[-1][1] == pytest.approx(ends[-2][1], abs=0.35)
    total = own["contribution"].sum()
    assert float(cells(rows[-1])[1]) == pytest.approx(total, abs=1e-3)
    assert cells(rows[-1])[0] == "The gap, all together"


def test_too_few_is_said_in_words(audit_report):
    page = page_of(audit_report(few=("nonbinary",)))
    row = next(r for r in page.table("Selection rate").all("tr") if "nonbinary" in r.text)
    assert cells(row)[1:4] == ["too few", "–", "3"]
    assert not row.all("svg")


@pytest.mark.parametrize("n_groups", [14, 120])
def test_many_groups_are_folded_and_what_is_left_out_is_said(audit_report, n_groups):
    report = audit_report(tuple(f"group {i}" for i in range(n_groups)))
    page = page_of(report)
    table = page.table("Selection rate")
    values = [float(cells(row)[1].rstrip("%")) for row in table.all("tr")[2:]]
    own = report.metrics[report.metrics["metric"] == "selection_rate"]
    ranked = sorted(round(100 * v, 1) for v in own[own["group"] != "(all)"]["value"])
    assert values == [*ranked[::-1][:5], *ranked[:5][::-1]]
    folded = page.table("Selection rate (continued)").all("tr")[1:]
    assert len(folded) == min(n_groups, MOST)
    assert ("further rows stand in the JSON" in page.all("main")[0].text) == (n_groups > MOST)


def test_several_outcomes_are_folded_but_for_the_first(audit_report):
    page = page_of(audit_report(outcomes=("toxic", "threat")))
    folds = [e for e in page.all("details") if e.all("summary")[0].all("h4")]
    assert folds
    assert [("open" in e, e.all("h4")[0].text) for e in folds[:2]] == [
        (True, "Outcome: toxic"),
        (False, "Outcome: threat"),
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_what_was_not_done_has_no_section(audit_report, name):
    report = audit_report(without=(name,))
    page_of(report)
    report.to_markdown()
    page = render_audit(report, standalone=True)
    if name not in ("metrics", "words"):
        assert f'a0-{name}"' not in page
    assert f"-{name}" in render_audit(audit_report(), standalone=True) or name in (
        *("words", "representatives"),
    )


@pytest.mark.parametrize("without", [(), tuple(FRAMES)])
def test_no_fact_is_needed(audit_report, without):
    report = audit_report(facts={}, without=without)
    page = page_of(report)
    assert page.all("h1")[0].text == "Fairness audit"
    assert ("Nothing was measured." in page.all("main")[0].text) == bool(without)


def test_a_report_read_again_is_shown_alike(audit_report):
    report = audit_report(few=("men",))
    assert FairnessReport.from_json(report.to_json()).to_html() == report.to_html()


words = st.lists(st.sampled_from(["she", "he", " ", "is", "女", "男性", ".", "<b>"]), max_size=30)


@given(words.map("".join), words.map("".join))
def test_marks_leave_both_texts_as_they_are(before, after):
    for text, side in zip((before, after), marked(before, after), strict=True):
        assert unescape(re.sub("</?(del|ins)>", "", side)) == visible(text)
    if before == after:
        assert "<del>" not in "".join(marked(before, after))


def test_long_texts_keep_what_is_around_a_change():
    text = "word " * 500
    before, after = marked(f"{text}she{text}", f"{text}he{text}")
    assert "<del>she" in before
    assert "<ins>he" in after
    assert len(before) < 500
    assert before.count(" … ") == 2


def test_swapped_words_are_marked_whole_where_no_space_parts_them():
    assert marked("那位年轻的人", "那位中年的人") == (
        "那位<del>年轻</del>的人",
        "那位<ins>中年</ins>的人",
    )


def rules(css):
    css = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", css, flags=re.S)
    return [part.strip() for rule in re.findall(r"([^{}]+)\{", css) for part in rule.split(",")]


def style(name):
    return (resources.files("perturbx.reports") / name).read_text(encoding="utf-8")


def test_every_rule_is_kept_to_our_own_elements():
    selectors = rules(style("audit.css"))
    assert selectors
    assert [s for s in selectors if not re.match(r"(\.perturbx)?\.px-audit", s)] == []


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(scheme):
    found = re.findall(
        r"--px-([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style("style.css") + style("audit.css")
    )
    colours = {name: pair[scheme] for name, *pair in found}
    pairs = [
        (ink, ground)
        for ink in ("ink", "quiet", "strong", "link")
        for ground in ("paper", "raised")
    ]
    for ink, ground in [*pairs, ("ink", "tint-up"), ("ink", "tint-down")]:
        light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_scores_keep_the_digits_that_tell_them_apart():
    assert number(0.00012, size=0.0002) != number(0.00013, size=0.0002)
