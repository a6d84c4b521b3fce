"""The covariance of model B, its marginal likelihood with the gradient, and its Shapley values.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i::

    K = w_0 E/B + w_1 sinh(E)/sinh(B) + w_2 sinh(c xᵀx')/sinh(cn) + ηI
    covariance of the pairs' values = σ²K + D, D the known variances of their noise

The sinh of E is the odd part of the product kernel Π_i exp(b_i x_i x_i'): unit i is the more
relevant the larger b_i, and interactions among relevant units are likelier.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, prod

import numpy as np
import torch

from perturbx.surrogates.gaussian.relevances import (
    FALL_OFF,
    SPREAD_OF_FALL_OFF,
    SPREAD_OF_LOGITS,
    SPREAD_OF_MEAN,
    SPREAD_OF_NUGGET,
    Parameters,
    inner,
    prior_means,
)
from perturbx.surrogates.odd_gp.geometry import Geometry, Room, Scratch
from perturbx.typing import FloatArray

LARGEST_EXPONENT = 700.0
"""exp of it is still a float64."""

# How far the relevances lie apart is asked of few pairs more cautiously than of many.
LEAST_SPREAD, MOST_SPREAD, PAIRS_FOR_SPREAD = 1.0, 1.5, 1.5

SPREAD_OF_SCALE = 2.0
"""Of log σ² around the variance that noise leaves, where there is noise."""

SQUARES_OF_OTHERS = np.square(
    [SPREAD_OF_NUGGET, *[SPREAD_OF_LOGITS] * 3, SPREAD_OF_FALL_OFF, SPREAD_OF_SCALE]
)

LEAST_LEFT = 0.02
"""The least share of the variance that is expected not to be noise."""

MOST_NODES = 10


def starting_point(n_units: int, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Return the means of the priors, ``(n + 5,)``, or with noise ``(b, P)``, ``(b, n + 6)``."""
    start = prior_means(n_units)
    if noise is None:
        return start
    left = (1.0 - noise.mean(1, keepdim=True)).clamp_min(LEAST_LEFT).log()
    return torch.cat([start.expand(len(noise), -1), left], dim=1)


def spread_of_relevances(n_units: int, n_pairs: int) -> float:
    """Return the standard deviation of log b_i around their mean, a priori."""
    return min(max(n_pairs / (PAIRS_FOR_SPREAD * n_units), LEAST_SPREAD), MOST_SPREAD)


def bounds(n_units: int, *, noisy: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the largest point, ``(n + 5,)`` each, ``(n + 6,)`` with noise."""
    low = [-9.0] * n_units + [log(1e-7)] + [-6.0] * 3 + [min(-6.0, log(FALL_OFF / n_units))]
    largest = min(1.0, log(LARGEST_EXPONENT / n_units))
    high = [largest] * n_units + [0.0] + [6.0] * 3 + [largest]
    if noisy:
        low, high = [*low, log(1e-4)], [*high, log(1e4)]
    return torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)


def covariance(own: Parameters, geometry: Geometry, room: Room | None = None) -> torch.Tensor:
    """Return K of pairs and others, ``(b, P, Q)``, no nugget in it, in the first part of `room`."""
    linear, product = _factors(own)
    shape = len(linear), *geometry.distance.shape[-2:]
    matrix, exponent, _ = (room or Room.of_size(prod(shape))).matrices(*shape)
    geometry.look_up(_isotropic(own, geometry.n_units)[0], matrix)
    geometry.exponents(own.relevances, out=exponent)
    matrix.addcmul_(exponent, linear)
    matrix.addcmul_(exponent.exp_(), product)
    return matrix.addcmul_(exponent.reciprocal_(), product, value=-1.0)


def _factors(own: Parameters) -> torch.Tensor:
    """Return w_0 / B and w_1 / (2 sinh B), ``(2, b, 1, 1)``."""
    total = own.relevances.numpy().sum(1)
    ends = np.stack([total, 2.0 * np.sinh(total)])
    return torch.from_numpy(own.weights.numpy()[:, :2].T / ends)[:, :, None, None]


def _isotropic(own: Parameters, n_units: int) -> tuple[FloatArray, FloatArray]:
    """Return w_2 sinh(c xᵀx') / sinh(cn) by distance, ``(b, n + 1)``, and its slope.

    With respect to log c, but for the slope of what is divided by.
    """
    fall_off = own.fall_off.numpy()[:, None]
    angle = fall_off * agreements(n_units)
    factor = own.weights.numpy()[:, 2:] / np.sinh(fall_off * n_units)
    return factor * np.sinh(angle), factor * angle * np.cosh(angle)


@lru_cache(maxsize=64)
def agreements(n_units: int) -> FloatArray:
    """Return xᵀx' by distance, ``(n + 1,)``."""
    return n_units - 2.0 * np.arange(n_units + 1)


def negative_log_posterior(
    point: torch.Tensor,
    geometry: Geometry,
    values: torch.Tensor,
    noise: torch.Tensor | None = None,
    scratch: Scratch | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it and its gradient; without noise the scale σ² = yᵀK⁻¹y / P is profiled out.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5), or with noise (b, n + 6)
        See `Parameters.unpack`.
    geometry : Geometry
        Of the pairs.
    values : torch.Tensor, (b, P)
        Theirs.
    noise : torch.Tensor, (b, P), optional
        The variances of the values that are noise.
    scratch : Scratch, optional
        Of at least b problems; new memory by default.

    Returns
    -------
    torch.Tensor, (b,)
        Infinite where the covariance is not positive definite.
    torch.Tensor, (b, n + 5), or with noise (b, n + 6)
        The gradient.
    """
    n_pairs, n_units = geometry.signs.shape[-2:]
    own = Parameters.unpack(point, n_units)
    linear, product = _factors(own)
    isotropic, slope_of_isotropic = _isotropic(own, n_units)
    scratch = (scratch or Scratch.of_size(len(point), n_pairs)).of(len(point))
    exponent = geometry.exponents(own.relevances, out=scratch.exponent)
    growing = torch.exp(exponent, out=scratch.growing)
    falling = torch.reciprocal(growing, out=scratch.falling)
    double_sinh = torch.sub(growing, falling, out=scratch.difference)
    double_cosh = growing.add_(falling)
    matrix = torch.mul(exponent, linear, out=falling).addcmul_(double_sinh, product)
    matrix.add_(geometry.look_up(isotropic, scratch.isotropic))
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    conditioned = condition(matrix, values, scratch, own.scale, noise)
    slope = conditioned.slope

    relevances, weights = own.relevances.numpy(), own.weights.numpy()
    by_nugget = np.trace(slope.numpy(), axis1=1, axis2=2) * own.nugget.numpy()
    by_linear = linear.numpy().ravel() * inner(slope, exponent)
    by_product = product.numpy().ravel() * inner(slope, double_sinh)
    # K is a sum of its parts, and what all of them change together is known.
    by_isotropic = conditioned.by_scale - by_linear - by_product - by_nugget
    by_weights = np.stack([by_linear, by_product, by_isotropic], axis=1)
    total, across = relevances.sum(1), own.fall_off.numpy() * n_units
    by_b = geometry.slopes(double_cosh.mul_(product).add_(linear).mul_(slope))
    by_b -= (by_linear / total + by_product / np.tanh(total))[:, None]
    by_c = inner(slope, geometry.look_up(slope_of_isotropic, scratch.isotropic))
    by_c -= across * by_isotropic / np.tanh(across)
    parts = [
        by_b * relevances,
        by_nugget[:, None],
        by_weights - weights * by_weights.sum(1, keepdims=True),
        by_c[:, None],
    ]
    if own.scale is not None:
        parts.append(conditioned.by_scale[:, None])
    penalty, gradient = prior_penalty(point, n_units, n_pairs, starting_point(n_units, noise))
    gradient += np.concatenate(parts, axis=1)
    return torch.from_numpy(conditioned.nll + penalty), torch.from_numpy(gradient)


@dataclass(frozen=True, eq=False)
class Conditioned:
    """How likely values are under a covariance.

    Parameters
    ----------
    nll : numpy.ndarray, (b,)
        Minus the logarithm of their likelihood, infinite where K is not positive definite.
    slope : torch.Tensor, (b, P, P)
        Its derivatives with respect to K's entries.
    by_scale : numpy.ndarray, (b,)
        That with respect to the logarithm of a factor of K; 0 where such a one is profiled out.
    """

    nll: FloatArray
    slope: torch.Tensor
    by_scale: FloatArray


def condition(
    matrix: torch.Tensor,
    values: torch.Tensor,
    scratch: Scratch,
    scale: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> Conditioned:
    """Return it of values ``(b, P)`` under K ``(b, P, P)``, or with noise under σ²K + D.

    Parameters
    ----------
    matrix, values : torch.Tensor
        K, which is lost, and the values.
    scratch : Scratch
        Of b problems. The slope is written to it.
    scale, noise : torch.Tensor, (b,) and (b, P), optional
        σ² and D. None: the likeliest σ², and no noise.
    """
    n_pairs = values.shape[1]
    if scale is not None and noise is not None:
        matrix.mul_(scale[:, None, None]).diagonal(dim1=1, dim2=2).add_(noise)
    lower, failed = torch.linalg.cholesky_ex(matrix, out=(scratch.lower, _flags(len(values))))
    broken = failed.numpy() > 0
    if broken.any():
        lower[failed > 0] = torch.eye(n_pairs, dtype=lower.dtype)
    # It is symmetric, so its columns are its rows.
    inverse = torch.cholesky_inverse(lower, out=scratch.inverse).mT
    divided = inverse @ values[:, :, None]
    explained = (values.numpy() * divided.numpy()[:, :, 0]).sum(1)
    nll: FloatArray = np.log(lower.numpy().diagonal(axis1=1, axis2=2)).sum(1)
    if scale is None or noise is None:
        nll += 0.5 * n_pairs * np.log(explained / n_pairs)
        across = divided.mT * torch.from_numpy(n_pairs / explained)[:, None, None]
        slope = inverse.baddbmm_(divided, across, beta=0.5, alpha=-0.5)
        by_scale = np.zeros_like(nll)
    else:
        nll += 0.5 * explained
        slope = inverse.baddbmm_(divided, divided.mT, beta=0.5, alpha=-0.5)
        of_noise = np.einsum("bii,bi->b", slope.numpy(), noise.numpy())
        by_scale = 0.5 * (n_pairs - explained) - of_noise
        slope.mul_(scale[:, None, None])
    nll[broken] = np.inf
    return Conditioned(nll, slope, by_scale)


def _flags(count: int) -> torch.Tensor:
    return torch.empty(count, dtype=torch.int32)


def prior_penalty(
    point: torch.Tensor, n_units: int, n_pairs: int, centre: torch.Tensor
) -> tuple[FloatArray, FloatArray]:
    """Return minus the logarithm of the prior around the means of the priors, and its gradient."""
    spread = spread_of_relevances(n_units, n_pairs)
    off = point.numpy() - centre.numpy()
    gradient = off @ _precision(n_units, spread)[: off.shape[1], : off.shape[1]]
    return 0.5 * (off * gradient).sum(1), gradient


@lru_cache(maxsize=64)
def _precision(n_units: int, spread_of_b: float) -> FloatArray:
    """Return the inverse of the prior's covariance, ``(n + 6, n + 6)``.

    Of log b_i around their mean, which has a prior of its own.
    """
    around, of_mean = spread_of_b**-2.0, SPREAD_OF_MEAN**-2.0
    diagonal = np.concatenate([np.full(n_units, around), 1.0 / SQUARES_OF_OTHERS])
    precision = np.diag(diagonal)
    precision[:n_units, :n_units] += (of_mean / n_units - around) / n_units
    return precision


@lru_cache(maxsize=MOST_NODES)
def _nodes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points in [-1, 1] and weights, which add up to 1, of a Gauss-Legendre rule."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy(points), torch.from_numpy(weights / 2.0)


def product_readout(
    signs: torch.Tensor, relevances: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what sinh(E)/sinh(B) says of Shapley values: of pairs ``(b, P, n)`` and a priori.

    A Shapley value is the mean over t in [-1, 1] of the slope of the game's multilinear extension
    (Owen 1972); of a product kernel that is a product over the other units of 1 + ρ_l x_l t with
    ρ = tanh b, a polynomial which Gauss-Legendre nodes integrate.

    Parameters
    ----------
    signs : torch.Tensor, (P, n) or (b, P, n)
        -1 kept, +1 removed.
    relevances : torch.Tensor, (b, n)
        b_i.

    Returns
    -------
    readout : torch.Tensor, (b, P, n)
        Covariances of the pairs' values and the Shapley values.
    prior : torch.Tensor, (b, n, n)
        The covariance of the Shapley values before any pair is known.
    """
    n_units = signs.shape[-1]
    t, share = _nodes(min((n_units + 1) // 2 + 1, MOST_NODES))
    rho = relevances.tanh()
    total = relevances.sum(1)
    # log of sinh(B) / Π cosh(b)
    norm = 0.5 * torch.log1p(-rho.square()).sum(1) + total - log(2.0)
    norm = norm + torch.log1p(-(-2.0 * total).exp())

    along = rho[:, None] * t[:, None]
    up, down = torch.log1p(along), torch.log1p(-along)
    logs = 0.5 * ((up + down).sum(2)[:, None] + signs @ (up - down).mT)
    product = share * (logs - norm[:, None, None]).exp()
    # 1 / (1 + ρxt) = (1 - ρxt) / (1 - ρ²t²), for x² = 1.
    without = 1.0 / (1.0 - along.square())
    rho_row = rho[:, None]
    readout = -2.0 * rho_row * (signs * (product @ without) - rho_row * ((product * t) @ without))

    both = torch.outer(t, t).flatten()
    factors = 1.0 + rho_row * both[:, None]
    weight = torch.outer(share, share).flatten() * (factors.log().sum(2) - norm[:, None]).exp()
    off = (rho_row / factors) * (weight * both)[:, :, None]
    prior = off.mT @ (rho_row / factors)
    own = rho * (weight[:, None] @ (1.0 / factors)).squeeze(1)
    prior.diagonal(dim1=1, dim2=2).copy_(own)
    return readout, 4.0 * prior
