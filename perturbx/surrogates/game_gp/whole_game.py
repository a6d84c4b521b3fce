"""What the processes see of a table: all its rows, centred and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx.surrogates.fit_quality import ROUNDING
from perturbx.surrogates.gaussian.row_blocks import row_blocks
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True, eq=False)
class WholeGame:
    """The rows of a table that are fitted together.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (R, n_units)
        The coalitions.
    values : numpy.ndarray, (R, n_outputs)
        Their scores minus `centre`, over `scale`.
    noise : numpy.ndarray, (n_outputs,)
        The mean variance of the values that is noise of the scorer, in the same units.
    centre, scale : numpy.ndarray, (n_outputs,)
        Mean and standard deviation of the scores; a scale of 0 where the latter is rounding, and
        then `values` are ones.
    rows : numpy.ndarray of int, (R,)
        Where they stand in the table.
    """

    masks: MaskMatrix
    values: FloatArray
    noise: FloatArray
    centre: FloatArray
    scale: FloatArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.masks)


def whole_game(table: ScoreTable) -> WholeGame:
    """Return all rows of a table."""
    centre = table.scores.mean(axis=0)
    off = table.scores - centre
    scale = np.sqrt(np.square(off).mean(axis=0))
    scale[scale <= ROUNDING * np.abs(table.scores).max(axis=0)] = 0.0
    unit = np.where(scale > 0, scale, 1.0)
    noise = np.zeros(table.n_outputs)
    if table.variances is not None:
        noise = table.variances.mean(axis=0)
    values = np.where(scale > 0, off / unit, 1.0)
    rows = np.arange(len(table))
    return WholeGame(table.masks, values, noise / np.square(unit), centre, scale, rows)


def blocks(game: WholeGame, most_rows: int) -> list[WholeGame]:
    """Return the rows in few blocks of at most `most_rows`; see `row_blocks`."""
    if len(game) <= most_rows:
        return [game]
    return [
        WholeGame(game.masks[r], game.values[r], game.noise, game.centre, game.scale, game.rows[r])
        for r in row_blocks(len(game), most_rows)
    ]


def some_rows(n_rows: int, most: int) -> slice | IntArray:
    """Return at most so many of the rows, random ones; all where they are few."""
    if n_rows <= most:
        return slice(None)
    chosen: IntArray = np.random.default_rng(0).permutation(n_rows)[:most]
    return chosen
