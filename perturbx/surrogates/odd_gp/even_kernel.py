"""Model B on the even part: its covariance, its marginal likelihood with the gradient.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i::

    K = w_0 E²/B² + w_1 (cosh(E) - 1)/(cosh(B) - 1) + w_2 (cosh(c xᵀx') - 1)/(cosh(cn) - 1) + m + ηI

with m for the part's mean: pairs among relevant units are likelier to interact. The scale of K is
profiled out, as in `perturbx.surrogates.odd_gp.relevance_kernel`, whose priors hold here, too.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from perturbx.surrogates.gaussian.bfgs import Evaluated
from perturbx.surrogates.gaussian.relevances import Parameters, inner
from perturbx.surrogates.odd_gp.geometry import Geometry, Room, Scratch
from perturbx.surrogates.odd_gp.likelihood import condition, prior_penalty
from perturbx.surrogates.odd_gp.links import MEAN_VARIANCE
from perturbx.surrogates.odd_gp.relevance_kernel import agreements, starting_point
from perturbx.typing import FloatArray


def covariance(own: Parameters, geometry: Geometry, room: Room | None = None) -> torch.Tensor:
    """Return K of pairs and others, ``(b, P, Q)``, no nugget in it, in the first part of `room`."""
    squares, product = _factors(own)
    shape = len(squares), *geometry.distance.shape[-2:]
    matrix, exponent, other = (room or Room.of_size(prod(shape))).matrices(*shape)
    geometry.look_up(_isotropic(own, geometry.n_units)[0], matrix)
    geometry.exponents(own.relevances, out=exponent)
    matrix.addcmul_(torch.mul(exponent, squares, out=other), exponent)
    growing = exponent.mul_(0.5).exp_()
    double_sinh = growing.sub_(torch.reciprocal(growing, out=other))
    return matrix.addcmul_(torch.mul(double_sinh, product, out=other), double_sinh)


def _factors(own: Parameters) -> torch.Tensor:
    """Return w_0 / B² and w_1 / (2 sinh(B / 2))², ``(2, b, 1, 1)``.

    For cosh(x) - 1 = 2 sinh²(x / 2), which is exact also where x is small.
    """
    total = own.relevances.numpy().sum(1)
    ends = np.square([total, 2.0 * np.sinh(0.5 * total)])
    return torch.from_numpy(own.weights.numpy()[:, :2].T / ends)[:, :, None, None]


def _isotropic(own: Parameters, n_units: int) -> tuple[FloatArray, FloatArray]:
    """Return w_2 (cosh(c xᵀx') - 1) / (cosh(cn) - 1) + m by distance, ``(b, n + 1)``, and a slope.

    With respect to log c, but for the slope of what is divided by.
    """
    fall_off = own.fall_off.numpy()[:, None]
    angle = fall_off * agreements(n_units)
    factor = own.weights.numpy()[:, 2:] / np.square(np.sinh((0.5 * n_units) * fall_off))
    table = factor * np.square(np.sinh(0.5 * angle)) + MEAN_VARIANCE
    return table, 0.5 * factor * angle * np.sinh(angle)


def negative_log_posterior(
    point: torch.Tensor,
    geometry: Geometry,
    values: torch.Tensor,
    scratch: Scratch | None = None,
) -> Evaluated:
    """Return it ``(b,)``, infinite where K is not positive, and what gives the gradient.

    That is ``(b, n + 5)``, given once, and not after the scratch was used again.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5)
        See `Parameters.unpack`.
    geometry : Geometry
        Of the pairs.
    values : torch.Tensor, (b, P)
        Theirs.
    scratch : Scratch, optional
        Of at least b problems; new memory by default.
    """
    n_pairs, n_units = geometry.signs.shape[-2:]
    own = Parameters.unpack(point, n_units)
    squares, product = _factors(own)
    isotropic, slope_of_isotropic = _isotropic(own, n_units)
    scratch = (scratch or Scratch.of_size(len(point), n_pairs)).of(len(point))
    exponent = geometry.exponents(own.relevances, out=scratch.exponent)
    growing = torch.mul(exponent, 0.5, out=scratch.growing).exp_()
    other = torch.reciprocal(growing, out=scratch.falling)
    double_sinh = torch.sub(growing, other, out=scratch.difference)
    scaled = torch.mul(exponent, squares, out=scratch.scaled)
    matrix = geometry.look_up(isotropic, scratch.isotropic).addcmul_(scaled, exponent)
    matrix.addcmul_(torch.mul(double_sinh, product, out=other), double_sinh)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    conditioned = condition(matrix, values, scratch)
    penalty, of_penalty = prior_penalty(point, n_units, n_pairs, starting_point(n_units))

    def gradient() -> torch.Tensor:
        slope, _ = conditioned.slope()
        # 2 sinh(x / 2) 2 cosh(x / 2) = 2 sinh(x)
        slope_of_product = growing.mul_(2.0).sub_(double_sinh).mul_(double_sinh)
        of_product = double_sinh.square_()
        relevances, weights = own.relevances.numpy(), own.weights.numpy()
        by_nugget = np.trace(slope.numpy(), axis1=1, axis2=2) * own.nugget.numpy()
        by_exponent = scaled.mul_(slope)
        by_squares = inner(by_exponent, exponent)
        by_product = product.numpy().ravel() * inner(slope, of_product)
        # K is a sum of its parts, and what all of them change together is known.
        by_mean = MEAN_VARIANCE * slope.numpy().sum((1, 2))
        by_isotropic = -(by_squares + by_product + by_nugget + by_mean)
        by_weights = np.stack([by_squares, by_product, by_isotropic], axis=1)
        by_exponent.mul_(2.0).addcmul_(slope_of_product.mul_(slope), product)
        total, across = relevances.sum(1), own.fall_off.numpy() * n_units
        by_b = geometry.slopes(by_exponent)
        by_b -= (2.0 * by_squares / total + by_product / np.tanh(0.5 * total))[:, None]
        by_c = inner(slope, geometry.look_up(slope_of_isotropic, scratch.isotropic))
        by_c -= across * by_isotropic / np.tanh(0.5 * across)
        parts = [
            by_b * relevances,
            by_nugget[:, None],
            by_weights - weights * by_weights.sum(1, keepdims=True),
            by_c[:, None],
        ]
        return torch.from_numpy(of_penalty + np.concatenate(parts, axis=1))

    return torch.from_numpy(conditioned.nll + penalty), gradient
