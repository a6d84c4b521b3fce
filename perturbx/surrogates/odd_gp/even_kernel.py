"""Model B on the even part: its covariance, its marginal likelihood with the gradient.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i::

    K = w_0 E²/B² + w_1 (cosh(E) - 1)/(cosh(B) - 1) + w_2 (cosh(c xᵀx') - 1)/(cosh(cn) - 1) + m + ηI

with m for the part's mean: pairs among relevant units are likelier to interact. The scale of K is
profiled out, as in `perturbx.surrogates.odd_gp.relevance_kernel`, whose priors hold here, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perturbx.surrogates.gaussian.relevances import Parameters, inner
from perturbx.surrogates.odd_gp.links import MEAN_VARIANCE
from perturbx.surrogates.odd_gp.relevance_kernel import prior_penalty, starting_point


@dataclass(frozen=True, eq=False)
class EvenCovariance:
    """K of b problems without m and ηI: its three parts, and how these grow, ``(b, P, Q)``.

    Parameters
    ----------
    squares, product, isotropic : torch.Tensor
        What w_0, w_1 and w_2 stand before.
    square_slopes, product_slopes : torch.Tensor
        The derivatives of the first two with respect to E.
    isotropic_slopes : torch.Tensor
        That of the third with respect to c, the numerator's only.
    """

    squares: torch.Tensor
    product: torch.Tensor
    isotropic: torch.Tensor
    square_slopes: torch.Tensor
    product_slopes: torch.Tensor
    isotropic_slopes: torch.Tensor

    def matrix(self, own: Parameters) -> torch.Tensor:
        """Return K without ηI."""
        w = own.weights[:, :, None, None]
        parts = w[:, 0] * self.squares + w[:, 1] * self.product + w[:, 2] * self.isotropic
        return parts + MEAN_VARIANCE


def even_covariance(
    own: Parameters, signs: torch.Tensor, others: torch.Tensor, distance: torch.Tensor
) -> EvenCovariance:
    """Return it of pairs with signs ``(b, P, n)`` and others ``(b, Q, n)``.

    Parameters
    ----------
    own : Parameters
        Of b problems.
    signs, others : torch.Tensor, (b, P, n), (b, Q, n)
        -1 kept, +1 removed.
    distance : torch.Tensor of int, (b, P, Q)
        In how many units they differ.
    """
    n_units = signs.shape[2]
    exponent = (signs * own.relevances[:, None]) @ others.mT
    growing = exponent.exp()
    falling = growing.reciprocal()
    total = own.relevances.sum(1)[:, None, None]
    over = 1.0 / _cosh_less_one(total)
    agreement = n_units - 2.0 * torch.arange(n_units + 1, dtype=torch.float64)
    angle = own.fall_off[:, None] * agreement
    below = 1.0 / _cosh_less_one(angle[:, :1])
    table, slopes = below * _cosh_less_one(angle), below * agreement * angle.sinh()
    at = distance.flatten(1)
    scaled = exponent / total
    return EvenCovariance(
        squares=scaled.square(),
        product=(0.5 * (growing + falling) - 1.0) * over,
        isotropic=table.gather(1, at).view_as(exponent),
        square_slopes=2.0 * scaled / total,
        product_slopes=0.5 * (growing - falling) * over,
        isotropic_slopes=slopes.gather(1, at).view_as(exponent),
    )


def cross_covariance(
    own: Parameters, signs: torch.Tensor, others: torch.Tensor, distance: torch.Tensor
) -> torch.Tensor:
    """Return K, no nugget in it, of pairs ``(b, P, n)`` and others ``(b, M, n)``: ``(b, P, M)``."""
    n_units = signs.shape[2]
    exponent = (signs * own.relevances[:, None]) @ others.mT
    total = own.relevances.sum(1)
    agreement = n_units - 2.0 * torch.arange(n_units + 1, dtype=torch.float64)
    angle = own.fall_off[:, None] * agreement
    table = own.weights[:, 2:] / _cosh_less_one(angle[:, :1]) * _cosh_less_one(angle)
    matrix = (table + MEAN_VARIANCE).gather(1, distance.flatten(1)).view_as(exponent)
    by_square = (own.weights[:, 0] / total.square())[:, None, None]
    by_product = (2.0 * own.weights[:, 1] / _cosh_less_one(total))[:, None, None]
    matrix.addcmul_(exponent * by_square, exponent)
    sinh = exponent.mul_(0.5).sinh_()
    return matrix.addcmul_(sinh * by_product, sinh)


def _cosh_less_one(x: torch.Tensor) -> torch.Tensor:
    """Return cosh(x) - 1, exact also where x is small."""
    return 2.0 * (0.5 * x).sinh().square()


def negative_log_posterior(
    point: torch.Tensor, signs: torch.Tensor, distance: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it ``(b,)`` and its gradient ``(b, n + 5)``; infinite where K is not positive.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5)
        See `Parameters.unpack`.
    signs, distance, values : torch.Tensor, (b, P, n), (b, P, P) and (b, P)
        The pairs.
    """
    n_pairs, n_units = signs.shape[1:]
    own = Parameters.unpack(point, n_units)
    k = even_covariance(own, signs, signs, distance)
    matrix = k.matrix(own)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    lower, failed = torch.linalg.cholesky_ex(matrix)
    broken = failed > 0
    if broken.any():
        lower[broken] = torch.eye(n_pairs, dtype=lower.dtype)
    inverse = torch.cholesky_inverse(lower)
    divided = inverse @ values[:, :, None]
    scale = (values[:, None] @ divided) / n_pairs
    nll = lower.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * n_pairs * scale.flatten().log()
    slope = torch.baddbmm(inverse, divided, (divided / scale).mT, beta=0.5, alpha=-0.5)

    w = own.weights
    by_squares = w[:, 0] * inner(slope, k.squares)
    by_product = w[:, 1] * inner(slope, k.product)
    by_isotropic = w[:, 2] * inner(slope, k.isotropic)
    by_weights = torch.stack([by_squares, by_product, by_isotropic], dim=1)
    wide = w[:, :, None, None]
    by_exponent = (wide[:, 0] * k.square_slopes + wide[:, 1] * k.product_slopes) * slope
    total, across = own.relevances.sum(1), own.fall_off * n_units
    by_b = ((by_exponent @ signs) * signs).sum(1)
    by_b -= (2.0 * by_squares / total + by_product / (0.5 * total).tanh())[:, None]
    by_c = w[:, 2] * inner(slope, k.isotropic_slopes)
    by_c -= n_units * by_isotropic / (0.5 * across).tanh()
    gradient = torch.cat(
        [
            by_b * own.relevances,
            (slope.diagonal(dim1=1, dim2=2).sum(1) * own.nugget)[:, None],
            by_weights - w * by_weights.sum(1, keepdim=True),
            (by_c * own.fall_off)[:, None],
        ],
        dim=1,
    )
    penalty, penalty_gradient = prior_penalty(point, n_units, n_pairs, starting_point(n_units))
    return torch.where(broken, torch.inf, nll + penalty), gradient + penalty_gradient
