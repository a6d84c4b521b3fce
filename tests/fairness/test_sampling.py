"""Which rows are looked at more closely, and for how many each speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.fairness.grouping import attribute
from perturbx.fairness.sampling import stratified
from perturbx.fairness.statistics.measures import Judged


@st.composite
def drawn_rows(draw):
    n = draw(st.integers(1, 120))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    groups = rng.choice(["a", "b", "c", None], n, p=[0.7, 0.2, 0.05, 0.05])
    labels = rng.choice([0.0, 1.0, np.nan], n, p=[0.8, 0.1, 0.1])
    decisions = rng.integers(0, 2, n).astype(float)
    return attribute("g", groups), Judged(decisions, decisions, labels), rng


def kinds(groups, judged):
    return list(
        zip(
            (groups.names_of(row) for row in range(len(judged))),
            np.nan_to_num(judged.labels, nan=-1.0),
            judged.decisions,
            strict=True,
        )
    )


@given(drawn_rows(), st.integers(1, 130))
def test_every_kind_is_there_where_it_fits_and_weights_speak_for_all_rows(rows, n):
    groups, judged, rng = rows
    sample = stratified(len(judged), n, [groups], [judged], rng)
    assert len(sample) == len(np.unique(sample.rows)) == min(n, len(judged))
    assert (np.diff(sample.rows) > 0).all()
    assert sample.weights.sum() == pytest.approx(len(judged))
    every = kinds(groups, judged)
    if len(set(every)) <= n:
        drawn = [every[row] for row in sample.rows]
        assert set(drawn) == set(every)
        for kind in set(every):
            own = [w for w, k in zip(sample.weights, drawn, strict=True) if k == kind]
            assert sum(own) == pytest.approx(every.count(kind))
        # As even as there are rows: none could have one more at the cost of a larger quota.
        for kind in set(every):
            if drawn.count(kind) < every.count(kind):
                assert max(map(drawn.count, set(every))) <= drawn.count(kind) + 1


@pytest.mark.parametrize("n", [7, 40])
def test_weighted_shares_are_right_on_average(n):
    rng = np.random.default_rng(0)
    groups = attribute("g", rng.choice(["a", "b"], 300, p=[0.95, 0.05]))
    decisions = rng.integers(0, 2, 300).astype(float)
    judged = Judged(decisions, decisions)
    other = rng.random(300)
    sums = []
    for draw in range(400):
        sample = stratified(300, n, [groups], [judged], np.random.default_rng(draw))
        sums.append(sample.weights @ other[sample.rows] / 300)
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - other.mean()) < 4 * error


def test_more_kinds_than_rows_are_drawn_evenly():
    judged = Judged(np.zeros(50), np.zeros(50))
    groups = attribute("g", list(map(str, range(50))))
    counts = np.zeros(50)
    for draw in range(300):
        sample = stratified(50, 10, [groups], [judged], np.random.default_rng(draw))
        counts[sample.rows] += 1
        np.testing.assert_array_equal(sample.weights, 5.0)
    assert counts.min() > 30


def test_regressions_and_rows_without_groups_can_be_sampled():
    rng = np.random.default_rng(0)
    judged = Judged(rng.random(30), None, rng.random(30))
    for attributes in ([], [attribute("g", ["a", "b", None] * 10)]):
        sample = stratified(30, 6, attributes, [judged], rng)
        assert len(sample) == 6
        assert sample.weights.sum() == pytest.approx(30)


def test_the_same_seed_gives_the_same_rows():
    judged = Judged(np.zeros(50), np.tile([0.0, 1.0], 25))
    draws = [stratified(50, 9, [], [judged], np.random.default_rng(3)).rows for _ in range(2)]
    np.testing.assert_array_equal(*draws)
