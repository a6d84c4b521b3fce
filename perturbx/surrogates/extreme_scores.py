"""Scores so small or so large that their squares are no numbers any more.

The probability of a long response is exp(-400): squared it is 0, and what is fitted to squares is
made up. Such outputs are fitted in parts of a power of two near their largest score, which changes
no digit, and their values are multiplied back. All others are left as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from perturbx.surrogates.attribution import Attribution
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

LARGEST_EXPONENT = 200
"""Scores above 2 to the power of this are extreme, and those below 2 to minus it: of all others,
even products of two squares are numbers."""

LARGEST_OF_SQUARES = 480
"""Covariances of scores beyond this are no numbers on the scores' own scale."""


def exponents(table: ScoreTable) -> IntArray:
    """Return the power of two ``(n_outputs,)`` that outputs are divided by; 0: by nothing.

    Outputs that are not extreme beside the largest have its power.
    """
    sizes = np.abs(table.scores).max(axis=0)
    found: IntArray = np.frexp(sizes)[1].astype(np.int64)
    largest = int(found[np.argmax(sizes)])
    common = largest if abs(largest) > LARGEST_EXPONENT else 0
    found[(np.abs(found - common) <= LARGEST_EXPONENT) | (sizes == 0)] = common
    return found


def divided(table: ScoreTable, powers: IntArray) -> ScoreTable:
    """Return a table with each output divided by its power of two ``(n_outputs,)``."""
    if not powers.any():
        return table
    variances = None if table.variances is None else np.ldexp(table.variances, -2 * powers)
    scores = np.ldexp(table.scores, -powers)
    return replace(table, scores=scores, variances=variances, summands=None)


def in_one_unit(table: ScoreTable) -> ScoreTable:
    """Return a table in parts of one power of two, so that outputs keep their relative sizes."""
    powers = exponents(table)
    if not powers.any():
        return table
    largest = int(np.argmax(np.abs(table.scores).max(axis=0)))
    return divided(table, np.full_like(powers, powers[largest]))


def multiplied(fit: Attribution, table: ScoreTable, powers: IntArray) -> Attribution:
    """Return the fit to `divided` as one to the table itself.

    Covariances that are no numbers on that scale are not known. Where outputs were divided by
    different powers, `r2` weighs them by the variance of their scores.
    """
    if not powers.any():
        return fit
    covariance, r2 = fit.covariance, fit.r2
    if covariance is not None:
        covariance = np.ldexp(covariance, np.clip(2 * powers, -2000, 1000)[:, None, None])
        covariance[np.abs(powers) > LARGEST_OF_SQUARES] = np.nan
    # Of these, `quality_of` and its like saw other sizes.
    if r2 is not None and fit.r2_by_output is not None and (powers != powers[0]).any():
        weights: FloatArray = in_one_unit(table).scores.var(axis=0)
        r2 = float(weights @ fit.r2_by_output / weights.sum())
    return replace(
        fit,
        values=np.ldexp(fit.values, powers),
        base_values=np.ldexp(fit.base_values, powers),
        std_errors=np.ldexp(fit.std_errors, powers),
        covariance=covariance,
        r2=r2,
    )
