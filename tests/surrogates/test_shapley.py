"""The estimators of the Shapley value: laws, exactness, convergence."""

from dataclasses import replace
from itertools import permutations
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import (
    ExactShapley,
    KernelShapley,
    LeverageShapley,
    PermutationShapley,
)

ENUMERATED = (ExactShapley(), LeverageShapley(), KernelShapley())
seeds = st.integers(0, 2**31 - 1)
sizes = st.integers(2, 7)
quick = settings(max_examples=20, deadline=None)


def fit(surrogate, table):
    (attribution,) = surrogate.fit([table])
    return attribution


@pytest.mark.parametrize("surrogate", ENUMERATED, ids=lambda s: s.name)
@quick
@given(n=sizes, seed=seeds)
def test_with_all_coalitions_the_values_are_those_of_the_definition(lab, surrogate, n, seed):
    scores = lab.random_scores(n, 2, seed)
    attribution = fit(surrogate, lab.exhaustive(scores))
    tolerance = 1e-10 if surrogate.name == "exact" else 1e-8
    np.testing.assert_allclose(attribution.values, lab.shapley(scores), atol=tolerance)
    np.testing.assert_allclose(attribution.std_errors, 0.0, atol=1e-12)
    np.testing.assert_array_equal(attribution.base_values, scores[0])


@quick
@given(n=st.integers(2, 5), seed=seeds)
def test_all_orders_give_the_exact_values_without_error(lab, n, seed):
    scores = lab.random_scores(n, 1, seed)
    orders = [order for order in permutations(range(n)) if order < order[::-1]]
    attribution = fit(PermutationShapley(), lab.walked(scores, orders))
    np.testing.assert_allclose(attribution.values, lab.shapley(scores), atol=1e-10)
    np.testing.assert_array_equal(attribution.std_errors, 0.0)


def tables(lab, scores, seed):
    n = len(scores).bit_length() - 1
    return (
        (LeverageShapley(), lab.leverage(scores, n, seed)),
        (KernelShapley(), lab.kernel(scores, 2 * n, seed)),
        (PermutationShapley(), lab.walked(scores, lab.random_orders(n, 3, seed))),
    )


@quick
@given(n=st.integers(3, 8), seed=seeds)
def test_values_add_up_to_what_the_whole_text_adds(lab, n, seed):
    scores = lab.random_scores(n, 2, seed)
    for surrogate, table in tables(lab, scores, seed):
        total = fit(surrogate, table).values.sum(axis=0)
        np.testing.assert_allclose(total, scores[-1] - scores[0], atol=1e-9, err_msg=surrogate.name)


@quick
@given(n=st.integers(3, 8), seed=seeds)
def test_relabelling_units_relabels_values_and_errors(lab, n, seed):
    scores = lab.smooth_scores(n, 2, seed)
    order = np.random.default_rng(seed).permutation(n)
    for surrogate, table in tables(lab, scores, seed):
        one = fit(surrogate, table)
        other = fit(surrogate, replace(table, masks=table.masks[:, order]))
        np.testing.assert_allclose(other.values, one.values[order], atol=1e-8)
        np.testing.assert_allclose(other.std_errors, one.std_errors[order], atol=1e-7)


@quick
@given(n=st.integers(3, 7), seed=seeds)
def test_units_that_do_nothing_get_nothing_and_twins_get_the_same(lab, n, seed):
    # Unit 0 is never asked about; units 1 and 2 only count together.
    masks = lab.all_masks(n)
    smaller = lab.random_scores(n, 1, seed)
    number = (masks[:, 1:3].sum(axis=1) + 4 * (masks[:, 3:] @ (1 << np.arange(n - 3)))).astype(int)
    scores = smaller[number % len(smaller)]
    for surrogate in ENUMERATED:
        values = fit(surrogate, lab.exhaustive(scores)).values
        np.testing.assert_allclose(values[0], 0.0, atol=1e-8)
        np.testing.assert_allclose(values[1], values[2], atol=1e-8)


@quick
@given(n=st.integers(3, 7), seed=seeds, factor=st.floats(-5, 5))
def test_values_without_regularisation_are_linear_in_the_scores(lab, n, seed, factor):
    one, other = lab.random_scores(n, 1, seed), lab.random_scores(n, 1, seed + 1)
    walks = lab.walked(one, lab.random_orders(n, 3, seed))
    for surrogate, table in (
        (ExactShapley(), lab.exhaustive(one)),
        (LeverageShapley(), lab.exhaustive(one)),
        (KernelShapley(), lab.kernel(one, 2 * n, seed)),
        (PermutationShapley(), walks),
    ):
        row = table.masks @ (1 << np.arange(n))
        second = replace(table, scores=other[row])
        both = replace(table, scores=table.scores + factor * other[row])
        expected = fit(surrogate, table).values + factor * fit(surrogate, second).values
        np.testing.assert_allclose(fit(surrogate, both).values, expected, atol=1e-7)


@quick
@given(n=st.integers(4, 9), seed=seeds)
def test_leverage_with_complements_sees_only_the_odd_part(lab, n, seed):
    scores = lab.random_scores(n, 1, seed)
    odd = (scores - scores[::-1]) / 2
    one = fit(KernelShapley(), lab.leverage(scores, n + 2, seed))
    other = fit(KernelShapley(), lab.leverage(odd, n + 2, seed))
    np.testing.assert_allclose(one.values, other.values, atol=1e-8)


@quick
@given(n=st.integers(4, 8), seed=seeds, offset=st.floats(-10, 10))
def test_an_additive_game_is_exact_once_the_rows_determine_it(lab, n, seed, offset):
    weights = np.random.default_rng(seed).normal(size=(n, 2))
    scores = offset + lab.all_masks(n) @ weights
    determined = []
    for n_pairs in {n - 1, n, n + 1, 2 * n, 2 ** (n - 1) - 2}:
        table = lab.leverage(scores, min(n_pairs, 2 ** (n - 1) - 1), seed)
        centred = table.masks - table.masks.mean(axis=1, keepdims=True)
        if np.linalg.matrix_rank(centred) == n - 1:
            determined.append(table)
    for attribution in LeverageShapley().fit(determined):
        np.testing.assert_allclose(attribution.values, weights, atol=1e-8)
        np.testing.assert_allclose(attribution.additivity, 1.0, atol=1e-9)


def test_an_additive_game_is_exact_from_single_rows_too(lab):
    n = 6
    weights = np.arange(1.0, 7.0)[:, None]
    index = np.array([0, 63, 1, 2, 4, 8, 16, 32, 3])
    table = lab.drawn(lab.all_masks(n) @ weights, index, "custom")
    np.testing.assert_allclose(fit(LeverageShapley(), table).values, weights, atol=1e-8)


@pytest.mark.parametrize("kind", ["leverage", "kernel", "permutation"])
def test_errors_fall_as_the_budget_grows(lab, kind):
    n = 9
    errors = np.zeros(4)
    for seed in range(6):
        scores = lab.smooth_scores(n, 1, seed)
        truth = lab.shapley(scores)
        for i, calls in enumerate((3 * n, 6 * n, 15 * n, 40 * n)):
            if kind == "permutation":
                orders = lab.random_orders(n, max(1, calls // (2 * n)), seed)
                attribution = fit(PermutationShapley(), lab.walked(scores, orders))
            elif kind == "kernel":
                attribution = fit(KernelShapley(), lab.kernel(scores, calls // 2, seed))
            else:
                attribution = fit(LeverageShapley(), lab.leverage(scores, calls // 2, seed))
            errors[i] += lab.relative_error(attribution.values, truth)
    assert (np.diff(errors) < 0).all(), errors
    assert errors[-1] < errors[0] / 5, errors


def test_the_ridge_takes_the_double_descent_away(lab):
    n, budgets, seeds = 12, (14, 18, 22, 24, 26, 30, 36, 48, 96), range(20)
    masks = lab.all_masks(n).astype(float)
    ridge, plain = [], []
    for calls in budgets:
        drawn, truths = [], []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            scores = masks @ rng.normal(size=(n, 1)) + 0.7 * rng.normal(size=(1 << n, 1))
            drawn.append(lab.leverage(scores, calls // 2, seed))
            truths.append(fit(ExactShapley(), lab.exhaustive(scores)).values)
        for errors, surrogate in ((ridge, LeverageShapley()), (plain, KernelShapley())):
            fits = surrogate.fit(drawn)
            errors.append(
                np.mean(
                    [lab.relative_error(a.values, b) for a, b in zip(fits, truths, strict=True)]
                )
            )
    ridge, plain = np.array(ridge), np.array(plain)
    # Least squares gets worse before it gets better.
    assert plain[1:].max() > 1.2 * plain[0], plain
    assert (ridge <= 1.1 * np.minimum.accumulate(ridge)).all(), ridge
    assert (ridge <= 1.1 * plain).all(), (ridge, plain)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_values_and_errors_scale_with_the_scores(lab, scale):
    scores = lab.smooth_scores(7, 2, 5)
    for surrogate, table in tables(lab, scores, 5):
        one = fit(surrogate, table)
        other = fit(surrogate, replace(table, scores=scale * (table.scores + 1.0)))
        size = np.abs(one.values).max()
        np.testing.assert_allclose(other.values / scale, one.values, atol=1e-8 * size)
        np.testing.assert_allclose(other.std_errors / scale, one.std_errors, atol=1e-7 * size)
        if one.r2 is not None:
            np.testing.assert_allclose(other.r2, one.r2, atol=1e-6)


@pytest.mark.parametrize("kind", ["leverage", "kernel", "permutation"])
def test_intervals_of_95_percent_cover(lab, kind):
    n, seeds = 8, range(100)
    scores = lab.smooth_scores(n, 1, 3)
    truth = lab.shapley(scores)
    if kind == "leverage":
        surrogate, drawn = LeverageShapley(), [lab.leverage(scores, 25, s) for s in seeds]
    elif kind == "kernel":
        surrogate, drawn = KernelShapley(), [lab.kernel(scores, 40, s) for s in seeds]
    else:
        surrogate = PermutationShapley()
        drawn = [lab.walked(scores, lab.random_orders(n, 15, s)) for s in seeds]
    fits = surrogate.fit(drawn)
    misses = np.array([np.abs(a.values - truth) > 1.96 * a.std_errors + 1e-9 for a in fits])
    assert 0.88 <= 1 - misses.mean() <= 1.0
    mean_square = np.mean([np.square(a.values - truth) for a in fits])
    claimed = np.mean([np.square(a.std_errors) for a in fits])
    assert 0.6 < np.sqrt(claimed / mean_square) < 1.6


def test_covariance_has_the_errors_on_its_diagonal(lab):
    attribution = fit(LeverageShapley(), lab.leverage(lab.smooth_scores(7, 2, 0), 15, 0))
    covariance = attribution.covariance
    diagonal = np.diagonal(covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(np.sqrt(diagonal), attribution.std_errors)
    assert (attribution.std_errors > 0).all()
    # The values add up exactly, so their errors cancel.
    np.testing.assert_allclose(covariance.sum(axis=(1, 2)), 0.0, atol=1e-9)


def test_noise_of_the_model_reaches_the_errors(lab):
    n = 6
    rng = np.random.default_rng(0)
    scores = lab.smooth_scores(n, 1, 0)
    table = lab.exhaustive(scores, variances=np.full_like(scores, 0.04))
    noisy = scores[:, 0, None] + 0.2 * rng.normal(size=(len(scores), 400))
    many = ScoreTable(table.masks, noisy, lab.names(400))
    for surrogate in ENUMERATED:
        spread = fit(surrogate, many).values.std(axis=1)
        np.testing.assert_allclose(fit(surrogate, table).std_errors[:, 0], spread, rtol=0.15)


@pytest.mark.parametrize("kind", ["leverage", "permutation"])
def test_noise_is_counted_once_in_sampled_tables(lab, kind):
    n = 6
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(n, 1))
    scores = lab.all_masks(n) @ weights
    if kind == "leverage":
        surrogate, table = LeverageShapley(), lab.leverage(scores, 20, 0)
    else:
        surrogate, table = PermutationShapley(), lab.walked(scores, lab.random_orders(n, 20, 0))
    variance = np.full_like(table.scores, 0.04)
    errors, claims = [], []
    for _ in range(150):
        noisy = table.scores + 0.2 * rng.normal(size=table.scores.shape)
        attribution = fit(surrogate, replace(table, scores=noisy, variances=variance))
        errors.append(np.square(attribution.values - weights))
        claims.append(np.square(attribution.std_errors))
    assert 0.75 < np.sqrt(np.mean(claims) / np.mean(errors)) < 1.4


def test_exact_refuses_a_table_that_lacks_a_row(lab):
    table = lab.exhaustive(lab.random_scores(3, 1, 0)).rows(np.arange(7))
    with pytest.raises(SurrogateError, match=r"needs all 8 coalitions of 3 units.*has 7"):
        ExactShapley().fit([table])


@pytest.mark.parametrize("surrogate", [LeverageShapley(), KernelShapley()], ids=lambda s: s.name)
def test_ends_that_are_missing_are_named(lab, surrogate):
    table = lab.leverage(lab.random_scores(5, 1, 0), 5, 0)
    with pytest.raises(SurrogateError, match=r"tables\[1\].*the whole text was not scored"):
        surrogate.fit([table, table.rows(~table.masks.all(axis=1))])
    with pytest.raises(SurrogateError, match="with all removed was not scored"):
        surrogate.fit([table.rows(table.masks.any(axis=1))])
    with pytest.raises(SurrogateError, match="between the empty and the full"):
        surrogate.fit([table.rows([0, 1])])


def test_permutation_names_the_sampler_that_gives_walks(lab):
    table = lab.leverage(lab.random_scores(5, 1, 0), 5, 0)
    with pytest.raises(SurrogateError, match="sampler 'permutation'"):
        PermutationShapley().fit([table])
    grouped = lab.walked(lab.random_scores(3, 1, 0), [(0, 1, 2)], design="owen")
    with pytest.raises(SurrogateError, match="use the surrogate 'owen'"):
        PermutationShapley().fit([grouped])


def test_walks_that_jump_are_refused(lab):
    table = lab.walked(lab.random_scores(3, 1, 0), [(0, 1, 2)])
    broken = replace(table, walks=table.walks[:, [0, 2, 1, 3]])
    with pytest.raises(SurrogateError, match="every step must add exactly one unit"):
        PermutationShapley().fit([broken])


@quick
@given(n=st.integers(4, 8), seed=seeds, data=st.data())
def test_interrupted_tables_are_fitted(lab, n, seed, data):
    scores = lab.smooth_scores(n, 1, seed)
    table = lab.leverage(scores, 2 * n, seed)
    length = data.draw(st.integers(3, len(table)))
    part = table.rows(np.arange(length))
    for surrogate in (LeverageShapley(), KernelShapley()):
        attribution = fit(surrogate, part)
        np.testing.assert_allclose(attribution.values.sum(), scores[-1, 0] - scores[0, 0])
        assert np.isfinite(attribution.std_errors).all()


def test_an_interrupted_table_does_not_claim_what_it_has_not_seen(lab):
    scores = lab.random_scores(6, 1, 2)
    # Nearly everything was to be scored, and a third was.
    table = lab.leverage(scores, 28, 0).rows(np.arange(20))
    assert (fit(LeverageShapley(), table).std_errors > 0.01).all()


def test_merged_tables_lose_probabilities_and_stay_consistent(lab):
    n = 9
    scores = lab.smooth_scores(n, 1, 8)
    truth = lab.shapley(scores)
    merged = lab.leverage(scores, 60, 0).merge(lab.leverage(scores, 60, 1))
    assert merged.probabilities is None
    attribution = fit(LeverageShapley(), merged)
    single = fit(LeverageShapley(), lab.leverage(scores, 60, 0))
    assert lab.relative_error(attribution.values, truth) < 0.02
    assert attribution.std_errors.mean() < single.std_errors.mean()


def test_leverage_reads_tables_of_other_designs(lab):
    scores = lab.smooth_scores(8, 1, 4)
    truth = lab.shapley(scores)
    for table in (
        lab.uniform(scores, 150, 0).merge(lab.exhaustive(scores).rows([0, 255])),
        lab.lime(scores, 150, 0).merge(lab.exhaustive(scores).rows([0, 255])),
        lab.kernel(scores, 50, 0),
    ):
        attribution = fit(LeverageShapley(), table)
        assert lab.relative_error(attribution.values, truth) < 0.1, table


def test_probabilities_that_underflow_are_taken_from_the_sizes():
    n, rng = 40, np.random.default_rng(0)
    combinations = np.array([float(comb(n, s)) for s in range(n + 1)])
    half = np.zeros((60, n), dtype=bool)
    for row in half:
        row[rng.choice(n, rng.integers(1, n), replace=False)] = True
    ends = [np.zeros((1, n), bool), np.ones((1, n), bool)]
    masks = np.unique(np.concatenate([*ends, half, ~half]), axis=0)
    weights = rng.normal(size=(n, 1))
    sizes = masks.sum(axis=1)
    probabilities = np.where(combinations > 1e9, 0.0, np.minimum(1.0, 3 / combinations))[sizes]
    table = ScoreTable(masks, masks @ weights, ("y",), probabilities=probabilities)
    np.testing.assert_allclose(fit(LeverageShapley(), table).values, weights, atol=1e-8)


def test_n_orders_of_small_games_bound_the_error(lab):
    # Five of the six pairs of orders of four units: most of the spread has been seen.
    scores = lab.random_scores(4, 1, 1)
    orders = [order for order in permutations(range(4)) if order < order[::-1]]
    some = fit(PermutationShapley(), lab.walked(scores, orders[:-1]))
    truth = lab.shapley(scores)
    factor = 1 - 2 * (len(orders) - 1) / factorial(4)
    assert (some.std_errors > 0).all()
    assert some.std_errors.max() < np.sqrt(factor) * np.abs(scores).max()
    assert (np.abs(some.values - truth) <= 6 * some.std_errors + 1e-9).all()
