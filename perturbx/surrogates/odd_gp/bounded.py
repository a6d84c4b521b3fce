"""Model C: a process on a bent scale, for scores between two bounds.

On a scale of `perturbx.surrogates.gaussian.scales` both parts of the game are processes that learn
relevances (`relevance_kernel` for the odd part, `even_kernel` for the even one). The Shapley values
are those of the scores, not of the bent ones, so the model's mean scores are asked for at further
pairs. There an isotropic process on the straight scale, whose own Shapley values are known in
closed form, says something else, and what the difference is worth is read out of the further pairs
(`further_pairs`): the less the two differ, the less it matters that these are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.gaussian.bfgs import Evaluated
from perturbx.surrogates.gaussian.model_grid import by_distance
from perturbx.surrogates.gaussian.relevances import Parameters
from perturbx.surrogates.gaussian.scales import Scales
from perturbx.surrogates.odd_gp import even_kernel, relevance_kernel
from perturbx.surrogates.odd_gp.further_pairs import compared_pairs
from perturbx.surrogates.odd_gp.geometry import Geometry, Room, Scratch
from perturbx.surrogates.odd_gp.links import MEAN_VARIANCE, straight_models
from perturbx.surrogates.odd_gp.odd_part import same_masks, subset
from perturbx.surrogates.odd_gp.posterior import isotropic_readout, white_readout
from perturbx.surrogates.odd_gp.relevance import (
    from_start,
    rows_for_relevances,
)
from perturbx.surrogates.odd_gp.relevance_kernel import starting_point

STEPS_OF_ODD, STEPS_OF_EVEN, LEAST_GAIN = 5, 3, 0.1
"""What lies between bounds is seldom a game of few relevant units, so few steps are enough, and the
even part's relevances begin at the odd part's."""

CELLS_AT_ONCE, PREDICTED_AT_ONCE = 2**18, 2**17
"""Numbers in the matrices of problems whose parameters are found together, and that further pairs
are asked for together."""


@dataclass(frozen=True, eq=False)
class Normal:
    """Means and variances ``(b, m)``."""

    mean: torch.Tensor
    variance: torch.Tensor


@dataclass(frozen=True, eq=False)
class Bent:
    """The scores of b problems on the scale u of each.

    Parameters
    ----------
    scales : Scales
        One for each problem.
    odd, even : torch.Tensor, (b, P)
        ½[u(S) - u(N∖S)] and ½[u(S) + u(N∖S)], the second without its mean.
    centre : torch.Tensor, (b,)
        That mean.
    """

    scales: Scales
    odd: torch.Tensor
    even: torch.Tensor
    centre: torch.Tensor

    @classmethod
    def of_scores(cls, odd: torch.Tensor, even: torch.Tensor, scales: Scales) -> Bent:
        """Return it of both parts ``(b, P)`` of the scores."""
        first, second = scales.bend((even + odd).T).T, scales.bend((even - odd).T).T
        of_even = (first + second) / 2.0
        centre = of_even.mean(1)
        return cls(scales, (first - second) / 2.0, of_even - centre[:, None], centre)

    def of(self, problems: torch.Tensor) -> Bent:
        """Return some of the problems."""
        return Bent(
            self.scales.of(problems), self.odd[problems], self.even[problems], self.centre[problems]
        )


def fit_bounded(
    masks: torch.Tensor,
    odd: torch.Tensor,
    bent: Bent,
    points: torch.Tensor,
    straight: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the Shapley values of b problems, what their readout leaves open, and residuals.

    Parameters
    ----------
    masks : torch.Tensor of bool, (b, P, n)
        One coalition of each pair.
    odd : torch.Tensor, (b, P)
        ½[v(S) - v(N∖S)].
    bent : Bent
        The scores on a bent scale.
    points : torch.Tensor, (b, n + 5)
        The likeliest parameters of its odd part.
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
    n_pairs, n_units = masks.shape[1:]
    values = torch.empty((len(masks), n_units), dtype=torch.float64)
    residuals = torch.empty_like(odd)
    left_open = torch.empty((len(masks), n_units, n_units), dtype=torch.float64)
    for own, problems in same_masks(masks):
        compared, pairs = compared_pairs(own), Geometry.of_design(own)
        further, readout = compared.geometry, compared.readout
        n_further = len(further.others)
        base, guess = _straight(own, pairs, further, odd[problems], straight[problems])
        n_parts = -(-len(problems) * n_pairs**2 // CELLS_AT_ONCE)
        of_even = torch.cat(
            [
                _points_of_even(points[some], own, bent.even[some])
                for some in torch.tensor_split(problems, n_parts)
            ]
        )
        at_once = max(1, PREDICTED_AT_ONCE // (n_pairs * max(n_pairs, n_further)))
        at_once = min(at_once, len(problems))
        room = Room.of_size(at_once * n_pairs * max(n_pairs, n_further))
        for start in range(0, len(problems), at_once):
            part = slice(start, start + at_once)
            some = problems[part]
            here = bent.of(some)
            mean, left_out = (
                _odd_scores(one, other, here)
                for one, other in _predict(
                    pairs, further, here, (points[some], of_even[part]), room
                )
            )
            difference = mean - guess[part]
            values[some] = base[part] + difference @ readout.weights.mT
            left_open[some] = readout.scale(difference)[:, None, None] * readout.covariance
            residuals[some] = odd[some] - left_out
    return values, left_open, residuals


def _straight(
    masks: torch.Tensor,
    pairs: Geometry,
    further: Geometry,
    odd: torch.Tensor,
    models: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Shapley values ``(b, n)`` and means at further pairs ``(b, M)`` on the straight scale.

    Parameters
    ----------
    masks : torch.Tensor, (P, n)
        The pairs.
    pairs, further : Geometry
        Of them with one another, and with further ones.
    odd : torch.Tensor, (b, P)
        The pairs' odd values.
    models : torch.Tensor of int, (b,)
        Which of `straight_models` each problem takes.
    """
    n_units, white = masks.shape[1], white_kernel(masks.shape[1])
    values = torch.empty((len(odd), n_units), dtype=torch.float64)
    means = torch.empty((len(odd), len(further.others)), dtype=torch.float64)
    of_white = white_readout(white, masks)
    for index in sorted(set(models.tolist())):
        problems = models == index
        rho, nugget = straight_models()[index]
        kernel = isotropic_kernel(n_units, rho)
        table = torch.from_numpy(kernel.by_distance)
        matrix = by_distance(table, pairs.distance)
        matrix.diagonal().add_(nugget)
        divided = torch.cholesky_solve(odd[problems].mT, torch.linalg.cholesky(matrix)).mT
        values[problems] = divided @ (isotropic_readout(kernel, masks) + nugget * of_white)
        means[problems] = divided @ by_distance(table, further.distance)
    return values, means


def _predict(
    pairs: Geometry,
    further: Geometry,
    bent: Bent,
    points: tuple[torch.Tensor, torch.Tensor],
    room: Room,
) -> list[tuple[Normal, Normal]]:
    """Return what both parts of u are at further pairs, and of pairs left out.

    Parameters
    ----------
    pairs, further : Geometry
        Of the pairs with one another, and with further ones.
    bent : Bent
        Both parts of u.
    points : torch.Tensor and torch.Tensor, (b, n + 5)
        The likeliest parameters of the odd and of the even one.
    room : Room
        For their covariances.
    """
    of_odd, of_even = (Parameters.unpack(own, pairs.n_units) for own in points)
    parts = []
    for kernel, own, values, variance in (
        (relevance_kernel, of_odd, bent.odd, 1.0),
        (even_kernel, of_even, bent.even, 1.0 + MEAN_VARIANCE),
    ):
        matrix = kernel.covariance(own, pairs, room)
        matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
        lower = torch.linalg.cholesky(matrix)
        cross = kernel.covariance(own, further, room)
        parts.append(_condition(lower, cross, variance + own.nugget, values))
    return list(zip(*parts, strict=True))


def of_size_one(columns: torch.Tensor) -> torch.Tensor:
    """Return rows ``(b, P)`` in units of their root mean square."""
    size = columns.square().mean(1, keepdim=True).sqrt()
    return columns / size.clamp_min(torch.finfo(columns.dtype).tiny ** 0.5)


def _points_of_even(points: torch.Tensor, masks: torch.Tensor, even: torch.Tensor) -> torch.Tensor:
    """Return the parameters ``(b, n + 5)`` of the even part, from those of the odd part on."""
    n_pairs, n_units = masks.shape
    rows = subset(n_pairs, rows_for_relevances(n_units, n_pairs))
    geometry, even = Geometry.of_design(masks[rows]), of_size_one(even[:, rows])

    scratch = Scratch.of_size(*even.shape)

    def objective(point: torch.Tensor, problems: torch.Tensor) -> Evaluated:
        return even_kernel.negative_log_posterior(point, geometry, even[problems], scratch)

    start = starting_point(n_units).expand(len(points), -1).clone()
    start[:, :n_units] = points[:, :n_units]
    return from_start(objective, start, n_units, most_steps=STEPS_OF_EVEN, least_gain=LEAST_GAIN)


def _condition(
    lower: torch.Tensor, cross: torch.Tensor, prior: torch.Tensor, values: torch.Tensor
) -> tuple[Normal, Normal]:
    """Return what values say of further ones and, each left out, of themselves.

    Parameters
    ----------
    lower, cross : torch.Tensor, (b, P, P) and (b, P, M)
        The Cholesky factor of the values' covariance, and that with further ones, which is lost.
    prior : torch.Tensor, (b,)
        The variance of a value.
    values : torch.Tensor, (b, P)
        The values.
    """
    moved = torch.linalg.solve_triangular(lower, cross, upper=False, out=cross)
    along = torch.linalg.solve_triangular(lower, values[:, :, None], upper=False)
    scale = along.square().mean(1)
    inverse = torch.cholesky_inverse(lower)
    variances = 1.0 / inverse.diagonal(dim1=1, dim2=2)
    left_out = values - (inverse @ values[:, :, None]).squeeze(2) * variances
    mean = (moved.mT @ along).squeeze(2)
    spread = (prior[:, None] - moved.square_().sum(1)).clamp_min(0.0)
    return Normal(mean, scale * spread), Normal(left_out, scale * variances)


def _odd_scores(odd: Normal, even: Normal, bent: Bent) -> torch.Tensor:
    """Return the odd parts ``(b, m)`` of the mean scores, from both parts of u."""
    variance = (odd.variance + even.variance).T
    middle = bent.centre[:, None] + even.mean
    first = bent.scales.straighten((middle + odd.mean).T, variance)
    second = bent.scales.straighten((middle - odd.mean).T, variance)
    return ((first - second) / 2.0).T
