"""`TreeProxy`: trees as games against brute force, and the laws of what is made of them."""

import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from perturbx.exceptions import MissingExtraError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import OddGP, TreeProxy
from perturbx.surrogates.tree_proxy.boosting import boost
from perturbx.surrogates.tree_proxy.cross_fit import cross_fit
from perturbx.surrogates.tree_proxy.surrogate import control_variate
from perturbx.surrogates.tree_proxy.trees import (
    Leaves,
    Split,
    scaled,
    shapley_interactions,
    walsh_spectrum,
)

UNITS = 6


def random_tree(rng, units):
    if not units or rng.random() < 0.2:
        return float(rng.normal())
    unit = int(rng.choice(units))
    others = [other for other in units if other != unit]
    return Split(unit, random_tree(rng, others), random_tree(rng, others))


def forest(seed):
    rng = np.random.default_rng(seed)
    return [random_tree(rng, list(range(UNITS))) for _ in range(3)]


def value(tree, mask):
    while isinstance(tree, Split):
        tree = tree.kept if mask[tree.unit] else tree.removed
    return tree


def values(trees, masks):
    return np.array([sum(value(tree, mask) for tree in trees) for mask in masks])


def pairs_of(scores, n_pairs, seed):
    """Both ends and pairs of complements of a game that is known everywhere."""
    last = len(scores) - 1
    some = np.random.default_rng(seed).permutation(np.arange(1, len(scores) // 2))[:n_pairs]
    rows = np.concatenate([[0, last], some, last - some])
    masks = (rows[:, None] >> np.arange(len(scores).bit_length() - 1)) & 1 > 0
    return ScoreTable(masks, scores[rows], tuple(map(str, range(scores.shape[1]))), paired=True)


def fit(table):
    return TreeProxy().fit([table])[0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_leaves_and_spectrum_give_the_value_of_every_coalition(lab, seed):
    trees, masks = forest(seed), lab.all_masks(UNITS)
    game = values(trees, masks)
    np.testing.assert_allclose(Leaves.of(trees, UNITS).predict(masks), game, atol=1e-12)
    spectrum = walsh_spectrum(trees)
    for subset in (frozenset(s) for k in range(UNITS + 1) for s in combinations(range(UNITS), k)):
        signs = (-1.0) ** masks[:, sorted(subset)].sum(axis=1)
        assert spectrum.get(subset, 0.0) == pytest.approx((signs * game).mean(), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shapley_values_of_trees_are_those_of_the_game(lab, seed):
    trees = forest(seed)
    truth = lab.shapley(values(trees, lab.all_masks(UNITS))[:, None])[:, 0]
    np.testing.assert_allclose(Leaves.of(trees, UNITS).shapley_values, truth, atol=1e-12)
    read = shapley_interactions(walsh_spectrum(trees), order=1)
    off = [read.get(frozenset({unit}), 0.0) - truth[unit] for unit in range(UNITS)]
    np.testing.assert_allclose(off, 0.0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), i=st.integers(0, 5), j=st.integers(0, 5))
def test_pairwise_interactions_are_differences_of_shapley_values(lab, seed, i, j):
    """I_ij is φ_i of the game with j always kept, minus φ_i of the game with j always removed."""
    if i == j:
        j = (i + 1) % UNITS
    trees, masks = forest(seed), lab.all_masks(UNITS)
    by_state = []
    for state in (True, False):
        rest = masks[masks[:, j]].copy()
        rest[:, j] = state
        by_state.append(lab.shapley(values(trees, rest)[:, None])[i - (i > j), 0])
    found = shapley_interactions(walsh_spectrum(trees), order=2).get(frozenset({i, j}), 0.0)
    assert found == pytest.approx(by_state[0] - by_state[1], abs=1e-12)


def test_scaling_a_tree_scales_its_values(lab):
    masks = lab.all_masks(UNITS)
    for tree in forest(0):
        np.testing.assert_allclose(values([scaled(tree, -3.0)], masks), -3 * values([tree], masks))


def test_boosted_trees_learn_a_tree_of_lightgbm_s_own_kind(lab):
    """What is read out of the model predicts as the model does: here, nearly the targets."""
    masks = lab.all_masks(UNITS)
    game = values([Split(2, Split(0, -1.0, 2.0), Split(4, 0.5, -3.0))], masks)
    targets = (game - game.mean()) / game.std()
    trees = boost(masks, targets)
    np.testing.assert_allclose(Leaves.of(trees, UNITS).predict(masks), targets, atol=0.01)


def test_predictions_are_out_of_fold(lab):
    """Scores without a pattern cannot be predicted; in fold, trees would seem to."""
    table = pairs_of(lab.random_scores(9, 1, 0), 100, 0)
    inner = table.masks.any(axis=1) & ~table.masks.all(axis=1)
    predictions = cross_fit(table).predictions[inner, 0]
    assert abs(np.corrcoef(predictions, table.scores[inner, 0])[0, 1]) < 0.25


def test_a_share_of_nothing_is_odd_gp(lab):
    table = pairs_of(lab.smooth_scores(8, 2, 0), 60, 0)
    (ours,) = control_variate([table], [cross_fit(table)], share=0.0)
    (theirs,) = OddGP().fit([table])
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
    np.testing.assert_allclose(ours.r2_by_output, theirs.r2_by_output, atol=1e-9)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 99), n_pairs=st.integers(5, 40))
def test_values_add_up_whatever_the_trees_say(lab, seed, n_pairs):
    scores = lab.smooth_scores(7, 2, seed)
    fitted = fit(pairs_of(scores, n_pairs, seed))
    np.testing.assert_allclose(fitted.values.sum(0), scores[-1] - scores[0], atol=1e-9)
    np.testing.assert_allclose(fitted.base_values, scores[0], atol=1e-9)


def test_all_coalitions_give_the_exact_values(lab):
    scores = lab.random_scores(6, 2, 0)
    fitted = fit(lab.exhaustive(scores))
    np.testing.assert_allclose(fitted.values, lab.shapley(scores), atol=1e-10)
    assert fitted.method == "tree_proxy"


def test_units_that_do_nothing_are_nothing_within_error(lab):
    z = lab.all_masks(10)
    scores = z[:, :4] @ np.array([1.0, -2.0, 0.5, 1.5]) + np.where(z[:, 0], z[:, 1:5].all(1), 0)
    table = pairs_of((scores + 2.0 * (z[:, 2:6].sum(axis=1) % 2))[:, None], 100, 1)
    interval = fit(table).confidence_interval(0.99)
    assert (interval.low[6:] <= 0).all()
    assert (interval.high[6:] >= 0).all()


def test_the_correction_takes_off_what_the_trees_get_wrong(lab):
    """The trees' own values are far off, as they were spared the additive part."""
    scores = lab.smooth_scores(9, 1, 0)
    table, truth = pairs_of(scores, 100, 0), lab.shapley(scores)
    raw = np.square(cross_fit(table).values - truth).sum()
    assert np.square(fit(table).values - truth).sum() < 0.05 * raw


def test_errors_hold_the_spread_of_the_trees(lab):
    table = pairs_of(lab.smooth_scores(8, 1, 0), 60, 0)
    trees = cross_fit(table)
    assert np.diagonal(trees.covariance[0]).min() > 0
    np.testing.assert_allclose(trees.covariance.sum(axis=2), 0.0, atol=1e-12)
    fitted = fit(table)
    diagonal = np.diagonal(fitted.covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(fitted.std_errors, np.sqrt(diagonal))
    assert (np.square(fitted.std_errors[:, 0]) >= np.diagonal(trees.covariance[0])).all()


def test_intervals_hold_where_nearly_all_pairs_are_known(lab):
    held = []
    masks = lab.all_masks(8)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scores = np.zeros((len(masks), 1))
        for _ in range(6):
            units = rng.choice(8, 3, replace=False)
            together = masks[:, units].all(1) if rng.random() < 0.5 else masks[:, units].any(1)
            scores[:, 0] += rng.normal() * together
        found = fit(pairs_of(scores, 110, seed))
        half = student.ppf(0.975, found.dof) * found.std_errors
        held.append(np.abs(found.values - lab.shapley(scores)) <= half)
    assert np.mean(held) >= 0.93


def test_the_spectrum_finds_a_planted_triple(lab):
    masks = lab.all_masks(9)
    scores = masks @ np.linspace(-1, 1, 9) + 4.0 * (masks[:, [1, 4, 6]].sum(axis=1) % 2)
    spectrum = TreeProxy().spectrum(pairs_of(scores[:, None], 150, 0))
    assert max((s for s in spectrum if len(s) > 1), key=lambda s: abs(spectrum[s])) == {1, 4, 6}
    assert spectrum[frozenset()] == pytest.approx(scores.mean(), abs=0.2)


def test_the_same_table_gives_the_same_bits(lab):
    table = pairs_of(lab.smooth_scores(7, 1, 3), 40, 3)
    np.testing.assert_array_equal(fit(table).values, fit(table).values)


def test_without_lightgbm_the_error_names_the_extra(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[trees\]"):
        fit(pairs_of(lab.smooth_scores(7, 1, 3), 40, 3))
