"""Covariances of random even games, and of their pairwise interactions.

With v = Σ_T β_T χ_T, χ_T(S) = (-1)^|S∩T|, the pairwise Shapley interaction index (Grabisch &
Roubens 1999) is

    I_ij = 4 Σ_{T ∋ i,j, |T| even} β_T / (|T| - 1),

so it sees the even part of a game only. Where the coefficients of order k are independent and
have a share s_k of the variance in all, the covariance of e(S) and e(T) that differ in h units is
Σ_k s_k κ_k(h; n), with Krawtchouk polynomials divided by their value at 0, and that of I_ij and
e(S) is 4 x_i x_j Σ_k s_k k / (n (n-1)) κ_{k-2}(t; n-2), where t units other than i and j are in S.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from perturbx.symmetric_kernels import krawtchouk
from perturbx.typing import FloatArray

MOST_ORDERS = 8
"""Even orders that are kept: the shares of the others vanish unless ρ is near 1."""


@dataclass(frozen=True, eq=False)
class EvenKernel:
    """An isotropic prior on the even part of a game (its mean aside), with variance 1.

    Parameters
    ----------
    by_distance : numpy.ndarray, (n + 1,)
        The covariance of e(S) and e(T) by the number of units in which S and T differ.
    readout : numpy.ndarray, (n - 1,)
        The covariance of I_ij and e(S) is x_i x_j times this, by the number of other units in S.
    variance : float
        The prior variance of an interaction.
    """

    by_distance: FloatArray
    readout: FloatArray
    variance: float


@lru_cache(maxsize=256)
def even_kernel(n_units: int, rho: float) -> EvenKernel:
    """Return the prior whose variance falls by ρ² from one even order to the next.

    Parameters
    ----------
    n_units : int
        Number of units, at least 2.
    rho : float
        In (0, 1]: near 0 there are interactions of pairs only.

    Examples
    --------
    >>> even_kernel(3, 0.5).by_distance.round(3)
    array([ 1.   , -0.333, -0.333,  1.   ])
    """
    orders = np.arange(2, n_units + 1, 2)[:MOST_ORDERS]
    shares = rho ** (orders - 2.0)
    shares /= shares.sum()
    pairs = n_units * (n_units - 1)
    others = krawtchouk(n_units - 2) if n_units > 2 else np.ones((1, 1))
    return EvenKernel(
        by_distance=shares @ krawtchouk(n_units)[orders],
        readout=(4.0 * shares * orders / pairs) @ others[orders - 2],
        variance=float(16.0 * (shares * orders / (orders - 1.0)).sum() / pairs),
    )


@lru_cache(maxsize=256)
def white_weights(n_units: int) -> tuple[FloatArray, float]:
    """Return what the value of one pair of complements alone says of an interaction.

    Returns
    -------
    weights : numpy.ndarray, (n - 1,)
        By the number of units other than i and j in S; times x_i x_j.
    variance : float
        The variance of an interaction where the values of pairs are independent, of variance 1.
    """
    others = n_units - 2
    size = np.arange(others + 1.0)
    log_count = gammaln(others + 1) - gammaln(size + 1) - gammaln(others - size + 1)
    weights = 2.0 * np.exp(-log_count) / (n_units - 1)
    return weights, float(2.0 * (np.exp(log_count) * np.square(weights)).sum())
