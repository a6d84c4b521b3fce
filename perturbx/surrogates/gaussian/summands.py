"""Scores that are sums, such as a response's log-probability: each summand is a game of its own.

The log-probability of a response is the sum of its tokens', and all of them come with one call. A
token depends on fewer units than the whole does, so its game is known from fewer rows; values of
sums are sums of values. What the summands leave of a score (a link bends it) is one more game.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.summand_limits import MOST_ROWS, MOST_UNITS
from perturbx.surrogates.fit_quality import ROUNDING
from perturbx.typing import IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

SHARE = 0.75
"""What the sum of the summands' values counts where it predicts rows left out as exactly as the
scores themselves do."""

TRUST = 3.0
"""The share's odds grow by this power of the quotient of squared errors. With 1, summands that tell
nothing of the score made some errors 90 times as large, with this 1.3 times at most."""

LEAST_RATIO = 0.1
"""Errors for rows left out that are smaller than by this factor, squared, are not believed."""


def with_summands(
    table: ScoreTable, most_numbers: float = float("inf")
) -> tuple[ScoreTable, IntArray]:
    """Return a table whose further outputs are its outputs' summands, and whose they are.

    Parameters
    ----------
    table : ScoreTable
        With summands or without; those that some rows lack count as none.
    most_numbers : float, optional
        Where units x rows x summands are more, the table counts as too large.

    Returns
    -------
    ScoreTable
        The outputs, then the summands of each, and what these leave of it; without summands and as
        it was where there are none, or the table is too large.
    numpy.ndarray of int, (n_summands,)
        The output that each further one belongs to.
    """
    none = np.empty(0, dtype=np.int64)
    if table.summands is None or table.variances is not None or np.isnan(table.summands).any():
        return replace(table, summands=None), none
    too_many = table.n_units * table.summands.size > most_numbers
    if table.n_units > MOST_UNITS or len(table) > MOST_ROWS or too_many:
        return replace(table, summands=None), none
    columns, owners = [table.scores], []
    for output, summands in enumerate(np.moveaxis(table.summands, 1, 0)):
        left = table.scores[:, output] - summands.sum(axis=1)
        own = np.column_stack([summands, left])
        varies = np.ptp(own, axis=0) > ROUNDING * np.abs(table.scores[:, output]).max()
        if varies.sum() > 1:
            constant = own[:, ~varies].sum(axis=1)
            own = own[:, varies]
            own[:, 0] += constant  # levels are sums, too
            columns.append(own)
            owners += [output] * own.shape[1]
    scores = np.concatenate(columns, axis=1)
    names = (*table.output_names, *(f"summand {i}" for i in range(len(owners))))
    if not owners:
        return replace(table, summands=None), none
    return replace(table, scores=scores, output_names=names, summands=None), np.array(owners)


@dataclass(frozen=True, eq=False)
class Summed:
    """What is known of k outputs of T texts, in units of the scores.

    Parameters
    ----------
    values : torch.Tensor, (T, k, m)
        Values of n units, and whatever else is a sum over summands.
    covariance : torch.Tensor, (T, k, n, n)
        Of the units' values.
    residuals : torch.Tensor, (T, R, k)
        Errors for rows left out.
    """

    values: torch.Tensor
    covariance: torch.Tensor
    residuals: torch.Tensor


def summed(fit: Summed, owners: IntArray, first: int) -> Summed:
    """Return the outputs of a fit to `with_summands`, each with the sum of its summands weighed in.

    Both predict rows left out: the better the sum does, the more it counts, and the smaller the
    errors, beside a quarter of the square of the distance of both.

    Parameters
    ----------
    fit : Summed
        Of outputs and summands.
    owners : numpy.ndarray of int, (n_summands,)
        See `with_summands`.
    first : int
        The first row that counts: what the ends are predicted as says nothing.
    """
    n_outputs = fit.values.shape[1] - len(owners)
    values, covariance, residuals = (
        fit.values[:, :n_outputs].clone(),
        fit.covariance[:, :n_outputs].clone(),
        fit.residuals[..., :n_outputs].clone(),
    )
    n_units = covariance.shape[2]
    tiny = torch.finfo(values.dtype).tiny
    for output in np.unique(owners).tolist():
        own = n_outputs + torch.from_numpy(np.flatnonzero(owners == output))
        left = fit.residuals[..., own].sum(2)
        theirs = residuals[:, first:, output].square().mean(1).clamp_min(tiny)
        ours = left[:, first:].square().mean(1).clamp_min(tiny)
        odds = log(SHARE / (1.0 - SHARE)) + TRUST * (theirs / ours).log()
        share = odds.sigmoid()[:, None]
        off = fit.values[:, own].sum(1) - values[:, output]
        left = torch.lerp(residuals[..., output], left, share)
        smaller = (left[:, first:].square().mean(1) / theirs).clamp(LEAST_RATIO, 1.0)
        apart = off[:, :n_units]
        values[:, output] += share * off
        residuals[..., output] = left
        covariance[:, output] *= smaller[:, None, None]
        covariance[:, output] += 0.25 * apart[:, :, None] * apart[:, None, :]
    return Summed(values, covariance, residuals)
