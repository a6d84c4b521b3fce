"""The covariance of model B, its marginal likelihood with the gradient, and its Shapley values.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i::

    K = w_0 E/B + w_1 sinh(E)/sinh(B) + w_2 sinh(c xᵀx')/sinh(cn) + ηI

The sinh of E is the odd part of the product kernel Π_i exp(b_i x_i x_i'): unit i is the more
relevant the larger b_i, and interactions among relevant units are likelier.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import torch

LARGEST_EXPONENT = 700.0
"""exp of it is still a float64."""

# The priors are normal, of log b_i around the mean of all log b_i, of that mean, of log η, of the
# logits of w and of log c; 1.5 and 3 are what B and cn are expected to be, whatever n.
SPREAD_OF_RELEVANCES = 1.0
MEAN_RELEVANCE, SPREAD_OF_MEAN = 1.5, 1.5
NUGGET, SPREAD_OF_NUGGET = 3e-3, 3.0
SPREAD_OF_LOGITS = 2.0
FALL_OFF, SPREAD_OF_FALL_OFF = 3.0, 1.0

MOST_NODES = 10


@dataclass(frozen=True, eq=False)
class Parameters:
    """What model B learns, for b problems.

    Parameters
    ----------
    relevances : torch.Tensor, (b, n)
        b_i.
    nugget, fall_off : torch.Tensor, (b,)
        η and c.
    weights : torch.Tensor, (b, 3)
        w, adding up to 1.
    """

    relevances: torch.Tensor
    nugget: torch.Tensor
    weights: torch.Tensor
    fall_off: torch.Tensor

    @classmethod
    def unpack(cls, point: torch.Tensor) -> Parameters:
        """Return the parameters at ``(b, n + 5)``: log b, log η, logits of w, log c."""
        n_units = point.shape[1] - 5
        return cls(
            relevances=point[:, :n_units].exp(),
            nugget=point[:, n_units].exp(),
            weights=torch.softmax(point[:, n_units + 1 : n_units + 4], dim=1),
            fall_off=point[:, n_units + 4].exp(),
        )


def starting_point(n_units: int) -> torch.Tensor:
    """Return the means of the priors, ``(n + 5,)``."""
    values = [log(MEAN_RELEVANCE / n_units)] * n_units
    values += [log(NUGGET), 0.0, 0.0, 0.0, log(FALL_OFF / n_units)]
    return torch.tensor(values, dtype=torch.float64)


def bounds(n_units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the largest point, ``(n + 5,)`` each."""
    low = [-9.0] * n_units + [log(1e-7)] + [-6.0] * 3 + [min(-6.0, log(FALL_OFF / n_units))]
    largest = min(1.0, log(LARGEST_EXPONENT / n_units))
    high = [largest] * n_units + [0.0] + [6.0] * 3 + [largest]
    return torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Covariance:
    """K of b problems, and the parts that its gradient needs: matrices ``(b, P, P)``.

    Parameters
    ----------
    matrix : torch.Tensor
        K.
    exponent, growing, falling : torch.Tensor
        E, exp(E) and exp(-E).
    isotropic, isotropic_slope : torch.Tensor
        sinh(c xᵀx')/sinh(cn), and xᵀx' cosh(c xᵀx')/sinh(cn).
    """

    matrix: torch.Tensor
    exponent: torch.Tensor
    growing: torch.Tensor
    falling: torch.Tensor
    isotropic: torch.Tensor
    isotropic_slope: torch.Tensor


def covariance(parameters: Parameters, signs: torch.Tensor, distance: torch.Tensor) -> Covariance:
    """Return K of pairs with signs ``(b, P, n)`` and distances ``(b, P, P)``."""
    n_units = signs.shape[2]
    exponent = (signs * parameters.relevances[:, None]) @ signs.mT
    growing = exponent.exp()
    falling = growing.reciprocal()
    # The isotropic part has only n + 1 different values.
    agreement = n_units - 2.0 * torch.arange(n_units + 1, dtype=torch.float64)
    angle = parameters.fall_off[:, None] * agreement
    largest = angle[:, :1].sinh()
    flat = distance.flatten(1)
    isotropic = (angle.sinh() / largest).gather(1, flat).view_as(exponent)
    isotropic_slope = (agreement * angle.cosh() / largest).gather(1, flat).view_as(exponent)

    linear, product = _factors(parameters)
    matrix = (growing - falling).mul_(product).add_(exponent * linear)
    matrix.add_(isotropic * parameters.weights[:, 2, None, None])
    matrix.diagonal(dim1=1, dim2=2).add_(parameters.nugget[:, None])
    return Covariance(matrix, exponent, growing, falling, isotropic, isotropic_slope)


def _factors(parameters: Parameters) -> tuple[torch.Tensor, torch.Tensor]:
    """Return w_0 / B and w_1 / (2 sinh B), ``(b, 1, 1)`` each."""
    total = parameters.relevances.sum(1)
    linear, product = parameters.weights[:, 0] / total, parameters.weights[:, 1] / total.sinh()
    return linear[:, None, None], 0.5 * product[:, None, None]


def negative_log_posterior(
    point: torch.Tensor, signs: torch.Tensor, distance: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it, with the scale σ² = yᵀK⁻¹y / P profiled out, and its gradient.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5)
        See `Parameters.unpack`.
    signs, distance, values : torch.Tensor, (b, P, n), (b, P, P) and (b, P)
        The pairs.

    Returns
    -------
    torch.Tensor, (b,)
        Infinite where K is not positive definite.
    torch.Tensor, (b, n + 5)
        The gradient.
    """
    n_pairs, n_units = signs.shape[1:]
    own = Parameters.unpack(point)
    k = covariance(own, signs, distance)
    lower, failed = torch.linalg.cholesky_ex(k.matrix)
    broken = failed > 0
    if broken.any():
        lower[broken] = torch.eye(n_pairs, dtype=lower.dtype)
    inverse = torch.cholesky_inverse(lower)
    divided = inverse @ values[:, :, None]
    scale = (values[:, None] @ divided) / n_pairs
    logs = lower.diagonal(dim1=1, dim2=2).log().sum(1)
    nll = 0.5 * n_pairs * scale.flatten().log() + logs

    # ∂nll/∂θ = Σ slope ∘ ∂K/∂θ
    slope = torch.baddbmm(inverse, divided, (divided / scale).mT, beta=0.5, alpha=-0.5)
    linear, product = _factors(own)
    by_linear = linear.flatten() * _inner(slope, k.exponent)
    by_product = product.flatten() * _inner(slope, k.growing - k.falling)
    by_isotropic = own.weights[:, 2] * _inner(slope, k.isotropic)
    by_weights = torch.stack([by_linear, by_product, by_isotropic], dim=1)

    total = own.relevances.sum(1)
    by_exponent = (k.growing + k.falling).mul_(product).add_(linear).mul_(slope)
    by_b = ((by_exponent @ signs) * signs).sum(1)
    by_b -= (by_linear / total + by_product / total.tanh())[:, None]
    by_c = own.weights[:, 2] * _inner(slope, k.isotropic_slope)
    by_c -= n_units * by_isotropic / (own.fall_off * n_units).tanh()
    gradient = torch.cat(
        [
            by_b * own.relevances,
            (slope.diagonal(dim1=1, dim2=2).sum(1) * own.nugget)[:, None],
            by_weights - own.weights * by_weights.sum(1, keepdim=True),
            (by_c * own.fall_off)[:, None],
        ],
        dim=1,
    )
    penalty, penalty_gradient = _penalty(point)
    return torch.where(broken, torch.inf, nll + penalty), gradient + penalty_gradient


def _inner(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the sums ``(b,)`` of the products of the entries of matrices."""
    return (one.flatten(1)[:, None] @ other.flatten(1)[:, :, None]).flatten()


def _penalty(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return minus the logarithm of the prior, and its gradient."""
    n_units = point.shape[1] - 5
    centre = starting_point(n_units)
    mean = point[:, :n_units].mean(1, keepdim=True)
    around = (point[:, :n_units] - mean) / SPREAD_OF_RELEVANCES**2
    of_mean = (mean - centre[0]) / SPREAD_OF_MEAN**2
    spread = torch.tensor(
        [SPREAD_OF_NUGGET, *[SPREAD_OF_LOGITS] * 3, SPREAD_OF_FALL_OFF], dtype=torch.float64
    )
    off = point[:, n_units:] - centre[n_units:]
    others = off / spread.square()
    penalty = 0.5 * (
        SPREAD_OF_RELEVANCES**2 * around.square().sum(1)
        + SPREAD_OF_MEAN**2 * of_mean.square().sum(1)
        + (off * others).sum(1)
    )
    return penalty, torch.cat([around + of_mean / n_units, others], dim=1)


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
    points, shares = np.polynomial.legendre.leggauss(min((n_units + 1) // 2 + 1, MOST_NODES))
    t, share = torch.from_numpy(points), torch.from_numpy(shares / 2.0)
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
