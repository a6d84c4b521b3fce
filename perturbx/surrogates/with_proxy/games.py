"""The proxy's scores as games on the scale of the paid ones: as they are, and calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Polynomial

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.odd_gp.odd_part import odd_part
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

DEGREE, RIDGE = 3, 0.1
"""Of the calibration: its degree, and the ridge for each row on what is not linear."""

ROUNDING = 1e-10

NAME = "odd_gp+proxy"


@dataclass(frozen=True, eq=False)
class Game:
    """Scores ``(n_masks, n_outputs)`` of the proxy's masks, and their variances if they are noisy.

    Both are on the scale of the paid scores.
    """

    scores: FloatArray
    variances: FloatArray | None

    @classmethod
    def of(cls, proxy: ScoreTable, columns: IntArray) -> Game:
        """Return the proxy's scores as they are."""
        noise = proxy.variances
        return cls(proxy.scores[:, columns], None if noise is None else noise[:, columns])

    def times(self, factor: FloatArray) -> Game:
        """Return the game with each output times its factor ``(n_outputs,)``."""
        known = None if self.variances is None else self.variances * np.square(factor)
        return Game(self.scores * factor, known)

    def table(self, proxy: ScoreTable, names: tuple[str, ...]) -> ScoreTable:
        """Return the game as a table of the proxy's masks."""
        return replace(
            proxy,
            scores=self.scores,
            variances=self.variances,
            output_names=names,
            summands=None,
        )


@dataclass(frozen=True, eq=False)
class Candidate:
    """A share of a game, the log of its prior probability, and the game's Shapley values."""

    game: Game | None
    share: float
    log_prior: float
    of_game: Attribution | None = None

    def taken_off(self, table: ScoreTable, rows: IntArray) -> ScoreTable:
        """Return what the share leaves of the paid scores."""
        if self.game is None:
            return table
        noise = table.variances
        if self.game.variances is not None:
            own = self.share**2 * self.game.variances[rows]
            noise = own if noise is None else noise + own
        left = table.scores - self.share * self.game.scores[rows]
        return replace(table, scores=left, variances=noise, summands=None)

    def put_back(self, fit: Attribution) -> Attribution:
        """Return the values with those of the share added."""
        if self.of_game is None:
            return fit
        known = self.of_game
        covariance = None
        if fit.covariance is not None and known.covariance is not None:
            covariance = fit.covariance + self.share**2 * known.covariance
        return replace(
            fit,
            values=fit.values + self.share * known.values,
            base_values=fit.base_values + self.share * known.base_values,
            std_errors=np.hypot(fit.std_errors, self.share * known.std_errors),
            covariance=covariance,
        )


def columns_of(proxy: ScoreTable, table: ScoreTable) -> IntArray:
    """Return the proxy's column for each output."""
    if proxy.n_outputs == 1:
        return np.zeros(table.n_outputs, dtype=np.int64)
    if set(table.output_names) <= set(proxy.output_names):
        return np.array([proxy.output_names.index(name) for name in table.output_names])
    if proxy.n_outputs == table.n_outputs:
        return np.arange(table.n_outputs)
    raise SurrogateError(
        f"proxy: expected one output, or those of the table by name {list(table.output_names)}, "
        f"or as many as it has; got {list(proxy.output_names)}"
    )


def rows_of(proxy: ScoreTable, table: ScoreTable) -> IntArray:
    """Return the proxy's row for each row of the table."""
    if proxy.n_units != table.n_units:
        raise SurrogateError(
            f"proxy: expected masks of the table's {table.n_units} units, got {proxy.n_units}"
        )
    place = {mask.tobytes(): row for row, mask in enumerate(proxy.masks)}
    rows = np.array([place.get(mask.tobytes(), -1) for mask in table.masks], dtype=np.int64)
    if (rows < 0).any():
        first = int(np.argmax(rows < 0))
        kept = np.flatnonzero(table.masks[first]).tolist()
        raise SurrogateError(
            f"proxy: it has no scores of {int((rows < 0).sum())} of the table's {len(table)} "
            f"masks, the first of them row {first}, which keeps the units {kept}; score the same "
            f"masks with the proxy"
        )
    return rows


def size_of(table: ScoreTable, scores: FloatArray) -> FloatArray:
    """Return the factor ``(n_outputs,)`` that gives the proxy's odd values the paid ones' size.

    Its sign is the one that brings them nearer.
    """
    proxies = replace(table, scores=scores, variances=None, summands=None)
    paid, own = odd_part(table, NAME), odd_part(proxies, NAME)
    size = np.where(own.scale > 0, paid.scale / np.where(own.scale > 0, own.scale, 1.0), 0.0)
    factor: FloatArray = np.where((paid.values * own.values).sum(axis=0) < 0, -size, size)
    return factor


def calibrated(game: Game, table: ScoreTable, rows: IntArray) -> tuple[Game, Game]:
    """Return the cubic of the proxy's scores that comes closest to the paid ones, twice.

    Least squares over all paid rows, the even part of the game included, with a ridge on what is
    not linear. Outside the range of these rows nothing is known of it: there the first game is
    constant, and the second goes on in a straight line. On the paid rows they are the same.
    """
    levels, lines, slopes, tilts = np.empty((4, *game.scores.shape))
    for output, (all_of_it, target) in enumerate(zip(game.scores.T, table.scores.T, strict=True)):
        seen = all_of_it[rows]
        middle, spread = seen.mean(), seen.std()
        # A proxy that is constant has nothing to calibrate.
        spread = spread if spread > ROUNDING * np.abs(seen).max() else np.inf
        powers = ((seen - middle) / spread)[:, None] ** np.arange(DEGREE + 1)
        ridge = np.diag([0.0, ROUNDING] + (DEGREE - 1) * [RIDGE]) * len(rows)
        curve = Polynomial(np.linalg.solve(powers.T @ powers + ridge, powers.T @ target))
        within = np.clip(all_of_it, seen.min(), seen.max())
        levels[:, output] = curve((within - middle) / spread)
        tilts[:, output] = curve.deriv()((within - middle) / spread) / spread
        lines[:, output] = levels[:, output] + tilts[:, output] * (all_of_it - within)
        slopes[:, output] = np.where(within == all_of_it, tilts[:, output], 0.0)
    noise = game.variances
    if noise is None:
        return Game(levels, None), Game(lines, None)
    return Game(levels, noise * np.square(slopes)), Game(lines, noise * np.square(tilts))


def between(one: Attribution, other: Attribution) -> Attribution:
    """Return values half way between two, with half of what sets them apart in their errors."""
    off = (other.values - one.values) / 2.0
    covariance = None
    if one.covariance is not None and other.covariance is not None:
        covariance = (one.covariance + other.covariance) / 2.0
        covariance = covariance + np.einsum("nk,mk->knm", off, off)
    variance = (np.square(one.std_errors) + np.square(other.std_errors)) / 2.0 + np.square(off)
    return replace(
        one,
        values=one.values + off,
        base_values=(one.base_values + other.base_values) / 2.0,
        std_errors=np.sqrt(variance),
        covariance=covariance,
    )
