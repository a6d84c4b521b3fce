"""Games between two bounds: bent scales, the even part, and what differences are worth."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.score_table import ScoreTable
from perturbx.surrogates import OddGP
from perturbx.surrogates.gaussian.relevances import Parameters
from perturbx.surrogates.gaussian.scales import LEAST_ODDS, Scales
from perturbx.surrogates.odd_gp import even_kernel, relevance_kernel
from perturbx.surrogates.odd_gp.averaging import average, average_bounded
from perturbx.surrogates.odd_gp.further_pairs import (
    further_pairs,
    order_of_units,
    readout_of_differences,
)
from perturbx.surrogates.odd_gp.geometry import Geometry
from perturbx.surrogates.odd_gp.isotropic import fit_isotropic
from perturbx.surrogates.odd_gp.links import likeliest_scales
from perturbx.surrogates.odd_gp.odd_part import odd_part
from perturbx.surrogates.odd_gp.posterior import Posterior
from perturbx.surrogates.odd_gp.relevance import fit_relevance

N_UNITS = 10


def table_of(scores, budget, seed):
    """What the design buys of a game ``(2 ** n,)``."""
    n_units = len(scores).bit_length() - 1
    generator = torch.Generator().manual_seed(seed)
    masks = OddPairs().sample(PlayerCount(n_units), budget, generator).masks.numpy()
    return ScoreTable(masks, scores[masks @ (1 << np.arange(n_units))][:, None], ("y",))


def logit(lab, seed):
    """A sum of units and pairs, as log-odds that reach far into both ends."""
    rng = np.random.default_rng(seed)
    masks = lab.all_masks(N_UNITS).astype(float)
    pairs = masks[:, :5] * masks[:, 5:]
    return 2.0 * masks @ rng.normal(size=N_UNITS) + pairs @ rng.normal(size=5) - 0.5


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def tensors(table):
    part = odd_part(table, "odd_gp")
    return [torch.from_numpy(each) for each in (part.masks, part.values, part.means)]


def error(values, truth):
    return np.square(values - truth).sum() / np.square(truth).sum()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), below=st.floats(0.01, 1), above=st.floats(0.01, 1))
def test_a_scale_is_bent_and_straightened_again(seed, below, above):
    scores = torch.from_numpy(np.random.default_rng(seed).normal(size=(30, 1))).sort(0).values
    ends = torch.tensor([below]), torch.tensor([above])
    scale = Scales(scores.amin(0), scores.amax(0), *(end.double() for end in ends))
    u = scale.bend(scores)
    assert (u.diff(dim=0) > 0).all()
    torch.testing.assert_close(scale.straighten(u, torch.zeros(1)), scores)
    # What is unknown is drawn to the middle, and never beyond the bounds.
    unsure = scale.straighten(u, torch.full((1,), 1e6))
    middle = scale.low + (scale.high - scale.low) * (0.5 * (1 + above - below))
    torch.testing.assert_close(unsure, middle.expand_as(unsure), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_seen_where_there_are_some(lab, seed):
    """The likeliest scale of probabilities is bent, that of their log-odds is not."""
    x = logit(lab, seed)
    odds = {}
    for name, scores in (("probability", logistic(x)), ("log-odds", x)):
        masks, values, means = tensors(table_of(scores, 6 * N_UNITS, seed))
        odds[name] = float(likeliest_scales(masks, values, means)[1])
    assert odds["probability"] > LEAST_ODDS > odds["log-odds"]


@pytest.mark.parametrize(("steepness", "most"), [(1.5, 0.001), (4.0, 0.025)])
def test_a_game_that_complements_mirror_has_one_scale_whatever_the_sign(lab, steepness, most):
    """p(S) + p(N - S) = 1: the even part is rounding, which chose the scale before."""
    z, errors = lab.all_masks(9), []
    for seed in range(15):
        w = np.random.default_rng(seed).normal(size=9)
        p = 1.0 / (1.0 + np.exp(-steepness * (z @ w - w.sum() / 2.0)))
        one, other = (OddGP().fit([table_of(own, 44, seed)])[0] for own in (p, 1.0 - p))
        np.testing.assert_allclose(one.values, -other.values, atol=1e-10)
        np.testing.assert_allclose(one.std_errors, other.std_errors, atol=1e-10)
        truth = lab.shapley(p[:, None])
        errors.append(np.square(one.values - truth).sum() / np.square(truth).sum())
    assert np.mean(errors) < most


@pytest.mark.parametrize("budget", [28, 44, 90])
def test_an_additive_game_stays_on_the_straight_scale(lab, budget):
    for seed in range(5):
        scores = lab.all_masks(9) @ np.random.default_rng(seed).normal(size=9)
        part = odd_part(table_of(scores, budget, seed), "odd_gp")
        arrays = (torch.from_numpy(own) for own in (part.masks, part.values, part.means))
        _, odds, _ = likeliest_scales(*arrays)
        assert odds < LEAST_ODDS


def test_equal_scores_have_no_scale():
    masks = torch.from_numpy(np.random.default_rng(0).random((12, 6)) < 0.5)
    _, odds, _ = likeliest_scales(masks, torch.zeros((12, 2)), torch.ones((12, 2)))
    assert (odds == -torch.inf).all()


def test_probabilities_take_fewer_calls(lab):
    """Half the error of the models on the straight scale, the mean of some games."""
    errors = []
    for seed in range(6):
        scores = logistic(logit(lab, seed))
        table, truth = table_of(scores, 6 * N_UNITS, seed), lab.shapley(scores[:, None])[:, 0]
        masks, values, _ = tensors(table)
        straight = average(
            *(fit(masks[None], values[None]) for fit in (fit_isotropic, fit_relevance))
        )
        size = np.abs(odd_part(table, "odd_gp").scale)
        ours = OddGP().fit([table])[0].values[:, 0]
        errors.append([error(ours, truth), error(straight.values[0, 0].numpy() * size, truth)])
    ours, theirs = np.mean(errors, axis=0)
    assert ours < 0.5 * theirs


def test_the_better_a_model_predicts_the_more_it_counts():
    rng = np.random.default_rng(0)
    residuals = torch.from_numpy(rng.normal(size=(1, 30, 1)))
    straight = Posterior(
        torch.zeros((1, 1, 4)).double(),
        torch.eye(4).double()[None, None],
        residuals,
        torch.ones((1, 1)).double(),
    )
    values, nothing = torch.ones((1, 4)).double(), torch.zeros((1, 4, 4)).double()
    means, spreads = [], []
    for quotient in (3.0, 1.0, 0.3):
        own = average_bounded(straight, values, nothing, quotient * residuals[:, :, 0])
        means.append(float(own.values.mean()))
        spreads.append(float(own.covariance[0, 0].diagonal().sum()))
    assert 0.0 < means[0] < means[1] < means[2] < 1.0
    assert spreads[2] < spreads[1]


def test_the_gradient_of_the_even_part_is_that_of_its_objective():
    rng = np.random.default_rng(1)
    masks = torch.from_numpy(rng.random((2, 20, 7)) < 0.5)
    geometry, values = Geometry.of_masks(masks), torch.from_numpy(rng.normal(size=(2, 20)))
    point = relevance_kernel.starting_point(7) + 0.4 * torch.from_numpy(rng.normal(size=(2, 12)))

    def objective(at):
        return even_kernel.negative_log_posterior(at, geometry, values)

    gradient = objective(point)[1]()
    for index in range(12):
        step = 1e-5 * torch.eye(12, dtype=torch.float64)[index]
        slope = (objective(point + step)[0] - objective(point - step)[0]) / 2e-5
        torch.testing.assert_close(gradient[:, index], slope, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", [relevance_kernel, even_kernel], ids=["odd", "even"])
def test_masks_that_problems_share_are_as_good_as_their_own(kernel):
    rng = np.random.default_rng(2)
    masks, others = (torch.from_numpy(rng.random((rows, 6)) < 0.5) for rows in (15, 9))
    point = relevance_kernel.starting_point(6) + 0.4 * torch.from_numpy(rng.normal(size=(3, 11)))
    values = torch.from_numpy(rng.normal(size=(3, 15)))
    own = Parameters.unpack(point, 6)
    shared = Geometry.of_masks(masks, others)
    each = Geometry.of_masks(masks.expand(3, -1, -1), others.expand(3, -1, -1))
    torch.testing.assert_close(kernel.covariance(own, shared), kernel.covariance(own, each))
    # In every pair of a mask and another, what one says of the other does not depend on the rest.
    some = Geometry.of_masks(masks[:4], others)
    torch.testing.assert_close(kernel.covariance(own, some), kernel.covariance(own, shared)[:, :4])
    shared, each = Geometry.of_masks(masks), Geometry.of_masks(masks.expand(3, -1, -1))
    one = kernel.negative_log_posterior(point, shared, values)
    other = kernel.negative_log_posterior(point, each.of(torch.arange(3)), values)
    torch.testing.assert_close(one[0], other[0])
    torch.testing.assert_close(one[1](), other[1]())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), n=st.integers(6, 15))
def test_the_order_of_units_does_not_depend_on_names_rows_or_sides(seed, n):
    rng = np.random.default_rng(seed)
    masks = torch.from_numpy(rng.random((3 * n, n)) < 0.5)
    names, rows = rng.permutation(n), rng.permutation(3 * n)
    turned = masks[rows] ^ torch.from_numpy(rng.random((3 * n, 1)) < 0.5)
    order, renamed = (order_of_units(each[None])[0] for each in (turned, turned[:, names]))
    first, second = masks[:, order_of_units(masks[None])[0]], masks[:, order]
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(masks[:, names][:, renamed], first)


@pytest.mark.parametrize(("n_units", "n_pairs"), [(3, 2), (7, 20), (14, 35), (14, 400), (40, 100)])
def test_further_pairs_are_distinct(n_units, n_pairs):
    half = further_pairs(n_units, n_pairs)
    sides = torch.cat([half, ~half])
    assert len(sides.unique(dim=0)) == 2 * len(half)
    assert (2 * half.sum(1) <= n_units).all()
    assert half.any(1).all()
    assert len(half) >= min(300, 2 ** (n_units - 1) - 1)


def test_differences_known_everywhere_are_read_out_exactly(lab):
    n_units = 6
    scores = lab.random_scores(n_units, 1, 3)
    numbers = 1 << np.arange(n_units)
    every = further_pairs(n_units, 5)
    masks = torch.cat([torch.ones((1, n_units), dtype=torch.bool), every[:4]])
    further = every[4:]
    odd = [
        (scores[m @ numbers] - scores[~m @ numbers])[:, 0] / 2
        for m in (masks.numpy(), further.numpy())
    ]
    # A game that is 0 at the pairs of the table.
    known = scores.copy()
    for mask in masks.numpy():
        known[[mask @ numbers, ~mask @ numbers]] = 0.0
    readout = readout_of_differences(masks, further)
    values = readout.weights.numpy() @ odd[1]
    np.testing.assert_allclose(values, lab.shapley(known)[:, 0], atol=1e-10)
    assert readout.covariance.abs().max() < 1e-10
