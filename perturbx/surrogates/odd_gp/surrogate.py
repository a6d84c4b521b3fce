"""`OddGP`: Shapley values from the posteriors of Gaussian processes on the odd part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.exact import ExactShapley
from perturbx.surrogates.fit_quality import (
    LEAST_GROUPS,
    NO_QUALITY,
    ROUNDING,
    Quality,
    quality_of_squares,
)
from perturbx.surrogates.gaussian.mirrors import Mirrors
from perturbx.surrogates.gaussian.shrinkage import of_shrinkage
from perturbx.surrogates.gaussian.summands import Summed, summed, with_summands
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.odd_gp.averaging import average
from perturbx.surrogates.odd_gp.mixture import fit_mixture
from perturbx.surrogates.odd_gp.noisy_isotropic import fit_noisy_isotropic
from perturbx.surrogates.odd_gp.odd_part import OddPart, blocks, check_pairs, odd_part
from perturbx.surrogates.odd_gp.relevance import fit_relevance
from perturbx.surrogates.surrogate import MOST_UNITS_WITH_COVARIANCE, BatchSurrogate
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

MOST_PAIRS = 3000
"""A covariance of 3,000 pairs takes 72 MB and a second to factorize; more pairs are cut into
blocks of so many, and the blocks' values averaged."""

CELLS_AT_ONCE = 2**22
"""Numbers (pairs x units x texts, for each summand, too) that are fitted together: it bounds the
memory."""

INFLATION, BAND_INFLATION = 0.5, 3.0
"""Variances are multiplied by 1 + INFLATION n / P, and for simultaneous intervals by
1 + BAND_INFLATION n / P: the hyperparameters are not known either."""

FEWEST_UNITS_SMOOTHED = 5
"""From so many units on, a noisy table of all coalitions is fitted as any other is: on games of 8
units, that left 20 to 85% of the squared error of its own Shapley values, and intervals that hold.
Those of less than 16 pairs would be too wide."""

LEAST_SIGNAL = 0.1
"""The least share of the odd values' variance that must be no noise for a quality to be told."""

LEAST_BAND_DOF, MOST_BAND_DOF = 3.0, 15.0
"""Degrees of freedom of simultaneous intervals, P / 4 between these: there the unit decides whose
error is underestimated most."""


@dataclass(frozen=True)
class OddGP(BatchSurrogate):
    """Shapley values by Gaussian processes on the odd part of the game.

    The Shapley value sees only g(S) = ½[v(S) - v(N∖S)], so every coalition counts together with
    its complement; rows without their complement are left out. The values are the mean of two
    posteriors: of an isotropic process, averaged over how fast higher orders fall off, and of a
    process that learns from the table which units are relevant. They add up to v(N) - v(∅). A
    table of all coalitions gives the exact values; where its scores are noisy and of five units or
    more, the values are fitted, as they are known better by that.

    Any pairs do; those of the design `OddPairs` tell most, and no inclusion probabilities are
    needed.

    Notes
    -----
    The mean of both models is plain where they predict pairs left out alike; the more exactly the
    second one does, the more it counts (`perturbx.surrogates.odd_gp.averaging`).

    Scores between two bounds, such as probabilities, hold interactions that are none on the scale
    of log-odds. Where the table says so, the second process is one on such a scale, with bounds
    that the marginal likelihood chooses; of scores that crowd at no end nothing changes. Values are
    those of the scores in either case. Known noise keeps the scale straight.

    Errors are posterior standard deviations, with half the difference of the two models added,
    widened by 1 + n / 2P for P pairs (1 + 3n / P for simultaneous intervals) and by the tails of
    the errors for pairs left out; `dof` says P / 2 degrees of freedom. What a process cannot
    explain is a part of the game where the scorer is deterministic, and counted in the values.
    Known variances of a noisy scorer enter row by row: a pair gets (var_S + var_N∖S) / 4, which
    does not scale with the game and is not read out. Such a table takes longer to fit, and v(N) and
    v(∅) are taken as scored: the values' errors include theirs.

    Noise shrinks the values: a unit that stands out alone may be told with half its worth. So the
    distance from the slopes of a line, which are hardly shrunk, is a part of the errors
    (`perturbx.surrogates.gaussian.shrinkage`). Where one word of eight raised a probability from
    .05 to .25, its interval at 95% held in 83% of the runs with 40 sampled answers, in 88% with 80
    and in 93% from 160 on, and those of all words in 98%. An effect that the answers at hand do not
    show at all may be outside.

    `r2` is the share of g that the model predicts of a pair from the others, by the closed form
    for leaving one out; what the models learned from all pairs is not learned anew. The even part
    of the game is not judged, as no Shapley value depends on it. Known noise of the scorer is
    left out of account: no model could predict it.

    Where a table says what its scores are sums of (`ScoreTable.summands`), the values are the mean,
    weighted, of those of the scores and of the sum of the summands' own, each fitted by itself
    (`perturbx.surrogates.gaussian.summands`); up to 64 units and 1,000 rows.

    Gaussian processes: Rasmussen & Williams 2006. The Shapley value as an integral: Owen 1972.
    More than 3,000 pairs are fitted in blocks of 3,000, each with the first half of them. Their
    mean has at most the mean error of the blocks, which is what is reported. Further calls tell
    less then: of games of 12 units and blocks of 300 pairs, smooth ones were known no better with
    five times the pairs, and rough ones had two thirds of the squared error.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> half = np.array([[s >> unit & 1 for unit in range(4)] for s in range(7)], bool)
    >>> masks = np.concatenate([half, ~half])
    >>> scores = 2.0 * masks[:, :1] + masks[:, 1:2] * masks[:, 2:3]
    >>> OddGP().fit([ScoreTable(masks, scores, ("y",))])[0].values.ravel().round(1)
    array([2. , 0.5, 0.5, 0. ])
    """

    name: ClassVar[str] = "odd_gp"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where an end is missing or there is no pair between."""
        check_pairs(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        fitted: dict[int, Attribution] = {}
        alike: dict[tuple[int, bool, tuple[int, ...]], list[tuple[int, OddPart]]] = {}
        rows: IntArray | None = None
        for index, table in enumerate(tables):
            if holds_all(table) and not self._smooths(table):
                (exact,) = ExactShapley().fit_alike([table])
                fitted[index] = replace(exact, method=self.name)
                continue
            wider, owners = with_summands(table)
            part = odd_part(wider, self.name, like=rows)
            rows = part.rows
            for block in blocks(part, MOST_PAIRS):
                like = (len(block), block.is_noisy, tuple(owners.tolist()))
                alike.setdefault(like, []).append((index, block))
        estimates: dict[int, list[_Estimate]] = {}
        for (n_pairs, _, owners_), members in alike.items():
            cells = n_pairs * tables[0].n_units * (1 + len(owners_))
            at_once = max(1, CELLS_AT_ONCE // cells)
            for start in range(0, len(members), at_once):
                some = members[start : start + at_once]
                fits = _fit([block for _, block in some], np.array(owners_, dtype=np.int64))
                for (index, _), estimate in zip(some, fits, strict=True):
                    estimates.setdefault(index, []).append(estimate)
        for index, own in estimates.items():
            fitted[index] = _attribution(tables[index], own, self.name)
        return [fitted[index] for index in range(len(tables))]

    def _smooths(self, table: ScoreTable) -> bool:
        """Say whether a table of all coalitions is known better by the processes than by itself."""
        if table.variances is None or table.n_units < FEWEST_UNITS_SMOOTHED:
            return False
        return 2 ** (table.n_units - 1) <= MOST_PAIRS and odd_part(table, self.name).is_noisy


@dataclass(frozen=True, eq=False)
class _Estimate:
    """What the pairs of one block say of k outputs, in units of the scores.

    Parameters
    ----------
    values, covariance : numpy.ndarray, (k, n) and (k, n, n)
        The Shapley values, but for what all have in common, and of the differences of their errors.
    ends : numpy.ndarray of int, (2,)
        The rows of the full and the empty coalition.
    n_pairs : int
        How many pairs.
    squares, left, noise : numpy.ndarray, (k,)
        Added up over all pairs but the ends: the squares of the odd values, of their errors where
        they are left out, and their noise.
    largest : numpy.ndarray, (k,)
        The largest absolute odd value.
    """

    values: FloatArray
    covariance: FloatArray
    ends: IntArray
    n_pairs: int
    squares: FloatArray
    left: FloatArray
    noise: FloatArray
    largest: FloatArray


def _fit(parts: Sequence[OddPart], owners: IntArray) -> list[_Estimate]:
    """Return the estimates of parts with the same number of pairs.

    Parameters
    ----------
    parts : sequence of OddPart
        Their last outputs are summands.
    owners : numpy.ndarray of int, (n_summands,)
        The output that each of these belongs to.
    """
    masks = torch.from_numpy(np.stack([part.masks for part in parts]))
    values = torch.from_numpy(np.stack([part.values for part in parts]))
    means = torch.from_numpy(np.stack([part.means for part in parts]))
    scale = np.stack([part.scale for part in parts])
    noise = np.stack([part.noise for part in parts])
    off = torch.cat([values, means - means.mean(1, keepdim=True)], dim=1)
    mirrors = Mirrors.of(off, torch.from_numpy(noise))
    own = values[..., mirrors.kept]
    if parts[0].is_noisy:
        of_values = torch.from_numpy(noise)[..., mirrors.kept]
        isotropic = fit_noisy_isotropic(masks, own, of_values)
        mean = average(isotropic, fit_relevance(masks, own, of_values))
        lacking = of_shrinkage(masks.double() - 0.5, own, of_values, mean.values)
        mean = replace(mean, covariance=mean.covariance + lacking).mirrored(mirrors)
    else:
        mean = fit_mixture(masks, own, means[..., mirrors.kept]).mirrored(mirrors)
    n_pairs, n_units = masks.shape[1:]
    # The values' sum is known, so of their errors only the differences count.
    covariance = mean.covariance - mean.covariance.mean(2, keepdim=True)
    covariance -= covariance.mean(3, keepdim=True)
    centred = mean.values - mean.values.mean(2, keepdim=True)
    unit = torch.from_numpy(scale)
    fit = Summed(
        centred * unit[:, :, None],
        covariance * ((1.0 + INFLATION * n_units / n_pairs) * unit.square())[:, :, None, None],
        mean.residuals * unit[:, None],
    )
    if len(owners):
        fit = summed(fit, owners, 1)
    n_outputs = fit.values.shape[1]
    odd, scale = values[:, 1:, :n_outputs].numpy(), scale[:, :n_outputs]
    arrays = (
        fit.values.numpy(),
        fit.covariance.numpy(),
        np.stack([part.rows[0] for part in parts]),
        np.full(len(parts), n_pairs),
        np.square(odd).sum(axis=1) * np.square(scale),
        fit.residuals[:, 1:].square().sum(1).numpy(),
        noise[:, 1:, :n_outputs].sum(axis=1) * np.square(scale),
        np.abs(odd).max(axis=1, initial=0.0) * scale,
    )
    return [_Estimate(*(array[text] for array in arrays)) for text in range(len(parts))]


def _attribution(table: ScoreTable, estimates: Sequence[_Estimate], name: str) -> Attribution:
    """Return the mean of the blocks, with the gap to v(N) - v(∅) spread over the units."""
    full, empty = estimates[0].ends
    values, covariance = estimates[0].values, estimates[0].covariance
    if len(estimates) > 1:
        values = np.mean([estimate.values for estimate in estimates], axis=0)
        covariance = np.mean([estimate.covariance for estimate in estimates], axis=0)
    if table.variances is not None:
        of_sum = table.variances[full] + table.variances[empty]
        covariance = covariance + of_sum[:, None, None] / table.n_units**2
    quality = _quality(estimates)
    n_pairs = int(min(estimate.n_pairs for estimate in estimates))
    per_pair = table.n_units / n_pairs
    return Attribution(
        values=(table.scores[full] - table.scores[empty]) / table.n_units + values.T,
        base_values=table.scores[empty].copy(),
        std_errors=np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2).T, 0.0)),
        method=name,
        n_calls=table.n_calls,
        covariance=covariance if table.n_units <= MOST_UNITS_WITH_COVARIANCE else None,
        r2_by_output=quality.r2_by_output,
        r2=quality.r2,
        dof=n_pairs / 2.0,
        band_dof=min(max(n_pairs / 4.0, LEAST_BAND_DOF), MOST_BAND_DOF),
        band_inflation=(1.0 + BAND_INFLATION * per_pair) / (1.0 + INFLATION * per_pair),
    )


def _quality(estimates: Sequence[_Estimate]) -> Quality:
    """Return R² of the odd values of all pairs but the ends, each predicted from the others.

    Known noise of the scorer is taken off both; none is told where too little is left.
    """
    n_pairs = sum(estimate.n_pairs - 1 for estimate in estimates)
    if n_pairs < LEAST_GROUPS:
        return NO_QUALITY
    sums = [(estimate.squares, estimate.left, estimate.noise) for estimate in estimates]
    squares, left, noise = np.sum(sums, axis=0)
    if noise.any():
        return _quality_without(noise, left, squares)
    largest = np.max([estimate.largest for estimate in estimates], axis=0)
    return quality_of_squares(left, squares, n_pairs * np.square(ROUNDING * largest))


def _quality_without(noise: FloatArray, left: FloatArray, squares: FloatArray) -> Quality:
    """Return the share explained of what is not noise of the scorer; none where that is too little.

    Parameters
    ----------
    noise, left, squares : numpy.ndarray, (n_outputs,)
        See `_Estimate`.
    """
    signal = squares - noise
    if (signal < LEAST_SIGNAL * squares).any():
        return NO_QUALITY
    unexplained = np.maximum(left - noise, 0.0)
    # An output that is constant has nothing to explain.
    share = np.divide(unexplained, signal, out=np.zeros_like(left), where=signal > 0)
    return Quality(1.0 - share, float(1.0 - unexplained.sum() / signal.sum()))
