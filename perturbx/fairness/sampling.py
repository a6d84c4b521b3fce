"""Which rows are looked at more closely: some of every kind, with the weights to speak for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx.fairness.grouping import Attribute
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.statistics.permutation import membership_patterns
from perturbx.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Sample:
    """Some of the rows.

    Parameters
    ----------
    rows : numpy.ndarray of int64, (n,)
        Which ones, in order.
    weights : numpy.ndarray, (n,)
        How many rows each speaks for; they add up to the number of rows.
    """

    rows: IntArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.rows)


def stratified(
    n_rows: int,
    n: int,
    attributes: Sequence[Attribute],
    judged: Sequence[Judged],
    rng: np.random.Generator,
) -> Sample:
    """Draw rows of every combination of groups, label and decision, as evenly as there are such.

    Parameters
    ----------
    n_rows : int
        Rows to draw from.
    n : int
        Rows to draw at most.
    attributes : sequence of Attribute
        The groups.
    judged : sequence of Judged
        Labels and decisions.
    rng : numpy.random.Generator
        Draws.

    Notes
    -----
    Each row speaks for as many rows of its kind as there are for each one drawn. Where there are
    more kinds than rows to draw, rows are drawn evenly from all.
    """
    if n >= n_rows:
        return Sample(np.arange(n_rows), np.ones(n_rows))
    kinds: list[Any] = [membership_patterns(own.members) for own in attributes]
    for own in judged:
        kinds += [np.nan_to_num(c, nan=-1.0) for c in (own.labels, own.decisions) if c is not None]
    if kinds and not any(own.decisions is None for own in judged):
        kind = np.unique(np.stack(kinds), axis=1, return_inverse=True)[1].ravel()
    else:
        kind = membership_patterns(attributes[0].members) if attributes else np.zeros(n_rows, int)
    sizes = np.bincount(kind)
    if len(sizes) > n:
        rows = np.sort(rng.choice(n_rows, n, replace=False))
        return Sample(rows, np.full(n, n_rows / n))
    quota = shared_out(sizes, n)
    shuffled = np.lexsort((rng.random(n_rows), kind))
    place = np.arange(n_rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.sort(shuffled[place < np.repeat(quota, sizes)])
    return Sample(rows, (sizes / np.maximum(quota, 1))[kind[rows]])


def shared_out(sizes: IntArray, n: int) -> IntArray:
    """Return how many of each kind: as even as the sizes allow, `n` in all.

    Examples
    --------
    >>> shared_out(np.array([100, 3, 50]), 23)
    array([10,  3, 10])
    """
    quota = np.zeros_like(sizes)
    left = n
    for number, kind in enumerate(np.argsort(sizes, kind="stable")):
        even = left // (len(sizes) - number)
        quota[kind] = min(int(sizes[kind]), even)
        left -= int(quota[kind])
    return quota
