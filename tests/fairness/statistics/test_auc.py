"""Laws of the AUCs of groups."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from perturbx.fairness.statistics.auc import AUCS, GroupAucs, generalised_mean
from perturbx.fairness.statistics.resampling import Resampling


@st.composite
def rows(draw):
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scores = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), n).astype(float)
    labels = rng.choice([0.0, 1.0, np.nan], n, p=[0.45, 0.45, 0.1])
    members = [np.flatnonzero(rng.random(n) < share) for share in (0.3, 0.7, 1.0, 0.0)]
    return scores, labels, members


def direct(scores, labels, positive, negative):
    at = np.concatenate([positive[labels[positive] == 1], negative[labels[negative] == 0]])
    if len(np.unique(labels[at])) < 2:
        return np.nan
    return roc_auc_score(labels[at], scores[at])


@given(rows())
def test_aucs_are_those_of_the_subsets(drawn):
    scores, labels, members = drawn
    found = GroupAucs(scores, labels, members).values()
    for own, values in zip(members, found, strict=True):
        rest = np.setdiff1d(np.arange(len(scores)), own)
        expected = [
            direct(scores, labels, own, own),
            direct(scores, labels, rest, own),
            direct(scores, labels, own, rest),
        ]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@given(rows(), st.integers(0, 100))
def test_multiplicity_is_as_good_as_repeated_rows(drawn, seed):
    scores, labels, members = drawn
    times = np.random.default_rng(seed).integers(1, 5, len(scores))
    place = np.repeat(np.arange(len(scores)), times)
    again = [np.flatnonzero(np.isin(place, own)) for own in members]
    few = GroupAucs(scores, labels, members, times)
    many = GroupAucs(scores[place], labels[place], again)
    np.testing.assert_allclose(few.values(), many.values(), rtol=0, atol=1e-12)
    for counts in zip(few.counts(), many.counts(), strict=True):
        np.testing.assert_array_equal(*counts)


@given(rows())
def test_only_the_order_of_scores_matters(drawn):
    scores, labels, members = drawn
    found = GroupAucs(scores, labels, members).values()
    for other in (np.exp(scores / 100), 3 * scores - 7):
        moved = GroupAucs(other, labels, members).values()
        np.testing.assert_array_equal(moved, found)
    turned = GroupAucs(-scores, labels, members).values()
    np.testing.assert_allclose(turned, 1 - found, rtol=0, atol=1e-12)


@given(rows())
def test_swapping_labels_swaps_the_sides(drawn):
    scores, labels, members = drawn
    found = GroupAucs(scores, labels, members).values()
    other = GroupAucs(scores, 1 - labels, members).values()
    np.testing.assert_allclose(other, 1 - found[:, [0, 2, 1]], rtol=0, atol=1e-12)


def test_labels_of_one_class_have_no_auc():
    scores, members = np.arange(6.0), [np.arange(3), np.arange(6)]
    found = GroupAucs(scores, np.ones(6), members)
    assert np.isnan(found.values()).all()
    assert np.isnan(found.resampled(Resampling(None, None, 20, 0))).all()


def test_everyone_has_no_background():
    values = GroupAucs(np.arange(4.0), np.array([0, 1, 0, 1.0]), [np.arange(4)]).values()
    assert values[0, 0] == 0.75
    assert np.isnan(values[0, 1:]).all()


def test_counts_are_those_of_both_sides():
    labels = np.array([1, 1, 0, 0, 0, np.nan])
    rows, rarer = GroupAucs(np.arange(6.0), labels, [np.array([0, 2, 3, 5])]).counts()
    assert rows.tolist() == [[3, 3, 2]]
    assert rarer.tolist() == [[1, 1, 1]]


@given(rows(), st.booleans())
def test_resampled_aucs_stay_within_bounds_and_near_the_value(drawn, clustered):
    scores, labels, members = drawn
    assume(len(scores) > 5)
    clusters = np.arange(len(scores)) // 2 if clustered else None
    aucs = GroupAucs(scores, labels, members)
    draws = aucs.resampled(Resampling(clusters, None, 200, 1))
    values = aucs.values()
    known = np.isfinite(values)
    assert draws.shape == (*values.shape, 200)
    assert np.isfinite(draws[known]).all()
    assert ((draws[known] >= 0) & (draws[known] <= 1)).all()
    assert np.isnan(draws[~known]).all()


def test_a_perfect_ranking_has_an_interval():
    labels = np.repeat([0.0, 1.0], 10)
    draws = GroupAucs(labels, labels, [np.arange(20)]).resampled(Resampling(None, None, 500, 0))
    assert 0.7 < np.quantile(draws[0, 0], 0.025) < 0.95


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9), st.floats(-9, -1))
def test_the_generalised_mean_lies_between_the_worst_and_the_mean(values, power):
    held = np.array(values)
    mean = float(generalised_mean(held, power))
    assert held.min() - 1e-9 <= mean <= held.mean() + 1e-9
    with_none = np.append(held, np.nan)
    assert float(generalised_mean(with_none, power)) == pytest.approx(mean)


def test_names_are_in_the_order_of_values():
    assert AUCS == ("subgroup_auc", "bpsn_auc", "bnsp_auc")
