"""Errors of few walks: one pair, some pairs, and all values at once."""

from dataclasses import replace
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import Owen as OwenSampler
from perturbx.coalitions import Permutation, PlayerCount
from perturbx.score_table import ScoreTable
from perturbx.surrogates import ExactShapley, Owen, PermutationShapley

METHODS = {"permutation": (Permutation(), PermutationShapley()), "owen": (OwenSampler(), Owen())}


def drawn(sampler, n_units, budget, seed, game):
    generator = torch.Generator().manual_seed(seed)
    coalitions = sampler.sample(PlayerCount(n_units), budget, generator)
    masks = coalitions.masks.numpy()
    scores = game(masks).astype(float)[:, None]
    return ScoreTable(
        masks, scores, ("y",), walks=coalitions.walks.numpy(), design=coalitions.design
    )


def steep(n_units, seed):
    """A probability, of log-odds that are a line."""
    rng = np.random.default_rng(seed)
    weights, level = 2.0 * rng.normal(size=n_units), rng.normal()
    return lambda masks: 1.0 / (1.0 + np.exp(-(masks @ weights + level)))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(4, 7), seed=st.integers(0, 10**6))
def test_one_pair_of_walks_is_no_surer_than_its_units_are_alike(lab, n, seed):
    """The error of a mean over all orders is at least the scatter of the units, as far as known."""
    scores = lab.smooth_scores(n, 2, seed)
    (fitted,) = PermutationShapley().fit([lab.walked(scores, lab.random_orders(n, 1, seed))])
    unseen = 1.0 - 2.0 / factorial(n)
    least = np.sqrt(unseen * fitted.values.var(axis=0) / 2.0)
    assert (fitted.std_errors >= least * (1.0 - 1e-9)).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_pair_of_walks_names_no_largest_unit(method):
    """A walk and its reversal nearly agree on smooth games, whatever other orders would say."""
    sampler, surrogate = METHODS[method]
    claims = []
    for seed in range(100):
        table = drawn(sampler, 12, 24, seed, steep(12, seed))
        assert len(table.walks) == 2
        (fitted,) = surrogate.fit([table])
        claims.append(fitted.top_k(1).certain or fitted.top_k(3).certain)
    assert not np.any(claims)


@pytest.mark.parametrize("budget", [100, 130])
def test_simultaneous_intervals_of_few_pairs_hold_all_values(budget):
    """Of sums of words that count together: each set's worth is shared by its units."""
    n, inside = 10, []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        sets = [rng.choice(n, size, replace=False) for size in (1, 2, 2, 3, 4)]
        worths = rng.normal(size=len(sets))
        truth = np.zeros(n)
        for units, worth in zip(sets, worths, strict=True):
            truth[units] += worth / len(units)

        def game(masks, sets=sets, worths=worths):
            return sum(w * masks[:, s].all(axis=1) for s, w in zip(sets, worths, strict=True))

        (fitted,) = PermutationShapley().fit([drawn(Permutation(), n, budget, seed, game)])
        found = fitted.confidence_interval(simultaneous=True)
        inside.append(
            ((found.low[:, 0] <= truth + 1e-9) & (truth <= found.high[:, 0] + 1e-9)).all()
        )
    assert np.mean(inside) >= 0.94


def test_opposite_walks_that_cancel_do_not_hide_that_orders_matter():
    """Their means agree in every pair; that the walks themselves do not is in the errors."""
    table = drawn(Permutation(), 6, 60, 0, lambda masks: masks[:, 0] * masks[:, 1])
    (fitted,) = PermutationShapley().fit([table])
    np.testing.assert_allclose(fitted.values.ravel(), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0])
    assert (fitted.std_errors > 0).all()
    (line,) = PermutationShapley().fit([drawn(Permutation(), 6, 60, 0, lambda m: m @ np.arange(6))])
    np.testing.assert_allclose(line.std_errors, 0.0, atol=1e-9)


@pytest.mark.parametrize("n", [3, 4])
def test_all_orders_give_exact_values_however_often_each_was_drawn(n):
    def game(masks):
        return masks[:, 0] * (1.0 + masks[:, 1]) - masks[:, -1] * ~masks[:, 1]

    table = drawn(Permutation(), n, 60, 0, game)
    assert len(table) == 2**n
    assert len(table.walks) > factorial(n)
    exact, walked = ExactShapley().fit([table]) + PermutationShapley().fit([table])
    assert walked.values == pytest.approx(exact.values, abs=1e-12)
    assert (walked.std_errors == 0.0).all()


def test_copies_of_one_walk_are_no_two_walks():
    table = drawn(Permutation(), 4, 8, 0, steep(4, 0))
    copies = replace(table, walks=table.walks[[0, 0, 0]])
    (fitted,) = PermutationShapley().fit([copies])
    assert (fitted.std_errors > 0.0).all()
