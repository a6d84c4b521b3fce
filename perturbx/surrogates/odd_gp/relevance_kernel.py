"""The covariance of model B, its marginal likelihood with the gradient, and its Shapley values.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i::

    K = w_0 E/B + w_1 sinh(E)/sinh(B) + w_2 sinh(c xᵀx')/sinh(cn) + ηI
    covariance of the pairs' values = σ²K + D, D the known variances of their noise

The sinh of E is the odd part of the product kernel Π_i exp(b_i x_i x_i'): unit i is the more
relevant the larger b_i, and interactions among relevant units are likelier.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, prod

import numpy as np
import torch

from perturbx.surrogates.gaussian.bfgs import Evaluated
from perturbx.surrogates.gaussian.relevances import FALL_OFF, Parameters, inner, prior_means
from perturbx.surrogates.odd_gp.geometry import Geometry, Room, Scratch
from perturbx.surrogates.odd_gp.likelihood import condition, prior_penalty
from perturbx.typing import FloatArray

LARGEST_EXPONENT = 700.0
"""exp of it is still a float64."""

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
    """Return w_2 sinh(c xᵀx') / sinh(cn) by distance, ``(b, n + 1)``, and a slope.

    With respect to log c, but for the slope of what is divided by.
    """
    fall_off = own.fall_off.numpy()[:, None]
    angle = fall_off * agreements(n_units)
    factor = own.weights.numpy()[:, 2:] / np.sinh(fall_off * n_units)
    return factor * np.sinh(angle), factor * angle * np.cosh(angle)


@lru_cache(maxsize=64)
def agreements(n_units: int) -> FloatArray:
    """Return xᵀx' by distance, ``(n + 1,)``."""
    return np.arange(n_units, -n_units - 1, -2, dtype=np.float64)


def negative_log_posterior(
    point: torch.Tensor,
    geometry: Geometry,
    values: torch.Tensor,
    noise: torch.Tensor | None = None,
    scratch: Scratch | None = None,
) -> Evaluated:
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
    callable
        Returns the gradient ``(b, n + 5)``, or with noise ``(b, n + 6)``; once, and not after the
        scratch was used again.
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
    matrix = geometry.look_up(isotropic, scratch.isotropic)
    matrix.addcmul_(exponent, linear).addcmul_(double_sinh, product)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    conditioned = condition(matrix, values, scratch, own.scale, noise)
    penalty, of_penalty = prior_penalty(point, n_units, n_pairs, starting_point(n_units, noise))

    def gradient() -> torch.Tensor:
        slope, by_scale = conditioned.slope()
        relevances, weights = own.relevances.numpy(), own.weights.numpy()
        by_nugget = np.trace(slope.numpy(), axis1=1, axis2=2) * own.nugget.numpy()
        by_linear = linear.numpy().ravel() * inner(slope, exponent)
        by_product = product.numpy().ravel() * inner(slope, double_sinh)
        # K is a sum of its parts, and what all of them change together is known.
        by_isotropic = by_scale - by_linear - by_product - by_nugget
        by_weights = np.stack([by_linear, by_product, by_isotropic], axis=1)
        total, across = relevances.sum(1), own.fall_off.numpy() * n_units
        double_cosh = growing.add_(falling)
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
            parts.append(by_scale[:, None])
        return torch.from_numpy(of_penalty + np.concatenate(parts, axis=1))

    return torch.from_numpy(conditioned.nll + penalty), gradient


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
