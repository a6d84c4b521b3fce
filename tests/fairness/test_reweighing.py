"""Weights that make groups and labels independent, and what training with them would do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from perturbx.fairness.grouping import attribute
from perturbx.fairness.remedies import Case
from perturbx.fairness.reweighing import REMEDY, reweighing, reweighing_advice
from perturbx.fairness.statistics.measures import Judged


def case_of(group, labels, *, least=2, clusters=None):
    decisions = np.zeros(len(labels))
    judged = Judged(decisions, decisions, labels)
    return Case(attribute("g", group), "o", 0.5, judged, clusters, 0.95, 100, 0, least)


def drawn_rows(seed, n=80, missing=0.1):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c", None], n, p=[0.4, 0.3, 0.2, 0.1])
    share = np.where(group == "a", 0.8, 0.3)
    labels = (rng.random(n) < share).astype(float)
    labels[rng.random(n) < missing] = np.nan
    return rng, group, labels


@given(st.integers(0, 10_000))
def test_weights_make_group_and_label_independent_and_follow_the_formula(seed):
    _, group, labels = drawn_rows(seed)
    case = case_of(group, labels)
    rows, weights = reweighing(case)
    known = np.isfinite(labels) & np.isin(group, [case.attribute.groups[i] for i in case.groups])
    assert (weights[~known] == 1).all()
    if not rows:
        return
    n = known.sum()
    for row in rows:
        side = 1.0 if row["label"] == "positive" else 0.0
        own = known & (group == row["group"]) & (labels == side)
        expected = (known & (group == row["group"])).sum() * (known & (labels == side)).sum()
        assert row["weight"] == pytest.approx(expected / n / own.sum())
        assert row["n"] == own.sum()
        np.testing.assert_allclose(weights[own], row["weight"])
    assert weights[known].sum() == pytest.approx(n)
    whole = np.average(labels[known], weights=weights[known])
    for name in {row["group"] for row in rows}:
        own = known & (group == name)
        assert np.average(labels[own], weights=weights[own]) == pytest.approx(whole)


def test_rows_of_several_groups_have_the_mean_of_their_weights():
    group = [("a",), ("a",), ("b",), ("b",), ("a", "b"), ("a", "b"), ("a",)]
    labels = np.array([1.0, 0, 1, 0, 1, 0, 1])
    rows, weights = reweighing(case_of(group, labels, least=1))
    by_cell = {(row["group"], row["label"]): row["weight"] for row in rows}
    expected = (by_cell["a", "positive"] + by_cell["b", "positive"]) / 2
    assert weights[4] == pytest.approx(expected)


@pytest.mark.parametrize("labels", [None, np.ones(6), np.full(6, np.nan)])
def test_without_labels_of_both_kinds_there_are_no_weights(labels):
    decisions = np.zeros(6)
    judged = Judged(decisions, decisions, labels)
    case = Case(attribute("g", ["a", "b"] * 3), "o", 0.5, judged, None, 0.95, 100, 0, 1)
    rows, weights = reweighing(case)
    assert rows == []
    np.testing.assert_array_equal(weights, 1.0)


def texts_and_case(n=240):
    """Labels that go with the group, and words for both."""
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], n)
    labels = (rng.random(n) < np.where(group == "a", 0.75, 0.25)).astype(float)
    word = np.where(labels == 1, "good", "bad")
    word[rng.random(n) < 0.3] = "so-so"
    texts = [f"person {who} is {said}" for who, said in zip(group, word, strict=True)]
    return texts, case_of(group, labels, least=10)


@pytest.mark.parametrize("own_model", [True, False])
def test_training_with_the_weights_narrows_the_gap(own_model):
    texts, case = texts_and_case()
    counts = CountVectorizer(token_pattern=r"\S+")
    model = make_pipeline(counts, LogisticRegression()) if own_model else len
    _, weights = reweighing(case)
    n = len(texts)
    rows = reweighing_advice(case, weights, np.arange(n), np.ones(n), texts, model)
    (row,) = [row for row in rows if row["metric"] == "demographic_parity"]
    assert row["remedy"] == REMEDY
    assert row["gap_after"] < row["gap_before"] - 0.1
    assert ("the same pipeline" in row["basis"]) == own_model
    assert ("stand-in" in row["basis"]) != own_model
    # The model that was given is not trained itself.
    assert not own_model or not hasattr(model[-1], "coef_")


def test_a_pipeline_that_takes_no_weights_is_stood_in_for():
    texts, case = texts_and_case(120)
    model = make_pipeline(CountVectorizer(), KNeighborsClassifier())
    rows = reweighing_advice(case, reweighing(case)[1], np.arange(120), np.ones(120), texts, model)
    assert {row["basis"].split(" ")[1] for row in rows} == {"stand-in"}


def test_a_training_that_fails_says_why():
    texts, case = texts_and_case()
    n = len(texts)
    rows = reweighing_advice(case, np.ones(n), np.arange(n), np.ones(n), [""] * n, len)
    assert rows
    for row in rows:
        assert row["detail"].startswith("no estimate: empty vocabulary")
        assert np.isnan(row["gap_after"])
        assert np.isfinite(row["gap_before"])


class Unready(LogisticRegression):
    """An estimator that fails in its own way."""

    def fit(self, X, y, sample_weight=None):
        raise TypeError("takes frames only")


def test_a_pipeline_that_fails_in_any_way_ends_no_audit():
    texts, case = texts_and_case()
    n = len(texts)
    model = make_pipeline(CountVectorizer(), Unready())
    rows = reweighing_advice(case, np.ones(n), np.arange(n), np.ones(n), texts, model)
    assert {row["detail"] for row in rows} == {"no estimate: takes frames only"}
