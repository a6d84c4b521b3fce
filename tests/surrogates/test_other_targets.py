"""Banzhaf values, leave-one-out and the ridge."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.surrogates import (
    Banzhaf,
    LeaveOneOut,
    LeverageShapley,
    LimeLimit,
    RidgeSurrogate,
)
from perturbx.surrogates.ridge import lime_kernel

seeds = st.integers(0, 10**6)
quick = settings(max_examples=20, deadline=None)


def fit(surrogate, table):
    (attribution,) = surrogate.fit([table])
    return attribution


@quick
@given(n=st.integers(2, 7), seed=seeds)
def test_banzhaf_with_all_coalitions_is_the_definition(lab, n, seed):
    scores = lab.random_scores(n, 2, seed)
    attribution = fit(Banzhaf(), lab.exhaustive(scores))
    np.testing.assert_allclose(attribution.values, lab.banzhaf(scores), atol=1e-8)
    np.testing.assert_allclose(attribution.std_errors, 0.0, atol=1e-9)
    line = attribution.base_values + lab.all_masks(n) @ attribution.values
    np.testing.assert_allclose(line.mean(axis=0), scores.mean(axis=0), atol=1e-8)


def test_banzhaf_from_draws_converges_and_covers(lab):
    n = 8
    scores = lab.smooth_scores(n, 1, 0)
    truth = lab.banzhaf(scores)
    errors = []
    for draws in (12, 40, 160):
        fits = Banzhaf().fit([lab.uniform(scores, draws, seed) for seed in range(60)])
        errors.append(np.mean([lab.relative_error(a.values, truth) for a in fits]))
        covered = [np.abs(a.values - truth) <= 1.96 * a.std_errors for a in fits]
        assert np.mean(covered) > 0.88
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[0] < 1.0


def test_banzhaf_reads_other_designs_by_their_probabilities(lab):
    n = 9
    scores = lab.smooth_scores(n, 1, 2)
    truth = lab.banzhaf(scores)
    shapley = lab.shapley(scores)
    values = np.mean(
        [fit(Banzhaf(), lab.leverage(scores, 120, s)).values for s in range(10)], axis=0
    )
    assert lab.relative_error(values, truth) < lab.relative_error(values, shapley) / 2


def test_banzhaf_corrects_coins_that_are_not_fair(lab):
    n = 8
    scores = lab.smooth_scores(n, 1, 4)
    truth = lab.banzhaf(scores)
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        index = (rng.random((400, n)) < 0.75) @ (1 << np.arange(n))
        values.append(fit(Banzhaf(), lab.drawn(scores, index, "uniform")).values)
    assert lab.relative_error(np.mean(values, axis=0), truth) < 0.03


@quick
@given(n=st.integers(2, 7), seed=seeds)
def test_leave_one_out_is_a_difference_of_two_scores(lab, n, seed):
    scores = lab.random_scores(n, 2, seed)
    table = lab.exhaustive(scores)
    full = (1 << n) - 1
    expected = np.array([scores[full] - scores[full - (1 << i)] for i in range(n)])
    attribution = fit(LeaveOneOut(), table)
    np.testing.assert_array_equal(attribution.values, expected)
    np.testing.assert_array_equal(attribution.base_values, scores[0])
    assert attribution.r2 is None
    if n > 1:
        based = fit(LeaveOneOut(), table.rows(table.masks.any(axis=1)))
        np.testing.assert_allclose(based.base_values, scores[full] - expected.sum(axis=0))


def test_leave_one_out_errors_come_from_the_model_only(lab):
    scores = lab.random_scores(4, 1, 0)
    table = lab.exhaustive(scores)
    np.testing.assert_array_equal(fit(LeaveOneOut(), table).std_errors, 0.0)
    noisy = replace(table, variances=np.full_like(scores, 0.02))
    np.testing.assert_allclose(fit(LeaveOneOut(), noisy).std_errors, 0.2)


def test_leave_one_out_names_the_units_that_were_not_left_out(lab):
    table = lab.exhaustive(lab.random_scores(4, 1, 0))
    with pytest.raises(SurrogateError, match=r"2 of 4 are missing.*unit 1"):
        LeaveOneOut().fit([table.rows([15, 14, 11])])
    with pytest.raises(SurrogateError, match="score of the whole text"):
        LeaveOneOut().fit([table.rows([14, 13, 11, 7])])


@quick
@given(n=st.integers(2, 8), seed=seeds, alpha=st.floats(0.01, 10), width=st.floats(5, 100))
def test_ridge_is_sklearns_with_limes_weights(lab, n, seed, alpha, width):
    table = lab.lime(lab.random_scores(n, 2, seed), 60, seed)
    weights = table.counts * lime_kernel(table.masks, width)
    model = Ridge(alpha).fit(table.masks.astype(float), table.scores, sample_weight=weights)
    attribution = fit(RidgeSurrogate(alpha, width), table)
    np.testing.assert_allclose(attribution.values, model.coef_.T, atol=1e-8)
    np.testing.assert_allclose(attribution.base_values, model.intercept_, atol=1e-8)
    unweighted = fit(RidgeSurrogate(alpha, weights="uniform"), table)
    model.fit(table.masks.astype(float), table.scores, sample_weight=table.counts)
    np.testing.assert_allclose(unweighted.values, model.coef_.T, atol=1e-8)


def test_masks_drawn_from_the_kernel_are_not_weighted_by_it_again(lab):
    table = lab.drawn(lab.smooth_scores(7, 1, 0), np.arange(1, 128, 3), "glime")
    plain = fit(RidgeSurrogate(weights="uniform"), table)
    np.testing.assert_array_equal(fit(RidgeSurrogate(), table).values, plain.values)
    other = replace(table, design="lime")
    assert np.abs(fit(RidgeSurrogate(), other).values - plain.values).max() > 0.01


def test_ridge_r2_is_that_of_refits(lab):
    table = lab.uniform(lab.smooth_scores(7, 2, 1), 40, 1)
    surrogate = RidgeSurrogate(weights="uniform")
    attribution = fit(surrogate, table)
    inner = np.flatnonzero((table.masks.sum(axis=1) % 7) > 0)
    if attribution.r2 is None:
        pytest.fail("forty rows are enough for r2")
    pairs = {frozenset((row, twin)) for row in inner for twin in [_twin(table, row)]}
    residuals, held = [], []
    paired = all(table.counts[list(p)].min() == table.counts[list(p)].max() for p in pairs)
    for group in pairs if paired else [frozenset((row,)) for row in inner]:
        rows = np.array(sorted(group))
        rest = table.rows(np.setdiff1d(np.arange(len(table)), rows))
        model = Ridge(1.0).fit(rest.masks.astype(float), rest.scores, sample_weight=rest.counts)
        residuals.append(table.scores[rows] - model.predict(table.masks[rows].astype(float)))
        held.append(table.scores[rows])
    misses, seen = np.concatenate(residuals), np.concatenate(held)
    expected = 1 - np.square(misses).sum() / np.square(seen - seen.mean(axis=0)).sum()
    np.testing.assert_allclose(attribution.r2, expected, atol=1e-7)


def _twin(table, row):
    found = np.flatnonzero((table.masks == ~table.masks[row]).all(axis=1))
    return int(found[0]) if len(found) else int(row)


def test_ridge_intervals_cover_the_limit_of_many_draws(lab):
    n = 8
    scores = lab.smooth_scores(n, 1, 6)
    limit = fit(RidgeSurrogate(), lab.lime(scores, 50_000, 0)).values
    fits = RidgeSurrogate().fit([lab.lime(scores, 80, seed) for seed in range(1, 101)])
    covered = [np.abs(a.values - limit) <= 1.96 * a.std_errors for a in fits]
    assert 0.88 <= np.mean(covered) <= 1.0


def test_noise_of_the_model_reaches_the_errors_of_linear_fits(lab):
    scores = lab.smooth_scores(6, 1, 0)
    for surrogate in (Banzhaf(), RidgeSurrogate(alpha=0.0, weights="uniform")):
        quiet = fit(surrogate, lab.exhaustive(scores)).std_errors
        noisy = fit(surrogate, lab.exhaustive(scores, variances=np.full_like(scores, 0.16)))
        np.testing.assert_allclose(quiet, 0.0, atol=1e-9)
        # A slope is the difference of two means of 32 scores each.
        np.testing.assert_allclose(noisy.std_errors, 0.4 * np.sqrt(2 / 32), rtol=0.15)


@pytest.mark.parametrize("n_rows", [50, 100, 200])
def test_the_one_unit_that_matters_is_in_its_interval_whatever_the_penalty_takes(lab, n_rows):
    """A penalty of 1 takes 3 to 18% of it; without that in the errors no interval held it."""
    scores = lab.all_masks(10)[:, :1] + 0.02 * lab.all_masks(10)[:, 1:2]
    limit = fit(LimeLimit(), lab.exhaustive(scores)).values
    for seed in range(10):
        found = fit(RidgeSurrogate(), lab.lime(scores, n_rows, seed))
        assert found.values[0, 0] < 0.98 * limit[0, 0]
        interval = found.confidence_interval()
        assert interval.low[0, 0] < limit[0, 0] < interval.high[0, 0]
        assert interval.high[0, 0] - found.values[0, 0] < 4.0 * (limit - found.values)[0, 0]


@pytest.mark.parametrize("surrogate", [Banzhaf(), LeverageShapley()], ids=lambda own: own.name)
def test_noise_hides_no_unit_that_stands_out_alone(lab, surrogate):
    """A penalty for noise shrinks it most, and its interval held in 40 to 80% of the runs."""
    truth, held, all_held = np.eye(10)[0] * 0.4, [], []
    for seed in range(60):
        scores = lab.all_masks(10) @ truth[:, None]
        scores = scores + 0.4 * np.random.default_rng(seed).normal(size=scores.shape)
        table = lab.uniform(scores, 100, seed)
        if surrogate.name == "leverage":
            table = lab.leverage(scores, 49, seed)
        table = replace(table, variances=np.full(table.scores.shape, 0.16))
        interval = fit(surrogate, table).confidence_interval()
        inside = (interval.low[:, 0] <= truth) & (truth <= interval.high[:, 0])
        held.append(inside[0])
        all_held.append(inside.mean())
    assert np.mean(held) >= 0.85
    assert np.mean(all_held) >= 0.93


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -1.0}, "alpha: expected"),
        ({"alpha": float("nan")}, "alpha: expected"),
        ({"alpha": None}, "alpha: expected"),
        ({"kernel_width": 0.0}, "kernel_width: expected"),
        ({"kernel_width": "x"}, "kernel_width: expected"),
        ({"weights": "gauss"}, "weights: expected one of"),
    ],
)
def test_ridge_refuses_bad_arguments(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        RidgeSurrogate(**arguments)


def test_too_few_rows_are_an_error_that_counts_them(lab):
    table = lab.exhaustive(lab.random_scores(3, 1, 0)).rows([0, 1, 7])
    for surrogate in (Banzhaf(), RidgeSurrogate()):
        with pytest.raises(SurrogateError, match=r"at least two coalitions.*has 1"):
            surrogate.fit([table])
