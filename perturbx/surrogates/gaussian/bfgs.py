"""Many small minimizations at once: projected BFGS in lockstep.

Every problem takes its own path, as it would alone; only the array operations are shared. Points
are a few dozen numbers, and numpy is done with so few sooner than torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from perturbx.typing import FloatArray, IntArray

Evaluated: TypeAlias = tuple[torch.Tensor, Callable[[], torch.Tensor]]
"""Values ``(b,)``, and what returns their gradients ``(b, d)``, if it is asked for them before the
next evaluation: most of the time goes there, and a step that is refused needs none."""

Objective: TypeAlias = Callable[[torch.Tensor, torch.Tensor], Evaluated]
"""From points ``(b, d)`` of some of the problems, and the indices ``(b,)`` of these."""

MOST_HALVINGS = 12
LONGEST_MOVE = 1.2
SUFFICIENT = 1e-4
"""Armijo's constant: the part of the promised decrease that a step must bring."""


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
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

    Where a value is infinite or none at all, a step was too long.

    Parameters
    ----------
    objective : callable
        Returns values, and what returns their gradients.
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
    lowest, highest = low.numpy(), high.numpy()
    guess = None if metric is None else metric.numpy()

    def evaluate(
        point: FloatArray, problems: IntArray
    ) -> tuple[FloatArray, Callable[[], torch.Tensor]]:
        value, gradient = objective(torch.from_numpy(point), torch.from_numpy(problems))
        return value.numpy(), gradient

    point: FloatArray = start.numpy().copy()
    active = np.arange(len(point))
    value, slopes = evaluate(point, active)
    gradient: FloatArray = slopes().numpy()
    inverse_hessian = None if guess is None else np.broadcast_to(guess, (len(point), *guess.shape))
    for step in range(1, most_steps + 1):
        outwards = ((point <= lowest) & (gradient > 0)) | ((point >= highest) & (gradient < 0))
        slope = np.where(outwards, 0.0, gradient)
        if inverse_hessian is None:
            # Nothing is known of the curvature yet, so the first step has length 1 at most.
            direction = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1.0)
        else:
            direction = np.where(outwards, 0.0, -(inverse_hessian @ slope[:, :, None])[:, :, 0])
            uphill = (direction * slope).sum(1, keepdims=True) >= 0
            direction = np.where(uphill, -slope, direction)
        if guess is not None:
            longest = np.abs(direction).max(1, keepdims=True)
            direction *= LONGEST_MOVE / np.maximum(longest, LONGEST_MOVE)
        new_point, new_value, new_gradient = point.copy(), value.copy(), gradient.copy()
        pending, length = active, 1.0
        for _ in range(MOST_HALVINGS):
            trial = np.clip(point[pending] + length * direction[pending], lowest, highest)
            trial_value, slopes = evaluate(trial, pending)
            promised = (slope[pending] * (trial - point[pending])).sum(1)
            good = trial_value <= value[pending] + SUFFICIENT * promised
            done = pending[good]
            new_point[done], new_value[done] = trial[good], trial_value[good]
            goes_on = value[pending] - trial_value > least_gain
            if step < most_steps and (good & goes_on).any():
                new_gradient[done] = slopes().numpy()[good]
            pending, length = pending[~good], length / 2.0
            if not len(pending):
                break
        active = active[(value - new_value)[active] > least_gain]
        if not len(active):
            return torch.from_numpy(new_point)
        inverse_hessian = _updated(inverse_hessian, new_point - point, new_gradient - gradient)
        point, value, gradient = new_point, new_value, new_gradient
    return torch.from_numpy(point)


def _updated(
    inverse_hessian: FloatArray | None, moved: FloatArray, turned: FloatArray
) -> FloatArray:
    """Return the inverse Hessians ``(b, d, d)`` after a step and the gradient's change in it.

    H' = (I - sy'/s'y) H (I - ys'/s'y) + ss'/s'y; where the curvature s'y is not positive, H stays.
    """
    curvature = (moved * turned).sum(1)
    square = np.square(turned).sum(1)
    tells = curvature > 1e-10 * square
    inverse = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=tells)
    if inverse_hessian is None:
        size = np.divide(curvature, square, out=np.ones_like(square), where=tells)
        inverse_hessian = size[:, None, None] * np.eye(moved.shape[1])
    along = (inverse_hessian @ turned[:, :, None])[:, :, 0]
    share = inverse * (1.0 + inverse * (turned * along).sum(1))
    # s (share s / 2 - H y / s'y)' and its transpose.
    half = 0.5 * share[:, None] * moved - inverse[:, None] * along
    cross = moved[:, :, None] * half[:, None]
    updated: FloatArray = inverse_hessian + cross + cross.swapaxes(1, 2)
    return updated
