"""Gates: conditions on gaps, whichever group comes first."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.fairness.frames import FRAMES, frame
from perturbx.fairness.gates import GATED, Gate


def report_of(*gaps):
    """A report of gaps ``(metric, kind, value, low, high)``, each with an attribute or not."""
    rows = []
    for metric, kind, value, low, high, *attribute in gaps:
        row = {column.name: "" if column.kind == "text" else 0 for column in FRAMES["gaps"]}
        about = {"attribute": attribute[0] if attribute else "gender", "outcome": "yes"}
        about |= {"metric": metric, "kind": kind, "group_a": "female", "group_b": "male"}
        rows.append(row | about | {"value": value, "low": low, "high": high})
    return SimpleNamespace(gaps=frame("gaps", rows))


def fails(text, *gaps, confident=False):
    return bool(Gate.read(text).failures(report_of(*gaps), confident=confident))


@given(
    st.sampled_from(GATED),
    st.sampled_from(["difference", "ratio"]),
    st.sampled_from([">", ">=", "<", "<="]),
    st.floats(0, 1e6).map(lambda number: float(f"{number:g}")),
    st.none() | st.sampled_from(["gender", "gender & age", "gender (in the text)"]),
)
def test_a_gate_is_read_as_it_is_written(metric, kind, comparison, limit, attribute):
    gate = Gate(metric, kind, comparison, limit, attribute)
    assert Gate.read(str(gate)) == gate
    assert Gate.read(f"  {gate} ") == gate
    assert Gate.read(str(gate).replace(f" {comparison} ", comparison)) == gate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "demographic_parity > 0.1",
        "demographic_parity_difference 0.1",
        "demographic_parity_difference = 0.1",
        "demographic_parity_difference > much",
        "demographic_parity_difference > 1e",
        "demographic_parity_difference > --1",
        "demographic_parity_difference > nan",
        "beauty_difference > 0.1",
        ": demographic_parity_difference > 0.1",
    ],
)
def test_what_is_no_gate_is_told(text):
    with pytest.raises(ArgumentError, match="gate: expected METRIC_difference or METRIC_ratio"):
        Gate.read(text)


@given(st.floats(-1, 1), st.floats(0, 0.3), st.floats(0, 1))
@settings(max_examples=30)
def test_a_difference_has_no_sign(value, half, limit):
    gap = ("fpr", "difference", value, value - half, value + half)
    turned = ("fpr", "difference", -value, -value - half, -value + half)
    for confident in (False, True):
        for comparison in (">", "<"):
            text = f"fpr_difference {comparison} {limit!r}"
            assert fails(text, gap, confident=confident) == fails(text, turned, confident=confident)
    assert fails(f"fpr_difference > {limit!r}", gap) == (abs(value) > limit)


@given(st.floats(0.05, 20), st.floats(1, 3), st.floats(0.01, 1))
@settings(max_examples=30)
def test_a_ratio_is_the_smaller_over_the_larger(value, factor, limit):
    gap = ("fpr", "ratio", value, value / factor, value * factor)
    turned = ("fpr", "ratio", 1 / value, 1 / value / factor, 1 / value * factor)
    text = f"fpr_ratio < {limit!r}"
    near_limit = min(abs(min(v, 1 / v) - limit) for v in (value, value * factor, value / factor))
    if near_limit > 1e-9:
        for confident in (False, True):
            assert fails(text, gap, confident=confident) == fails(text, turned, confident=confident)
        assert fails(text, gap) == (min(value, 1 / value) < limit)


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 1))
@settings(max_examples=30)
def test_a_confident_gate_needs_the_whole_interval(value, below, above, limit):
    low, high = value - below, value + above
    gap = ("fpr", "difference", value, low, high)
    inside = np.linspace(low, high, 41).tolist() + ([0.0] if low <= 0 <= high else [])
    near_limit = min(abs(abs(v) - limit) for v in (low, high, value, 0.0))
    if near_limit > 1e-6:
        sizes = np.abs(inside)
        assert fails(f"fpr_difference > {limit!r}", gap, confident=True) == (sizes > limit).all()
        assert fails(f"fpr_difference < {limit!r}", gap, confident=True) == (sizes < limit).all()


def test_a_ratio_of_nothing_is_the_worst():
    gap = ("demographic_parity", "ratio", 0.0, 0.0, 0.4)
    assert fails("demographic_parity_ratio < 0.8", gap)
    assert fails("demographic_parity_ratio < 0.8", gap, confident=True)
    assert not fails("demographic_parity_ratio < 0.3", gap, confident=True)
    wide = ("demographic_parity", "ratio", 0.0, 0.0, 1.5)
    assert not fails("demographic_parity_ratio < 0.8", wide, confident=True)


def test_an_interval_that_is_not_known_is_no_confidence():
    gap = ("fpr", "difference", 0.5, np.nan, np.nan)
    assert fails("fpr_difference > 0.1", gap)
    assert not fails("fpr_difference > 0.1", gap, confident=True)


def test_each_gap_that_meets_the_condition_has_a_line():
    gaps = [
        ("fpr", "difference", v, v - 0.1, v + 0.1, name) for v, name in ((0.3, "a"), (0.05, "b"))
    ]
    report = report_of(*gaps, ("tpr", "difference", 0.9, 0.8, 1.0))
    (line,) = Gate.read("fpr_difference > 0.1").failures(report)
    assert line == "a, yes: fpr_difference of female and male is 0.3 [0.2, 0.4] > 0.1"
    assert Gate.read("b: fpr_difference > 0.1").failures(report) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "fnr_difference > 0.1",
            "gate: the report has no fnr_difference; it has fpr_difference of",
        ),
        ("fpr_ratio < 0.1", "gate: the report has no fpr_ratio"),
        ("age: fpr_difference > 0.1", "no fpr_difference of 'age'; it has .* of 'gender'"),
    ],
)
def test_a_gate_that_looks_at_nothing_is_a_mistake(text, what):
    with pytest.raises(ArgumentError, match=what):
        fails(text, ("fpr", "difference", 0.2, 0.1, 0.3))
    few = ("fnr", "difference", np.nan, np.nan, np.nan)
    with pytest.raises(ArgumentError, match="gate: the report has no"):
        fails("fnr_difference > 0.1", few)
