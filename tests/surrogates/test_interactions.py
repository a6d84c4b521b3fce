"""Pairwise interactions: exact where all is known, found where they are planted, with errors."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates.interactions import Interactions, Term, even_process, fit_interactions


def table_of(masks, *columns, variances=None):
    scores = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    names = tuple(map(str, range(len(columns))))
    return ScoreTable(masks, scores, names, variances=variances)


def everything(n_units):
    return (np.arange(2**n_units)[:, None] >> np.arange(n_units) & 1).astype(bool)


def drawn(n_units, budget, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return OddPairs().sample(PlayerCount(n_units), budget, generator).masks.numpy()


def by_definition(values, n_units):
    """The mean over orders of v(S+i+j) - v(S+i) - v(S+j) + v(S)."""
    matrix = np.zeros((n_units, n_units))
    for i, j in combinations(range(n_units), 2):
        others = [unit for unit in range(n_units) if unit not in (i, j)]
        for size in range(n_units - 1):
            weight = factorial(size) * factorial(n_units - 2 - size) / factorial(n_units - 1)
            for chosen in combinations(others, size):
                base = sum(1 << unit for unit in chosen)
                both, first, second = base | 1 << i | 1 << j, base | 1 << i, base | 1 << j
                change = values[both] - values[first] - values[second] + values[base]
                matrix[i, j] += weight * change
    return matrix + matrix.T


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_all_coalitions_give_the_definition(n_units, seed):
    values = np.random.default_rng(seed).normal(size=2**n_units)
    fit = fit_interactions(table_of(everything(n_units), values))
    np.testing.assert_allclose(fit.values[0], by_definition(values, n_units), atol=1e-10)
    assert not fit.std_errors.any()
    assert fit.method == "exact"


def test_r2_promises_no_more_than_is_known_of_the_interactions():
    """Rows of a balanced design tell each other, one by one, where the interactions are unknown."""
    n_units, every = 8, everything(8)
    first, second = np.triu_indices(n_units, 1)
    promised, known = [], []
    for seed in range(4):
        strengths = np.random.default_rng(seed).normal(size=len(first))
        masks = drawn(n_units, 4 * n_units, seed)
        fit = fit_interactions(table_of(masks, (masks[:, first] & masks[:, second]) @ strengths))
        scores = (every[:, first] & every[:, second]) @ strengths
        right = fit_interactions(table_of(every, scores)).values
        promised.append(fit.r2)
        known.append(1.0 - np.square(fit.values - right).sum() / np.square(right).sum())
    assert np.mean(promised) <= np.mean(known) + 0.1


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_known_noise_of_all_coalitions_goes_through_the_definition(n_units, seed):
    draw = np.random.default_rng(seed)
    masks = draw.permutation(everything(n_units))
    variances = draw.uniform(0.1, 3.0, (2**n_units, 2))
    through = fit_interactions(table_of(masks, *np.eye(2**n_units))).values
    fit = fit_interactions(table_of(masks, *draw.normal(size=(2, 2**n_units)), variances=variances))
    expected = np.einsum("mij,mk->kij", np.square(through), variances)
    np.testing.assert_allclose(fit.std_errors, np.sqrt(expected), atol=1e-12)
    low, high = fit.confidence_interval()
    assert (high > low)[:, *np.triu_indices(n_units, 1)].all()


@pytest.mark.parametrize("n_units", [4, 7])
def test_the_process_is_exact_when_it_sees_all_pairs(n_units, monkeypatch):
    values = np.random.default_rng(1).normal(size=2**n_units)
    module = "perturbx.surrogates.interactions.fit.holds_all"
    monkeypatch.setattr(module, lambda table: False)
    fit = fit_interactions(table_of(everything(n_units), values))
    assert fit.method == "even_gp"
    np.testing.assert_allclose(fit.values[0], by_definition(values, n_units), atol=1e-6)
    assert fit.std_errors.max() < 1e-3


def planted(masks, kind):
    joint = {"and": masks[:, 2] & masks[:, 7], "xor": masks[:, 2] ^ masks[:, 7]}[kind]
    alone = np.linspace(-1, 1, masks.shape[1])
    return masks @ alone + 2.0 * joint - 1.5 * (masks[:, 4] & masks[:, 11])


@pytest.mark.parametrize(("kind", "sign"), [("and", 1), ("xor", -1)])
def test_planted_pairs_are_found_and_no_others(kind, sign):
    masks = drawn(16, 160)
    fit = fit_interactions(table_of(masks, planted(masks, kind)))
    assert {term.units for term in fit.top(n=2)} == {(2, 7), (4, 11)}
    assert np.sign(fit.values[0, 2, 7]) == sign
    low, high = fit.confidence_interval(0.95)
    zero = np.ones((16, 16), bool)
    zero[[2, 7, 4, 11], [7, 2, 11, 4]] = False
    assert ((low[0] <= 1e-6) & (high[0] >= -1e-6))[zero].mean() >= 0.95


def test_a_planted_triple_is_found():
    masks = drawn(12, 120)
    values = masks @ np.linspace(-1, 1, 12) + 3.0 * (masks[:, 0] & masks[:, 5] & masks[:, 10])
    terms = fit_interactions(table_of(masks, values)).terms[0]
    assert terms[0].units == (0, 5, 10)
    assert terms[0].value == pytest.approx(3.0, rel=0.2)


def test_an_additive_game_has_none():
    masks = drawn(14, 70)
    fit = fit_interactions(table_of(masks, masks @ np.arange(14.0)))
    np.testing.assert_allclose(fit.values, 0.0, atol=1e-6)
    assert fit.terms == ((),)


def test_labels_whose_even_half_never_changes_have_errors():
    weights = np.array([-0.55, 0.6, 1.42, 0.06, 0.44, 0.88, -1.85, -1.01, -0.35, 0.18, 0.35])
    masks = drawn(11, 110)
    fit = fit_interactions(table_of(masks, (masks @ weights > 0.1).astype(float)))
    values = (everything(11) @ weights > 0.1).astype(float)
    truth = fit_interactions(table_of(everything(11), values)).values[0]
    assert np.abs(truth).max() > 0.05
    pairs = np.triu_indices(11, 1)
    assert not fit.values[0][pairs].any() or fit.std_errors[0][pairs].min() > 0
    low, high = fit.confidence_interval()
    assert np.mean((low[0] <= truth)[pairs] & (truth <= high[0])[pairs]) >= 0.9
    additive = fit_interactions(table_of(masks, masks @ weights))
    assert not additive.std_errors.any()


def test_small_noise_is_not_taken_for_a_rough_game(monkeypatch):
    shares = []
    for steps in (even_process.STEPS_TO_NOISE, 1):
        monkeypatch.setattr(even_process, "STEPS_TO_NOISE", steps)
        held = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            triple, pair = rng.choice(10, 3, replace=False), rng.choice(10, 2, replace=False)
            slopes = 0.3 * rng.normal(size=10)

            def value(masks, slopes=slopes, triple=triple, pair=pair):
                odd = masks[:, triple].sum(axis=1) % 2
                return masks @ slopes + odd + masks[:, pair].all(axis=1)

            masks = drawn(10, 400, seed)
            noisy = value(masks) + 0.02 * rng.normal(size=len(masks))
            noise = np.full((len(masks), 1), 0.02**2)
            low, high = fit_interactions(
                table_of(masks, noisy, variances=noise)
            ).confidence_interval()
            truth = fit_interactions(table_of(everything(10), value(everything(10)))).values[0]
            pairs = np.triu_indices(10, 1)
            held.append(((low[0] <= truth) & (truth <= high[0]))[pairs].mean())
        shares.append(np.mean(held))
    assert shares[0] >= max(0.95, shares[1] + 0.01)


def test_errors_cover_and_shrink():
    random = np.random.default_rng(0)
    weights, inner = random.normal(size=10), random.normal(size=(10, 10)) / 3
    every = everything(10)
    whole = np.tanh(every @ weights + np.einsum("mi,ij,mj->m", every, inner, every))
    truth = fit_interactions(table_of(every, whole)).values[0]
    pairs = np.triu_indices(10, 1)
    inside, errors = [], []
    for budget in (50, 100, 200):
        hits, off = [], []
        for seed in range(6):
            masks = drawn(10, budget, seed)
            fit = fit_interactions(table_of(masks, whole[masks @ (1 << np.arange(10))]))
            low, high = fit.confidence_interval(0.95)
            hits.append(((low[0] <= truth) & (truth <= high[0]))[pairs].mean())
            off.append(np.square(fit.values[0] - truth).sum())
        inside.append(np.mean(hits))
        errors.append(np.mean(off))
    assert min(inside) >= 0.9
    assert errors[0] > errors[1] > errors[2]


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 100), st.floats(0.1, 10))
def test_scores_scale_and_shift_and_outputs_are_fitted_by_themselves(seed, scale):
    random = np.random.default_rng(seed)
    masks = drawn(9, 60, seed)
    first, second = random.normal(size=(2, len(masks)))
    both = fit_interactions(table_of(masks, first, scale * first + 3.0, second))
    alone = fit_interactions(table_of(masks, first))
    np.testing.assert_allclose(both.values[0], alone.values[0], atol=1e-8)
    np.testing.assert_allclose(both.values[1], scale * alone.values[0], atol=1e-6 * scale)
    np.testing.assert_allclose(both.std_errors[1], scale * alone.std_errors[0], atol=1e-6 * scale)


@pytest.mark.parametrize("scale", [1e-170, 1e-300, 1e160])
def test_scores_whose_squares_are_no_numbers_are_fitted_like_others(scale):
    masks = drawn(8, 60)
    values = masks @ np.arange(8.0) + 3.0 * masks[:, 0] * masks[:, 1] + masks[:, 2:5].prod(axis=1)
    plain = fit_interactions(table_of(masks, values))
    both = fit_interactions(table_of(masks, scale * values, values))
    for found, by in zip((0, 1), (scale, 1.0), strict=True):
        np.testing.assert_allclose(both.values[found] / by, plain.values[0], atol=1e-8)
        np.testing.assert_allclose(both.std_errors[found] / by, plain.std_errors[0], atol=1e-8)
        terms = [(term.units, term.value / by) for term in both.terms[found]]
        assert terms == [(term.units, pytest.approx(term.value)) for term in plain.terms[0]]


def test_units_may_be_renamed():
    masks = drawn(10, 80)
    values = planted(np.pad(masks, ((0, 0), (0, 6))), "and")
    order = np.random.default_rng(3).permutation(10)
    fit = fit_interactions(table_of(masks, values))
    renamed = fit_interactions(table_of(masks[:, order], values))
    np.testing.assert_allclose(renamed.values[0], fit.values[0][np.ix_(order, order)], atol=1e-6)


def test_noise_is_not_read_out():
    random = np.random.default_rng(0)
    masks = drawn(10, 200)
    noisy = masks @ np.arange(10.0) + random.normal(size=len(masks))
    told = fit_interactions(table_of(masks, noisy, variances=np.ones((len(masks), 1))))
    taken = fit_interactions(table_of(masks, noisy))
    assert np.square(told.values).sum() <= np.square(taken.values).sum()


@pytest.mark.parametrize(("budget", "before"), [(50, 0.1), (100, 0.3), (200, 0.6)])
def test_noise_hides_no_pair_that_stands_out_alone(budget, before):
    """It is taken for noise, and a posterior variance alone held it in as many runs as `before`."""
    truth, held, all_held = -0.4, [], []
    for seed in range(20):
        masks = drawn(10, budget, seed)
        noise = 0.3 * np.random.default_rng(seed).normal(size=len(masks))
        noisy = table_of(
            masks,
            0.2 * (masks[:, 0] ^ masks[:, 1]) + noise,
            variances=np.full((len(masks), 1), 0.09),
        )
        low, high = fit_interactions(noisy).confidence_interval()
        held.append(low[0, 0, 1] <= truth <= high[0, 0, 1])
        others = np.triu_indices(10, 1)
        all_held.append(((low <= 0) & (high >= 0))[0][others].mean())
    assert np.mean(held) >= 0.9 > before
    assert np.mean(all_held) >= 0.93


def test_many_pairs_are_fitted_with_the_best_models():
    masks = drawn(30, 700)
    values = masks @ np.linspace(-1, 1, 30) + 2.0 * (masks[:, 3] & masks[:, 20])
    assert fit_interactions(table_of(masks, values)).top(n=1)[0].units == (3, 20)


@pytest.mark.parametrize("n_units", [0, 1])
def test_less_than_two_units_have_no_pairs(n_units):
    fit = fit_interactions(table_of(everything(n_units), np.ones(2**n_units)))
    assert fit.values.shape == (1, n_units, n_units)
    assert fit.top() == []


def test_a_table_without_pairs_says_so():
    masks = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 0]], bool)
    with pytest.raises(SurrogateError, match="complement"):
        fit_interactions(table_of(masks, np.arange(4.0)))


def test_too_many_units_are_refused():
    masks = np.stack([np.ones(300, bool), np.zeros(300, bool)])
    with pytest.raises(SurrogateError, match="coarser units"):
        fit_interactions(table_of(masks, np.arange(2.0)))


def test_what_is_not_square_is_no_interaction():
    with pytest.raises(SurrogateError, match="values"):
        Interactions(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), "exact", 4)


def test_intervals_hold_the_value_and_levels_are_checked():
    fit = Interactions(np.zeros((1, 2, 2)), np.ones((1, 2, 2)), "even_gp", 4, dof=3.0)
    narrow, wide = fit.confidence_interval(0.5), fit.confidence_interval(0.99)
    assert (wide[0] < narrow[0]).all()
    assert (narrow[1] < wide[1]).all()
    with pytest.raises(ArgumentError, match="level"):
        fit.confidence_interval(1.5)
    assert fit.top(n=1) == [Term((0, 1), 0.0, 1.0)]
