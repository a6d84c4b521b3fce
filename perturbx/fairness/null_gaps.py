"""Gaps where there are none: of groups dealt at random, or resampled and moved to zero."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from perturbx.fairness.grouping import Attribute
from perturbx.fairness.statistics.auc import AUCS
from perturbx.fairness.statistics.measures import Judged, measures_of
from perturbx.fairness.statistics.permutation import exchange_of, permuted_sums
from perturbx.fairness.statistics.permuted_auc import permuted_aucs
from perturbx.typing import FloatArray, IntArray

PERMUTED_UP_TO: Final = 30_000
"""With more rows, p-values come from the bootstrap, whose distributions are normal by then."""


HARDLY: Final = 0.5
"""Of the spread of a resampled gap: permutations that vary less leave most of it as it is."""


@dataclass(frozen=True, eq=False)
class NullGaps:
    """Gaps of groups dealt at random.

    Two groups are held against each other by dealing their own rows only: with all others among
    them, the null distribution would be that of other rows (texts of no group that are hardly ever
    selected, say, where every permuted gap is 0). AUCs look at the background, too, and deal all.

    Parameters
    ----------
    judged : Judged
        What was said of the rows.
    attribute : Attribute
        The groups.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    names : frozenset of str
        The measures that are wanted.
    n, seed : int
        How often, and of which random numbers.
    """

    judged: Judged
    attribute: Attribute
    clusters: IntArray | None
    names: frozenset[str]
    n: int
    seed: int

    def of_pair(self, measure: str, pair: tuple[int, int]) -> FloatArray:
        """Return differences ``(n,)`` of two groups; the last one is everyone."""
        a, b = pair
        if measure in AUCS:
            return _difference(self._aucs[measure], a, b)
        if len(self.attribute.groups) in pair:
            return _difference(self._of_all[measure], a, b)
        dealt = self._of_pairs.get(pair)
        if dealt is None:
            dealt = self._of_pairs[pair] = self._dealt([a, b])
        return _difference(dealt[measure], 0, 1)

    def of_extremes(
        self, measure: str, pair: tuple[int, int], known: Any
    ) -> tuple[FloatArray, FloatArray]:
        """Return differences of a pair, and of the highest and lowest of the groups ``known``.

        Both ``(n,)``, from one deal of the rows of all groups.
        """
        found = (self._aucs if measure in AUCS else self._of_grouped)[measure]
        inner = found[:-1][known]
        return _difference(found, *pair), np.asarray(inner.max(axis=0) - inner.min(axis=0))

    @cached_property
    def _of_pairs(self) -> dict[tuple[int, int], dict[str, FloatArray]]:
        return {}

    @cached_property
    def _of_all(self) -> dict[str, FloatArray]:
        return self._dealt_all(self.names - set(AUCS))

    @cached_property
    def _aucs(self) -> dict[str, FloatArray]:
        return self._dealt_all(self.names & set(AUCS))

    @cached_property
    def _of_grouped(self) -> dict[str, FloatArray]:
        return self._dealt(list(range(len(self.attribute.groups))))

    def _dealt_all(self, names: Set[str]) -> dict[str, FloatArray]:
        return permuted_measures(
            self.judged, self.attribute, self.clusters, names, n=self.n, seed=self.seed
        )

    def _dealt(self, groups: list[int]) -> dict[str, FloatArray]:
        """Return measures of some groups that are dealt the rows of these only."""
        members = self.attribute.members[:, groups].tocsr()
        rows = np.flatnonzero(np.diff(members.indptr))
        clusters = self.clusters
        if clusters is not None:
            clusters = np.unique(clusters[rows], return_inverse=True)[1].ravel()
        names = tuple(self.attribute.groups[group] for group in groups)
        return permuted_measures(
            self.judged.rows(rows),
            Attribute(self.attribute.name, names, members[rows].tocsr()),
            clusters,
            self.names - set(AUCS),
            n=self.n,
            seed=int(np.random.SeedSequence([self.seed, *groups]).generate_state(1)[0]),
        )


def _difference(found: FloatArray, a: int, b: int) -> FloatArray:
    difference: FloatArray = found[a] - found[b]
    return difference


def permuted_measures(
    judged: Judged,
    attribute: Attribute,
    clusters: IntArray | None,
    names: Set[str],
    *,
    n: int,
    seed: int,
) -> dict[str, FloatArray]:
    """Return measures of groups dealt at random.

    Parameters
    ----------
    judged : Judged
        What was said of the rows.
    attribute : Attribute
        The groups.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    names : set of str
        The measures that are wanted.
    n, seed : int
        How often, and of which random numbers.

    Returns
    -------
    dict
        For each measure ``(n_groups + 1, n)``; the last group is everyone.
    """
    wanted = [m for m in measures_of(judged) if m.name in names]
    found: dict[str, FloatArray] = {}
    for given_labels in (False, True):
        some = [m for m in wanted if m.given_labels == given_labels]
        if not some:
            continue
        labels = judged.labels if given_labels else None
        exchange = exchange_of(attribute.members, clusters, labels)
        columns = np.stack([column for measure in some for column in measure.of_rows(judged)])
        sums = permuted_sums(columns, attribute.members, exchange, n, seed + given_labels)
        whole = np.repeat(columns.sum(axis=1)[:, None, None], n, axis=2)
        sums = np.concatenate([sums, whole], axis=1).reshape(len(some), 2, -1, n)
        with np.errstate(invalid="ignore", divide="ignore"):
            found |= {m.name: s[0] / s[1] for m, s in zip(some, sums, strict=True)}
    if judged.is_binary and judged.labels is not None and names >= set(AUCS):
        exchange = exchange_of(attribute.members, clusters, judged.labels)
        aucs = permuted_aucs(
            judged.scores, judged.labels, attribute.members, exchange, n, seed + True
        )
        found |= dict(zip(AUCS, aucs, strict=True))
    return found


def centred(draws: FloatArray, n: int) -> FloatArray:
    """Return resampled values less their means, as many as there are permutations.

    Every other draw is turned round: where there is no gap, neither side is the likelier one, and
    the skewness of a gap that is there would be counted in its favour.

    Examples
    --------
    >>> centred(np.array([[1.0, 3.0]]), 4)
    array([[-1., -1.,  1.,  1.]])
    """
    count = draws.shape[1]
    if not count:
        return np.full((len(draws), n), np.nan)
    with np.errstate(invalid="ignore"):
        moved: FloatArray = draws - draws.mean(axis=1, keepdims=True)
    times, place = np.divmod(np.arange(n), count)
    return moved[:, place] * np.where((place + times) % 2 == 0, 1.0, -1.0)


def is_hardly_dealt(null: FloatArray, draws: FloatArray) -> bool:
    """Say whether gaps of groups dealt at random vary much less than the gap does.

    Rows are exchanged within clusters. Where groups stand in different clusters, little can be
    dealt, and the difference of these clusters stays; no permutation tests that.

    Parameters
    ----------
    null, draws : numpy.ndarray, (n_draws,)
        A gap of groups dealt at random, and resampled.

    Examples
    --------
    >>> resampled = np.array([-3.0, 1.0, 5.0])
    >>> is_hardly_dealt(np.array([0.9, 1.1, 1.0]), resampled)
    True
    >>> is_hardly_dealt(np.array([-2.0, 2.0, 0.0]), resampled)
    False
    """
    dealt, drawn = null[np.isfinite(null)], draws[np.isfinite(draws)]
    if not len(dealt) or not len(drawn):
        return False
    return bool(dealt.std() < HARDLY * drawn.std())


def nearest_to_none(value: float, middle: float) -> float:
    """Return a gap moved to where its distance from `middle` is what may be tested.

    A gap is told as a distance from 0. Groups that stand in different clusters are `middle` apart
    however their rows are dealt, and permutations test the distance from there. The smaller of the
    two counts: what comes from the clusters alone is no gap of the groups, and what is near 0 as
    it is told is none either.

    Parameters
    ----------
    value : float
        A gap.
    middle : float
        Its mean over groups dealt at random.

    Returns
    -------
    float
        A value as far from `middle` as is tested.

    Examples
    --------
    >>> nearest_to_none(0.5, 0.25), nearest_to_none(0.5, -0.25), nearest_to_none(0.125, 0.25)
    (0.5, 0.25, 0.25)
    """
    if not value * (value - middle) > 0:
        return middle if np.isfinite(value) else value
    return float(middle + np.sign(value) * min(abs(value), abs(value - middle)))


def widening(
    draws: FloatArray, null: FloatArray, n_clusters: int | None, *, is_permuted: bool
) -> float:
    """Return by how much a null distribution must be wider to be no narrower than the resampled.

    Permutations mix rows that may vary more in one group than in the other; where the smaller group
    varies more, permuted gaps vary too little (Chung & Romano 2013, "Exact and asymptotically
    robust permutation tests"). A null distribution that is the resampled one is widened for few
    clusters as its interval is.

    Parameters
    ----------
    draws, null : numpy.ndarray, (n_draws,)
        A gap resampled, and where there is none.
    n_clusters : int, optional
        Clusters behind it.
    is_permuted : bool
        Null values come from permutations, not from the bootstrap.

    Examples
    --------
    >>> widening(np.array([1.0, 3.0]), np.array([-0.5, 0.5]), None, is_permuted=True)
    2.0
    """
    drawn, known = draws[np.isfinite(draws)], null[np.isfinite(null)]
    if not len(drawn) or not len(known):
        return 1.0
    exact = few = 1.0
    if n_clusters is not None:
        # See `limits`: what the bootstrap of few clusters lacks.
        count = max(n_clusters, 2)
        exact = float(np.sqrt((count + 1) / (count - 1)))
        few = exact * float(student_t.ppf(0.975, count - 1) / norm.ppf(0.975))
    if not is_permuted:
        return few
    size = float(known.std())
    return max(1.0, exact * float(drawn.std()) / size) if size > 0 else 1.0
