"""The largest gap between groups and the accuracy under other decisions, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse

from perturbx.fairness.group_metrics import gathered
from perturbx.fairness.statistics.clustered_shares import (
    resampled_variance,
    rows_per_independent,
)
from perturbx.fairness.statistics.measures import CLASSIFICATION, Judged
from perturbx.fairness.statistics.resampling import Resampling, half_rows, limits
from perturbx.typing import FloatArray, IntArray

MEASURES: Final = {"demographic_parity": "selection_rate", "equal_opportunity": "tpr"}
"""The gaps by which remedies are judged, and the measures that they are gaps of."""


@dataclass(frozen=True, eq=False)
class Effect:
    """The largest gap and the accuracy of some decisions.

    Parameters
    ----------
    gap, accuracy : float
        The largest difference between groups, and the share of right decisions; NaN without labels.
    gap_draws, accuracy_draws : numpy.ndarray, (n_resamples,)
        The same, resampled.
    gap_clusters, accuracy_clusters : int, optional
        The clusters behind each (behind the group with the fewest); None: rows are independent.
    """

    gap: float
    accuracy: float
    gap_draws: FloatArray
    accuracy_draws: FloatArray
    gap_clusters: int | None = None
    accuracy_clusters: int | None = None

    def ends(self, level: float) -> dict[str, float]:
        """Return value and interval of both."""
        found: dict[str, float] = {}
        for name, value, draws, n_clusters in (
            ("gap", self.gap, self.gap_draws, self.gap_clusters),
            ("accuracy", self.accuracy, self.accuracy_draws, self.accuracy_clusters),
        ):
            count = None if n_clusters is None else np.array([n_clusters])
            low, high = limits(
                draws[None], np.array([value]), level, count, smallest=0.0, largest=1.0
            )
            found |= {f"{name}_after": value, f"{name}_low": float(low[0])}
            found[f"{name}_high"] = float(high[0])
        return found


def effects_of(
    decisions: FloatArray,
    labels: FloatArray | None,
    members: scipy.sparse.csr_array,
    *,
    weights: FloatArray | None = None,
    clusters: IntArray | None = None,
    n_resamples: int,
    seed: int,
) -> dict[str, Effect]:
    """Return the effect of decisions on each gap by which remedies are judged.

    Parameters
    ----------
    decisions : numpy.ndarray, (n_rows,)
        1.0, 0.0, or a probability where a remedy decides at random.
    labels : numpy.ndarray, (n_rows,), optional
        1.0, 0.0 or NaN.
    members : scipy.sparse.csr_array of bool, (n_rows, n_groups)
        The groups that are held against each other.
    weights : numpy.ndarray, (n_rows,), optional
        For how many rows each speaks.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    n_resamples, seed : int
        Of the bootstrap.
    """
    judged = Judged(decisions, decisions, labels)
    resampling = Resampling(clusters, None, n_resamples, seed)
    weight = np.ones(len(decisions)) if weights is None else weights
    if weights is None:
        # Of a million rows there are few kinds.
        few = gathered(judged, members, clusters, n_resamples, seed)
        judged, members, resampling = few.judged, few.members, few.resampling
        if resampling.multiplicity is not None:
            weight = resampling.multiplicity.astype(np.float64)
        else:
            weight = np.ones(len(judged))
    by_name = {measure.name: measure for measure in CLASSIFICATION}
    wanted = ["selection_rate"] if labels is None else ["selection_rate", "tpr"]
    by_group = members.T.tocsr().astype(np.float64)
    columns: list[Any] = []
    for name in wanted:
        columns += [
            by_group.multiply((side * weight)[None]) for side in by_name[name].of_rows(judged)
        ]
    if labels is not None:
        columns += [
            scipy.sparse.csr_array((side * weight)[None])
            for side in by_name["accuracy"].of_rows(judged)
        ]
    stacked = scipy.sparse.vstack(columns, format="csr")
    n_groups = by_group.shape[0]
    drawn = _with_half_rows(resampling.sums(stacked), stacked, resampling, n_groups)
    sums = np.concatenate([np.asarray(stacked.sum(axis=1)).reshape(-1, 1), drawn], axis=1)
    accuracy = np.full(n_resamples + 1, np.nan)
    counts = None if clusters is None else resampling.n_independent(stacked)
    with np.errstate(invalid="ignore", divide="ignore"):
        if labels is not None:
            accuracy = sums[-2] / sums[-1]
        found = {}
        for gap, measure in MEASURES.items():
            if measure in wanted:
                start = 2 * n_groups * wanted.index(measure)
                top = sums[start : start + n_groups]
                rates = top / sums[start + n_groups : start + 2 * n_groups]
                spread = _spread(rates)
                behind: tuple[int | None, int | None] = (None, None)
                if counts is not None:
                    fewest = counts[start + n_groups : start + 2 * n_groups].min()
                    behind = (int(fewest), int(counts[-1]))
                found[gap] = Effect(spread[0], accuracy[0], spread[1:], accuracy[1:], *behind)
    return found


def _with_half_rows(
    sums: FloatArray, columns: scipy.sparse.csr_array, resampling: Resampling, n_groups: int
) -> FloatArray:
    """Return the sums with half an independent row of either kind added to each quotient."""
    up, down = half_rows(len(sums) // 2 + 1, sums.shape[1], resampling.seed + 2)
    added = sums.copy()
    start = number = 0
    while start < len(sums):
        size = n_groups if len(sums) - start >= 2 * n_groups and start % (2 * n_groups) == 0 else 1
        above, below = slice(start, start + size), slice(start + size, start + 2 * size)
        per_row = np.ones(size)
        if resampling.clusters is not None:
            n_rows = np.maximum(np.asarray(columns[below].sum(axis=1)).ravel(), 1e-9)
            share = np.asarray(columns[above].sum(axis=1)).ravel() / n_rows
            n_clusters = resampling.n_independent(columns[below])
            with np.errstate(invalid="ignore", divide="ignore"):
                drawn = np.nan_to_num(sums[above] / sums[below])
            per_row = rows_per_independent(
                resampled_variance(drawn, n_clusters),
                share * (1 - share) / n_rows,
                n_rows,
                n_clusters,
            )
        own = slice(number, number + size)
        added[above] += up[own] * per_row[:, None]
        added[below] += (up[own] + down[own]) * per_row[:, None]
        start, number = start + 2 * size, number + size
    return added


def _spread(rates: FloatArray) -> FloatArray:
    """Return the largest rate of a group less the smallest; groups without one are left out."""
    known = rates[np.isfinite(rates[:, 0])]
    if len(known) < 2:
        return np.full(rates.shape[1], np.nan)
    spread: FloatArray = np.nanmax(known, axis=0) - np.nanmin(known, axis=0)
    return spread


def folds_of(n_rows: int, clusters: IntArray | None, seed: int) -> IntArray:
    """Return 0 or 1 for every row ``(n_rows,)``; rows of a cluster are in the same half."""
    rng = np.random.default_rng(seed)
    if clusters is None:
        return rng.permutation(n_rows) % 2
    n_clusters = int(clusters.max(initial=-1)) + 1
    side: IntArray = (rng.permutation(n_clusters) % 2)[clusters]
    return side


def large_groups(
    members: scipy.sparse.csr_array, labels: FloatArray | None, least: int
) -> IntArray:
    """Return the groups with enough rows, of either label where there are labels."""
    sides: Sequence[Any] = (
        [np.ones(members.shape[0])] if labels is None else [labels == 1, labels == 0]
    )
    counts = np.stack([members.T @ np.asarray(side, dtype=np.float64) for side in sides])
    return np.flatnonzero((counts >= least).all(axis=0))
