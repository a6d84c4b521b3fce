"""Permutations of who belongs to which group, as far as the data let rows be exchanged.

Where no group differs from another, rows of the same label (and of the same cluster, where a
cluster has rows of several groups) can be exchanged; a cluster whose rows all belong to the same
groups, an author say, is exchanged as a whole with others of that kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from perturbx.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Exchange:
    """Which rows may take each other's groups.

    Parameters
    ----------
    blocks : numpy.ndarray of int64, (n_rows,)
        Rows of the same block are exchanged.
    whole : numpy.ndarray of int64, (n_rows,), optional
        The cluster of each row that moves as a whole, -1 for rows that move alone.
    """

    blocks: IntArray
    whole: IntArray | None = None

    def orders(self, n: int, rng: np.random.Generator) -> Iterator[IntArray]:
        """Yield `n` random vectors ``(n_rows,)``: the row whose groups each row takes."""
        n_rows = len(self.blocks)
        by_block = np.argsort(self.blocks, kind="stable")
        heads = None if self.whole is None else _first_rows(self.whole)
        for _ in range(n):
            key = rng.random(n_rows)
            order = np.empty(n_rows, dtype=np.int64)
            order[by_block] = np.lexsort((key, self.blocks))
            if heads is not None and self.whole is not None:
                moved = self.whole >= 0
                order[moved] = heads[rng.permutation(len(heads))][self.whole[moved]]
            yield order


def exchange_of(
    members: scipy.sparse.csr_array, clusters: IntArray | None, labels: FloatArray | None
) -> Exchange:
    """Return which rows may take each other's groups where the null hypothesis holds.

    Parameters
    ----------
    members : scipy.sparse.csr_array of bool, (n_rows, n_groups)
        Who belongs where.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        The cluster of each row.
    labels : numpy.ndarray, (n_rows,), optional
        Rows of different labels are not exchanged.
    """
    n_rows = members.shape[0]
    stratum = np.zeros(n_rows, dtype=np.int64)
    if labels is not None:
        stratum = np.unique(np.nan_to_num(labels, nan=-1.0), return_inverse=True)[1].ravel()
    if clusters is None:
        return Exchange(stratum)
    pattern = membership_patterns(members)
    n_clusters = int(clusters.max(initial=-1)) + 1
    low, high = np.full(n_clusters, pattern.max(initial=0)), np.zeros(n_clusters, dtype=np.int64)
    np.minimum.at(low, clusters, pattern)
    np.maximum.at(high, clusters, pattern)
    is_whole = low == high
    number = np.where(is_whole, np.cumsum(is_whole) - 1, -1)
    blocks = clusters * (int(stratum.max(initial=0)) + 1) + stratum
    return Exchange(blocks, number[clusters] if is_whole.any() else None)


def membership_patterns(members: scipy.sparse.csr_array) -> IntArray:
    """Return a number per row, equal where rows belong to the same groups, ``(n_rows,)``."""
    # Whole numbers that wrap around: sums do not depend on the order in which groups are named.
    weights = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, members.shape[1])
    sums = members.astype(np.int64) @ weights
    return np.unique(sums, return_inverse=True)[1].ravel().astype(np.int64)


def permuted_sums(
    columns: FloatArray, members: scipy.sparse.csr_array, exchange: Exchange, n: int, seed: int
) -> FloatArray:
    """Return sums over the groups that rows are dealt to at random.

    Parameters
    ----------
    columns : numpy.ndarray, (n_columns, n_rows)
        What each row adds.
    members : scipy.sparse.csr_array of bool, (n_rows, n_groups)
        Who belongs where.
    exchange : Exchange
        Who may change places.
    n : int
        How often.
    seed : int
        Of the random numbers.

    Returns
    -------
    numpy.ndarray, (n_columns, n_groups, n)
    """
    numbers = members.astype(np.float64)
    n_groups = members.shape[1]
    sums = np.empty((len(columns), n_groups, n))
    rng = np.random.default_rng(seed)
    codes = _single_codes(members)
    for draw, order in enumerate(exchange.orders(n, rng)):
        if codes is None:
            sums[:, :, draw] = columns @ numbers[order]
            continue
        dealt = codes[order]
        for number, column in enumerate(columns):
            found = np.bincount(dealt, weights=column, minlength=n_groups + 1)
            sums[number, :, draw] = found[:n_groups]
    return sums


def _single_codes(members: scipy.sparse.csr_array) -> IntArray | None:
    """Return the only group of each row, ``n_groups`` for none; None where some have several."""
    n_rows, n_groups = members.shape
    per_row = np.diff(members.indptr)
    if per_row.max(initial=0) > 1:
        return None
    codes = np.full(n_rows, n_groups, dtype=np.int64)
    codes[per_row == 1] = members.indices
    return codes


def _first_rows(whole: IntArray) -> IntArray:
    """Return a row of each cluster that moves as a whole."""
    numbers, first = np.unique(whole, return_index=True)
    return first[numbers >= 0].astype(np.int64)


def adjusted_p_values(observed: FloatArray, null: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return p-values, and those adjusted so that any false finding has the stated probability.

    Parameters
    ----------
    observed : numpy.ndarray, (n_hypotheses,)
        The absolute values of standardised statistics; NaN where there is none.
    null : numpy.ndarray, (n_hypotheses, n_draws)
        The same where the null hypotheses hold, drawn together.

    Returns
    -------
    plain, adjusted : numpy.ndarray, (n_hypotheses,)
        ``(1 + #draws at least as large) / (1 + n_draws)``; adjusted by the step-down maximum
        (Westfall & Young 1993, "Resampling-based multiple testing", algorithm 2.8).
    """
    plain, adjusted = np.full((2, len(observed)), np.nan)
    known = np.flatnonzero(np.isfinite(observed))
    if not len(known):
        return plain, adjusted
    statistics, draws = observed[known], np.abs(null[known])
    # A tie that rounding breaks would count as a draw that is smaller.
    statistics = statistics * (1 - 1e-9)
    n_draws = draws.shape[1]
    plain[known] = (1 + (draws >= statistics[:, None]).sum(axis=1)) / (1 + n_draws)
    order = np.argsort(-statistics, kind="stable")
    # From the smallest statistic up: the maximum over all hypotheses not larger than it.
    largest = np.maximum.accumulate(draws[order][::-1], axis=0)[::-1]
    stepped = (1 + (largest >= statistics[order][:, None]).sum(axis=1)) / (1 + n_draws)
    adjusted[known[order]] = np.maximum.accumulate(stepped)
    return plain, adjusted
