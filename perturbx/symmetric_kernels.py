"""Linear functionals that treat all units alike, and what random games say of them.

Shapley values, Banzhaf values and the line that LIME fits are all of one kind: the value of unit j
is Σ_S w_j(S) v(S), where w_j(S) depends on the size of S and on whether j is in S. In Walsh form,
with χ_A(S) = Π_{i∈A} x_i(S), x_i = -1 for units in S and +1 for the others, its coefficient
Σ_S w_j(S) χ_A(S) depends on the order |A| = k and on whether j is in A: p_k if it is, q_k if not.

A random game v = Σ_A β_A χ_A whose coefficients are independent, all those of one order with the
same variance, of a share s_k in all, has the covariance Σ_k s_k κ_k(h; n) of v(S) and v(T) that
differ in h units, with Krawtchouk polynomials divided by their value at 0. The covariance of the
value of unit j and v(T), with t units other than j in T, is then

    Σ_k s_k [(1 - k/n) q_k κ_k(t; n-1) + k/n p_k x_j(T) κ_{k-1}(t; n-1)].

All of it is linear in the shares, so tables by order are kept and serve every prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import gammaln

from perturbx.exceptions import ArgumentError
from perturbx.typing import FloatArray

LEAST_SPREAD = 1e-200
"""The least variance of the size of a mask: below it there is no slope over sizes."""

MOST_ORDERS = 60
"""Up to so many units every order is kept; of more units only the first so many orders, for the
shares of the others vanish under any prior that falls off."""


@dataclass(frozen=True, eq=False)
class SymmetricFunctional:
    """What each unit is worth, as a sum over all coalitions that treats the units alike.

    Parameters
    ----------
    n_units : int
        Number of units n, at least 2.
    kept, removed : numpy.ndarray, (n + 1,)
        The weight of all coalitions of a size together that hold the unit, and of all that do not.
    level : numpy.ndarray, (n + 1,)
        The weight of all coalitions of a size together in the base value.
    """

    n_units: int
    kept: FloatArray
    removed: FloatArray
    level: FloatArray

    @property
    def n_orders(self) -> int:
        """The number K of orders that are kept, order 0 among them."""
        return min(self.n_units, MOST_ORDERS) + 1

    @cached_property
    def with_unit(self) -> FloatArray:
        """p_k ``(K,)``: the value of j in the game χ_A where A holds j; p_0 = 0."""
        others = krawtchouk(self.n_units - 1)[: self.n_orders - 1]
        return np.concatenate([[0.0], others @ (self.removed[:-1] - self.kept[1:])])

    @cached_property
    def without_unit(self) -> FloatArray:
        """q_k ``(K,)``: the value of j in the game χ_A where A does not hold j; q_n = 0."""
        others = krawtchouk(self.n_units - 1)[: self.n_orders]
        values = np.zeros(self.n_orders)
        values[: len(others)] = others @ (self.removed[:-1] + self.kept[1:])
        return values

    @cached_property
    def of_base(self) -> FloatArray:
        """The base value ``(K,)`` of the game χ_A with |A| = k."""
        values: FloatArray = krawtchouk(self.n_units)[: self.n_orders] @ self.level
        return values

    @cached_property
    def kept_alone(self) -> FloatArray:
        """The weight ``(n + 1,)`` of one coalition of each size that holds the unit."""
        return np.concatenate([[0.0], _each(self.kept[1:])])

    @cached_property
    def removed_alone(self) -> FloatArray:
        """The weight ``(n + 1,)`` of one coalition of each size that does not hold the unit."""
        return np.concatenate([_each(self.removed[:-1]), [0.0]])

    @cached_property
    def level_alone(self) -> FloatArray:
        """The weight ``(n + 1,)`` of one coalition of each size in the base value."""
        return _each(self.level)

    @cached_property
    def readout(self) -> FloatArray:
        """Covariances with v(T) by order ``(3, K, n + 1)``, and by the size of T.

        Of the value of a unit in T, of that of a unit not in T, and of the base value.
        """
        n, orders = self.n_units, np.arange(self.n_orders)[:, None]
        others = krawtchouk(n - 1)
        table = np.zeros((2, self.n_orders, n))
        there = min(self.n_orders, n)
        table[0, :there] = (1 - orders / n)[:there] * self.without_unit[:there, None]
        table[0, :there] *= others[:there]
        table[1, 1:] = (orders / n * self.with_unit[:, None])[1:] * others[: self.n_orders - 1]
        readout = np.zeros((3, self.n_orders, n + 1))
        readout[0, :, 1:] = table[0] - table[1]
        readout[1, :, :-1] = table[0] + table[1]
        readout[2] = self.of_base[:, None] * krawtchouk(n)[: self.n_orders]
        return readout

    @cached_property
    def prior(self) -> FloatArray:
        """Prior variance of a value, and the covariance of two values, by order ``(2, K)``."""
        n, k = self.n_units, np.arange(self.n_orders)
        p, q = self.with_unit, self.without_unit
        variance = k / n * p**2 + (1 - k / n) * q**2
        pairs = n * (n - 1)
        both, neither = k * (k - 1) / pairs, (n - k) * (n - k - 1) / pairs
        covariance = both * p**2 + 2 * k * (n - k) / pairs * p * q + neither * q**2
        return np.stack([variance, covariance])

    @cached_property
    def white_prior(self) -> FloatArray:
        """Prior variance of a value, and the covariance of two, if all v(S) are independent."""
        n, size = self.n_units, np.arange(self.n_units + 1)
        kept, removed = self.kept * self.kept_alone, self.removed * self.removed_alone
        # Of the coalitions that hold one unit, those that hold another one, too, and so on.
        holds = np.maximum(size - 1, 0) / (n - 1)
        lacks = np.maximum(n - size - 1, 0) / (n - 1)
        covariance = kept * holds + removed * lacks
        covariance += 2 * self.kept * (1 - holds) * self.removed_alone * (size > 0)
        return np.array([(kept + removed).sum(), covariance.sum()])


@lru_cache(maxsize=64)
def lime_functional(n_units: int, kernel_width: float = 25.0) -> SymmetricFunctional:
    """Return the line that LIME fits to its own samples as their number grows.

    Every number of removed units from 1 to n is as likely as any other, and so is each choice of
    them; a mask with s of n units kept weighs exp(-D² / (2 kernel_width²)), D = 100 (1 - √(s/n)).
    The full text, which lime adds once, and its ridge penalty do not matter in the limit.

    Parameters
    ----------
    n_units : int
        Number of units, at least 2.
    kernel_width : float, default=25.0
        The width of LIME's kernel.

    Raises
    ------
    ArgumentError
        The kernel is so narrow that masks of one size only have weight.

    Notes
    -----
    Mardaoui & Garreau 2021, in a shape that loses no digits: the mean of the values is the slope
    over sizes, Cov(s, v) / Var(s), and what sets them apart is E[π (z_j - s/n) v] / (α_1 - α_2),
    with α_1 = E[π z_j] and α_2 = E[π z_j z_k].

    Examples
    --------
    >>> lime_functional(3).with_unit.round(2)
    array([ 0.  , -2.  ,  0.34,  1.99])
    """
    mass = lime_size_weights(n_units, kernel_width)
    kept = np.arange(n_units + 1.0)
    share = kept / n_units
    # Sizes are counted from the heaviest one, lest those of little weight be lost in rounding.
    size = kept - kept[mass.argmax()]
    size -= mass @ size
    spread = mass @ np.square(size)
    if spread < LEAST_SPREAD:
        raise ArgumentError(
            f"kernel_width: {kernel_width!r} is so small that of {n_units} units only masks of one "
            f"size have weight, and no line can be fitted to these; expected some units of 100 / n"
        )
    slope = size / spread
    apart = mass @ (share * (1.0 - share)) * n_units / (n_units - 1)
    values_kept = mass * share * (slope + (1.0 - share) / apart)
    values_removed = mass * (1.0 - share) * (slope - share / apart)
    return SymmetricFunctional(
        n_units, values_kept, values_removed, mass * (1.0 - mass @ kept * slope)
    )


def lime_size_weights(n_units: int, kernel_width: float = 25.0) -> FloatArray:
    """Return the weight ``(n + 1,)`` in LIME's fit of all masks that keep 0 .. n units; sum 1.

    Examples
    --------
    >>> lime_size_weights(4).round(3)
    array([0.   , 0.09 , 0.334, 0.575, 0.   ])
    """
    kept = np.arange(n_units + 1.0)
    log_mass = -np.square(100.0 * (1.0 - np.sqrt(kept / n_units))) / (2.0 * kernel_width**2)
    log_mass[-1] = -np.inf
    mass = np.exp(log_mass - log_mass.max())
    weights: FloatArray = mass / mass.sum()
    return weights


@lru_cache(maxsize=64)
def banzhaf_functional(n_units: int) -> SymmetricFunctional:
    """Return Banzhaf values: the mean over all S of v(S∪i) - v(S), each S equally likely.

    Their base value is that of the least-squares line through all coalitions.

    Parameters
    ----------
    n_units : int
        Number of units, at least 2.

    Examples
    --------
    >>> banzhaf_functional(3).with_unit.round(6) + 0.0
    array([ 0., -2.,  0.,  0.])
    """
    size = np.arange(n_units + 1.0)
    log_mass = gammaln(n_units + 1) - gammaln(size + 1) - gammaln(n_units - size + 1)
    mass = np.exp(log_mass - n_units * np.log(2.0))
    share = size / n_units
    level = mass * (1.0 + n_units - 2.0 * size)
    return SymmetricFunctional(n_units, 2.0 * mass * share, -2.0 * mass * (1.0 - share), level)


@lru_cache(maxsize=256)
def krawtchouk(n_units: int) -> FloatArray:
    """Return κ_k(h; n) for k = 0 .. min(n, `MOST_ORDERS`) and h = 0 .. n.

    (n - k) κ_{k+1} = (n - 2h) κ_k - k κ_{k-1} up to k = n/2, and κ_k(h) = (-1)^h κ_{n-k}(h) beyond,
    where the recurrence would lose all digits.

    Examples
    --------
    >>> krawtchouk(2)
    array([[ 1.,  1.,  1.],
           [ 1.,  0., -1.],
           [ 1., -1.,  1.]])
    """
    highest, half = min(n_units, MOST_ORDERS), n_units // 2
    distance = np.arange(n_units + 1)
    table = np.ones((highest + 1, n_units + 1))
    for order in range(min(highest, half)):
        before = order * table[order - 1] if order else 0.0
        step = (n_units - 2.0 * distance) * table[order] - before
        table[order + 1] = step / (n_units - order)
    beyond = np.arange(half + 1, highest + 1)
    table[beyond] = (1.0 - 2.0 * (distance % 2)) * table[n_units - beyond]
    return table


def falling_shares(n_orders: int, rho: float) -> FloatArray:
    """Return shares ``(n_orders,)`` in proportion to ρ^k, that add up to 1; none for order 0.

    Examples
    --------
    >>> falling_shares(3, 0.5).round(3)
    array([0.   , 0.667, 0.333])
    """
    shares = np.zeros(n_orders)
    shares[1:] = rho ** np.arange(n_orders - 1.0)
    shares /= shares.sum()
    return shares


def _each(mass: FloatArray) -> FloatArray:
    """Return the mass of all subsets of each size over their number, of len(mass) - 1 units."""
    n_units = len(mass) - 1
    size = np.arange(n_units + 1.0)
    log_count = gammaln(n_units + 1) - gammaln(size + 1) - gammaln(n_units - size + 1)
    each: FloatArray = mass * np.exp(-log_count)
    return each
