"""Variants that are drawn at random: a mask's score is the mean over its draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perturbx.jobs import Outcome, Result
from perturbx.typing import Encoding


def draws_of(encoding: Encoding) -> tuple[Encoding, ...]:
    """Return the encodings that are asked about in the place of one; itself where it is sure."""
    draws: tuple[Encoding, ...] = getattr(encoding, "draws", (encoding,))
    return draws


def averaged(outcome: Outcome, counts: Sequence[int]) -> Outcome:
    """Return an outcome with one result for so many draws each.

    Masks whose draws are all there have the mean of their scores, and the variance of that mean:
    that between the draws over their number, the scorer's own included.
    """
    if all(count == 1 for count in counts):
        return outcome
    results, start = [], 0
    for count in counts:
        results.append(_mean(outcome.results[start : start + count]))
        start += count
    return replace(outcome, results=results)


def _mean(draws: Sequence[Result]) -> Result:
    if len(draws) == 1:
        return draws[0]
    scores = np.stack([draw.scores for draw in draws])
    return Result(
        scores=scores.mean(axis=0),
        scored=np.logical_and.reduce([draw.scored for draw in draws]),
        variant_of_row=draws[0].variant_of_row,
        variances=scores.var(axis=0, ddof=1) / len(draws),
    )
