"""The gaps between groups: how large, how sure, and how large one would have had to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from scipy.stats import norm

from perturbx.exceptions import ArgumentError
from perturbx.fairness.group_metrics import GroupMeasures
from perturbx.fairness.grouping import EVERYONE, Attribute, with_everyone
from perturbx.fairness.statistics.auc import AUCS
from perturbx.fairness.statistics.measures import Judged, measures_of
from perturbx.fairness.statistics.permutation import (
    adjusted_p_values,
    exchange_of,
    permuted_sums,
)
from perturbx.fairness.statistics.resampling import limits
from perturbx.typing import FloatArray, IntArray

MEASURE_OF_GAP: Final[Mapping[str, str]] = {
    "demographic_parity": "selection_rate",
    "equal_opportunity": "tpr",
    "fpr": "fpr",
    "fnr": "fnr",
    "accuracy": "accuracy",
    "subgroup_auc": "subgroup_auc",
    "bpsn_auc": "bpsn_auc",
    "bnsp_auc": "bnsp_auc",
    "mean_score": "mean_score",
    "mean_error": "mean_error",
    "mean_absolute_error": "mean_absolute_error",
}
"""A gap is the difference, or the quotient, of this measure in two groups."""

EQUALIZED_ODDS: Final = "equalized_odds"
"""The larger of the gaps in TPR and FPR, without its sign (Hardt et al. 2016, as in fairlearn)."""

NO_RATIO: Final = frozenset(("mean_error",))

ALL_PAIRS_UP_TO: Final = 6
"""More groups are compared with all rows, and the highest with the lowest."""

PERMUTED_UP_TO: Final = 100_000
"""With more rows, p-values come from the bootstrap, whose distributions are normal by then."""

POWER: Final = 0.8


@dataclass(frozen=True, eq=False)
class Comparison:
    """The groups of one attribute, for one outcome, ready to be compared.

    Parameters
    ----------
    attribute : Attribute
        The groups.
    outcome : str
        The outcome.
    judged : Judged
        What was said of the rows.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    measured : GroupMeasures
        The measures of the groups.
    pairs : tuple of (int, int)
        Which groups are compared; the last group is everyone.
    with_extremes : bool
        The highest and the lowest are compared as well.
    """

    attribute: Attribute
    outcome: str
    judged: Judged
    clusters: IntArray | None
    measured: GroupMeasures
    pairs: tuple[tuple[int, int], ...]
    with_extremes: bool


@dataclass(frozen=True, eq=False)
class _Hypothesis:
    """One difference: its value, its resampled values, and its values where there is none."""

    comparison: Comparison
    metric: str
    pair: tuple[int, int]
    value: float
    draws: FloatArray
    null: FloatArray

    @property
    def scale(self) -> float:
        """Its standard error where there is no difference."""
        known = self.null[np.isfinite(self.null)]
        return float(np.sqrt(np.mean(np.square(known)))) if len(known) else 0.0


def pairs_to_compare(
    attribute: Attribute, compare: str | Mapping[str, str]
) -> tuple[tuple[tuple[int, int], ...], bool]:
    """Return which groups are compared, and whether the extremes are as well.

    Parameters
    ----------
    attribute : Attribute
        The groups.
    compare : {"auto", "pairs", "all"} or str or mapping
        "pairs": each with each; "all": each with all rows, and the highest with the lowest;
        "auto": the former up to 6 groups; the name of a group (or a mapping from attributes to
        such names): each with that group.

    Raises
    ------
    ArgumentError
        There is no such group.
    """
    n = len(attribute.groups)
    wanted = compare if isinstance(compare, str) else compare.get(attribute.name, "auto")
    if wanted == "auto":
        wanted = "pairs" if n <= ALL_PAIRS_UP_TO else "all"
    if wanted == "pairs":
        return tuple(combinations(range(n), 2)), False
    if wanted == "all":
        return tuple((group, n) for group in range(n)), n > 2
    if wanted in attribute.groups:
        reference = attribute.groups.index(wanted)
        return tuple((group, reference) for group in range(n) if group != reference), False
    if isinstance(compare, str) and attribute.origin == "intersection":
        # A group of one attribute is none of an intersection.
        return pairs_to_compare(attribute, "auto")
    raise ArgumentError(
        f"compare: expected 'auto', 'pairs', 'all' or a group of {attribute.name!r} "
        f"({', '.join(attribute.groups[:12])}); got {wanted!r}"
    )


def gap_rows(
    comparisons: Sequence[Comparison], *, level: float, n_permutations: int, seed: int
) -> list[dict[str, Any]]:
    """Return a row for every gap of every comparison, with p-values adjusted over all of them."""
    hypotheses = [
        hypothesis
        for number, comparison in enumerate(comparisons)
        for hypothesis in _hypotheses(comparison, n_permutations, seed + number)
    ]
    scales = np.array([hypothesis.scale for hypothesis in hypotheses])
    values = np.array([hypothesis.value for hypothesis in hypotheses])
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.where(scales > 0, np.abs(values) / scales, np.nan)
        null = np.array([h.null / s for h, s in zip(hypotheses, scales, strict=True)])
    null = null.reshape(len(hypotheses), -1)
    plain, adjusted = adjusted_p_values(observed, np.where(np.isnan(null), np.inf, np.abs(null)))
    known = null[np.isfinite(observed)]
    critical = float(np.quantile(np.nanmax(np.abs(known), axis=0), level)) if len(known) else np.nan
    rows = []
    for i, hypothesis in enumerate(hypotheses):
        seen = scales[i] > 0 and np.isfinite(values[i])
        detectable = (critical + norm.ppf(POWER)) * scales[i] if seen else np.nan
        tested = (float(adjusted[i]), float(plain[i]), float(detectable))
        rows += _rows_of(hypothesis, level, tested)
    return rows


def _hypotheses(comparison: Comparison, n_permutations: int, seed: int) -> list[_Hypothesis]:
    measured, judged = comparison.measured, comparison.judged
    exact = len(judged) <= PERMUTED_UP_TO
    permuted = _permuted(comparison, n_permutations, seed) if exact else {}
    wanted = [gap for gap, measure in MEASURE_OF_GAP.items() if measure in measured.names]
    found = []
    for gap in wanted:
        at = measured.names.index(MEASURE_OF_GAP[gap])
        values, draws = measured.values[at], measured.draws[at]
        if gap in ("bpsn_auc", "bnsp_auc"):
            # Everyone has no background; the AUC of all rows is what a group's is held against.
            whole = measured.names.index("subgroup_auc")
            values = np.append(values[:-1], measured.values[whole, -1])
            draws = np.concatenate([draws[:-1], measured.draws[whole, -1:]])
        null = permuted.get(MEASURE_OF_GAP[gap])
        if null is None:
            # Without permutations: the resampled differences, moved to where there is none.
            null = _centred(draws, n_permutations)
        for a, b in comparison.pairs:
            found.append(
                _Hypothesis(
                    comparison,
                    gap,
                    (a, b),
                    values[a] - values[b],
                    draws[a] - draws[b],
                    null[a] - null[b],
                )
            )
        inner = values[:-1]
        if comparison.with_extremes and np.isfinite(inner).sum() > 1:
            known = np.isfinite(inner)
            a, b = int(np.nanargmax(inner)), int(np.nanargmin(inner))
            spread = null[:-1][known]
            found.append(
                _Hypothesis(
                    comparison,
                    gap,
                    (a, b),
                    values[a] - values[b],
                    draws[a] - draws[b],
                    spread.max(axis=0) - spread.min(axis=0),
                )
            )
    return [*found, *_equalized_odds(comparison, found)]


def _permuted(comparison: Comparison, n: int, seed: int) -> dict[str, FloatArray]:
    """Return measures of groups dealt at random, ``(n_groups, n)`` each."""
    judged, members = comparison.judged, with_everyone(comparison.attribute.members)
    own = comparison.attribute.members
    wanted = [m for m in measures_of(judged) if m.name in MEASURE_OF_GAP.values()]
    found: dict[str, FloatArray] = {}
    for given_labels in (False, True):
        some = [m for m in wanted if m.given_labels == given_labels]
        if not some:
            continue
        labels = judged.labels if given_labels else None
        exchange = exchange_of(own, comparison.clusters, labels)
        terms = [measure.of_rows(judged) for measure in some]
        columns = np.stack([column for pair in terms for column in pair])
        sums = permuted_sums(columns, own, exchange, n, seed + given_labels)
        whole = np.repeat(columns.sum(axis=1)[:, None, None], n, axis=2)
        sums = np.concatenate([sums, whole], axis=1).reshape(len(some), 2, members.shape[1], n)
        with np.errstate(invalid="ignore", divide="ignore"):
            found |= {m.name: s[0] / s[1] for m, s in zip(some, sums, strict=True)}
    return found


def _centred(draws: FloatArray, n: int) -> FloatArray:
    """Return resampled values less their means, as many as there are permutations."""
    if not draws.shape[1]:
        return np.full((len(draws), n), np.nan)
    with np.errstate(invalid="ignore"):
        moved: FloatArray = draws - draws.mean(axis=1, keepdims=True)
    return moved[:, np.arange(n) % draws.shape[1]]


def _equalized_odds(comparison: Comparison, found: Sequence[_Hypothesis]) -> list[_Hypothesis]:
    by_gap = {
        (own.metric, own.pair): own for own in found if own.metric in ("equal_opportunity", "fpr")
    }
    joined = []
    for pair in comparison.pairs:
        both = [by_gap.get((metric, pair)) for metric in ("equal_opportunity", "fpr")]
        if both[0] is None or both[1] is None:
            continue
        tpr, fpr = both[0], both[1]
        joined.append(
            _Hypothesis(
                comparison,
                EQUALIZED_ODDS,
                pair,
                float(np.maximum(abs(tpr.value), abs(fpr.value))),
                np.stack([tpr.draws, fpr.draws]),
                np.maximum(np.abs(tpr.null), np.abs(fpr.null)),
            )
        )
    return joined


def _rows_of(
    hypothesis: _Hypothesis, level: float, tested: tuple[float, float, float]
) -> list[dict[str, Any]]:
    comparison, measured = hypothesis.comparison, hypothesis.comparison.measured
    a, b = hypothesis.pair
    odds = hypothesis.metric == EQUALIZED_ODDS
    names = ("tpr", "fpr") if odds else (MEASURE_OF_GAP[hypothesis.metric],)
    at = [measured.names.index(name) for name in names]
    few = bool(measured.too_few[at][:, [a, b]].any())
    p_value, plain, detectable = tested
    about: dict[str, Any] = {
        "attribute": comparison.attribute.name,
        "outcome": comparison.outcome,
        "metric": hypothesis.metric,
    }
    rest: dict[str, Any] = {
        "n_a": int(measured.n[at, a].sum()),
        "n_b": int(measured.n[at, b].sum()),
        "note": "too few" if few else "" if np.isfinite(hypothesis.value) else "no value",
    }
    groups = {"group_a": measured.groups[a], "group_b": measured.groups[b]}
    rows = []
    for kind in ("difference", "ratio"):
        value, low, high = _limits_of(hypothesis, at, kind, level)
        if kind == "ratio" and (hypothesis.metric in NO_RATIO or not np.isfinite(value)):
            continue
        rows.append(
            about
            | {"kind": kind}
            | groups
            | {"value": value, "low": low, "high": high}
            | {"p_value": p_value, "p_unadjusted": plain}
            | {"detectable": detectable if kind == "difference" else np.nan}
            | rest
        )
    return rows


def _limits_of(
    hypothesis: _Hypothesis, at: Sequence[int], kind: str, level: float
) -> tuple[float, float, float]:
    """Return the value of a difference or ratio and the ends of its interval."""
    measured = hypothesis.comparison.measured
    a, b = hypothesis.pair
    ends = []
    for own in at:
        reference = own
        if b == len(measured.groups) - 1 and measured.names[own] in AUCS:
            reference = measured.names.index("subgroup_auc")
        first, second = measured.values[own, a], measured.values[reference, b]
        over, under = measured.draws[own, a], measured.draws[reference, b]
        clusters = None
        if measured.n_clusters is not None:
            clusters = np.minimum(measured.n_clusters[own, a], measured.n_clusters[own, b])[None]
        if kind == "difference":
            value, draws = first - second, over - under
        else:
            if not (first > 0 and second > 0) or np.any(over <= 0) or np.any(under <= 0):
                return np.nan, np.nan, np.nan
            value, draws = np.log(first / second), np.log(over / under)
        bound = np.inf
        if kind == "difference":
            bound = float(measured.bounds[own, 1] - measured.bounds[own, 0])
        low, high = limits(
            draws[None], np.array([value]), level, clusters, smallest=-bound, largest=bound
        )
        ends.append((float(value), float(low[0]), float(high[0])))
    if hypothesis.metric == EQUALIZED_ODDS:
        # Without a sign: the largest of both, from 0 where an interval holds no difference.
        value = max(abs(end[0]) for end in ends)
        low_end = max(max(end[1], -end[2], 0.0) for end in ends)
        high_end = max(max(abs(end[1]), abs(end[2])) for end in ends)
        if not all(np.isfinite(end).all() for end in ends):
            return np.nan, np.nan, np.nan
        if kind == "ratio":
            return float(np.exp(-value)), float(np.exp(-high_end)), float(np.exp(-low_end))
        return value, low_end, high_end
    value, low_end, high_end = ends[0]
    if kind == "ratio":
        return float(np.exp(value)), float(np.exp(low_end)), float(np.exp(high_end))
    return value, low_end, high_end


def everyone_is(group: str) -> bool:
    """Say whether a name is that of all rows together."""
    return group == EVERYONE
