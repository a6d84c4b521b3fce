"""`LimeLimit` and `BanzhafGP`: linear functionals of the game from the posterior of two processes.

Both are estimated from any table: no row has to come from their own sampling.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.summand_limits import MOST_NUMBERS_OF_GAMES
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.fit_quality import (
    LEAST_GROUPS,
    NO_QUALITY,
    Quality,
    interior,
    quality_of,
)
from perturbx.surrogates.game_gp.mixture import fit_mixture
from perturbx.surrogates.game_gp.selection import keep_largest
from perturbx.surrogates.game_gp.whole_game import WholeGame, blocks, whole_game
from perturbx.surrogates.gaussian.mirrors import Mirrors
from perturbx.surrogates.gaussian.shrinkage import of_shrinkage
from perturbx.surrogates.gaussian.summands import Summed, summed, with_summands
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.lime_text import check_n_features
from perturbx.surrogates.mask_regression import check_rows
from perturbx.surrogates.ridge import check_positive
from perturbx.surrogates.surrogate import MOST_UNITS_WITH_COVARIANCE, BatchSurrogate
from perturbx.symmetric_kernels import SymmetricFunctional, banzhaf_functional, lime_functional
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

MOST_ROWS = 3000
"""A covariance of 3,000 rows takes 72 MB and a second to factorize; more rows are cut into blocks
of so many, and the blocks' values averaged."""

CELLS_AT_ONCE = 2**22
"""Numbers (rows x units x texts, for each summand, too) that are fitted together: it bounds the
memory."""

INFLATION = 1.0
"""Variances are multiplied by 1 + INFLATION n / R: the hyperparameters are not known either."""

FEW_LEVELS, SAME = 16.0, 1e-9
"""Variances are multiplied by 1 + FEW_LEVELS / L² for scores of L different values, equal to the
second in parts of their range: labels hide how near the model was to the other one, and processes
that were fitted to few rows of them are too sure."""

BAND_INFLATION = 1.25
LEAST_BAND_DOF, MOST_BAND_DOF = 3.0, 20.0
"""For simultaneous intervals, which ask more of the tails: R / 8 degrees of freedom within these
bounds, and wider variances. Measured on games of words and of images from 3 rows a unit on."""


class GameGP(BatchSurrogate):
    """A symmetric linear functional of the game, from any rows of a table.

    Two Gaussian processes on the game are conditioned on the rows: an isotropic one, averaged over
    how fast higher orders fall off, and one that learns from the table which units are relevant.
    The values are their weighted mean, 1 : 2. Where the scores crowd at an end of their range, as
    probabilities do, a third process on a scale bent between bounds has up to .8 of the weight (see
    `perturbx.surrogates.game_gp.bounded`). A table of all coalitions gives the exact values.

    A subclass gives `functional`.

    Notes
    -----
    Errors are posterior standard deviations, with the spread of the models added and
    variances widened by 1 + n / R for R rows. Intervals take Student's t with R / 2 degrees of
    freedom, simultaneous ones with R / 8 (from 3 to 20) and variances 1.25 times as wide. Scores of
    few different values, such as labels, make both wider: 5 times the variance for two values.
    What a process cannot explain is a part of the game where the scorer is deterministic, and
    counted in the values; variances of a noisy scorer are taken off it first, at their mean over
    the rows. Noise shrinks the values, so their distance from a line that is hardly shrunk is a
    part of the errors then (`perturbx.surrogates.gaussian.shrinkage`). More than 3,000 rows are
    fitted in blocks of 3,000, each with the first half of them.

    Summands of the scores, where a table has them and is not too large, are fitted by themselves,
    too, see `OddGP`; `r2` is then that of both together.

    `r2` is the share of the scores' variance that the isotropic model predicts of a row from the
    others, by the closed form for leaving one out. It tells how well the game is known, not how
    near to a line it is: that is `additivity`.

    Gaussian processes: Rasmussen & Williams 2006.
    """

    @abstractmethod
    def functional(self, n_units: int) -> SymmetricFunctional:
        """Return what is estimated, for at least two units."""

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where there are less than two rows between the ends."""
        check_rows(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        functional = self.functional(tables[0].n_units)
        fitted: dict[int, Attribution] = {}
        alike: dict[tuple[int, tuple[int, ...]], list[tuple[int, WholeGame]]] = {}
        for index, table in enumerate(tables):
            if holds_all(table):
                fitted[index] = _exact(table, functional, self.name)
                continue
            wider, owners = with_summands(table, MOST_NUMBERS_OF_GAMES)
            for block in blocks(whole_game(wider), MOST_ROWS):
                alike.setdefault((len(block), tuple(owners.tolist())), []).append((index, block))
        estimates: dict[int, list[_Estimate]] = {}
        for (n_rows, owners_), members in alike.items():
            cells = n_rows * tables[0].n_units * (1 + len(owners_))
            at_once = max(1, CELLS_AT_ONCE // cells)
            for start in range(0, len(members), at_once):
                some = members[start : start + at_once]
                own_blocks = [block for _, block in some]
                fits = _fit(functional, own_blocks, np.array(owners_, dtype=np.int64))
                for (index, _), estimate in zip(some, fits, strict=True):
                    estimates.setdefault(index, []).append(estimate)
        for index, own in estimates.items():
            fitted[index] = _attribution(tables[index], own, self.name)
        return [fitted[index] for index in range(len(tables))]


@dataclass(frozen=True)
class LimeLimit(GameGP):
    """The line that LIME approaches with more and more samples, from any table of scores.

    LIME draws masks (every number of removed units from 1 to n equally likely), weights them by a
    kernel of their distance to the text and fits a line. With infinitely many samples that line
    is a fixed linear function of the game; it is estimated by Gaussian processes on the game, so
    the rows may come from any design and none has to be repeated. See `GameGP` for the
    processes, the errors and `r2`.

    Parameters
    ----------
    kernel_width : float, default=25.0
        The width of LIME's kernel, in hundredths of cosine distance.
    n_features : int, optional
        How many units get a value: for each output those with the largest absolute values, to
        which the line is fitted anew, as lime does with "highest_weights"; the others get 0. Errors
        count that the largest may be others than they seem, so those of a unit that is left out are
        0 only where that is sure. All by default.

    Notes
    -----
    `base_values` is the line at the empty coalition, which is not v(∅). A text of one unit is not
    regressed: its value is v(N) - v(∅).

    Ribeiro, Singh & Guestrin, KDD 2016; the limit: Mardaoui & Garreau, AISTATS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[s >> unit & 1 for unit in range(4)] for s in range(14)], bool)
    >>> table = ScoreTable(masks, masks @ [[2.0], [1.0], [0.0], [0.0]], ("y",))
    >>> LimeLimit().fit([table])[0].values.ravel().round(2) + 0.0
    array([2., 1., 0., 0.])
    """

    kernel_width: float = 25.0
    n_features: int | None = None
    name: ClassVar[str] = "lime_limit"

    def __post_init__(self) -> None:
        check_positive(self.kernel_width, "kernel_width")
        check_n_features(self.n_features)

    def functional(self, n_units: int) -> SymmetricFunctional:
        """Return LIME's line for at least two units."""
        return lime_functional(n_units, float(self.kernel_width))

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        fits = super().fit_alike(tables)
        if self.n_features is None or self.n_features >= tables[0].n_units:
            return fits
        return [keep_largest(fit, int(self.n_features), self.kernel_width) for fit in fits]


@dataclass(frozen=True)
class BanzhafGP(GameGP):
    """Banzhaf values from any table: the mean of v(S∪i) - v(S) over all S, each equally likely.

    The same target as `Banzhaf`, which weights rows by how likely the design was to draw them;
    here nothing has to be known of the design, so tables of "odd_gp" or "lime_limit" do. See
    `GameGP` for the processes, the errors and `r2`.

    Notes
    -----
    `base_values` is the line at the empty coalition, which is not v(∅).

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [7.0]]), ("y",))
    >>> BanzhafGP().fit([table])[0].values.ravel().round(6)
    array([3., 4.])
    """

    name: ClassVar[str] = "banzhaf_gp"

    def functional(self, n_units: int) -> SymmetricFunctional:
        """Return Banzhaf values for at least two units."""
        return banzhaf_functional(n_units)


@dataclass(frozen=True, eq=False)
class _Estimate:
    """What the rows of one block say, in units of the scores."""

    values: FloatArray
    covariance: FloatArray
    residuals: FloatArray
    rows: IntArray


def _fit(
    functional: SymmetricFunctional, games: Sequence[WholeGame], owners: IntArray
) -> list[_Estimate]:
    """Return the estimates of games with the same number of rows.

    Their last outputs are summands, of the outputs that `owners` ``(n_summands,)`` names.
    """
    masks = torch.from_numpy(np.stack([game.masks for game in games]))
    values = torch.from_numpy(np.stack([game.values for game in games]))
    noise = torch.from_numpy(np.stack([game.noise for game in games]))
    mirrors = Mirrors.of(values, noise[:, None])
    kept = mirrors.kept
    posterior, left_out = fit_mixture(functional, masks, values[..., kept], noise[:, kept])
    posterior = posterior.mirrored(mirrors)
    left_out = left_out[..., mirrors.source] * mirrors.sign
    n_rows, n_units = masks.shape[1:]
    mean = posterior.values
    covariance = posterior.covariance * (1.0 + INFLATION * n_units / n_rows)
    few = 1.0 + FEW_LEVELS / _levels(values).square()
    covariance = covariance * few[:, :, None, None]
    if noise.any():
        rows = masks.double() - masks.double().mean(1, keepdim=True)
        each = noise[:, None].expand_as(values)
        covariance = covariance + of_shrinkage(rows, values, each, mean[..., :-1])
    scale = torch.from_numpy(np.stack([game.scale for game in games]))
    mean = mean * scale[:, :, None]
    mean[..., -1] += torch.from_numpy(np.stack([game.centre for game in games]))
    covariance = covariance * scale.square()[:, :, None, None]
    left_out = left_out * scale[:, None]
    fit = Summed(mean, covariance, left_out)
    if len(owners):
        fit = summed(fit, owners, 0)
    parts = [array.numpy() for array in (fit.values, fit.covariance, fit.residuals)]
    return [
        _Estimate(values=own, covariance=spread, residuals=residuals, rows=game.rows)
        for own, spread, residuals, game in zip(*parts, games, strict=True)
    ]


def _levels(values: torch.Tensor) -> torch.Tensor:
    """Return how many different values each output has in rows ``(T, R, k)``, ``(T, k)``."""
    ordered = values.sort(dim=1).values
    least = SAME * (ordered[:, -1:] - ordered[:, :1])
    return 1.0 + (ordered.diff(dim=1) > least).sum(1)


def _attribution(table: ScoreTable, estimates: Sequence[_Estimate], name: str) -> Attribution:
    """Return the mean of the blocks."""
    values = np.mean([estimate.values for estimate in estimates], axis=0).T
    covariance = np.mean([estimate.covariance for estimate in estimates], axis=0)
    quality = _quality(table, estimates)
    return Attribution(
        values=values[:-1],
        base_values=values[-1],
        std_errors=np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2).T, 0.0)),
        method=name,
        n_calls=table.n_calls,
        covariance=covariance if table.n_units <= MOST_UNITS_WITH_COVARIANCE else None,
        r2_by_output=quality.r2_by_output,
        r2=quality.r2,
        dof=max(1.0, len(table) / 2.0),
        band_dof=min(max(len(table) / 8.0, LEAST_BAND_DOF), MOST_BAND_DOF),
        band_inflation=BAND_INFLATION,
    )


def _quality(table: ScoreTable, estimates: Sequence[_Estimate]) -> Quality:
    """Return R² of all rows but the ends, each predicted from the others."""
    rows = np.concatenate([estimate.rows for estimate in estimates])
    residuals = np.concatenate([estimate.residuals for estimate in estimates])
    between = interior(table.masks[rows])
    if between.sum() < LEAST_GROUPS:
        return NO_QUALITY
    return quality_of(residuals[between], table.scores[rows[between]])


def _exact(table: ScoreTable, functional: SymmetricFunctional, name: str) -> Attribution:
    """Return the values of a table of all coalitions."""
    size = table.masks.sum(axis=1)
    weights = np.where(
        table.masks, functional.kept_alone[size][:, None], functional.removed_alone[size][:, None]
    )
    covariance = np.zeros((table.n_outputs, table.n_units, table.n_units))
    if table.variances is not None:
        for output, variance in enumerate(table.variances.T):
            covariance[output] = weights.T @ (variance[:, None] * weights)
    # The values do not depend on the scores' level, and are more precise without it.
    centre = table.scores.mean(axis=0)
    return Attribution(
        values=weights.T @ (table.scores - centre),
        base_values=functional.level_alone[size] @ (table.scores - centre) + centre,
        std_errors=np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).T),
        method=name,
        n_calls=table.n_calls,
        covariance=covariance,
    )
