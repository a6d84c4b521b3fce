"""Two audits held against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import perturbx as px
from perturbx.exceptions import ArgumentError
from perturbx.fairness.comparison import compare, compare_explanations, rank_agreement
from perturbx.fairness.contributions import BASE
from perturbx.fairness.frames import FRAMES, frame
from perturbx.fairness.report import FairnessReport


def empty(name, **cells):
    row = {column.name: "" if column.kind == "text" else 0 for column in FRAMES[name]}
    return row | {"attribute": "g", "outcome": "o", "group_a": "a", "group_b": "b"} | cells


def report_of(gaps, words=(), level=0.95):
    """Gaps ``(metric, kind, value, low, high)`` and words ``(word, contribution, error)``."""
    tables = {name: frame(name) for name in FRAMES}
    names = ("metric", "kind", "value", "low", "high")
    tables["gaps"] = frame(
        "gaps", [empty("gaps", **dict(zip(names, gap, strict=True))) for gap in gaps]
    )
    tables["words"] = frame(
        "words",
        [
            empty("words", word=word, contribution=value, low=value - error, high=value + error)
            for word, value, error in words
        ],
    )
    return FairnessReport({"level": level}, tables)


GAPS = [
    ("fpr", "difference", 0.1, 0.0, 0.2),
    ("fpr", "ratio", 1.5, 1.0, 2.2),
    ("mean_score", "difference", -0.3, -0.31, -0.29),
    ("accuracy", "difference", 0.0, 0.0, 0.0),
]
WORDS = [("x", 0.3, 0.01), ("y", -0.2, 0.01), ("z", 0.1, 0.01), (BASE, 0.9, 0.5)]


def test_a_report_compared_with_itself_has_moved_nothing():
    report = report_of(GAPS, WORDS)
    found = compare(report, report)
    assert len(found.gaps) == len(GAPS)
    assert not found.gaps["moved"].any()
    for _, row in found.gaps.iterrows():
        assert row["change"] == (1 if row["kind"] == "ratio" else 0)
        assert row["low"] <= row["change"] <= row["high"]
        assert row["p_value"] == 1
    assert (found.only_first, found.only_second) == (0, 0)
    assert found.words["agreement"].tolist() == [1.0]
    assert found.words["n_words"].tolist() == [3]
    assert str(found).startswith("0 of 4 gaps moved beyond noise")


@given(st.floats(-0.5, 0.5), st.floats(0.01, 0.1), st.floats(0.01, 0.1))
@settings(max_examples=25)
def test_changes_are_differences_with_both_errors(change, one, two):
    first = report_of([("fpr", "difference", 0.1, 0.1 - one, 0.1 + one)])
    value = 0.1 + change
    second = report_of([("fpr", "difference", value, value - two, value + two)])
    (row,) = compare(first, second).gaps.to_dict("records")
    half = np.hypot(one, two)
    assert row["change"] == pytest.approx(change, abs=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((change - half, change + half))
    assert row["moved"] == (abs(change) > half) or abs(abs(change) - half) < 1e-6
    (back,) = compare(second, first).gaps.to_dict("records")
    assert back["change"] == pytest.approx(-change, abs=1e-12)
    assert back["p_value"] == pytest.approx(row["p_value"])


def test_a_gap_that_moved_is_found_among_others_and_told():
    second = [("fpr", "difference", 0.1, 0.0, 0.2), ("mean_score", "difference", 0.1, 0.09, 0.11)]
    found = compare(report_of(GAPS), report_of(second))
    assert found.moved["metric"].tolist() == ["mean_score"]
    assert (found.only_first, found.only_second) == (2, 0)
    assert "1 of 2 gaps moved" in str(found)
    assert "g, o: mean_score_difference of a and b went from -0.3 to +0.1" in str(found)
    assert "2 gaps are in the first report only, 0 in the second" in str(found)


def test_ratios_are_compared_by_their_quotient():
    first = report_of([("fpr", "ratio", 1.0, 0.9, 1 / 0.9)])
    second = report_of([("fpr", "ratio", 2.0, 1.8, 2 / 0.9)])
    (row,) = compare(first, second).gaps.to_dict("records")
    assert row["change"] == pytest.approx(2)
    assert row["moved"]
    assert row["low"] * row["high"] == pytest.approx(4)


@pytest.mark.parametrize(
    "gap",
    [
        ("fpr", "ratio", 0.0, 0.0, 0.4),
        ("fpr", "difference", 0.3, np.nan, np.nan),
        ("fpr", "difference", np.nan, np.nan, np.nan),
    ],
)
def test_gaps_without_an_error_are_not_compared(gap):
    kept = ("accuracy", "difference", 0.1, 0.0, 0.2)
    found = compare(report_of([gap, kept]), report_of([gap, kept]))
    assert found.gaps["metric"].tolist() == ["accuracy"]


def test_intervals_of_other_levels_are_taken_for_what_they_are():
    wide = report_of([("fpr", "difference", 0.1, 0.1 - 0.2576, 0.1 + 0.2576)], level=0.99)
    narrow = report_of([("fpr", "difference", 0.1, 0.1 - 0.196, 0.1 + 0.196)], level=0.95)
    rows = [compare(report, report).gaps.iloc[0] for report in (wide, narrow)]
    assert rows[0]["high"] == pytest.approx(rows[1]["high"], rel=1e-3)


def test_words_in_brackets_are_words():
    words = [("(sic", 0.3, 0.0), ("y", -0.2, 0.0), ("z", 0.1, 0.0), (BASE, 0.1, 0.0)]
    found = compare(report_of(GAPS, words), report_of(GAPS, words))
    assert found.words["n_words"].tolist() == [3]


@pytest.mark.parametrize("level", [0, 1, -1, 2, "0.9", None])
def test_a_level_is_between_0_and_1(level):
    with pytest.raises(ArgumentError, match="level: expected a number between 0 and 1"):
        compare(report_of(GAPS), report_of(GAPS), level=level)


def test_reports_of_other_things_have_nothing_in_common():
    other = report_of([("fnr", "difference", 0.1, 0.0, 0.2)])
    with pytest.raises(ArgumentError, match=r"no gap in common; their metrics are \['accuracy / d"):
        compare(report_of(GAPS), other)
    with pytest.raises(ArgumentError, match="the second has none with an interval"):
        compare(report_of(GAPS), report_of([]))


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ({"attribute": "h", "outcome": "p"}, r"attributes are \['g'\] and \['h'\]"),
        ({"outcome": "p", "group_a": "c"}, r"outcomes are \['o'\] and \['p'\]"),
        ({"group_a": "c"}, r"groups are \['a / b'\] and \['c / b'\]"),
    ],
)
def test_the_first_thing_that_differs_is_named(cells, what):
    first, second = report_of(GAPS), report_of(GAPS)
    second.gaps[list(cells)] = list(cells.values())
    with pytest.raises(ArgumentError, match=f"no gap in common; their {what}"):
        compare(first, second)


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(max_examples=15)
def test_rank_agreement_is_spearmans_and_its_interval_holds_it(seed, noise):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 7))
    errors = rng.uniform(0, noise, (2, 7))
    value, low, high = rank_agreement(first, second, *errors)
    assert value == pytest.approx(spearmanr(first, second).statistic)
    assert -1 <= low <= value <= high <= 1 + 1e-12
    assert rank_agreement(first, second, 0 * first, 0 * first)[1:] == pytest.approx((value, value))


def test_too_little_to_rank_is_none():
    one = np.zeros(3)
    assert rank_agreement(one, np.arange(3.0), one, one) is None
    assert rank_agreement(np.arange(2.0), np.arange(2.0), one[:2], one[:2]) is None


def explained(model, texts):
    return px.ShapleyExplainer(model, progress=False, random_state=0).explain(texts)


def longest(texts):
    return np.array(
        [[len(text) / 99, max(map(len, text.split()), default=0) / 99] for text in texts]
    )


def test_explanations_of_the_same_texts_agree_with_themselves():
    texts = ["one day in the sun", "two", "a b c"]
    first = explained(longest, texts)
    found = compare_explanations(first, first)
    assert found["agreement"].tolist()[0] == pytest.approx(1)
    assert np.isnan(found["agreement"][1])
    assert found["n_units"].tolist() == [5, 1, 3]
    turned = explained(lambda texts: -longest(texts), texts)
    assert compare_explanations(first, turned, output=0)["agreement"][0] == pytest.approx(-1)
    with pytest.raises(ArgumentError, match=r"second\[1\]: is of another text"):
        compare_explanations(first, explained(longest, [texts[0], "x", texts[2]]))
    with pytest.raises(ArgumentError, match="second: expected 3 explanations"):
        compare_explanations(first, first[:2])
