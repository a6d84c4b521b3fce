"""Model C: a process on a bent scale, for scores between two bounds.

On the scale of `perturbx.surrogates.odd_gp.links` both parts of the game are processes that learn
relevances (`relevance_kernel` for the odd part, `even_kernel` for the even one). The Shapley values
are those of the scores, not of the bent ones, so the model's mean scores are asked for at further
pairs. There an isotropic process on the straight scale, whose own Shapley values are known in
closed form, says something else, and what the difference is worth is read out of the further pairs
(`further_pairs`): the less the two differ, the less it matters that these are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.gaussian.bfgs import minimize
from perturbx.surrogates.gaussian.model_grid import distances
from perturbx.surrogates.gaussian.relevances import Parameters
from perturbx.surrogates.odd_gp import even_kernel
from perturbx.surrogates.odd_gp.further_pairs import (
    further_pairs,
    order_of_units,
    readout_of_differences,
)
from perturbx.surrogates.odd_gp.links import MEAN_VARIANCE, Scales, straight_models
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.surrogates.odd_gp.posterior import isotropic_readout, white_readout
from perturbx.surrogates.odd_gp.relevance import (
    STRETCH,
    likeliest_points,
    rows_for_relevances,
)
from perturbx.surrogates.odd_gp.relevance_kernel import (
    bounds,
    covariance,
    cross_covariance,
    starting_point,
)
from perturbx.typing import IntArray

STEPS_OF_ODD, STEPS_OF_EVEN, LEAST_GAIN = 6, 3, 0.1
"""What lies between bounds is seldom a game of few relevant units, so few steps are enough, and the
even part's relevances begin at the odd part's."""

CELLS_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class Normal:
    """Means and variances ``(b, m)``."""

    mean: torch.Tensor
    variance: torch.Tensor


def fit_bounded(
    masks: torch.Tensor,
    odd: torch.Tensor,
    even: torch.Tensor,
    scales: Scales,
    straight: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the Shapley values of b problems, what their readout leaves open, and residuals.

    Parameters
    ----------
    masks : torch.Tensor of bool, (b, P, n)
        One coalition of each pair.
    odd, even : torch.Tensor, (b, P)
        ½[v(S) - v(N∖S)] and ½[v(S) + v(N∖S)].
    scales : Scales
        One for each problem.
    straight : torch.Tensor of int, (b,)
        The isotropic model on the straight scale, of `straight_models`.

    Returns
    -------
    values : torch.Tensor, (b, n)
        The Shapley values.
    left_open : torch.Tensor, (b, n, n)
        The covariance of what the further pairs do not tell of them.
    residuals : torch.Tensor, (b, P)
        The odd values minus what is said of them where they are left out.
    """
    order = order_of_units(masks)
    masks = masks.gather(2, order[:, None].expand_as(masks))
    n_pairs, n_units = masks.shape[1:]
    first, second = scales.bend((even + odd).T).T, scales.bend((even - odd).T).T
    of_odd, of_even = (first - second) / 2.0, (first + second) / 2.0
    centre = of_even.mean(1)
    of_even = of_even - centre[:, None]

    values = torch.empty((len(masks), n_units), dtype=torch.float64)
    residuals = torch.empty_like(odd)
    left_open = torch.empty((len(masks), n_units, n_units), dtype=torch.float64)
    candidates = further_pairs(n_units, n_pairs)
    for problems in _same_masks(masks):
        own = masks[problems[0]]
        between = _distances_between(own, candidates)
        is_new = ((between > 0) & (between < n_units)).all(0)
        further, between = candidates[is_new], between[:, is_new]
        readout = readout_of_differences(own, further)
        base, guess = _straight(own, between, odd[problems], straight[problems])
        at_once = max(1, CELLS_AT_ONCE // (n_pairs * max(n_pairs, len(further))))
        for start in range(0, len(problems), at_once):
            part = slice(start, start + at_once)
            some = problems[part]
            scale, middle = scales.of(some), centre[some]
            mean, left_out = (
                _odd_scores(one, other, middle, scale)
                for one, other in _predict(own, further, between, of_odd[some], of_even[some])
            )
            difference = mean - guess[part]
            values[some] = base[part] + difference @ readout.weights.mT
            left_open[some] = readout.scale(difference)[:, None, None] * readout.covariance
            residuals[some] = odd[some] - left_out
    place = order.argsort(dim=1)
    by_row = place[:, :, None].expand_as(left_open)
    return (
        values.gather(1, place),
        left_open.gather(1, by_row).gather(2, by_row.mT),
        residuals,
    )


def _same_masks(masks: torch.Tensor) -> list[torch.Tensor]:
    """Return the indices of the problems with the same masks, for each such group."""
    found: dict[bytes, list[int]] = {}
    for problem, own in enumerate(masks.numpy()):
        found.setdefault(np.packbits(own).tobytes(), []).append(problem)
    return [torch.tensor(problems) for problems in found.values()]


def _distances_between(masks: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return in how many units masks ``(P, n)`` and others ``(M, n)`` differ, ``(P, M)``."""
    one, other = 1.0 - 2.0 * masks.to(torch.float64), 1.0 - 2.0 * others.to(torch.float64)
    return ((masks.shape[1] - one @ other.mT) / 2.0).round().to(torch.int64)


def _straight(
    masks: torch.Tensor, between: torch.Tensor, odd: torch.Tensor, models: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Shapley values ``(b, n)`` and means at further pairs ``(b, M)`` on the straight scale.

    Parameters
    ----------
    masks, between : torch.Tensor, (P, n) and (P, M)
        The pairs, and their distances to the further ones.
    odd : torch.Tensor, (b, P)
        Their odd values.
    models : torch.Tensor of int, (b,)
        Which of `straight_models` each problem takes.
    """
    n_units, white = masks.shape[1], white_kernel(masks.shape[1])
    values = torch.empty((len(odd), n_units), dtype=torch.float64)
    means = torch.empty((len(odd), between.shape[1]), dtype=torch.float64)
    distance, of_white = distances(masks), white_readout(white, masks)
    for index in sorted(set(models.tolist())):
        problems = models == index
        rho, nugget = straight_models()[index]
        kernel = isotropic_kernel(n_units, rho)
        table = torch.from_numpy(kernel.by_distance)
        matrix = table[distance]
        matrix.diagonal().add_(nugget)
        divided = torch.cholesky_solve(odd[problems].mT, torch.linalg.cholesky(matrix)).mT
        values[problems] = divided @ (isotropic_readout(kernel, masks) + nugget * of_white)
        means[problems] = divided @ table[between]
    return values, means


def _predict(
    masks: torch.Tensor,
    further: torch.Tensor,
    between: torch.Tensor,
    odd: torch.Tensor,
    even: torch.Tensor,
) -> list[tuple[Normal, Normal]]:
    """Return what both parts of u are at further pairs, and of pairs left out.

    Parameters
    ----------
    masks, further, between : torch.Tensor, (P, n), (M, n) and (P, M)
        The pairs, further ones, and the distances of both.
    odd, even : torch.Tensor, (b, P)
        Both parts of u.
    """
    n_pairs, n_units = masks.shape
    rows = subset(n_pairs, rows_for_relevances(n_units, n_pairs))
    every = masks.expand(len(odd), -1, -1)
    points = likeliest_points(
        every, _of_size_one(odd), None, rows, most_steps=STEPS_OF_ODD, least_gain=LEAST_GAIN
    )
    own = Parameters.unpack(points, n_units)
    signs = 1.0 - 2.0 * every.to(torch.float64)
    others = 1.0 - 2.0 * further.to(torch.float64).expand(len(odd), -1, -1)
    distance = distances(masks).expand(len(odd), -1, -1)
    to_others = between.expand(len(odd), -1, -1)

    matrix = covariance(own, signs, distance).matrix
    cross = cross_covariance(own, signs, others, to_others)
    of_odd = _condition(matrix, cross, 1.0 + own.nugget, odd)

    own = Parameters.unpack(_points_of_even(points, signs, distance, even, rows), n_units)
    matrix = even_kernel.cross_covariance(own, signs, signs, distance)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    cross = even_kernel.cross_covariance(own, signs, others, to_others)
    of_even = _condition(matrix, cross, 1.0 + MEAN_VARIANCE + own.nugget, even)
    return list(zip(of_odd, of_even, strict=True))


def _of_size_one(columns: torch.Tensor) -> torch.Tensor:
    """Return rows ``(b, P)`` in units of their root mean square."""
    size = columns.square().mean(1, keepdim=True).sqrt()
    return columns / size.clamp_min(torch.finfo(columns.dtype).tiny ** 0.5)


def _points_of_even(
    points: torch.Tensor,
    signs: torch.Tensor,
    distance: torch.Tensor,
    even: torch.Tensor,
    rows: slice | IntArray,
) -> torch.Tensor:
    """Return the parameters ``(b, n + 5)`` of the even part, from those of the odd part on."""
    n_units = signs.shape[2]
    low, high = bounds(n_units)
    stretch = torch.ones_like(low)
    stretch[:n_units] = STRETCH
    signs, distance, even = signs[:, rows], distance[:, rows][:, :, rows], even[:, rows]
    even = _of_size_one(even)

    def objective(point: torch.Tensor, problems: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, gradient = even_kernel.negative_log_posterior(
            point * stretch, signs[problems], distance[problems], even[problems]
        )
        return value, gradient * stretch

    start = starting_point(n_units).expand(len(points), -1).clone()
    start[:, :n_units] = points[:, :n_units]
    low, high, start = low / stretch, high / stretch, start.clamp(low, high) / stretch
    found = minimize(objective, start, low, high, most_steps=STEPS_OF_EVEN, least_gain=LEAST_GAIN)
    return found * stretch


def _condition(
    matrix: torch.Tensor, cross: torch.Tensor, prior: torch.Tensor, values: torch.Tensor
) -> tuple[Normal, Normal]:
    """Return what values say of further ones and, each left out, of themselves.

    Parameters
    ----------
    matrix, cross : torch.Tensor, (b, P, P) and (b, P, M)
        Covariances of the values, and of these with further ones.
    prior : torch.Tensor, (b,)
        The variance of a value.
    values : torch.Tensor, (b, P)
        The values.
    """
    lower = torch.linalg.cholesky(matrix)
    moved = torch.linalg.solve_triangular(lower, cross, upper=False)
    along = torch.linalg.solve_triangular(lower, values[:, :, None], upper=False)
    scale = along.square().mean(1)
    inverse = torch.cholesky_inverse(lower)
    variances = 1.0 / inverse.diagonal(dim1=1, dim2=2)
    left_out = values - (inverse @ values[:, :, None]).squeeze(2) * variances
    spread = (prior[:, None] - moved.square().sum(1)).clamp_min(0.0)
    return (
        Normal((moved.mT @ along).squeeze(2), scale * spread),
        Normal(left_out, scale * variances),
    )


def _odd_scores(odd: Normal, even: Normal, centre: torch.Tensor, scale: Scales) -> torch.Tensor:
    """Return the odd parts ``(b, m)`` of the mean scores, from both parts of u."""
    variance = (odd.variance + even.variance).T
    first = scale.straighten((centre[:, None] + even.mean + odd.mean).T, variance)
    second = scale.straighten((centre[:, None] + even.mean - odd.mean).T, variance)
    return ((first - second) / 2.0).T
