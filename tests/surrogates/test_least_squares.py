"""The batched ridge against refitting, row group by row group."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from perturbx.surrogates import least_squares as ls


def problem(seed, rows=12, units=4, outputs=2):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 2, (rows, units)).astype(float)
    targets = rng.normal(size=(rows, outputs))
    weights = rng.uniform(0.1, 2.0, rows)
    return columns, targets, weights


def tensors(*arrays):
    return [torch.from_numpy(array)[None] for array in arrays]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), alpha=st.floats(1e-3, 10.0))
def test_ridge_is_sklearns(seed, alpha):
    columns, targets, weights = problem(seed)
    penalty = torch.full((1, 2), alpha, dtype=torch.float64)
    for start, intercept in ((ls.with_intercept, True), (ls.through_origin, False)):
        fit = start(*tensors(columns, targets, weights))
        model = Ridge(alpha, fit_intercept=intercept).fit(columns, targets, sample_weight=weights)
        solution = ls.coefficients(fit, penalty)
        np.testing.assert_allclose(solution[0].numpy(), model.coef_.T, atol=1e-9)
        expected = model.intercept_ * np.ones(2)
        np.testing.assert_allclose(ls.intercepts(fit, solution)[0].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("group_size", [1, 2, 3])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_left_out_residuals_are_those_of_refits(group_size, seed):
    columns, targets, weights = problem(seed)
    for start, intercept in ((ls.with_intercept, True), (ls.through_origin, False)):
        fit = start(*tensors(columns, targets, weights))
        penalty = torch.full((1, 2), 0.3, dtype=torch.float64)
        residuals = ls.left_out_residuals(fit, penalty, group_size)[0].numpy()
        for first in range(0, len(columns), group_size):
            held = np.arange(first, first + group_size)
            rest = np.setdiff1d(np.arange(len(columns)), held)
            model = Ridge(0.3, fit_intercept=intercept)
            model.fit(columns[rest], targets[rest], sample_weight=weights[rest])
            expected = targets[held] - model.predict(columns[held])
            np.testing.assert_allclose(residuals[held], expected, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_sensitivity_is_the_derivative_by_each_target(seed):
    columns, targets, weights = problem(seed)
    penalty = torch.tensor([[0.1, 2.0]], dtype=torch.float64)
    fit = ls.with_intercept(*tensors(columns, targets, weights))
    moved = targets.copy()
    moved[3] += 1.0
    other = ls.with_intercept(*tensors(columns, moved, weights))
    change = ls.coefficients(other, penalty) - ls.coefficients(fit, penalty)
    sensitivity = ls.sensitivity(fit, penalty)[0, :, 3]
    np.testing.assert_allclose(change[0].numpy().T, sensitivity.numpy(), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rows_of_weight_zero_change_nothing(seed):
    columns, targets, weights = problem(seed)
    padded = [np.concatenate([a, np.zeros_like(a[:2])]) for a in (columns, targets, weights)]
    for start in (ls.with_intercept, ls.through_origin):
        one, other = start(*tensors(columns, targets, weights)), start(*tensors(*padded))
        penalty = torch.full((1, 2), 0.3, dtype=torch.float64)
        np.testing.assert_allclose(
            ls.coefficients(one, penalty), ls.coefficients(other, penalty), atol=1e-10
        )
        residuals = ls.left_out_residuals(other, penalty, group_size=2)[0]
        expected = ls.left_out_residuals(one, penalty, group_size=2)[0]
        np.testing.assert_allclose(residuals[:12], expected, atol=1e-9)
        np.testing.assert_array_equal(residuals[12:], 0.0)


def test_the_likeliest_penalty_is_the_ratio_of_the_variances():
    rng = np.random.default_rng(0)
    rows, units, problems = 400, 60, 40
    columns = rng.normal(size=(problems, rows, units))
    slopes = 0.5 * rng.normal(size=(problems, units, 1))
    targets = columns @ slopes + 2.0 * rng.normal(size=(problems, rows, 1))
    fit = ls.through_origin(
        torch.from_numpy(columns), torch.from_numpy(targets), torch.ones(problems, rows).double()
    )
    counted = torch.full((problems,), float(rows), dtype=torch.float64)
    evidence = ls.Evidence(counted, 0 * counted, torch.zeros(problems, 1).double())
    penalty, variance, noise = ls.likeliest_prior(fit, evidence)
    assert 0.7 * 16 < float(penalty.median()) < 1.4 * 16
    assert 0.8 * 4 < float(noise.median()) < 1.2 * 4
    # The largest plausible variance lies above the true one, and not far.
    assert 0.25 < float(variance.median()) < 0.5


def test_what_a_penalty_takes_is_told_by_one_that_takes_next_to_nothing():
    """On columns at right angles each slope is multiplied by s² / (s² + λ)."""
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).double()[None]
    slopes = torch.tensor([[1.0], [0.0]]).double()
    fit = ls.through_origin(rows, rows @ slopes, torch.ones(1, 4).double())
    penalty, noise = torch.full((1, 1), 4.0).double(), torch.full((1, 1), 0.16).double()
    # The mean square of the targets is 1, so of noise 0.16 a wide prior makes the penalty 0.04.
    expected = np.array([4.0 / 4.04 - 4.0 / 8.0, 0.0])
    found = ls.shortfall(fit, penalty, noise)[0, :, 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not ls.shortfall(fit, ls.no_penalty(fit), noise).any()
    np.testing.assert_allclose(ls.shortfall(fit, penalty, 1e9 * noise)[0], 0.0, atol=1e-12)
