"""Designs of which some rows have no score, for values that no other rows can give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.extreme_scores import divided, exponents
from perturbx.surrogates.fit_quality import interior
from perturbx.surrogates.game_gp.prediction import predict_scores
from perturbx.surrogates.game_gp.relevance import fit_parameters, relevance_covariance
from perturbx.surrogates.game_gp.whole_game import whole_game
from perturbx.typing import FloatArray, IntArray, MaskMatrix, Surrogate

FOLDS = 4
"""Parts of the rows that are predicted from the others."""


@dataclass(frozen=True, eq=False)
class Filled:
    """A surrogate of walks or trees, fitted to a design of which some rows have no score.

    What `predict_scores` expects stands in the place of rows between the ends. Its variance is the
    mean squared error for rows left out in turn, or what a process that learns relevances leaves
    open if that is more, times the number of rows that are missing: so the errors of the values
    hold where all of those are wrong in the same direction, too. Intervals of 95% held 94 to 100%
    of Owen values of games of 8 and 12 units where one row, half of them, or those of a filter of
    two or three words were missing; where half is missing at random they are several times as wide
    as they would have to be. Walks of which less than half of the rows have scores are left out,
    with their reversals.

    Parameters
    ----------
    surrogate : Surrogate
        Is fitted.
    design : Coalitions
        What was to be bought.
    """

    surrogate: Surrogate
    design: Coalitions

    @property
    def name(self) -> str:
        """The surrogate's own."""
        return self.surrogate.name

    def fit(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables of this design."""
        fits = self.surrogate.fit([self._filled(table) for table in tables])
        return [
            replace(fit, n_calls=table.n_calls) for fit, table in zip(fits, tables, strict=True)
        ]

    def _filled(self, table: ScoreTable) -> ScoreTable:
        """Return a table with every row that the values need."""
        place = {row.tobytes(): i for i, row in enumerate(table.masks)}
        masks: MaskMatrix = self.design.masks.numpy()
        rows = np.array([place.get(row.tobytes(), -1) for row in masks], dtype=np.int64)
        walks = None
        wanted = rows < 0
        if self.design.walks is not None:
            walks = _begun(self.design.walks.numpy(), rows)
            visited = np.zeros(len(masks), dtype=bool)
            visited[walks.ravel()] = True
            wanted &= visited
        missing = np.flatnonzero(wanted & interior(masks))
        if not len(missing):
            return table if walks is None else replace(table, walks=rows[walks])
        scores, variances = _expected(table, masks[missing])
        rows[missing] = len(table) + np.arange(len(missing))
        known = np.zeros_like(table.scores) if table.variances is None else table.variances
        last = int(table.variant_of_row.max())
        return replace(
            table,
            masks=np.concatenate([table.masks, masks[missing]]),
            scores=np.concatenate([table.scores, scores]),
            variances=np.concatenate([known, len(missing) * variances]),
            counts=np.concatenate([table.counts, np.ones(len(missing), dtype=np.int64)]),
            probabilities=None,
            walks=None if walks is None else rows[walks],
            variant_of_row=np.concatenate(
                [table.variant_of_row, last + 1 + np.arange(len(missing))]
            ),
            samples=None,
            summands=None,
        )


def _begun(walks: IntArray, rows: IntArray) -> IntArray:
    """Return the walks of which half of the rows, or more, have a score; each with its reversal."""
    known = (rows[walks] >= 0).mean(axis=1)
    has_ends = (rows[walks[:, [0, -1]]] >= 0).all()
    pairs = np.repeat(known.reshape(-1, 2).mean(axis=1) >= 0.5, 2)
    begun: IntArray = walks[pairs & has_ends]
    return begun


def _expected(table: ScoreTable, masks: MaskMatrix) -> tuple[FloatArray, FloatArray]:
    """Return scores to expect of masks, and the variances of these, ``(m, n_outputs)`` each."""
    scores = predict_scores(table, masks)
    inside = np.random.default_rng(0).permutation(np.flatnonzero(interior(table.masks)))
    off = []
    for part in np.array_split(inside, min(FOLDS, len(inside))):
        others = table.rows(np.setdiff1d(np.arange(len(table)), part))
        off.append(predict_scores(others, table.masks[part]) - table.scores[part])
    seen = np.square(np.concatenate(off)).mean(axis=0)
    return scores, np.maximum(seen, _believed(table, masks))


def _believed(table: ScoreTable, masks: MaskMatrix) -> FloatArray:
    """Return the variances of masks given the rows, as the process that learns relevances has it.

    It knows where masks are unlike all of the rows, as those of a filter of two words together.
    """
    powers = exponents(table)
    game = whole_game(divided(table, powers))
    # Copies, as torch takes neither reversed nor read-only arrays.
    known, new = torch.from_numpy(np.array(game.masks)), torch.from_numpy(np.array(masks))
    values = torch.from_numpy(game.values)
    own = fit_parameters(known[None], values[None])
    rows, ours = (each.expand(values.shape[1], -1, -1) for each in (known, new))
    lower = torch.linalg.cholesky(relevance_covariance(own, rows))
    along = torch.linalg.solve_triangular(lower, values.T[:, :, None], upper=False)
    cross = relevance_covariance(own, rows, ours)
    moved = torch.linalg.solve_triangular(lower, cross, upper=False)
    left = relevance_covariance(own, ours).diagonal(dim1=1, dim2=2) - moved.square().sum(dim=1)
    variances = (along.square().mean(dim=1) * left.clamp_min(0.0)).T.numpy()
    believed: FloatArray = np.square(np.ldexp(game.scale, powers)) * variances
    return believed
