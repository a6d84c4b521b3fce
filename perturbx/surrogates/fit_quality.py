"""How well a surrogate fits: out of fold, and in the fit itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from perturbx.surrogates.stacks import stack
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

MOST_UNITS_FOR_ADDITIVITY = 512

LEAST_GROUPS = 4
"""With fewer groups to hold out there is no out-of-fold R²."""

MOST_FOLDS = 10

ROUNDING = 1e-13
"""Deviations below this part of the largest score are rounding: such scores are constant."""

Fit: TypeAlias = Callable[[IntArray], tuple[FloatArray, FloatArray]]
"""From rows to the values ``(n_units, n_outputs)`` and base values ``(n_outputs,)``."""


@dataclass(frozen=True)
class Quality:
    """R²: for each output ``(n_outputs,)``, and over all weighted by variance."""

    r2_by_output: FloatArray | None
    r2: float | None


NO_QUALITY = Quality(None, None)


def interior(masks: MaskMatrix) -> MaskMatrix:
    """Return which rows ``(n_masks,)`` keep some units and not all.

    The others, the ends, belong to every fit and are never held out.
    """
    sizes = np.count_nonzero(masks, axis=1)
    kept: MaskMatrix = (sizes > 0) & (sizes < masks.shape[1])
    return kept


def quality_of(residuals: FloatArray, scores: FloatArray) -> Quality:
    """Return R² of held-out rows from their residuals and scores, ``(n_rows, n_outputs)``.

    Rows count alike. Scores that are constant are explained wholly or not at all.
    """
    # Squares of the largest and the smallest floats are no numbers; powers of two change no digit.
    power = int(np.frexp(np.abs(scores).max(initial=0.0))[1])
    residuals, scores = np.ldexp(residuals, -power), np.ldexp(scores, -power)
    sse = np.square(residuals).sum(axis=0)
    sst = np.square(scores - scores.mean(axis=0)).sum(axis=0)
    rounding = len(scores) * np.square(ROUNDING * np.abs(scores).max(axis=0, initial=0.0))
    return quality_of_squares(sse, sst, rounding)


def quality_of_squares(sse: FloatArray, sst: FloatArray, rounding: FloatArray) -> Quality:
    """Return R² from sums of squares ``(n_outputs,)``: of residuals, of scores, and of rounding."""
    by_output = _share_explained(sse, sst, rounding)
    overall = _share_explained(sse.sum(), sst.sum(), rounding.sum())
    return Quality(by_output, float(overall))


def _share_explained(sse: FloatArray, sst: FloatArray, rounding: FloatArray) -> FloatArray:
    constant = sst <= rounding
    share = 1.0 - sse / np.where(constant, 1.0, sst)
    return np.where(constant, np.where(sse <= 1e4 * rounding, 1.0, 0.0), share)


def fold_of_group(n_groups: int) -> IntArray:
    """Return the fold ``(n_groups,)`` of each group: at most ten of equal size, always the same."""
    shuffled = np.random.default_rng(0).permutation(n_groups)
    folds: IntArray = shuffled % min(MOST_FOLDS, n_groups)
    return folds


def out_of_fold(fit: Fit, table: ScoreTable, groups: IntArray) -> tuple[Quality, FloatArray]:
    """Refit without each fold and predict its rows.

    Parameters
    ----------
    fit : callable
        From rows to values and base values.
    table : ScoreTable
        The table.
    groups : numpy.ndarray of int, (n_groups, 2)
        Rows that are held out together, -1 for none (see `held_out_groups`).

    Returns
    -------
    Quality
        R² of rows that no fit saw; None where there are fewer than four groups.
    refits : numpy.ndarray, (n_folds, n_units, n_outputs)
        The values without each fold.
    """
    folds = fold_of_group(len(groups))
    residuals, refits = [], []
    held = []
    for fold in range(folds.max() + 1):
        rows = groups[folds == fold].ravel()
        rows = rows[rows >= 0]
        values, base = fit(np.setdiff1d(np.arange(len(table)), rows))
        residuals.append(table.scores[rows] - base - table.masks[rows] @ values)
        refits.append(values)
        held.append(rows)
    quality = NO_QUALITY
    if len(groups) >= LEAST_GROUPS:
        quality = quality_of(np.concatenate(residuals), table.scores[np.concatenate(held)])
    return quality, np.stack(refits)


def jackknife_variance(refits: FloatArray) -> FloatArray:
    """Return the delete-a-group jackknife variance ``(n_units, n_outputs)``.

    With K refits, (K - 1) / K times the sum of squared deviations from their mean (Shao & Wu
    1989).
    """
    folds = len(refits)
    variance: FloatArray = (folds - 1) * refits.var(axis=0)
    return variance


def additivities(tables: Sequence[ScoreTable]) -> list[Quality]:
    """Return in-sample R² of plain least squares of the scores on the masks, for each table.

    Every row counts once, whatever the surrogate's weights, so the number describes the game and
    is the same for all surrogates of a table. `NO_QUALITY` where there are no more rows than
    unknowns (such a fit explains everything) or no units, and above `MOST_UNITS_FOR_ADDITIVITY`
    units, where it would take longer than the values themselves.
    """
    n_units = tables[0].n_units
    if not 0 < n_units <= MOST_UNITS_FOR_ADDITIVITY:
        return [NO_QUALITY] * len(tables)
    masks = stack([table.masks.astype(float) for table in tables])
    scores = stack([table.scores for table in tables])
    rows = stack([np.ones((len(table), 1)) for table in tables])
    explained, total = (np.asarray(own) for own in explained_squares(masks, scores, rows))
    found = []
    for table, own, whole in zip(tables, explained, total, strict=True):
        rounding = len(table) * np.square(ROUNDING * np.abs(table.scores).max(axis=0, initial=0.0))
        found.append(
            NO_QUALITY
            if len(table) <= n_units + 1
            else quality_of_squares(np.clip(whole - own, 0.0, whole), whole, rounding)
        )
    return found


def explained_squares(
    masks: torch.Tensor, scores: torch.Tensor, rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the explained and the total sums of squares ``(B, k)`` of least squares.

    Parameters
    ----------
    masks, scores : torch.Tensor, (B, R, n) and (B, R, k)
        Padded with zeros.
    rows : torch.Tensor, (B, R, 1)
        1 for rows, 0 for padding.
    """
    count = rows.sum(1, keepdim=True)
    columns = (masks - masks.sum(1, keepdim=True) / count) * rows
    targets = (scores - scores.sum(1, keepdim=True) / count) * rows
    squares, axes = torch.linalg.eigh(columns.mT @ columns)
    seen = squares > 1e-10 * squares.amax(1, keepdim=True)
    along = (axes.mT @ (columns.mT @ targets)).square()
    inverse = torch.where(seen, 1.0 / torch.where(seen, squares, 1.0), 0.0)
    return (inverse.unsqueeze(-1) * along).sum(1), targets.square().sum(1)
