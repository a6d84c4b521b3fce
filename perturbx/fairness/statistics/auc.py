"""AUCs of groups, plain and against the background, for every resample at once.

For a group g with its complement as the background (Borkan et al. 2019, "Nuanced metrics for
measuring unintended bias with real data for text classification"):

- subgroup AUC: positives of g against negatives of g;
- BPSN AUC: positives of the background against negatives of g (low: negatives of g score high);
- BNSP AUC: positives of g against negatives of the background (low: positives of g score low).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from perturbx.fairness.statistics.resampling import Resampling, half_rows
from perturbx.typing import FloatArray, IntArray

AUCS: Final = ("subgroup_auc", "bpsn_auc", "bnsp_auc")

GENERALISED_MEAN_POWER: Final = -5.0
"""The power of the mean over groups (Borkan et al. 2019): close to the worst of them."""


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Rows in the order of their scores."""

    rows: IntArray
    scores: FloatArray

    @classmethod
    def of(cls, rows: IntArray, scores: FloatArray) -> _Sorted:
        order = np.argsort(scores[rows], kind="stable")
        return cls(rows[order], scores[rows][order])

    def below(self, scores: FloatArray) -> tuple[IntArray, IntArray]:
        """Return how many rows score less, and how many at most as much, as each of `scores`."""
        return (
            np.searchsorted(self.scores, scores, "left"),
            np.searchsorted(self.scores, scores, "right"),
        )


def _cumulated(weights: FloatArray, rows: IntArray) -> FloatArray:
    """Return sums of the weights of the first 0, 1, ... rows, ``(n_rows + 1, n)``."""
    sums = np.zeros((len(rows) + 1, weights.shape[1]))
    np.cumsum(weights[rows], axis=0, out=sums[1:])
    return sums


@dataclass(frozen=True, eq=False)
class GroupAucs:
    """The AUCs of several groups.

    Parameters
    ----------
    scores, labels : numpy.ndarray, (n_rows,)
        Labels are 1.0, 0.0 or NaN; rows without a label count nowhere.
    members : sequence of numpy.ndarray of int64
        The rows of each group. An empty complement has no BPSN and BNSP AUC.
    multiplicity : numpy.ndarray of int64, (n_rows,), optional
        How many equal rows each stands for; None: one.
    """

    scores: FloatArray
    labels: FloatArray
    members: Sequence[IntArray]
    multiplicity: IntArray | None = None

    def values(self) -> FloatArray:
        """Return the AUCs, ``(n_groups, 3)`` in the order of `AUCS`; NaN where there is none."""
        return self._of(np.ones((len(self.scores), 1)))[:, :, 0]

    def counts(self) -> tuple[IntArray, IntArray]:
        """Return the rows behind each: all of them, and those of the rarer side, ``(n_groups, 3)``.

        An AUC tells as little as the fewer of its positives and negatives do.
        """
        size = (
            np.ones(len(self.labels), np.int64) if self.multiplicity is None else self.multiplicity
        )
        positive, negative = size * (self.labels == 1), size * (self.labels == 0)
        own_p = np.array([int(positive[rows].sum()) for rows in self.members])
        own_n = np.array([int(negative[rows].sum()) for rows in self.members])
        rest_p, rest_n = int(positive.sum()) - own_p, int(negative.sum()) - own_n
        sides = np.array([[own_p, own_n], [rest_p, own_n], [own_p, rest_n]])
        return sides.sum(axis=1).T, sides.min(axis=1).T

    def resampled(self, resampling: Resampling) -> FloatArray:
        """Return the AUCs of every resample, ``(n_groups, 3, n_resamples)``.

        Half a pair in order and half a pair out of order are added to as many independent pairs
        as the rarer side has rows, as half a row is to a share. Where rows are in clusters nothing
        is added here; see `ClusteredShares`.
        """
        draws = np.concatenate(
            [self._of(weights) for weights in resampling.weights(len(self.scores))], axis=2
        )
        if resampling.clusters is not None:
            return draws
        fewer = self.counts()[1][:, :, None].astype(np.float64)
        up, down = half_rows(draws.shape[0] * 3, draws.shape[2], resampling.seed + 1)
        up, down = up.reshape(draws.shape), down.reshape(draws.shape)
        with np.errstate(invalid="ignore"):
            mixed: FloatArray = (fewer * draws + up) / (fewer + up + down)
        return mixed

    def rarer_clusters(self, clusters: IntArray) -> IntArray:
        """Return the clusters of the rarer side of each, ``(n_groups, 3)``."""
        sides = [
            [
                [
                    len(np.unique(clusters[rows[self.labels[rows] == side]]))
                    for rows in (own, np.setdiff1d(np.arange(len(self.labels)), own))
                ]
                for side in (1, 0)
            ]
            for own in self.members
        ]
        counts = np.array(sides, dtype=np.int64).reshape(-1, 2, 2)
        own_p, rest_p, own_n, rest_n = counts.reshape(-1, 4).T
        rarer = [np.minimum(own_p, own_n), np.minimum(rest_p, own_n), np.minimum(own_p, rest_n)]
        return np.stack(rarer, axis=1)

    def _of(self, weights: FloatArray) -> FloatArray:
        """Return the AUCs for each column of weights, ``(n_groups, 3, n)``."""
        if self.multiplicity is not None:
            weights = weights * self.multiplicity[:, None]
        positive, negative = (np.flatnonzero(self.labels == side) for side in (1, 0))
        every_p = _Sorted.of(positive, self.scores)
        every_n = _Sorted.of(negative, self.scores)
        sums_p, sums_n = _cumulated(weights, every_p.rows), _cumulated(weights, every_n.rows)
        found: FloatArray = np.full((len(self.members), 3, weights.shape[1]), np.nan)
        for number, rows in enumerate(self.members):
            own_p = _Sorted.of(rows[self.labels[rows] == 1], self.scores)
            own_n = _Sorted.of(rows[self.labels[rows] == 0], self.scores)
            own_sums_n = _cumulated(weights, own_n.rows)
            w_p, w_n = weights[own_p.rows], weights[own_n.rows]
            total_p, total_n = w_p.sum(axis=0), w_n.sum(axis=0)
            # The weight of the pairs in order, ties by half.
            own = _won(w_p, own_sums_n, own_n.below(own_p.scores))
            positives_win = total_n * sums_p[-1] - _won(w_n, sums_p, every_p.below(own_n.scores))
            negatives_lose = _won(w_p, sums_n, every_n.below(own_p.scores))
            with np.errstate(invalid="ignore", divide="ignore"):
                found[number, 0] = own / (total_p * total_n)
                found[number, 1] = (positives_win - own) / _rest(sums_p, total_p) / total_n
                found[number, 2] = (negatives_lose - own) / _rest(sums_n, total_n) / total_p
        found[~np.isfinite(found)] = np.nan
        # Differences of sums can leave the interval by a rounding error.
        clipped: FloatArray = np.clip(found, 0.0, 1.0)
        return clipped


def _rest(sums: FloatArray, own: FloatArray) -> FloatArray:
    """Return the weight of the background; a rounding error of it is none."""
    rest: FloatArray = sums[-1] - own
    return np.where(rest > 1e-9 * np.maximum(sums[-1], 1e-300), rest, np.nan)


def _won(weights: FloatArray, sums: FloatArray, below: tuple[IntArray, IntArray]) -> FloatArray:
    """Return the weight of pairs of each row with those that score less, half of the ties."""
    less, at_most = below
    won: FloatArray = np.einsum("rn,rn->n", weights, 0.5 * (sums[less] + sums[at_most]))
    return won


def generalised_mean(values: FloatArray, power: float = GENERALISED_MEAN_POWER) -> FloatArray:
    """Return the power mean over the first axis, NaN left out: ``mean(v ** p) ** (1 / p)``.

    Examples
    --------
    >>> round(float(generalised_mean(np.array([0.9, 0.9, 0.5]))), 3)
    0.61
    """
    known = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(known, np.where(known, values, 1.0) ** power, 0.0)
        mean: FloatArray = (powers.sum(axis=0) / known.sum(axis=0)) ** (1 / power)
    return mean
