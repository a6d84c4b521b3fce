"""Many small minimizations at once: projected BFGS in lockstep.

Every problem takes its own path, as it would alone; only the tensor operations are shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

Objective: TypeAlias = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From points ``(b, d)`` of some of the problems, and the indices ``(b,)`` of these, to values
``(b,)`` and gradients ``(b, d)``."""

MOST_HALVINGS = 12
LONGEST_MOVE = 1.2
SUFFICIENT = 1e-4
"""Armijo's constant: the part of the promised decrease that a step must bring."""


def minimize(
    objective: Objective,
    start: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
    *,
    most_steps: int,
    least_gain: float,
    metric: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the points that each problem reaches from its start.

    Parameters
    ----------
    objective : callable
        Values and gradients.
    start : torch.Tensor, (problems, d)
        Within the bounds.
    low, high : torch.Tensor, (d,)
        Bounds. A parameter at a bound that the gradient pushes outwards stays there.
    most_steps : int
        Steps of the quasi-Newton method (Nocedal & Wright 2006, 6.1), each halved until the value
        falls enough.
    least_gain : float
        A problem whose value falls by no more than this in a step is done.
    metric : torch.Tensor, (d, d), optional
        A guess at the inverse Hessian, for parameters whose steps should not be much longer than 1:
        no step changes one by more than `LONGEST_MOVE`. None: nothing is known of either.
    """
    point = start.clone()
    active = torch.arange(len(point))
    value, gradient = objective(point, active)
    inverse_hessian = None if metric is None else metric.expand(len(point), -1, -1)
    for _ in range(most_steps):
        outwards = ((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0))
        slope = gradient.masked_fill(outwards, 0.0)
        if inverse_hessian is None:
            # Nothing is known of the curvature yet, so the first step has length 1 at most.
            direction = -slope / slope.norm(dim=1, keepdim=True).clamp_min(1.0)
        else:
            direction = -(inverse_hessian @ slope[:, :, None]).squeeze(2)
            direction = direction.masked_fill(outwards, 0.0)
            uphill = (direction * slope).sum(1, keepdim=True) >= 0
            direction = torch.where(uphill, -slope, direction)
        if metric is not None:
            longest = direction.abs().amax(1, keepdim=True)
            direction = direction * (LONGEST_MOVE / longest).clamp_max(1.0)
        new_point, new_value, new_gradient = point.clone(), value.clone(), gradient.clone()
        pending, length = active, 1.0
        for _ in range(MOST_HALVINGS):
            if len(pending) == len(point):
                trial = (point + length * direction).clamp(low, high)
                trial_value, trial_gradient = objective(trial, pending)
                promised = (slope * (trial - point)).sum(1)
                good = trial_value <= value + SUFFICIENT * promised
                if good.all():
                    new_point, new_value, new_gradient = trial, trial_value, trial_gradient
                    break
            else:
                trial = (point[pending] + length * direction[pending]).clamp(low, high)
                trial_value, trial_gradient = objective(trial, pending)
                promised = (slope[pending] * (trial - point[pending])).sum(1)
                good = trial_value <= value[pending] + SUFFICIENT * promised
            done = pending[good]
            new_point[done], new_value[done] = trial[good], trial_value[good]
            new_gradient[done] = trial_gradient[good]
            pending, length = pending[~good], length / 2.0
            if not len(pending):
                break
        active = active[(value - new_value)[active] > least_gain]
        if not len(active):
            return new_point
        inverse_hessian = _updated(inverse_hessian, new_point - point, new_gradient - gradient)
        point, value, gradient = new_point, new_value, new_gradient
    return point


def _updated(
    inverse_hessian: torch.Tensor | None, moved: torch.Tensor, turned: torch.Tensor
) -> torch.Tensor:
    """Return the inverse Hessians ``(b, d, d)`` after a step and the gradient's change in it.

    H' = (I - sy'/s'y) H (I - ys'/s'y) + ss'/s'y; where the curvature s'y is not positive, H stays.
    """
    curvature = (moved * turned).sum(1)
    square = turned.square().sum(1)
    tells = curvature > 1e-10 * square
    inverse = torch.where(tells, 1.0 / torch.where(tells, curvature, 1.0), 0.0)
    if inverse_hessian is None:
        size = torch.where(tells, curvature / torch.where(tells, square, 1.0), 1.0)
        inverse_hessian = torch.diag_embed(size[:, None].expand_as(moved))
    along = (inverse_hessian @ turned[:, :, None]).squeeze(2)
    share = inverse * (1.0 + inverse * (turned * along).sum(1))
    # s (share s / 2 - H y / s'y)' and its transpose.
    half = 0.5 * share[:, None] * moved - inverse[:, None] * along
    cross = moved[:, :, None] * half[:, None]
    return inverse_hessian + cross + cross.mT
