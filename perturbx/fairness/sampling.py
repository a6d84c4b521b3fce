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
    clusters: IntArray | None = None,
) -> Sample:
    """Draw rows of every combination of groups, label and decision, as evenly as there are such.

    Not by decision where clusters hold rows of several groups.

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
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Of each kind, every cluster has its turn before one has its second; and clusters come in the
        same order in all kinds, so that groups are seen in the same templates, side by side.

    Notes
    -----
    A row speaks for the rows of its kind in its cluster, and those for the clusters that were not
    drawn. Where there are more kinds than rows to draw, rows are drawn evenly from all.
    """
    if n >= n_rows:
        return Sample(np.arange(n_rows), np.ones(n_rows))
    kinds: list[Any] = [membership_patterns(own.members) for own in attributes]
    # Where a template has texts of several groups, they are seen side by side whatever is decided.
    side_by_side = clusters is not None and _is_crossed(kinds, clusters)
    for own in judged:
        columns = (own.labels,) if side_by_side else (own.labels, own.decisions)
        kinds += [np.nan_to_num(c, nan=-1.0) for c in columns if c is not None]
    if kinds and not any(own.decisions is None for own in judged):
        kind = np.unique(np.stack(kinds), axis=1, return_inverse=True)[1].ravel()
    else:
        kind = membership_patterns(attributes[0].members) if attributes else np.zeros(n_rows, int)
    sizes = np.bincount(kind)
    if len(sizes) > n:
        rows = np.sort(rng.choice(n_rows, n, replace=False))
        return Sample(rows, np.full(n, n_rows / n))
    quota = shared_out(sizes, n)
    cluster = np.arange(n_rows) if clusters is None else clusters
    cell = np.unique(np.stack([kind, cluster]), axis=1, return_inverse=True)[1].ravel()
    order = rng.random(int(cluster.max()) + 1)[cluster]
    by_turn = np.lexsort((order, _place_within(cell, rng), kind))
    rows = np.sort(by_turn[_place_within(kind[by_turn], None) < quota[kind[by_turn]]])
    held, drawn = np.bincount(cell), np.bincount(cell[rows], minlength=int(cell.max()) + 1)
    weights = held[cell[rows]] / drawn[cell[rows]]
    spoken_for = np.bincount(kind[rows], weights=weights, minlength=len(sizes))
    return Sample(rows, weights * (sizes / np.maximum(spoken_for, 1e-300))[kind[rows]])


def _is_crossed(patterns: Sequence[Any], clusters: IntArray) -> bool:
    """Say whether most clusters hold rows of several groups."""
    cells = np.unique(np.stack([*patterns, clusters]), axis=1).shape[1]
    return bool(cells > 1.5 * len(np.unique(clusters)))


def _place_within(kind: IntArray, rng: np.random.Generator | None) -> IntArray:
    """Return 0, 1, ... for the entries of each kind: in a random order, or as they come."""
    order = np.argsort(kind, kind="stable")
    if rng is not None:
        order = np.lexsort((rng.random(len(kind)), kind))
    sizes = np.bincount(kind)
    place = np.empty(len(kind), dtype=np.int64)
    place[order] = np.arange(len(kind)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place


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
