"""What words add to a gap: they add up to it, with errors that follow the clusters."""

import hashlib

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t

import perturbx as px
from perturbx.fairness.contributions import (
    BASE,
    OTHER,
    SAMPLING,
    UNEXPLAINED,
    Contributions,
    contributions,
    decompose,
    mean_attributions,
)
from perturbx.fairness.explaining import audit_explainer, explain_texts
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.sampling import Sample
from perturbx.fairness.scoring import TextScores
from perturbx.scorers import as_scorer


def any_function(texts):
    """A number for each text that has nothing to do with those of others."""
    return [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32 for text in texts]


def find_women(text):
    place = text.find("woman")
    return [] if place < 0 else [(place, place + 5, "gender")]


def contributions_of(texts, *, explainer=None, clusters=None, sample=None):
    scorer = as_scorer(any_function)
    scores = TextScores(scorer, progress=False)
    scores.of(texts)
    outcome = Outcome("output", 0, "identity", 0.5, True, True)
    chosen = audit_explainer(
        explainer, scorer, [outcome], batch_tokens="auto", random_state=0, progress=False
    )
    n = len(texts)
    sample = Sample(np.arange(n), np.ones(n)) if sample is None else sample
    clusters = np.arange(n) if clusters is None else clusters
    explanations, _ = explain_texts(chosen, texts, scores)
    return contributions(explanations, 0, find_women, sample, clusters)


WORDS = st.sampled_from(["woman", "man", "Woman", "good", "bad", "it", "was"])
SOME_TEXTS = st.lists(st.lists(WORDS, max_size=5).map(" ".join), min_size=2, max_size=6)


@given(SOME_TEXTS, st.data())
@settings(max_examples=12)
def test_parts_add_up_to_the_gap_whatever_the_model(texts, data):
    n = len(texts)
    found = contributions_of(texts)
    in_a = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    in_b = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    in_a[0] = in_b[1] = True
    parts = decompose(found, in_a, in_b, level=0.95)
    scores = np.array(any_function(texts))
    gap = scores[in_a].mean() - scores[in_b].mean()
    for table in parts.values():
        assert sum(row["contribution"] for row in table) == pytest.approx(gap, abs=1e-9)
        assert UNEXPLAINED not in {row["category"] for row in table}
        for row in table:
            assert not row["low"] > row["contribution"]
            assert not row["high"] < row["contribution"]


@given(SOME_TEXTS)
@settings(max_examples=8)
def test_words_and_categories_hold_the_same(texts):
    parts = decompose(
        contributions_of(texts), np.arange(len(texts)) > 0, np.arange(len(texts)) == 0, level=0.9
    )
    by_category = {row["category"]: row["contribution"] for row in parts["categories"]}
    for category, total in by_category.items():
        own = [r["contribution"] for r in parts["words"] if r["category"] == category]
        assert sum(own) == pytest.approx(total, abs=1e-9)
    known = {(r["word"], r["category"]) for r in parts["words"]}
    assert not known & {("man", "gender"), ("good", "gender")}
    assert ("woman", "gender") in known or "woman" not in " ".join(texts)


def test_what_a_sample_leaves_closes_the_gap_of_all_texts():
    texts = ["woman good", "man bad", "it was woman", "man"]
    sample = Sample(np.array([0, 3, 5, 8]), np.array([1.0, 4, 2, 3]))
    found = contributions_of(texts, sample=sample)
    in_a = np.array([True, False, True, False])
    parts = decompose(found, in_a, ~in_a, level=0.95, gap=0.3, share=0.5)
    for table in parts.values():
        assert sum(row["contribution"] for row in table) == pytest.approx(0.3, abs=1e-9)
        assert [row["category"] for row in table].count(SAMPLING) == 1
    scores = np.array(any_function(texts))
    own = np.average(scores[in_a], weights=[1, 2]) - np.average(scores[~in_a], weights=[4, 3])
    whole = decompose(found, in_a, ~in_a, level=0.95, gap=float(own))
    assert SAMPLING not in {row["category"] for row in whole["words"]}


def test_what_lime_leaves_is_said():
    texts = ["woman good it was", "man bad it was"]
    explainer = px.LimeExplainer(any_function, budget=60, progress=False, random_state=0)
    found = contributions_of(texts, explainer=explainer)
    in_a = np.array([True, False])
    parts = decompose(found, in_a, ~in_a, level=0.95)
    scores = any_function(texts)
    for table in parts.values():
        assert UNEXPLAINED in {row["category"] for row in table}
        total = sum(row["contribution"] for row in table)
        assert total == pytest.approx(scores[0] - scores[1], abs=1e-9)


def made(values, clusters, *, counts=None, weights=None, base=None):
    """Contributions of words "w0", "w1", ... without a model; odd words are identity terms."""
    values = np.asarray(values, dtype=float)
    n, width = values.shape
    base = np.zeros(n) if base is None else base
    counts = (values != 0).astype(float) if counts is None else counts
    return Contributions(
        tuple((f"w{k}", "gender" if k % 2 else OTHER) for k in range(width)),
        scipy.sparse.csr_array(values),
        scipy.sparse.csr_array(counts),
        base + values.sum(axis=1),
        base,
        Sample(np.arange(n), np.ones(n) if weights is None else weights),
        np.asarray(clusters),
    )


def half_width(x, in_a, in_b, weights, clusters, level):
    """The interval of a difference of weighted means, by the definition of its variance."""
    a, b = weights * in_a / (weights @ in_a), weights * in_b / (weights @ in_b)
    residual = a * (x - a @ x) - b * (x - b @ x)
    used = np.unique(clusters[in_a | in_b])
    fewer = min(len(np.unique(clusters[side])) for side in (in_a, in_b))
    sums = np.array([residual[clusters == cluster].sum() for cluster in used])
    error = np.sqrt(len(used) / (len(used) - 1) * (sums**2).sum())
    return student_t.ppf((1 + level) / 2, fewer - 1) * error


@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.95]))
def test_errors_are_cluster_robust(seed, level):
    rng = np.random.default_rng(seed)
    n = 14
    values = rng.normal(size=(n, 3)) * (rng.random((n, 3)) < 0.7)
    clusters, weights = rng.integers(0, 6, n) * 7, rng.uniform(0.5, 3, n)
    in_a, in_b = rng.random(n) < 0.5, rng.random(n) < 0.5
    in_a[:2], in_b[-2:], clusters[[0, 1, -2, -1]] = True, True, [0, 7, 0, 7]
    found = made(values, clusters, weights=weights, base=rng.normal(size=n))
    rows = {r["word"]: r for r in decompose(found, in_a, in_b, level=level)["words"]}
    columns = {f"w{k}": values[:, k] for k in range(3)} | {BASE: found.base_values}
    for word, column in columns.items():
        if word not in rows:
            assert not column[in_a | in_b].any()
            continue
        half = half_width(column, in_a, in_b, weights, clusters, level)
        value = rows[word]["contribution"]
        assert rows[word]["low"] == pytest.approx(value - half, abs=1e-9)
        assert rows[word]["high"] == pytest.approx(value + half, abs=1e-9)


@given(st.integers(0, 10_000), st.integers(2, 4))
def test_texts_repeated_within_their_cluster_tell_nothing_new(seed, times):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(8, 3))
    in_a = np.array([True, False] * 4)
    once = made(values, np.arange(8))
    more = made(np.repeat(values, times, axis=0), np.repeat(np.arange(8), times))
    first = decompose(once, in_a, ~in_a, level=0.95)
    second = decompose(more, np.repeat(in_a, times), ~np.repeat(in_a, times), level=0.95)
    for name, table in first.items():
        for one, two in zip(table, second[name], strict=True):
            for key in ("contribution", "low", "high"):
                assert one[key] == pytest.approx(two[key], abs=1e-9)
    groups = (
        [("a", in_a), ("b", ~in_a)],
        [(g, np.repeat(m, times)) for g, m in (("a", in_a), ("b", ~in_a))],
    )
    for one, two in zip(
        mean_attributions(once, groups[0], level=0.95),
        mean_attributions(more, groups[1], level=0.95),
        strict=True,
    ):
        for key in ("attribution", "low", "high"):
            assert one[key] == pytest.approx(two[key], abs=1e-9)


def test_sizes_count_texts_and_not_occurrences():
    counts = np.array([[2.0, 0], [0, 1], [3, 1]])
    found = made(counts / 10, np.arange(3), counts=counts)
    in_a = np.array([True, False, True])
    rows = {r["word"]: r for r in decompose(found, in_a, ~in_a, level=0.95)["words"]}
    assert (rows["w0"]["n_a"], rows["w0"]["n_b"]) == (2, 0)
    assert (rows["w1"]["n_a"], rows["w1"]["n_b"]) == (1, 1)
    assert (rows[BASE]["n_a"], rows[BASE]["n_b"]) == (2, 1)


@pytest.mark.parametrize("clusters", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 2]])
def test_a_side_of_one_cluster_has_no_interval(clusters):
    found = made([[1.0, 2], [3, 5], [2, 2], [9, 1]], clusters)
    in_a = np.array([True, True, False, False])
    for row in decompose(found, in_a, ~in_a, level=0.95)["words"]:
        assert np.isnan([row["low"], row["high"]]).all()


def test_a_group_with_itself_has_no_gap():
    found = made(np.random.default_rng(0).normal(size=(6, 4)), np.arange(6))
    everyone = np.ones(6, dtype=bool)
    for row in decompose(found, everyone, everyone, level=0.95)["words"]:
        assert row["contribution"] == row["low"] == row["high"] == 0


@given(st.integers(0, 10_000))
def test_an_identity_terms_attribution_is_a_mean_over_its_occurrences(seed):
    rng = np.random.default_rng(seed)
    n = 10
    counts = rng.integers(0, 3, (n, 2)).astype(float)
    values, weights = rng.normal(size=(n, 2)) * (counts > 0), rng.uniform(1, 3, n)
    found = made(values, np.arange(n), counts=counts, weights=weights)
    is_member = rng.random(n) < 0.6
    rows = mean_attributions(found, [("a", is_member)], level=0.95)
    own = is_member & (counts[:, 1] > 0)
    if not own.any():
        assert rows == []
        return
    (row,) = rows
    expected = (weights * values[:, 1])[own].sum() / (weights * counts[:, 1])[own].sum()
    assert row["attribution"] == pytest.approx(expected)
    assert (row["word"], row["category"], row["n"]) == ("w1", "gender", own.sum())
    assert np.isnan(row["low"]) == (own.sum() < 2)
