"""The covariance of model B, its marginal likelihood with the gradient, and what it reads out.

With x = -1 for units kept and +1 for units removed, E = Σ_i b_i x_i x_i', B = Σ_i b_i and h the
number of units in which two masks differ::

    K = w_0 E/B + w_1 exp(E - B) + w_2 exp(-2ch) + a constant + ηI

exp(E - B) is the product Π_i (1 + ρ_i x_i x_i') / (1 + ρ_i), ρ = tanh b: unit i is the more
relevant the larger b_i, and interactions among relevant units are likelier.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch

from perturbx.surrogates.game_gp.posterior import CONSTANT
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
from perturbx.symmetric_kernels import SymmetricFunctional

SPREAD_OF_RELEVANCES = 1.0


def bounds(n_units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least and the largest point, ``(n + 5,)`` each."""
    low = [-9.0] * n_units + [log(1e-7)] + [-6.0] * 3 + [min(-6.0, log(FALL_OFF / n_units))]
    high = [1.0] * n_units + [0.0] + [6.0] * 3 + [1.0]
    return torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Covariance:
    """K of b problems, and the parts that its gradient needs: matrices ``(b, R, R)``.

    Parameters
    ----------
    matrix : torch.Tensor
        K.
    exponent, product, isotropic : torch.Tensor
        E, exp(E - B) and exp(-2ch).
    """

    matrix: torch.Tensor
    exponent: torch.Tensor
    product: torch.Tensor
    isotropic: torch.Tensor


def covariance(
    own: Parameters,
    signs: torch.Tensor,
    distance: torch.Tensor,
    others: torch.Tensor | None = None,
) -> Covariance:
    """Return K of rows with signs ``(b, R, n)`` and distances ``(b, R, R)``.

    Or that of the rows with other ones, of signs ``(b, Q, n)`` and distances ``(b, R, Q)``, which
    has no noise in it.
    """
    total = own.relevances.sum(1)[:, None, None]
    exponent = (signs * own.relevances[:, None]) @ (signs if others is None else others).mT
    product = (exponent - total).exp()
    # The isotropic part has only n + 1 different values.
    steps = torch.arange(signs.shape[2] + 1, dtype=torch.float64)
    table = (-2.0 * own.fall_off[:, None] * steps).exp()
    isotropic = table.gather(1, distance.flatten(1)).view_as(exponent)
    w = own.weights[:, :, None, None]
    matrix = torch.mul(isotropic, w[:, 2]).add_(CONSTANT)
    matrix.addcmul_(exponent, w[:, 0] / total).addcmul_(product, w[:, 1])
    if others is None:
        matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    return Covariance(matrix, exponent, product, isotropic)


def negative_log_posterior(
    point: torch.Tensor, signs: torch.Tensor, distance: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return it, with the scale σ² = yᵀK⁻¹y / R profiled out, and its gradient.

    Parameters
    ----------
    point : torch.Tensor, (b, n + 5)
        See `Parameters.unpack`.
    signs, distance, values : torch.Tensor, (b, R, n), (b, R, R) and (b, R)
        The rows.

    Returns
    -------
    torch.Tensor, (b,)
        Infinite where K is not positive definite.
    torch.Tensor, (b, n + 5)
        The gradient.
    """
    n_rows = signs.shape[1]
    own = Parameters.unpack(point, signs.shape[2])
    k = covariance(own, signs, distance)
    lower, failed = torch.linalg.cholesky_ex(k.matrix)
    broken = failed > 0
    if broken.any():
        lower[broken] = torch.eye(n_rows, dtype=lower.dtype)
    inverse = torch.cholesky_inverse(lower)
    divided = inverse @ values[:, :, None]
    scale = (values[:, None] @ divided) / n_rows
    logs = lower.diagonal(dim1=1, dim2=2).log().sum(1)
    nll = 0.5 * n_rows * scale.flatten().log() + logs

    # ∂nll/∂θ = Σ slope ∘ ∂K/∂θ
    slope = torch.baddbmm(inverse, divided, (divided / scale).mT, beta=0.5, alpha=-0.5)
    total = own.relevances.sum(1)
    by_linear = own.weights[:, 0] / total * torch.from_numpy(inner(slope, k.exponent))
    by_product = own.weights[:, 1] * torch.from_numpy(inner(slope, k.product))
    by_isotropic = own.weights[:, 2] * torch.from_numpy(inner(slope, k.isotropic))
    by_weights = torch.stack([by_linear, by_product, by_isotropic], dim=1)

    w = own.weights[:, :, None, None]
    by_exponent = slope * (w[:, 0] / total[:, None, None] + w[:, 1] * k.product)
    by_b = ((by_exponent @ signs) * signs).sum(1) - (by_linear / total + by_product)[:, None]
    by_c = -2.0 * own.weights[:, 2] * torch.from_numpy(inner(slope * distance, k.isotropic))
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


def _penalty(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return minus the logarithm of the prior, and its gradient."""
    n_units = point.shape[1] - 5
    centre = prior_means(n_units)
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
    functional: SymmetricFunctional, signs: torch.Tensor, relevances: torch.Tensor
) -> torch.Tensor:
    """Return what Π_i (1 + ρ_i x_i x_i') / (1 + ρ_i) says of the values: ``(b, R, n + 1)``.

    In Walsh form the kernel is Σ_A Π_{i∈A} ρ_i x_i x_i', so the covariances are elementary
    symmetric polynomials of y_i = ρ_i x_i: of order k - 1 and k without unit j, times p_k y_j and
    q_k. One unit after the other is multiplied in, and each divided out again; |y| < 1, so both
    lose no digits.

    Parameters
    ----------
    functional : SymmetricFunctional
        What is wanted.
    signs : torch.Tensor, (b, R, n)
        -1 kept, +1 removed.
    relevances : torch.Tensor, (b, n)
        b_i, ρ_i = tanh b_i.
    """
    rho = relevances.tanh()[:, None]
    terms = rho * signs
    p, q = torch.from_numpy(functional.with_unit), torch.from_numpy(functional.without_unit)
    whole = _symmetric_polynomials(terms, rho, functional.n_orders)
    without = torch.zeros_like(terms)
    units = torch.zeros_like(terms)
    for order in range(functional.n_orders):
        units += p[order] * terms * without
        without = (1.0 + rho) * whole[order][..., None] - terms * without
        units += q[order] * without
    base = torch.tensordot(torch.from_numpy(functional.of_base), whole, dims=1)
    return torch.cat([units / (1.0 + rho), base[..., None]], dim=2)


def product_prior(functional: SymmetricFunctional, relevances: torch.Tensor) -> torch.Tensor:
    """Return the covariance ``(b, n, n)`` of the values before any row is known.

    Parameters
    ----------
    functional : SymmetricFunctional
        What is wanted.
    relevances : torch.Tensor, (b, n)
        b_i, ρ_i = tanh b_i.
    """
    rho = relevances.tanh()
    p, q = torch.from_numpy(functional.with_unit), torch.from_numpy(functional.without_unit)
    whole = _symmetric_polynomials(rho, rho, functional.n_orders)
    row, column = rho[:, :, None], rho[:, None]
    both, either = row * column, row + column
    without_one = torch.zeros_like(rho)
    one_before = torch.zeros_like(both)
    two_before = torch.zeros_like(both)
    alone = torch.zeros_like(rho)
    prior = torch.zeros_like(both)
    for order in range(functional.n_orders):
        alone += p[order].square() * rho * without_one
        without_one = (1.0 + rho) * whole[order][:, None] - rho * without_one
        alone += q[order].square() * without_one
        without_two = (1.0 + row) * without_one[:, None] - row * one_before
        prior += p[order].square() * both * two_before
        prior += p[order] * q[order] * either * one_before + q[order].square() * without_two
        two_before, one_before = one_before, without_two
    prior /= (1.0 + row) * (1.0 + column)
    prior.diagonal(dim1=1, dim2=2).copy_(alone / (1.0 + rho))
    return prior


def _symmetric_polynomials(terms: torch.Tensor, rho: torch.Tensor, n_orders: int) -> torch.Tensor:
    """Return e_k of the terms ``(..., n)`` over Π (1 + ρ_i), k = 0 .. n_orders - 1, order first."""
    whole = torch.zeros((n_orders, *terms.shape[:-1]), dtype=torch.float64)
    whole[0] = 1.0
    for unit in range(terms.shape[-1]):
        more = whole[:-1] * terms[..., unit]
        whole[1:] += more
        whole /= 1.0 + rho[..., unit]
    return whole
