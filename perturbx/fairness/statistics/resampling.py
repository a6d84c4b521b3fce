"""The Bayesian bootstrap over independent rows or clusters of rows.

Each resample weighs every cluster by an exponential random number (Rubin 1981, "The Bayesian
bootstrap"); for a share of independent rows, with half a row of either kind added, the quotient
then has exactly the distribution Beta(x + 1/2, n - x + 1/2), whose quantiles are Jeffreys'
interval. So a share of 10 in 10 has an interval, which a bootstrap of counts would not give it.
How much half a row is where rows are in clusters, `clustered_shares` tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from scipy.stats import norm
from scipy.stats import t as student_t

from perturbx.typing import FloatArray, IntArray

HELD_AT_ONCE = 4_000_000
"""Weights held at once."""

EXACT_ROWS = 50_000
"""Up to so many independent rows each gets its own weight; more are gathered, see `gathered`."""

FEW_CLUSTERS = 30


@dataclass(frozen=True, eq=False)
class Resampling:
    """How rows are resampled: which of them stand or fall together.

    Parameters
    ----------
    clusters : numpy.ndarray of int64, (n_rows,), optional
        The cluster of each row, 0, 1, ... without a gap; None: rows are independent.
    multiplicity : numpy.ndarray of int64, (n_rows,), optional
        How many equal independent rows each stands for; None: one.
    n_resamples : int
        How often.
    seed : int
        Of the random numbers.
    """

    clusters: IntArray | None
    multiplicity: IntArray | None
    n_resamples: int
    seed: int

    @cached_property
    def n_clusters(self) -> int:
        """The number of clusters, 0 where there are none."""
        return 0 if self.clusters is None else int(self.clusters.max(initial=-1)) + 1

    def weights(self, n_rows: int) -> Iterator[FloatArray]:
        """Yield the weights of all rows, ``(n_rows, n)`` a time, the same ones on every call.

        A row that stands for m rows has the sum of their weights divided by m.
        """
        rng = np.random.default_rng(self.seed)
        n_drawn = n_rows if self.clusters is None else self.n_clusters
        step = max(1, HELD_AT_ONCE // max(n_rows, 1))
        for start in range(0, self.n_resamples, step):
            n = min(step, self.n_resamples - start)
            if self.clusters is not None:
                yield rng.standard_exponential((n_drawn, n))[self.clusters]
            elif self.multiplicity is None:
                yield rng.standard_exponential((n_drawn, n))
            else:
                size = self.multiplicity[:, None].astype(np.float64)
                yield rng.standard_gamma(size, (n_drawn, n)) / size

    def sums(self, columns: scipy.sparse.csr_array) -> FloatArray:
        """Return weighted sums of columns.

        Parameters
        ----------
        columns : scipy.sparse.csr_array, (n_columns, n_rows)
            What each row adds, with its multiplicity.

        Returns
        -------
        numpy.ndarray, (n_columns, n_resamples)
        """
        n_rows = columns.shape[1]
        if self.clusters is not None:
            # Sums within clusters come first: there are fewer clusters than rows.
            member = scipy.sparse.csr_array(
                (np.ones(n_rows), (np.arange(n_rows), self.clusters)),
                shape=(n_rows, self.n_clusters),
            )
            columns = (columns @ member).tocsr()
            alone = Resampling(None, None, self.n_resamples, self.seed)
            return np.concatenate([columns @ w for w in alone.weights(self.n_clusters)], axis=1)
        return np.concatenate([columns @ w for w in self.weights(n_rows)], axis=1)

    def n_independent(self, used: scipy.sparse.csr_array) -> IntArray:
        """Return how many independent clusters (rows) have an entry in each row of `used`."""
        if self.clusters is None:
            counts = np.ones(used.shape[1]) if self.multiplicity is None else self.multiplicity
            pattern = used.copy()
            pattern.data = (pattern.data != 0).astype(np.float64)
            result: IntArray = np.rint(pattern @ counts).astype(np.int64)
            return result
        coo = used.tocoo()
        rows, columns = coo.coords
        real = coo.data != 0
        pairs = np.unique(
            rows[real].astype(np.int64) * max(self.n_clusters, 1) + self.clusters[columns[real]]
        )
        return np.bincount(pairs // max(self.n_clusters, 1), minlength=used.shape[0])


def half_rows(n: int, n_resamples: int, seed: int) -> FloatArray:
    """Return the weights of half a row of either kind, ``(2, n, n_resamples)``: Gamma(1/2)."""
    return np.random.default_rng(seed).standard_gamma(0.5, (2, n, n_resamples))


def limits(
    draws: FloatArray,
    values: FloatArray,
    level: float,
    n_clusters: IntArray | None = None,
    *,
    largest: FloatArray | float = np.inf,
    smallest: FloatArray | float = -np.inf,
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of equal-tailed intervals that hold the values themselves.

    Parameters
    ----------
    draws : numpy.ndarray, (..., n_resamples)
        Resampled values.
    values : numpy.ndarray, (...)
        The values.
    level : float
        The confidence level.
    n_clusters : numpy.ndarray of int, (...), optional
        How many clusters stand behind each. Below 30, resampled values are too few to tell more
        than their spread, which tells too little itself: the interval is the value and Student's t
        times the standard error; above, ends are moved out by the same ratio.
    largest, smallest : float or numpy.ndarray, (...)
        What no value can exceed; the ends are cut there.

    Returns
    -------
    low, high : numpy.ndarray, (...)
        NaN where a value is, or where a single cluster stands behind it.
    """
    ends = np.full((2, *values.shape), np.nan)
    known = np.isfinite(values) & np.isfinite(draws).all(axis=-1)
    tails = [(1 - level) / 2, (1 + level) / 2]
    ends[:, known] = np.quantile(draws[known], tails, axis=-1)
    if n_clusters is not None:
        count = np.maximum(n_clusters, 2)
        # The variance of a Bayesian bootstrap of C clusters is (C - 1) / (C + 1) of the unbiased.
        factor = student_t.ppf(tails[1], count - 1) * np.sqrt((count + 1) / (count - 1))
        spread, middle = np.full((2, *values.shape), np.nan)
        spread[known] = draws[known].std(axis=-1)
        middle[known] = np.median(draws[known], axis=-1)
        ends = np.where(
            count < FEW_CLUSTERS,
            np.stack([values - factor * spread, values + factor * spread]),
            middle + (ends - middle) * factor / norm.ppf(tails[1]),
        )
        ends[:, n_clusters < 2] = np.nan
    low = np.maximum(np.minimum(ends[0], values), smallest)
    return low, np.minimum(np.maximum(ends[1], values), largest)
