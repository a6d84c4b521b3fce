"""Batched ridge regression in closed form: pure functions of tensors, on any device.

Shapes: ``B`` problems, ``R`` rows, ``n`` columns, ``k`` outputs, ``r = min(R, n)``. Rows of
weight zero are padding and change nothing. All outputs share the rows, so one decomposition
serves them; each has its own penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch

TOLERANCE = 1e-10
"""Singular values below this part of the largest are zeros that rounding has moved."""

LEAST_PENALTY = 1e-16
"""The penalty, in mean squared singular values, that stands for none: least norm where the rows
do not determine the solution, and no visible bias where they do."""

LEFT_OUT_PENALTY = 1e-7
"""The least penalty of fits without a group: below it, the residual of a row that alone
determines a direction is a quotient of two rounding errors."""

SINGULAR = 1e-12
"""Added to the identity that the hat matrix of a group is taken from."""

PLAUSIBLE = 1.0
"""Penalties whose deviance is within this of the least are plausible: 68% of a chi square of 1."""

WIDEST = 4.0
"""The prior variance of a coefficient that is hardly shrunk, in mean squares of the targets: a
single column could explain all of them, at ±½ for kept and removed."""

GRID = (-15.0, 3.0, 37)
"""Decimal logarithms of the penalties tried, in mean squared singular values: half decades."""


@dataclass(frozen=True)
class Regression:
    """Weighted least squares, whitened (every row times the root of its weight) and decomposed.

    Parameters
    ----------
    targets : torch.Tensor, (B, R, k)
        Whitened targets, centred where there is an intercept.
    constant : torch.Tensor, (B, R)
        The whitened intercept column at unit length; zeros where there is no intercept.
    roots : torch.Tensor, (B, R)
        The roots of the weights.
    left : torch.Tensor, (B, R, r)
        Left singular vectors of the whitened columns.
    singular : torch.Tensor, (B, r)
        Singular values; those that are zero but for rounding are zero.
    right : torch.Tensor, (B, r, n)
        Right singular vectors.
    column_means, target_means : torch.Tensor, (B, n) and (B, k)
        Weighted means; zeros where there is no intercept.
    """

    targets: torch.Tensor
    constant: torch.Tensor
    roots: torch.Tensor
    left: torch.Tensor
    singular: torch.Tensor
    right: torch.Tensor
    column_means: torch.Tensor
    target_means: torch.Tensor

    @property
    def alive(self) -> torch.Tensor:
        """Return 1 for directions that the rows see, 0 for others: ``(B, r)``."""
        return (self.singular > 0).to(self.singular.dtype)

    @property
    def scale(self) -> torch.Tensor:
        """Return the mean squared singular value ``(B, 1)``: the unit of penalties."""
        rank = self.alive.sum(1, keepdim=True).clamp(min=1.0)
        mean = self.singular.square().sum(1, keepdim=True) / rank
        return torch.where(mean > 0, mean, torch.ones_like(mean))

    @property
    def projected(self) -> torch.Tensor:
        """Return the targets along the directions that the rows see: ``(B, r, k)``."""
        return (self.left.mT @ self.targets) * self.alive.unsqueeze(-1)


def through_origin(
    columns: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> Regression:
    """Return the regression without an intercept."""
    return _decompose(
        columns,
        targets,
        weights,
        torch.zeros_like(weights),
        columns.new_zeros(columns.shape[0], columns.shape[2]),
        targets.new_zeros(targets.shape[0], targets.shape[2]),
    )


def with_intercept(
    columns: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> Regression:
    """Return the regression with an intercept, which no penalty touches."""
    total = weights.sum(1, keepdim=True)
    share = weights / total
    column_means = (share.unsqueeze(-1) * columns).sum(1)
    target_means = (share.unsqueeze(-1) * targets).sum(1)
    return _decompose(
        columns - column_means.unsqueeze(1),
        targets - target_means.unsqueeze(1),
        weights,
        share.sqrt(),
        column_means,
        target_means,
    )


def _decompose(
    columns: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    constant: torch.Tensor,
    column_means: torch.Tensor,
    target_means: torch.Tensor,
) -> Regression:
    roots = weights.sqrt()
    left, singular, right = torch.linalg.svd(columns * roots.unsqueeze(-1), full_matrices=False)
    seen = singular > TOLERANCE * singular.amax(1, keepdim=True)
    return Regression(
        targets=targets * roots.unsqueeze(-1),
        constant=constant,
        roots=roots,
        left=left,
        singular=torch.where(seen, singular, torch.zeros_like(singular)),
        right=right,
        column_means=column_means,
        target_means=target_means,
    )


def coefficients(fit: Regression, penalty: torch.Tensor) -> torch.Tensor:
    """Return the ridge solution ``(B, n, k)`` for the penalties ``(B, k)``."""
    return fit.right.mT @ (_gain(fit, penalty).mT * fit.projected)


def intercepts(fit: Regression, solution: torch.Tensor) -> torch.Tensor:
    """Return the intercepts ``(B, k)`` that go with the coefficients ``(B, n, k)``."""
    return fit.target_means - (fit.column_means.unsqueeze(-1) * solution).sum(1)


def sensitivity(fit: Regression, penalty: torch.Tensor) -> torch.Tensor:
    """Return by how much each row's target moves each coefficient: ``(B, k, R, n)``."""
    along = fit.left.unsqueeze(1) * _gain(fit, penalty).unsqueeze(2)
    return (along @ fit.right.unsqueeze(1)) * fit.roots.unsqueeze(1).unsqueeze(-1)


def left_out_residuals(fit: Regression, penalty: torch.Tensor, group_size: int) -> torch.Tensor:
    """Return the residuals ``(B, R, k)`` of each group of rows under the fit without that group.

    Groups are `group_size` rows in a row. With the hat matrix H of the fit to all rows and
    residuals e, the residuals without group c are (I - H_cc)^-1 e_c: what refitting gives, at
    the cost of none (for one row a group: Allen's PRESS, 1974).
    """
    floor = (LEFT_OUT_PENALTY * fit.scale).expand_as(penalty)
    held = torch.maximum(penalty, floor)
    squares = fit.singular.square().unsqueeze(1)
    shrinkage = squares / (squares + held.unsqueeze(-1))
    residuals = fit.targets - fit.left @ (shrinkage.mT * fit.projected)
    n_problems, n_rows, n_outputs = residuals.shape
    n_groups = n_rows // group_size
    grouped = fit.left.reshape(n_problems, n_groups, group_size, -1)
    constant = fit.constant.reshape(n_problems, n_groups, group_size)
    hat = torch.einsum("bpgr,bkr,bphr->bpkgh", grouped, shrinkage, grouped)
    hat = hat + (constant.unsqueeze(-1) * constant.unsqueeze(-2)).unsqueeze(2)
    # The last term keeps the system solvable where a group holds all the rows there are.
    rest = torch.eye(group_size, dtype=hat.dtype, device=hat.device) * (1 + SINGULAR) - hat
    own = residuals.reshape(n_problems, n_groups, group_size, n_outputs).transpose(2, 3)
    without = torch.linalg.solve(rest, own.unsqueeze(-1)).squeeze(-1)
    whitened = without.transpose(2, 3).reshape(n_problems, n_rows, n_outputs)
    roots = fit.roots.unsqueeze(-1)
    weighted = roots > 0
    return torch.where(weighted, whitened, torch.zeros_like(whitened)) / torch.where(
        weighted, roots, torch.ones_like(roots)
    )


def no_penalty(fit: Regression) -> torch.Tensor:
    """Return penalties ``(B, k)`` so small that the fit is least squares, of least norm."""
    return (LEAST_PENALTY * fit.scale).expand(-1, fit.targets.shape[-1])


Penalty: TypeAlias = Callable[[Regression, torch.Tensor], torch.Tensor]
"""From a regression and its likeliest penalties ``(B, k)`` to those that are applied."""


@dataclass(frozen=True)
class Evidence:
    """What a regression is judged by, besides its targets.

    Parameters
    ----------
    n_rows : torch.Tensor, (B,)
        Rows that are no padding, less one for an intercept.
    spare_rows : torch.Tensor, (B,)
        Further observations of nothing but noise, as a number of rows; may be a fraction.
    spare_square : torch.Tensor, (B, k)
        Their mean square.
    """

    n_rows: torch.Tensor
    spare_rows: torch.Tensor
    spare_square: torch.Tensor


def likeliest_prior(
    fit: Regression, evidence: Evidence
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the likeliest penalty, the largest plausible prior variance, and the likeliest noise.

    The ridge penalty λ is the variance of the noise over the prior variance of the coefficients.
    With K = Z Zᵀ, N rows and the prior variance profiled out, minus twice the log-likelihood is
    N log(yᵀ(K + λI)⁻¹y) + log|K + λI|, and the prior variance is yᵀ(K + λI)⁻¹y / N (Patterson &
    Thompson 1971). Near N = n, where least squares is at its worst, this is far steadier than
    cross-validation. The variance goes into the errors: a few rows of a noisy game may make no
    difference between units at all the likeliest, which does not mean that there is none, so it
    is the largest of all penalties that are about as likely.

    Returns
    -------
    penalty, variance, noise : torch.Tensor, (B, k)
        One for each output of each problem: the variance is that of coefficients, the noise that of
        a whitened target.
    """
    decades = torch.linspace(*GRID, dtype=fit.singular.dtype, device=fit.singular.device)
    grid = (10.0**decades) * fit.scale
    outside = (fit.targets - fit.left @ fit.projected).square().sum(1)
    noise = outside + evidence.spare_rows.unsqueeze(-1) * evidence.spare_square
    squares = fit.singular.square().unsqueeze(1) + grid.unsqueeze(-1)
    inside = (1.0 / squares) @ fit.projected.square()
    energy = inside.mT + noise.unsqueeze(-1) / grid.unsqueeze(1)
    n_observed = (evidence.n_rows + evidence.spare_rows).unsqueeze(-1)
    unseen = n_observed - fit.alive.sum(1, keepdim=True)
    log_volume = (squares.log() * fit.alive.unsqueeze(1)).sum(-1) + unseen * grid.log()
    deviance = n_observed.unsqueeze(-1) * energy.log() + log_volume.unsqueeze(1)
    best = deviance.argmin(dim=2, keepdim=True)
    plausible = deviance <= deviance.amin(dim=2, keepdim=True) + PLAUSIBLE
    variance = torch.where(plausible, energy, torch.zeros_like(energy)).amax(dim=2)
    counted = n_observed.clamp(min=1.0)
    likeliest = torch.gather(grid, 1, best.squeeze(2))
    noise = likeliest * energy.gather(2, best).squeeze(2)
    return likeliest, variance / counted, noise / counted


def shortfall(fit: Regression, penalty: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return what the penalty takes from coefficients that are hardly shrunk: ``(B, n, k)``.

    A prior under which all columns are alike takes what one of them stands out by for noise, and
    its variance, right on the average over the columns, does not know of that one. Under a prior
    that is wide enough for any column there is next to no bias, though more noise.

    Parameters
    ----------
    fit : Regression
        The regression.
    penalty, noise : torch.Tensor, (B, k)
        The penalties that are applied, and the variances of whitened targets that are noise.
    """
    mean_square = fit.targets.square().sum(1) / fit.roots.square().sum(1, keepdim=True)
    tiny = torch.finfo(penalty.dtype).tiny
    hardly = torch.maximum(noise / (WIDEST * mean_square).clamp(min=tiny), no_penalty(fit))
    return coefficients(fit, torch.minimum(hardly, penalty)) - coefficients(fit, penalty)


def for_unseen(fit: Regression, penalty: torch.Tensor, unseen: torch.Tensor) -> torch.Tensor:
    """Return the penalties ``(B, k)`` that are right where part of the population is in the rows.

    What deviates from the line is noise only as far as it stands for rows that were not drawn.
    With the unseen share u ``(B, 1)`` of the population the penalty is at most u / (1 - u) mean
    squared singular values, and u times what it would be: with everything seen there is none.
    """
    most = fit.scale / (1.0 - unseen).clamp(min=torch.finfo(penalty.dtype).tiny)
    return torch.minimum(penalty, most) * unseen


def shrinkage_covariance(
    fit: Regression, penalty: torch.Tensor, variance: torch.Tensor, space: torch.Tensor
) -> torch.Tensor:
    """Return the covariance ``(B, k, n, n)`` of what the penalty takes from the coefficients.

    The ridge solution falls short by λ(ZᵀZ + λI)⁻¹β; its second moment is taken under the prior
    of the given variance ``(B, k)``. Directions that no row sees keep all of that variance.

    Parameters
    ----------
    fit : Regression
        The regression.
    penalty, variance : torch.Tensor, (B, k)
        The penalties and the prior variances.
    space : torch.Tensor, (n, n)
        The projector onto the coefficients that are possible at all.
    """
    squares = fit.singular.square().unsqueeze(1)
    shortfall = (penalty.unsqueeze(-1) / (squares + penalty.unsqueeze(-1))) * fit.alive.unsqueeze(1)
    seen = fit.right * fit.alive.unsqueeze(-1)
    within = torch.einsum("brn,bkr,brm->bknm", seen, shortfall.square(), seen)
    rank = fit.alive.sum(1)
    lacking = ((space.diagonal().sum() - rank) > 0.5).to(space.dtype)
    beyond = (space - seen.mT @ seen) * lacking.reshape(-1, 1, 1)
    return variance.unsqueeze(-1).unsqueeze(-1) * (within + beyond.unsqueeze(1))


def _gain(fit: Regression, penalty: torch.Tensor) -> torch.Tensor:
    """Return s / (s² + λ) along every direction: (B, k, r)."""
    singular = fit.singular.unsqueeze(1)
    return singular / (singular.square() + penalty.unsqueeze(-1))
