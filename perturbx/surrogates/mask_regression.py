"""Linear regression of the scores on the masks, with an intercept: behind Banzhaf and ridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.fit_quality import LEAST_GROUPS, NO_QUALITY, interior, quality_of
from perturbx.surrogates.inclusion import Weighting, come_in_pairs
from perturbx.surrogates.intervals import freedom_of_regression
from perturbx.surrogates.stacks import complement_pairs, row_or_zero, stack
from perturbx.surrogates.surrogate import MOST_UNITS_WITH_COVARIANCE
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class Groups:
    """One table in independent groups of one or two rows.

    Parameters
    ----------
    rows : numpy.ndarray of int, (n_groups, 2)
        The rows of each group, -1 for none.
    weights, spread : numpy.ndarray, (n_groups, 2)
        Their weights (0 for none) and sampling factors.
    """

    rows: IntArray
    weights: FloatArray
    spread: FloatArray

    @property
    def unseen(self) -> float:
        """Return the mean sampling factor, by weight."""
        return float((self.weights * self.spread).sum() / self.weights.sum())


def independent_groups(table: ScoreTable) -> IntArray:
    """Return the rows ``(n_groups, 2)`` that are one observation, -1 for none.

    A coalition and its complement where the design draws pairs, else every row by itself.
    """
    pairs = complement_pairs(table.masks)
    if come_in_pairs(table, pairs):
        return pairs
    rows = np.arange(len(table))
    return np.stack([rows, np.full_like(rows, -1)], axis=1)


def held_out_groups(table: ScoreTable) -> IntArray:
    """Return the `independent_groups` without the ends, which belong to every fit."""
    groups = independent_groups(table)
    return groups[interior(table.masks)[groups[:, 0]]]


def check_rows(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where the table has less than two drawn rows between the ends."""
    n_rows = int((interior(table.masks) & (table.counts > 0)).sum())
    if n_rows < 2:
        raise SurrogateError(
            f"{name} needs at least two coalitions besides the empty and the full one, and the "
            f"table has {n_rows}; raise the budget"
        )


def fit_on_masks(
    tables: Sequence[ScoreTable], weighting: Weighting, penalty: ls.Penalty, name: str
) -> list[Attribution]:
    """Return the attributions of tables of the same numbers of units and outputs.

    Parameters
    ----------
    tables : sequence of ScoreTable
        Each with at least two rows between the ends.
    weighting : callable
        The weights and sampling factors of a table's rows.
    penalty : callable
        From a regression and its likeliest penalties to those that are applied.
    name : str
        The surrogate.

    Notes
    -----
    Errors are those of the sandwich with residuals left out (HC3, MacKinnon & White 1985), a
    coalition and its complement being one observation where they were drawn as one; to these come
    the directions that the penalty shrinks, or that no row sees, under the likeliest prior, and the
    distance from a line that is hardly shrunk (`least_squares.shortfall`): of the one unit that
    stands out a penalty for noise takes most, and a prior that is right on the average does not
    know of it. `r2` leaves each observation out in turn, at the same penalty; the ends belong to
    every fit.
    Degrees of freedom: see `perturbx.surrogates.intervals.freedom_of_regression`.
    """
    groups = [_group(table, weighting) for table in tables]
    grouped = list(zip(tables, groups, strict=True))
    regression = ls.with_intercept(
        stack([_flat(table.masks.astype(float), own) for table, own in grouped]),
        stack([_flat(table.scores, own) for table, own in grouped]),
        stack([own.weights.ravel() for own in groups]),
    )
    unseen = torch.tensor([own.unseen for own in groups], dtype=torch.float64)[:, None]
    likeliest, variance, noise = ls.likeliest_prior(regression, _evidence(regression, groups))
    chosen = penalty(regression, ls.for_unseen(regression, likeliest, unseen))
    space = torch.eye(tables[0].n_units, dtype=torch.float64)
    unsettled = ls.shrinkage_covariance(regression, chosen, variance * unseen, space)
    short = ls.shortfall(regression, chosen, noise)
    unsettled += torch.einsum("bnk,bmk->bknm", short, short)
    solution = ls.coefficients(regression, chosen)
    bases = ls.intercepts(regression, solution).numpy()
    residuals = ls.left_out_residuals(regression, chosen, group_size=2).numpy()
    sensitivity = ls.sensitivity(regression, chosen).numpy()
    return [
        _attribution(
            table,
            groups[i],
            solution[i].numpy(),
            bases[i],
            residuals[i, : groups[i].rows.size],
            sensitivity[i, :, : groups[i].rows.size],
            unsettled[i].numpy(),
            name,
        )
        for i, table in enumerate(tables)
    ]


def _group(table: ScoreTable, weighting: Weighting) -> Groups:
    rows = independent_groups(table)
    weights, spread = weighting(table)
    return Groups(
        rows=rows,
        weights=np.stack([row_or_zero(weights, part) for part in rows.T], axis=1),
        spread=np.stack([row_or_zero(spread, part) for part in rows.T], axis=1),
    )


def _evidence(regression: ls.Regression, groups: Sequence[Groups]) -> ls.Evidence:
    counted = [float((own.weights > 0).sum()) - 1.0 for own in groups]
    return ls.Evidence(
        n_rows=torch.tensor(counted, dtype=torch.float64),
        spare_rows=torch.zeros(len(groups), dtype=torch.float64),
        spare_square=torch.zeros_like(regression.target_means),
    )


def _flat(values: FloatArray, groups: Groups) -> FloatArray:
    """Return ``(2 n_groups, ...)``: the rows in order of the groups, zeros for none."""
    return row_or_zero(values, groups.rows.ravel())


def _attribution(
    table: ScoreTable,
    groups: Groups,
    solution: FloatArray,
    base: FloatArray,
    residuals: FloatArray,
    sensitivity: FloatArray,
    unsettled: FloatArray,
    name: str,
) -> Attribution:
    n_outputs, _, n_units = sensitivity.shape
    by_row = sensitivity * residuals.T[:, :, None]
    by_group = by_row.reshape(n_outputs, -1, 2, n_units).sum(axis=2)
    there = groups.rows >= 0
    factor = groups.spread.sum(axis=1) / there.sum(axis=1)
    moved = by_group * np.sqrt(factor)[:, None]
    covariance = moved.transpose(0, 2, 1) @ moved + unsettled
    if table.variances is not None:
        # The residuals show the noise, too, save for the part that their factor leaves out.
        hidden = _flat(table.variances, groups) * (1.0 - groups.spread.reshape(-1, 1))
        noisy = sensitivity * np.sqrt(hidden).T[:, :, None]
        covariance = covariance + noisy.transpose(0, 2, 1) @ noisy
    tested = there & interior(table.masks)[groups.rows] & (groups.weights > 0)
    quality = NO_QUALITY
    n_observations = int(tested.any(axis=1).sum())
    if n_observations >= LEAST_GROUPS:
        quality = quality_of(residuals[tested.ravel()], table.scores[groups.rows[tested]])
    dof, band_dof, band_inflation = freedom_of_regression(n_observations, table.n_units)
    return Attribution(
        values=solution,
        base_values=base,
        std_errors=np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).T),
        method=name,
        n_calls=table.n_calls,
        covariance=covariance if table.n_units <= MOST_UNITS_WITH_COVARIANCE else None,
        r2_by_output=quality.r2_by_output,
        r2=quality.r2,
        dof=dof,
        band_dof=band_dof,
        band_inflation=band_inflation,
    )
