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
from math import log

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

LARGEST_EXPONENT = 700.0
"""exp of it is still a float64."""

# How far the relevances lie apart is asked of few pairs more cautiously than of many.
LEAST_SPREAD, MOST_SPREAD, PAIRS_FOR_SPREAD = 1.0, 1.5, 1.5

SPREAD_OF_SCALE = 2.0
"""Of log σ² around the variance that noise leaves, where there is noise."""

SQUARES_OF_OTHERS = torch.tensor(
    [SPREAD_OF_NUGGET, *[SPREAD_OF_LOGITS] * 3, SPREAD_OF_FALL_OFF, SPREAD_OF_SCALE],
    dtype=torch.float64,
).square()

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


@dataclass(frozen=True, eq=False)
class Covariance:
    """K of b problems, and the parts that its gradient needs: matrices ``(b, P, P)``.

    Parameters
    ----------
    matrix : torch.Tensor
        K.
    exponent, double_sinh, double_cosh : torch.Tensor
        E, 2 sinh(E) and 2 cosh(E).
    isotropic : torch.Tensor
        w_2 sinh(c xᵀx')/sinh(cn).
    isotropic_slopes : torch.Tensor, (b, n + 1)
        w_2 xᵀx' cosh(c xᵀx')/sinh(cn) by distance.
    """

    matrix: torch.Tensor
    exponent: torch.Tensor
    double_sinh: torch.Tensor
    double_cosh: torch.Tensor
    isotropic: torch.Tensor
    isotropic_slopes: torch.Tensor


def covariance(parameters: Parameters, signs: torch.Tensor, distance: torch.Tensor) -> Covariance:
    """Return K of pairs with signs ``(b, P, n)`` and distances ``(b, P, P)``."""
    n_units = signs.shape[2]
    exponent = (signs * parameters.relevances[:, None]) @ signs.mT
    growing = exponent.exp()
    falling = growing.reciprocal()
    double_sinh = growing - falling
    double_cosh = growing.add_(falling)
    # The isotropic part has only n + 1 different values.
    agreement = n_units - 2.0 * torch.arange(n_units + 1, dtype=torch.float64)
    angle = parameters.fall_off[:, None] * agreement
    share = parameters.weights[:, 2:] / angle[:, :1].sinh()
    isotropic = (share * angle.sinh()).gather(1, distance.flatten(1)).view_as(exponent)

    linear, product = _factors(parameters)
    matrix = torch.mul(double_sinh, product, out=falling).add_(isotropic)
    matrix = matrix.add_(exponent * linear)
    matrix.diagonal(dim1=1, dim2=2).add_(parameters.nugget[:, None])
    slopes = share * agreement * angle.cosh()
    return Covariance(matrix, exponent, double_sinh, double_cosh, isotropic, slopes)


def cross_covariance(
    parameters: Parameters, signs: torch.Tensor, others: torch.Tensor, distance: torch.Tensor
) -> torch.Tensor:
    """Return K, no nugget in it, of pairs ``(b, P, n)`` and others ``(b, M, n)``: ``(b, P, M)``."""
    n_units = signs.shape[2]
    exponent = (signs * parameters.relevances[:, None]) @ others.mT
    agreement = n_units - 2.0 * torch.arange(n_units + 1, dtype=torch.float64)
    angle = parameters.fall_off[:, None] * agreement
    table = parameters.weights[:, 2:] / angle[:, :1].sinh() * angle.sinh()
    isotropic = table.gather(1, distance.flatten(1)).view_as(exponent)
    linear, product = _factors(parameters)
    return isotropic + exponent * linear + 2.0 * product * exponent.sinh()


def _factors(parameters: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
    """Return w_0 / B and w_1 / (2 sinh B), ``(b, 1, 1)`` each."""
    total = parameters.relevances.sum(1)
    linear, product = parameters.weights[:, 0] / total, parameters.weights[:, 1] / total.sinh()
    return linear[:, None, None], 0.5 * product[:, None, None]


def negative_log_posterior(
    point: torch.Tensor,
    signs: torch.Tensor,
    distance: torch.Tensor,
    values: torch.Tensor,
    noise: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it and its gradient; without noise the scale σ² = yᵀK⁻¹y / P is profiled out.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5), or with noise (b, n + 6)
        See `Parameters.unpack`.
    signs, distance, values : torch.Tensor, (b, P, n), (b, P, P) and (b, P)
        The pairs.
    noise : torch.Tensor, (b, P), optional
        The variances of the values that are noise.

    Returns
    -------
    torch.Tensor, (b,)
        Infinite where the covariance is not positive definite.
    torch.Tensor, (b, n + 5), or with noise (b, n + 6)
        The gradient.
    """
    n_pairs, n_units = signs.shape[1:]
    own = Parameters.unpack(point, n_units)
    k = covariance(own, signs, distance)
    matrix = k.matrix
    if own.scale is not None and noise is not None:
        matrix = matrix * own.scale[:, None, None] + torch.diag_embed(noise)
    lower, failed = torch.linalg.cholesky_ex(matrix)
    broken = failed > 0
    if broken.any():
        lower[broken] = torch.eye(n_pairs, dtype=lower.dtype)
    inverse = torch.cholesky_inverse(lower)
    divided = inverse @ values[:, :, None]
    explained = values[:, None] @ divided
    nll = lower.diagonal(dim1=1, dim2=2).log().sum(1)

    # ∂nll/∂θ = Σ slope ∘ ∂K/∂θ
    if own.scale is None:
        scale = explained / n_pairs
        nll = nll + 0.5 * n_pairs * scale.flatten().log()
        slope = torch.baddbmm(inverse, divided, (divided / scale).mT, beta=0.5, alpha=-0.5)
    else:
        nll = nll + 0.5 * explained.flatten()
        slope = torch.baddbmm(inverse, divided, divided.mT, beta=0.5, alpha=-0.5)
        slope = slope * own.scale[:, None, None]
    linear, product = _factors(own)
    by_linear = linear.flatten() * inner(slope, k.exponent)
    by_product = product.flatten() * inner(slope, k.double_sinh)
    by_isotropic = inner(slope, k.isotropic)
    by_weights = torch.stack([by_linear, by_product, by_isotropic], dim=1)

    total = own.relevances.sum(1)
    by_exponent = k.double_cosh.mul_(product).add_(linear).mul_(slope)
    by_b = ((by_exponent @ signs) * signs).sum(1)
    by_b -= (by_linear / total + by_product / total.tanh())[:, None]
    by_c = inner(slope, k.isotropic_slopes.gather(1, distance.flatten(1)))
    by_c -= n_units * by_isotropic / (own.fall_off * n_units).tanh()
    parts = [
        by_b * own.relevances,
        (slope.diagonal(dim1=1, dim2=2).sum(1) * own.nugget)[:, None],
        by_weights - own.weights * by_weights.sum(1, keepdim=True),
        (by_c * own.fall_off)[:, None],
    ]
    if own.scale is not None:
        parts.append(inner(slope, k.matrix)[:, None])
    penalty, penalty_gradient = prior_penalty(
        point, n_units, n_pairs, starting_point(n_units, noise)
    )
    return torch.where(broken, torch.inf, nll + penalty), torch.cat(parts, 1) + penalty_gradient


def prior_penalty(
    point: torch.Tensor, n_units: int, n_pairs: int, centre: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return minus the logarithm of the prior around the means of the priors, and its gradient."""
    spread_of_b = spread_of_relevances(n_units, n_pairs)
    mean = point[:, :n_units].mean(1, keepdim=True)
    around = (point[:, :n_units] - mean) / spread_of_b**2
    of_mean = (mean - centre[..., :1]) / SPREAD_OF_MEAN**2
    off = point[:, n_units:] - centre[..., n_units:]
    by_others = off / SQUARES_OF_OTHERS[: off.shape[1]]
    penalty = 0.5 * (
        spread_of_b**2 * around.square().sum(1)
        + SPREAD_OF_MEAN**2 * of_mean.square().sum(1)
        + (off * by_others).sum(1)
    )
    return penalty, torch.cat([around + of_mean / n_units, by_others], dim=1)


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
    signs : torch.Tensor, (b, P, n)
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
    n_units = signs.shape[2]
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
