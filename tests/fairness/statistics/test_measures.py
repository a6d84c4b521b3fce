"""Laws of the measures: quotients of sums over rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.fairness.statistics.measures import (
    CLASSIFICATION,
    REGRESSION,
    SCORES,
    Judged,
    measures_of,
)


@st.composite
def judged_rows(draw):
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    labels = rng.choice([0.0, 1.0, np.nan], n, p=[0.4, 0.4, 0.2])
    return Judged(rng.random(n), rng.integers(0, 2, n).astype(float), labels, True)


def value(measure, judged):
    above, below = measure.of_rows(judged)
    return above.sum() / below.sum() if below.sum() else np.nan


def by_definition(judged):
    s, p, y = judged.scores, judged.decisions, judged.labels
    known = np.isfinite(y)

    def share(of, where):
        return of[where].mean() if where.any() else np.nan

    return {
        "selection_rate": p.mean(),
        "base_rate": share(y, known),
        "tpr": share(p, y == 1),
        "fpr": share(p, y == 0),
        "fnr": share(1 - p, y == 1),
        "precision": share(y, known & (p == 1)),
        "accuracy": share(p == y, known),
        "mean_score": s.mean(),
        "calibration": share(s - y, known),
        "brier_score": share((s - y) ** 2, known),
        "mean_error": share(s - y, known),
        "mean_absolute_error": share(np.abs(s - y), known),
    }


@given(judged_rows())
def test_every_measure_is_its_definition(judged):
    expected = by_definition(judged)
    for measure in (*CLASSIFICATION, *SCORES, *REGRESSION):
        found = value(measure, judged)
        np.testing.assert_allclose(found, expected[measure.name], atol=1e-12, err_msg=measure.name)


@given(judged_rows())
def test_rows_of_no_label_add_to_measures_without_labels_only(judged):
    known = judged.rows(np.isfinite(judged.labels))
    for measure in (*CLASSIFICATION, *SCORES):
        if measure.needs_labels:
            np.testing.assert_allclose(value(measure, known), value(measure, judged), atol=1e-12)


@given(judged_rows())
def test_shares_lie_in_the_unit_interval_and_errors_add_up(judged):
    found = {measure.name: value(measure, judged) for measure in CLASSIFICATION}
    for measure in CLASSIFICATION:
        assert measure.is_share
        assert np.isnan(found[measure.name]) or 0 <= found[measure.name] <= 1
    np.testing.assert_allclose(found["tpr"] + found["fnr"], 1 + 0 * found["tpr"], atol=1e-12)


@given(judged_rows())
def test_what_looks_at_one_label_does_not_see_how_often_it_occurs(judged):
    for label in (0.0, 1.0):
        of_label = judged.rows(judged.labels == label)
        for measure in CLASSIFICATION:
            if measure.given_labels and (measure.name == "fpr") == (label == 0):
                np.testing.assert_allclose(
                    value(measure, of_label), value(measure, judged), atol=1e-12
                )


@pytest.mark.parametrize(
    ("judged", "names"),
    [
        (Judged(np.ones(2)), ["mean_score"]),
        (Judged(np.ones(2), labels=np.ones(2)), [m.name for m in REGRESSION]),
        (Judged(np.ones(2), np.ones(2), is_probability=True), ["selection_rate", "mean_score"]),
        (
            Judged(np.ones(2), np.ones(2), np.ones(2)),
            [*(m.name for m in CLASSIFICATION), "mean_score"],
        ),
        (
            Judged(np.ones(2), np.ones(2), np.ones(2), True),
            [m.name for m in (*CLASSIFICATION, *SCORES)],
        ),
    ],
)
def test_measures_are_those_that_the_rows_allow(judged, names):
    assert [measure.name for measure in measures_of(judged)] == names
