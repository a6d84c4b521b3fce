"""The measures of every group with their intervals: fairlearn's numbers, resampled by us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.sparse

from perturbx.fairness.fairlearn_values import fairlearn_values
from perturbx.fairness.grouping import EVERYONE, Attribute, with_everyone
from perturbx.fairness.statistics.auc import AUCS, GroupAucs, generalised_mean
from perturbx.fairness.statistics.clustered_shares import ClusteredShares
from perturbx.fairness.statistics.measures import Judged, Measure, measures_of
from perturbx.fairness.statistics.permutation import membership_patterns
from perturbx.fairness.statistics.resampling import (
    EXACT_ROWS,
    Resampling,
    half_rows,
)
from perturbx.typing import FloatArray, IntArray

OVERALL: Final = ("fped", "fned", *(f"{name}_mean" for name in AUCS))
"""What sums up all groups: the equality differences of Dixon et al. 2018 ("Measuring and mitigating
unintended bias in text classification"), sum over groups of |FPR - FPR of the group| and of FNR,
and the generalised means of the AUCs."""

MANY: Final = 10**9
"""So many independent rows that an interval is that of the bootstrap."""


@dataclass(frozen=True, eq=False)
class GroupMeasures:
    """All measures of the groups of one attribute, for one outcome.

    Parameters
    ----------
    names : tuple of str
        The measures.
    groups : tuple of str
        The groups; the last one is everyone.
    values : numpy.ndarray, (n_measures, n_groups)
        NaN where a measure has no value, or stands on fewer rows than are enough.
    draws : numpy.ndarray, (n_measures, n_groups, n_resamples)
        The same, resampled.
    n : numpy.ndarray of int64, (n_measures, n_groups)
        The rows behind each.
    n_clusters : numpy.ndarray of int64, (n_measures, n_groups)
        The clusters behind each; where rows are independent, the rows behind each mean, and
        `MANY` behind each share: half rows give it an exact interval.
    bounds : numpy.ndarray, (n_measures, 2)
        What each can be at least and at most.
    too_few : numpy.ndarray of bool, (n_measures, n_groups)
        Where fewer rows than are enough stand behind it.
    overall : mapping of str to (value, draws)
        What sums up all groups.
    clustered : ClusteredShares, optional
        The measures without half rows; None where rows are independent.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    values: FloatArray
    draws: FloatArray
    n: IntArray
    n_clusters: IntArray
    bounds: FloatArray
    too_few: np.typing.NDArray[np.bool_]
    overall: Mapping[str, tuple[float, FloatArray]]
    clustered: ClusteredShares | None = None

    def of_two(self, first: tuple[int, int], second: tuple[int, int]) -> FloatArray:
        """Return two resampled measures that are held against each other, ``(2, n_resamples)``.

        Half an independent row, which shares have in `draws`, is that of the difference here.

        Parameters
        ----------
        first, second : (int, int)
            Measure and group.
        """
        return _of_two(self.draws, self.clustered, first, second)

    def resampled_only(self, first: tuple[int, int], second: tuple[int, int]) -> FloatArray:
        """Return the same as `of_two` without what half a row adds where rows are in clusters."""
        draws = self.draws if self.clustered is None else self.clustered.draws
        return np.stack([draws[first], draws[second]])


def measure_groups(
    judged: Judged,
    attribute: Attribute,
    clusters: IntArray | None,
    *,
    n_resamples: int,
    seed: int,
    min_group_size: int,
) -> GroupMeasures:
    """Return every measure of every group.

    Parameters
    ----------
    judged : Judged
        What the model said, and what is true.
    attribute : Attribute
        The groups.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    n_resamples, seed : int
        Of the bootstrap.
    min_group_size : int
        Below so many rows a measure has no value.
    """
    members = with_everyone(attribute.members)
    groups = (*attribute.groups, EVERYONE)
    measures = measures_of(judged)
    few = gathered(judged, members, clusters, n_resamples, seed)
    values = fairlearn_values(judged, groups, members, measures)
    # Measure by measure: of a million rows there is no room for all of them at once.
    n = np.stack([np.rint(members.T @ m.of_rows(judged)[1]).astype(np.int64) for m in measures])
    draws = _resampled_quotients(measures, few.judged, few.members, few.resampling)
    is_share = np.array([measure.is_share for measure in measures])
    n_clusters = np.where([[measure.is_share] for measure in measures], MANY, n)
    if clusters is not None:
        plain = Resampling(clusters, None, n_resamples, seed)
        n_clusters = np.stack(
            [
                plain.n_independent(members.T.multiply(m.of_rows(judged)[1][None]).tocsr())
                for m in measures
            ]
        )
    names = tuple(measure.name for measure in measures)
    enough, behind = n, n_clusters
    if judged.is_binary:
        aucs = GroupAucs(judged.scores, _of(judged.labels), _rows_of(members))
        quick = GroupAucs(
            few.judged.scores,
            _of(few.judged.labels),
            _rows_of(few.members),
            few.resampling.multiplicity,
        )
        rows, rarer = aucs.counts()
        values = np.concatenate([values, aucs.values().T])
        draws = np.concatenate([draws, quick.resampled(few.resampling).transpose(1, 0, 2)])
        is_share = np.concatenate([is_share, np.ones(len(AUCS), dtype=bool)])
        n, enough = np.concatenate([n, rows.T]), np.concatenate([n, rarer.T])
        labelled = names.index("base_rate")
        n_clusters = np.concatenate([n_clusters, np.repeat(n_clusters[[labelled]], 3, axis=0)])
        if clusters is not None:
            behind = np.concatenate([behind, aucs.rarer_clusters(clusters).T])
        names = (*names, *AUCS)
    clustered = None
    if clusters is not None:
        clustered = ClusteredShares(values, draws, enough, behind, is_share, seed + 2)
        draws = clustered.each()
    too_few = enough < min_group_size
    values = np.where(too_few, np.nan, values)
    draws = np.where(too_few[:, :, None], np.nan, draws)
    return GroupMeasures(
        names,
        groups,
        values,
        draws,
        n,
        n_clusters,
        np.array([_bounds(name, measures, judged) for name in names]),
        too_few,
        _overall(names, values, draws, clustered),
        clustered,
    )


def _bounds(name: str, measures: tuple[Measure, ...], judged: Judged) -> tuple[float, float]:
    """Return what a measure can be at least and at most."""
    shares = {measure.name for measure in measures if measure.is_share} | set(AUCS)
    if name in shares or (judged.is_probability and name in ("mean_score", "brier_score")):
        return 0.0, 1.0
    return (-1.0, 1.0) if name == "calibration" else (-np.inf, np.inf)


def _of(labels: FloatArray | None) -> FloatArray:
    assert labels is not None
    return labels


def _rows_of(members: scipy.sparse.csr_array) -> list[IntArray]:
    by_group = members.tocsc()
    return [
        by_group.indices[start:stop].astype(np.int64)
        for start, stop in zip(by_group.indptr[:-1], by_group.indptr[1:], strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Gathered:
    judged: Judged
    members: scipy.sparse.csr_array
    resampling: Resampling


def gathered(
    judged: Judged,
    members: scipy.sparse.csr_array,
    clusters: IntArray | None,
    n_resamples: int,
    seed: int,
) -> _Gathered:
    """Return rows for resampling: as they are, or many independent ones gathered into few.

    Of a million independent rows, those of equal groups, labels and decisions and of nearly the
    same score (one of so many quantiles that 50,000 rows are left) count as one, several times
    over: sums over decisions and labels stay exact, scores become means of neighbours.
    """
    n_rows = len(judged)
    if clusters is not None or n_rows <= EXACT_ROWS:
        return _Gathered(judged, members, Resampling(clusters, None, n_resamples, seed))
    key = membership_patterns(members)
    for column in (judged.labels, judged.decisions):
        if column is not None and judged.decisions is not None:
            key = np.unique(
                np.stack([key, np.nan_to_num(column, nan=-1.0).astype(np.int64)]),
                axis=1,
                return_inverse=True,
            )[1].ravel()
    n_bins = max(EXACT_ROWS // (int(key.max()) + 1), 16)
    edges = np.unique(np.quantile(judged.scores, np.linspace(0, 1, n_bins + 1)[1:-1]))
    bins = np.searchsorted(edges, judged.scores)
    if judged.decisions is None and judged.labels is not None:
        # A regression's labels are as many as its scores: both are binned.
        known = np.isfinite(judged.labels)
        cuts = np.unique(np.quantile(judged.labels[known], np.linspace(0, 1, 65)[1:-1]))
        # Rows without a label keep apart: their mean with others would be none.
        own = np.where(known, np.searchsorted(cuts, judged.labels), len(cuts) + 1)
        bins = bins * (len(cuts) + 2) + own
    atom, first, number, size = np.unique(
        key * (int(bins.max()) + 1) + bins,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    number = number.ravel()

    def mean(column: FloatArray | None) -> FloatArray | None:
        if column is None:
            return None
        means: FloatArray = np.bincount(number, weights=column, minlength=len(atom)) / size
        return means

    scores = mean(judged.scores)
    assert scores is not None
    return _Gathered(
        replace(
            judged, scores=scores, decisions=mean(judged.decisions), labels=mean(judged.labels)
        ),
        members[first].tocsr(),
        Resampling(None, size.astype(np.int64), n_resamples, seed),
    )


def _resampled_quotients(
    measures: tuple[Measure, ...],
    judged: Judged,
    members: scipy.sparse.csr_array,
    resampling: Resampling,
) -> FloatArray:
    """Return the resampled measures, ``(n_measures, n_groups, n_resamples)``.

    Shares of independent rows with half a row of either kind; for those of clusters see
    `ClusteredShares`.
    """
    by_group = members.T.tocsr().astype(np.float64)
    size = 1.0 if resampling.multiplicity is None else resampling.multiplicity
    terms = [[column * size for column in measure.of_rows(judged)] for measure in measures]
    below_line = [by_group.multiply(below[None]).tocsr() for _, below in terms]
    above_line = [by_group.multiply(above[None]).tocsr() for above, _ in terms]
    sums = resampling.sums(scipy.sparse.vstack([*above_line, *below_line], format="csr"))
    shape = (2, len(measures), by_group.shape[0], resampling.n_resamples)
    top, bottom = sums.reshape(shape)
    if resampling.clusters is None:
        up, down = half_rows(shape[1] * shape[2], shape[3], resampling.seed + 2).reshape(shape)
        shares = np.flatnonzero([measure.is_share for measure in measures])
        top[shares] += up[shares]
        bottom[shares] += up[shares] + down[shares]
    with np.errstate(invalid="ignore", divide="ignore"):
        quotients: FloatArray = top / bottom
    return quotients


def _of_two(
    draws: FloatArray,
    clustered: ClusteredShares | None,
    first: tuple[int, int],
    second: tuple[int, int],
) -> FloatArray:
    if clustered is None:
        return np.stack([draws[first], draws[second]])
    is_part = first[0] == second[0] and second[1] == draws.shape[1] - 1
    return clustered.of_two(first, second, is_part=is_part)


def _overall(
    names: tuple[str, ...],
    values: FloatArray,
    draws: FloatArray,
    clustered: ClusteredShares | None,
) -> dict[str, tuple[float, FloatArray]]:
    """Return what sums up all groups, with its resampled values; groups without a value are out."""
    found: dict[str, tuple[float, FloatArray]] = {}
    for name, rate in (("fped", "fpr"), ("fned", "fnr")):
        if rate in names:
            at = names.index(rate)
            known = np.isfinite(values[at, :-1])
            if known.any() and np.isfinite(values[at, -1]):
                parts = values[at, :-1][known] - values[at, -1]
                everyone = (at, values.shape[1] - 1)
                pairs = [
                    _of_two(draws, clustered, (at, int(group)), everyone)
                    for group in np.flatnonzero(known)
                ]
                spread = np.stack([own - whole for own, whole in pairs])
                # With the signs of the values: noise has a size, too, and would be added up.
                found[name] = (float(np.abs(parts).sum()), np.sign(parts) @ spread)
    for auc in AUCS:
        if auc in names:
            at = names.index(auc)
            known = np.isfinite(values[at, :-1])
            if known.any():
                found[f"{auc}_mean"] = (
                    float(generalised_mean(values[at, :-1][known])),
                    generalised_mean(draws[at, :-1][known]),
                )
    return found
