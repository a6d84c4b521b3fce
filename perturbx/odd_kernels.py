"""Covariances of random odd games: what the `odd_gp` design and the `odd_gp` surrogate share.

The Shapley value sees only the odd part g(S) = ½[v(S) - v(N∖S)] of a game. Two priors on it are
blind to which unit is which, so their covariances depend on counts alone:

- isotropic: all interactions of one odd order k are alike, with a share s_k of the variance that
  falls off as ρ^(k-1); the covariance of g(S) and g(T) depends on how many units they differ in;
- white: the values of pairs are independent, so nothing is learned beyond the pair itself.

With Krawtchouk polynomials divided by their value at 0, κ_k(h; n), which obey
(n - k) κ_{k+1} = (n - 2h) κ_k - k κ_{k-1}, κ_0 = 1, the isotropic covariance is Σ_k s_k κ_k(h; n),
and that of φ_i with g(S) is -2 x_i(S) R(|S∖i|), R(t) = Σ_k s_k κ_{k-1}(t; n-1) / n, where x_i is
-1 for units in S and +1 for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perturbx.typing import FloatArray

MOST_UNITS_WITH_ALL_ORDERS = 20
ODD_ORDERS_BEYOND = 8
"""Above that many units only so many odd orders are kept: the others' shares are below 1e-6 unless
ρ is near 1, and nothing tells them apart."""


@dataclass(frozen=True, eq=False)
class IsotropicKernel:
    """The isotropic prior on the odd part of a game of n units, with variance 1.

    Parameters
    ----------
    by_distance : numpy.ndarray, (n + 1,)
        The covariance of g(S) and g(T) by the number of units in which S and T differ.
    readout : numpy.ndarray, (n,)
        R(t): the covariance of φ_i and g(S) is -2 x_i R(t) with t units other than i in S.
    variance, covariance : float
        The prior variance of a Shapley value, and the covariance of two.
    """

    by_distance: FloatArray
    readout: FloatArray
    variance: float
    covariance: float


@dataclass(frozen=True, eq=False)
class WhiteKernel:
    """The white prior on the odd part of a game of n units, with variance 1.

    Parameters
    ----------
    kept, removed : numpy.ndarray, (n + 1,)
        The covariance of φ_i and g(S) by the size of S, for units in S and for the others.
    variance, covariance : float
        The prior variance of a Shapley value, and the covariance of two.
    """

    kept: FloatArray
    removed: FloatArray
    variance: float
    covariance: float


@lru_cache(maxsize=512)
def isotropic_kernel(n_units: int, rho: float) -> IsotropicKernel:
    """Return the isotropic prior whose variance falls by ρ² from one odd order to the next.

    Parameters
    ----------
    n_units : int
        Number of units, at least 2.
    rho : float
        In (0, 1]: near 0 games are additive.

    Examples
    --------
    >>> kernel = isotropic_kernel(3, 1.0)
    >>> kernel.by_distance.round(3)
    array([ 1.   , -0.333,  0.333, -1.   ])
    """
    orders = np.arange(1, n_units + 1, 2)
    if n_units > MOST_UNITS_WITH_ALL_ORDERS:
        orders = orders[:ODD_ORDERS_BEYOND]
    shares = rho ** (orders - 1.0)
    shares /= shares.sum()
    highest = int(orders[-1])
    variance = float(4.0 * (shares / orders).sum() / n_units)
    return IsotropicKernel(
        by_distance=shares @ _krawtchouk(n_units, highest)[orders],
        readout=shares @ _krawtchouk(n_units - 1, highest - 1)[orders - 1] / n_units,
        variance=variance,
        covariance=_covariance_of_two(n_units, variance),
    )


@lru_cache(maxsize=512)
def white_kernel(n_units: int) -> WhiteKernel:
    """Return the white prior: what the value of one pair alone says about the Shapley values.

    Parameters
    ----------
    n_units : int
        Number of units, at least 2.

    Examples
    --------
    >>> white_kernel(2).kept
    array([0., 1., 1.])
    """
    # 1 / C(n-1, t), t = 0 .. n-1, as products from both ends: the middle may underflow to 0.
    others = n_units - 1
    steps = np.arange(others // 2)
    half = np.cumprod(np.concatenate([[1.0], (steps + 1) / (others - steps)]))
    inverse = np.concatenate([half, half[::-1][1 if others % 2 == 0 else 0 :]])
    kept = np.concatenate([[0.0], 2.0 * inverse / n_units])
    removed = np.concatenate([-2.0 * inverse / n_units, [0.0]])
    variance = float(4.0 * inverse.sum() / n_units**2)
    return WhiteKernel(kept, removed, variance, _covariance_of_two(n_units, variance))


def _covariance_of_two(n_units: int, variance: float) -> float:
    """Return the covariance of two of n alike values that add up to 2 g(N), of variance 4."""
    return (4.0 / n_units - variance) / (n_units - 1)


def _krawtchouk(n_units: int, highest: int) -> FloatArray:
    """Return κ_k(h; n) of the orders k = 0 .. highest (<= n) for h = 0 .. n."""
    distance = np.arange(n_units + 1)
    table = np.ones((highest + 1, n_units + 1))
    for order in range(highest):
        before = order * table[order - 1] if order else 0.0
        step = (n_units - 2.0 * distance) * table[order] - before
        table[order + 1] = step / (n_units - order)
    return table
