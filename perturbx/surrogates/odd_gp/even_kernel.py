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

from perturbx.surrogates.gaussian.relevances import Parameters, inner
from perturbx.surrogates.odd_gp.geometry import Geometry, Room, Scratch
from perturbx.surrogates.odd_gp.links import MEAN_VARIANCE
from perturbx.surrogates.odd_gp.relevance_kernel import condition, prior_penalty, starting_point


def covariance(own: Parameters, geometry: Geometry, room: Room | None = None) -> torch.Tensor:
    """Return K of pairs and others, ``(b, P, Q)``, no nugget in it, in the first part of `room`."""
    squares, product, isotropic = _factors(own, geometry.n_units)
    shape = len(squares), *geometry.agreement.shape[-2:]
    matrix, exponent, angle, other = (room or Room.of_size(prod(shape))).matrices(*shape)
    geometry.exponents(own.relevances, out=exponent)
    torch.mul(exponent, squares, out=matrix).mul_(exponent).add_(MEAN_VARIANCE)
    torch.mul(geometry.agreement, (0.5 * own.fall_off)[:, None, None], out=angle)
    for growing, factor in ((exponent.mul_(0.5).exp_(), product), (angle.exp_(), isotropic)):
        double_sinh = growing.sub_(torch.reciprocal(growing, out=other))
        matrix.addcmul_(torch.mul(double_sinh, factor, out=other), double_sinh)
    return matrix


def _factors(own: Parameters, n_units: int) -> torch.Tensor:
    """Return w_0 / B², and w_1 and w_2 over (2 sinh)² of B / 2 and of cn / 2, ``(3, b, 1, 1)``.

    For cosh(x) - 1 = 2 sinh²(x / 2), which is exact also where x is small.
    """
    total = own.relevances.numpy().sum(1)
    half = np.sinh([0.5 * total, (0.5 * n_units) * own.fall_off.numpy()])
    ends = np.square(np.concatenate([total[None], 2.0 * half]))
    return torch.from_numpy(own.weights.numpy().T / ends)[:, :, None, None]


def negative_log_posterior(
    point: torch.Tensor,
    geometry: Geometry,
    values: torch.Tensor,
    scratch: Scratch | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it ``(b,)`` and its gradient ``(b, n + 5)``; infinite where K is not positive.

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
    squares, product, isotropic = _factors(own, n_units)
    scratch = (scratch or Scratch.of_size(len(point), n_pairs)).of(len(point))
    exponent = geometry.exponents(own.relevances, out=scratch.exponent)
    growing, falling = scratch.growing, scratch.falling
    torch.mul(exponent, 0.5, out=growing[:, 0])
    torch.mul(geometry.agreement, (0.5 * own.fall_off)[:, None, None], out=growing[:, 1])
    torch.reciprocal(growing.exp_(), out=falling)
    double_sinh = torch.sub(growing, falling, out=scratch.slopes)
    # 2 sinh(x / 2) 2 cosh(x / 2) = 2 sinh(x)
    slopes = growing.add_(falling).mul_(double_sinh)
    parts = double_sinh.square_()
    scaled = torch.mul(exponent, squares, out=falling[:, 1])
    matrix = torch.mul(scaled, exponent, out=falling[:, 0]).add_(MEAN_VARIANCE)
    matrix.addcmul_(parts[:, 0], product).addcmul_(parts[:, 1], isotropic)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    conditioned = condition(matrix, values, scratch)
    slope = conditioned.slope

    nugget, fall_off = own.nugget.numpy(), own.fall_off.numpy()
    relevances, weights = own.relevances.numpy(), own.weights.numpy()
    by_nugget = np.trace(slope.numpy(), axis1=1, axis2=2) * nugget
    by_exponent = scaled.mul_(slope)
    by_squares = inner(by_exponent, exponent)
    by_product = product.numpy().ravel() * inner(slope, parts[:, 0])
    # K is a sum of its parts, and what all of them change together is known.
    by_mean = MEAN_VARIANCE * slope.numpy().sum((1, 2))
    by_isotropic = -(by_squares + by_product + by_nugget + by_mean)
    by_weights = np.stack([by_squares, by_product, by_isotropic], axis=1)
    by_exponent.mul_(2.0).addcmul_(slopes[:, 0].mul_(slope), product)
    total, across = relevances.sum(1), fall_off * n_units
    by_b = geometry.slopes(by_exponent)
    by_b -= (2.0 * by_squares / total + by_product / np.tanh(0.5 * total))[:, None]
    by_c = isotropic.numpy().ravel() * geometry.inner(slopes[:, 1].mul_(slope)) * fall_off
    by_c -= across * by_isotropic / np.tanh(0.5 * across)
    penalty, gradient = prior_penalty(point, n_units, n_pairs, starting_point(n_units))
    gradient += np.concatenate(
        [
            by_b * relevances,
            by_nugget[:, None],
            by_weights - weights * by_weights.sum(1, keepdims=True),
            by_c[:, None],
        ],
        axis=1,
    )
    return torch.from_numpy(conditioned.nll + penalty), torch.from_numpy(gradient)
