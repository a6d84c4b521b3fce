"""Model C of `LimeLimit` and `BanzhafGP`: scores between bounds are simpler games without these."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from perturbx.score_table import ScoreTable
from perturbx.surrogates import BanzhafGP, LimeLimit
from perturbx.surrogates.game_gp import bounded, mixture, relevance, surrogate
from perturbx.surrogates.game_gp.bent_scale import likeliest_scales
from perturbx.surrogates.game_gp.further_masks import further_masks, order_of_units
from perturbx.surrogates.game_gp.relevance import fit_parameters, relevance_covariance
from perturbx.surrogates.gaussian.scales import LEAST_ODDS
from perturbx.symmetric_kernels import banzhaf_functional, lime_functional

N_UNITS = 10


def truth(lab, functional, scores):
    """The values by their definition, from all coalitions."""
    masks = lab.all_masks(functional.n_units)
    size = masks.sum(axis=1)
    kept, removed = functional.kept_alone[size], functional.removed_alone[size]
    return (np.where(masks, kept[:, None], removed[:, None]).T @ scores).ravel()


def probabilities(lab, seed):
    """A game of probabilities: log-odds with few interactions, most of them beyond 2."""
    log_odds = lab.smooth_scores(N_UNITS, 1, seed)
    return 1.0 / (1.0 + np.exp(2.0 - 4.0 * log_odds / log_odds.std()))


def is_held(fitted, values):
    """Which values lie in their 95% intervals."""
    half = student.ppf(0.975, fitted.dof) * fitted.std_errors.ravel()
    return np.abs(fitted.values.ravel() - values) <= half


def some_rows(scores, n_rows, seed):
    """A table of rows of which no one is another's complement by design."""
    rows = np.random.default_rng(seed).permutation(len(scores) - 2)[: n_rows - 2] + 1
    rows = np.concatenate([[0, len(scores) - 1], rows])
    masks = (rows[:, None] >> np.arange(N_UNITS) & 1).astype(bool)
    return ScoreTable(masks, scores[rows], ("y",))


@pytest.mark.parametrize(
    ("method", "functional"),
    [(LimeLimit(), lime_functional(N_UNITS)), (BanzhafGP(), banzhaf_functional(N_UNITS))],
    ids=["lime_limit", "banzhaf_gp"],
)
def test_probabilities_are_better_known_without_their_bounds(lab, method, functional, monkeypatch):
    bent, straight, covered = [], [], []
    tables = [some_rows(probabilities(lab, seed), 120, seed) for seed in range(6)]
    exact = [truth(lab, functional, probabilities(lab, seed)) for seed in range(6)]
    for table, values in zip(tables, exact, strict=True):
        fitted = method.fit([table])[0]
        bent.append(lab.relative_error(fitted.values.ravel(), values))
        covered.append(is_held(fitted, values))
    monkeypatch.setattr(mixture, "LEAST_ODDS", np.inf)
    for table, values in zip(tables, exact, strict=True):
        straight.append(lab.relative_error(method.fit([table])[0].values.ravel(), values))
    assert np.mean(bent) < 0.6 * np.mean(straight)
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize(
    ("method", "functional"),
    [(LimeLimit(), lime_functional(N_UNITS)), (BanzhafGP(), banzhaf_functional(N_UNITS))],
    ids=["lime_limit", "banzhaf_gp"],
)
def test_intervals_of_labels_hold_the_truth(lab, method, functional, monkeypatch):
    games = []
    for seed in range(12):
        weighed = lab.all_masks(N_UNITS) @ np.random.default_rng(seed).normal(size=N_UNITS)
        games.append((weighed > np.median(weighed)).astype(float)[:, None])
    shares = []
    for few in (surrogate.FEW_LEVELS, 0.0):
        monkeypatch.setattr(surrogate, "FEW_LEVELS", few)
        held = []
        for seed, scores in enumerate(games):
            (fitted,) = method.fit([some_rows(scores, 60, seed)])
            held.append(is_held(fitted, truth(lab, functional, scores)))
        shares.append(np.mean(held))
    assert shares[0] >= 0.93
    assert shares[0] > shares[1]


def test_intervals_hold_where_much_is_noise(lab, monkeypatch):
    method, functional, shares = LimeLimit(), lime_functional(N_UNITS), []
    # What noise shrinks, which is in the errors as well, would hide it.
    monkeypatch.setattr(surrogate, "of_shrinkage", lambda *_: 0.0)
    for steps in (relevance.STEPS_TO_NOISE, 1):
        monkeypatch.setattr(relevance, "STEPS_TO_NOISE", steps)
        held = []
        for seed in range(12):
            scores = probabilities(lab, seed)
            table, noise = some_rows(scores, 200, seed), 0.5 * scores.std()
            drawn = np.random.default_rng(seed).normal(0.0, noise, table.scores.shape)
            variances = np.full_like(drawn, noise**2)
            noisy = replace(table, scores=table.scores + drawn, variances=variances)
            (fitted,) = method.fit([noisy])
            held.append(is_held(fitted, truth(lab, functional, scores)))
        shares.append(np.mean(held))
    assert shares[0] >= 0.93
    assert shares[0] > shares[1]


def test_scores_that_are_noisy_stay_on_the_straight_scale(lab, monkeypatch):
    table = some_rows(probabilities(lab, 0), 80, 0)
    noisy = replace(table, variances=np.full_like(table.scores, 1e-4))
    first = LimeLimit().fit([noisy])[0]
    assert not np.allclose(first.values, LimeLimit().fit([table])[0].values, rtol=1e-6)
    monkeypatch.setattr(mixture, "LEAST_ODDS", np.inf)
    np.testing.assert_array_equal(first.values, LimeLimit().fit([noisy])[0].values)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_values_depend_on_no_names_and_follow_the_scores_scale(lab, seed):
    table = some_rows(probabilities(lab, seed), 60, seed)
    order = np.random.default_rng(seed).permutation(N_UNITS)
    one = LimeLimit().fit([table])[0]
    renamed = LimeLimit().fit([replace(table, masks=table.masks[:, order])])[0]
    turned = LimeLimit().fit([replace(table, scores=3.0 - 2.0 * table.scores)])[0]
    size = np.abs(one.values).max()
    np.testing.assert_allclose(renamed.values, one.values[order], atol=1e-3 * size)
    np.testing.assert_allclose(turned.values, -2.0 * one.values, atol=2e-3 * size)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), n=st.integers(6, 15), paired=st.booleans())
def test_the_order_of_units_does_not_depend_on_names_or_rows(seed, n, paired):
    rng = np.random.default_rng(seed)
    masks = torch.from_numpy(rng.random((3 * n, n)) < 0.5)
    masks = torch.cat([masks, ~masks]) if paired else masks
    names, rows = rng.permutation(n), rng.permutation(len(masks))
    first = masks[:, order_of_units(masks)]
    renamed = masks[:, names]
    torch.testing.assert_close(renamed[:, order_of_units(renamed)], first)
    torch.testing.assert_close(order_of_units(masks[rows]), order_of_units(masks))


@pytest.mark.parametrize(("n_units", "n_rows"), [(3, 4), (7, 40), (14, 100), (40, 2_800)])
def test_further_masks_are_new_and_distinct(n_units, n_rows):
    masks = (torch.from_numpy(np.random.default_rng(1).random((n_rows, n_units))) < 0.5).unique(
        dim=0
    )
    further = further_masks(masks)
    together = torch.cat([masks, further])
    assert len(together.unique(dim=0)) == len(together)
    assert further.any(1).all()
    assert not further.all(1).any()
    assert len(together) <= 3_000 + 300


def test_a_scale_is_found_where_there_is_one(lab):
    masks = torch.from_numpy(lab.all_masks(N_UNITS)[1::9])
    games = [probabilities(lab, seed)[1::9] for seed in range(3)]
    straight = [lab.smooth_scores(N_UNITS, 1, seed)[1::9] for seed in range(3)]
    flat = np.full_like(games[0], 0.5)
    _, odds = likeliest_scales(masks, torch.from_numpy(np.hstack([*games, *straight, flat])))
    assert (odds[:3] > 20.0).all()
    assert (odds[3:6] < LEAST_ODDS).all()
    assert odds[6] == -np.inf


@pytest.mark.parametrize("functional", [lime_functional(6), banzhaf_functional(6)])
def test_scores_known_everywhere_are_read_out_exactly(lab, functional):
    scores = lab.random_scores(6, 1, 3)
    scores = torch.from_numpy(scores - scores.mean())
    masks = torch.from_numpy(lab.all_masks(6))
    own = fit_parameters(masks[None, ::2], scores[None, ::2])
    values, left_open, weights = bounded._read(functional, own, masks, scores)
    expected = truth(lab, functional, scores.numpy())
    np.testing.assert_allclose(values[:-1], expected, atol=1e-7)
    np.testing.assert_allclose((weights.mT @ scores)[:, 0], expected, atol=1e-7)
    np.testing.assert_allclose(left_open, 0.0, atol=1e-7)


def test_what_is_not_known_is_that_of_the_process(lab):
    rng = np.random.default_rng(0)
    every = torch.from_numpy(lab.all_masks(5)[rng.permutation(32)])
    masks, further = every[:20], every[20:]
    values = torch.from_numpy(rng.normal(size=20))
    own = fit_parameters(masks[None], values[None, :, None])
    expected = bounded._expected(own, masks, further, values)
    matrix = relevance_covariance(own, every[None])[0]
    gain = torch.linalg.solve(matrix[:20, :20], matrix[:20, 20:]).mT
    scale = values @ torch.linalg.solve(matrix[:20, :20], values) / 20
    covariance = scale * (matrix[20:, 20:] - gain @ matrix[:20, 20:])
    weights = torch.from_numpy(rng.normal(size=(12, 3)))
    torch.testing.assert_close(expected.mean, gain @ values)
    torch.testing.assert_close(expected.variance, covariance.diagonal())
    torch.testing.assert_close(
        expected.spread_of(weights), weights.mT @ covariance @ weights, atol=1e-8, rtol=1e-6
    )


def test_the_slope_is_that_of_the_scale():
    scores = torch.from_numpy(np.random.default_rng(0).random((30, 1)))
    scale, _ = likeliest_scales(torch.rand(30, 6) < 0.5, scores)
    mean = torch.linspace(-6.0, 6.0, 9, dtype=torch.float64)[:, None]
    variance = torch.linspace(0.0, 3.0, 9, dtype=torch.float64)[:, None]
    step = 1e-5
    rise = scale.straighten(mean + step, variance) - scale.straighten(mean - step, variance)
    slope = scale.slope(scale.straighten(mean, variance), variance)
    torch.testing.assert_close(slope, rise / (2 * step))


def test_the_better_a_model_predicts_the_more_it_counts():
    residuals = torch.from_numpy(np.random.default_rng(0).normal(size=200))
    shares = [float(bounded._share(factor * residuals, residuals)) for factor in (3, 1.5, 1, 0.5)]
    assert 0.0 < shares[0] < 0.05
    assert shares == sorted(shares)
    assert 0.6 < shares[2] < shares[3] < bounded.MOST_SHARE
    few = float(bounded._share(3 * residuals[:20], residuals[:20]))
    assert few > shares[0]
