"""The tables behind linear functionals of a game, each against the sums that define it."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from perturbx.exceptions import ArgumentError
from perturbx.symmetric_kernels import (
    MOST_ORDERS,
    banzhaf_functional,
    falling_shares,
    krawtchouk,
    lime_functional,
)


def all_masks(n):
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 > 0


def characters(n):
    """χ_A(S) by S and A."""
    masks = all_masks(n)
    signs = 1.0 - 2.0 * masks
    return np.array([np.where(masks, own, 1.0).prod(axis=1) for own in signs])


def weights(functional):
    """What each coalition contributes to each value, and to the base value."""
    masks = all_masks(functional.n_units)
    size = masks.sum(axis=1)
    kept, removed = functional.kept_alone[size], functional.removed_alone[size]
    return np.where(masks, kept[:, None], removed[:, None]), functional.level_alone[size]


def exact_krawtchouk(n):
    table = [[Fraction(1)] * (n + 1)]
    for k in range(n):
        before = table[k - 1] if k else [0] * (n + 1)
        table.append(
            [((n - 2 * h) * table[k][h] - k * before[h]) / Fraction(n - k) for h in range(n + 1)]
        )
    return np.array(table, dtype=float)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 60, 95])
def test_krawtchouk_polynomials_lose_no_digits(n):
    table = krawtchouk(n)
    np.testing.assert_allclose(table, exact_krawtchouk(n)[: MOST_ORDERS + 1], atol=1e-13)


FUNCTIONALS = [(make, n) for make in (lime_functional, banzhaf_functional) for n in (2, 3, 6)]


@pytest.mark.parametrize(("make", "n"), FUNCTIONALS)
def test_walsh_coefficients_are_those_of_the_weights(make, n):
    functional = make(n)
    values, base = weights(functional)
    masks, orders = all_masks(n), all_masks(n).sum(axis=1)
    expected = np.where(
        masks, functional.with_unit[orders][:, None], functional.without_unit[orders][:, None]
    )
    np.testing.assert_allclose(characters(n).T @ values, expected, atol=1e-12)
    np.testing.assert_allclose(base @ characters(n), functional.of_base[orders], atol=1e-12)


@pytest.mark.parametrize(("make", "n"), FUNCTIONALS)
def test_readouts_and_priors_are_those_of_random_games(make, n):
    functional, shares = make(n), falling_shares(n + 1, 0.6)
    values, base = weights(functional)
    masks, size = all_masks(n), all_masks(n).sum(axis=1)
    distance = (masks[:, None] != masks).sum(axis=2)
    covariance = (shares @ krawtchouk(n))[distance]
    kept, removed, level = np.tensordot(shares, functional.readout, axes=(0, 1))
    expected = np.where(masks, kept[size][:, None], removed[size][:, None])
    np.testing.assert_allclose(covariance @ values, expected, atol=1e-12)
    np.testing.assert_allclose(covariance @ base, level[size], atol=1e-12)
    for prior, found in (
        (values.T @ covariance @ values, functional.prior @ shares),
        (values.T @ values, functional.white_prior),
    ):
        np.testing.assert_allclose(prior[[0, 0], [0, 1]], found, atol=1e-12)


@pytest.mark.parametrize("n", [2, 9, 60, 400])
def test_a_line_is_its_own_line(n):
    for functional in (lime_functional(n), lime_functional(n, 60.0), banzhaf_functional(n)):
        # Of the game x_i the value of i is -2, of any other unit 0; a constant is all base.
        np.testing.assert_allclose(functional.with_unit[1], -2.0, atol=1e-10)
        np.testing.assert_allclose(functional.without_unit[:2], 0.0, atol=1e-10)
        np.testing.assert_allclose(functional.of_base[:2], 1.0, atol=1e-9)


def test_limes_line_is_that_of_mardaoui_and_garreau():
    n, width = 8, 25.0
    removed = np.arange(1, n + 1)
    kernel = np.exp(-np.square(100 * (1 - np.sqrt((n - removed) / n))) / (2 * width**2))

    def alpha(p):
        """E[π z_1 ... z_p]."""
        kept = [np.prod([(n - s - i) / (n - i) for i in range(p)]) for s in removed]
        return float(np.mean(kernel * kept))

    a0, a1, a2 = alpha(0), alpha(1), alpha(2)
    c = (n - 1) * a0 * a2 - n * a1**2 + a0 * a1
    sigma2 = ((n - 2) * a0 * a2 - (n - 1) * a1**2 + a0 * a1) / (a1 - a2)
    sigma3 = (a1**2 - a0 * a2) / (a1 - a2)
    functional = lime_functional(n, width)
    for size in range(n):
        (subsets,) = [list(combinations(range(n), size))]
        chance = kernel[n - size - 1] / n / len(subsets)
        kept = chance * (-a1 + sigma2 + sigma3 * (size - 1)) / c
        without = chance * (-a1 + sigma3 * size) / c
        if size:
            np.testing.assert_allclose(functional.kept_alone[size], kept, rtol=1e-9)
        np.testing.assert_allclose(functional.removed_alone[size], without, rtol=1e-9)
    assert functional.kept_alone[n] == 0.0


def test_a_narrow_kernel_compares_the_two_largest_sizes():
    """Where sizes weigh next to nothing the line still goes through the means of two of them."""
    functional = lime_functional(10, 1.0)
    units = 10 * (functional.kept + functional.removed)
    np.testing.assert_allclose(units[8:10] / 10, [-1.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(functional.with_unit[1], -2.0, atol=1e-9)


def test_a_kernel_that_knows_one_size_only_is_refused():
    with pytest.raises(ArgumentError, match=r"kernel_width: 0\.1 is so small that of 10 units"):
        lime_functional(10, 0.1)
