"""The priors on odd games, held to the definition of the Shapley value on all coalitions."""

import numpy as np
import pytest

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.exact import shapley_weights


def coalitions(n):
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 > 0


@pytest.mark.parametrize("n", [2, 3, 6, 7])
@pytest.mark.parametrize("rho", [0.02, 0.5, 1.0])
def test_isotropic_readouts_are_shapley_values_of_the_covariance(n, rho):
    kernel, masks = isotropic_kernel(n, rho), coalitions(n)
    distance = (masks[:, None] != masks[None]).sum(axis=2)
    covariance, weights = kernel.by_distance[distance], shapley_weights(masks)
    assert np.linalg.eigvalsh(covariance).min() > -1e-10
    assert covariance[0, 0] == pytest.approx(1.0)
    sign = np.where(masks, 1.0, -1.0)
    others = masks.sum(axis=1, keepdims=True) - masks
    readout = 2.0 * sign * kernel.readout[others]
    np.testing.assert_allclose(readout, covariance @ weights, atol=1e-12)
    prior = weights.T @ covariance @ weights
    np.testing.assert_allclose(np.diagonal(prior), kernel.variance, atol=1e-12)
    np.testing.assert_allclose(prior[0, 1], kernel.covariance, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 6, 7])
def test_white_readouts_are_shapley_values_of_independent_pairs(n):
    kernel, masks = white_kernel(n), coalitions(n)
    covariance = np.eye(len(masks)) - np.eye(len(masks))[::-1]
    weights = shapley_weights(masks)
    sizes = masks.sum(axis=1, keepdims=True)
    readout = np.where(masks, kernel.kept[sizes], kernel.removed[sizes])
    np.testing.assert_allclose(readout, covariance @ weights, atol=1e-12)
    prior = weights.T @ covariance @ weights
    np.testing.assert_allclose(np.diagonal(prior), kernel.variance, atol=1e-12)
    np.testing.assert_allclose(prior[0, 1], kernel.covariance, atol=1e-12)


@pytest.mark.parametrize("n", [21, 300, 3000])
def test_many_units_stay_within_floats(n):
    kernel, white = isotropic_kernel(n, 0.85), white_kernel(n)
    for numbers in (kernel.by_distance, kernel.readout, white.kept, white.removed):
        assert np.isfinite(numbers).all()
    assert np.abs(kernel.by_distance).max() <= 1.0 + 1e-9
    for prior in (kernel, white):
        total = n * prior.variance + n * (n - 1) * prior.covariance
        assert total == pytest.approx(4.0), "the values add up to 2 g(N)"
