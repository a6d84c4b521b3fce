"""The gaps between groups: how large, how sure, and how large one would have had to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import norm

from perturbx.fairness.compared_groups import GroupComparison
from perturbx.fairness.group_metrics import GroupMeasures
from perturbx.fairness.null_gaps import (
    PERMUTED_UP_TO,
    NullGaps,
    centred,
    is_hardly_dealt,
    nearest_to_none,
    widening,
)
from perturbx.fairness.statistics.auc import AUCS
from perturbx.fairness.statistics.balancing import Balance
from perturbx.fairness.statistics.permutation import adjusted_p_values
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
    "refusal_rate": "refusal_rate",
}
"""A gap is the difference, or the quotient, of this measure in two groups."""

EQUALIZED_ODDS: Final = "equalized_odds"
"""The larger of the gaps in TPR and FPR, without its sign (Hardt et al. 2016, as in fairlearn)."""

NO_RATIO: Final = frozenset(("mean_error",))

POWER: Final = 0.8


@dataclass(frozen=True, eq=False)
class _Hypothesis:
    """One difference: its value, and its values where there is none.

    What is held against the latter is `tested`.
    """

    comparison: GroupComparison
    metric: str
    pair: tuple[int, int]
    value: float
    null: FloatArray
    tested: float
    two_sided: bool = True

    @classmethod
    def of(
        cls,
        comparison: GroupComparison,
        metric: str,
        pair: tuple[int, int],
        null: FloatArray,
        spread: FloatArray | None = None,
    ) -> _Hypothesis:
        """Return the difference of a pair.

        Parameters
        ----------
        null : numpy.ndarray, (n_permutations,)
            The difference of groups dealt at random; NaN where they are not dealt.
        spread : numpy.ndarray, (n_permutations,), optional
            What the difference is where it is that of the extremes, and there is none.
        """
        measured, measure = comparison.measured, MEASURE_OF_GAP[metric]
        first, second, clusters = _compared(measured, measure, pair)
        value, drawn = first[0] - second[0], first[1] - second[1]
        n_clusters = int(clusters.min())
        is_permuted = len(comparison.judged) <= PERMUTED_UP_TO
        # Half a cluster, which nobody deals, is no reason to leave the permutations.
        own, other = measured.resampled_only(*_places(measured, measure, pair))
        if spread is None and (not is_permuted or is_hardly_dealt(null, own - other)):
            # Groups of different clusters: what is dealt within these is hardly the gap told.
            null, is_permuted = centred(drawn[None], len(null))[0], False
        factor = 1.0
        if not is_permuted or clusters.max() > 1:
            # What a single cluster says of others is half a row that was added.
            factor = widening(drawn, null, n_clusters, is_permuted=is_permuted)
        known = null[np.isfinite(null)]
        middle = float(known.mean()) if len(known) else 0.0
        return cls(
            comparison,
            metric,
            pair,
            value,
            factor * (null - middle) + middle if spread is None else factor * spread,
            tested=nearest_to_none(value, middle) if spread is None else value,
            two_sided=spread is None,
        )


def _compared(
    measured: GroupMeasures, measure: str, pair: tuple[int, int]
) -> tuple[tuple[float, FloatArray], tuple[float, FloatArray], IntArray]:
    """Return value and resampled values of a measure in two groups, and the clusters of each."""
    own, other = _places(measured, measure, pair)
    first, second = measured.of_two(own, other)
    return (
        (float(measured.values[own]), first),
        (float(measured.values[other]), second),
        measured.n_clusters[own[0], list(pair)],
    )


def _places(
    measured: GroupMeasures, measure: str, pair: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return measure and group of both sides of a comparison."""
    at, (a, b) = measured.names.index(measure), pair
    reference = _of_everyone(measured, at) if b == len(measured.groups) - 1 else at
    return (at, a), (reference, b)


def gap_rows(
    comparisons: Sequence[GroupComparison], *, level: float, n_permutations: int, seed: int
) -> list[dict[str, Any]]:
    """Return a row for every gap of every comparison, with p-values adjusted over all of them."""
    hypotheses = [
        hypothesis
        for number, comparison in enumerate(comparisons)
        for hypothesis in _hypotheses(comparison, n_permutations, seed + number)
    ]
    if not hypotheses:
        return []
    tested = np.array([hypothesis.tested for hypothesis in hypotheses])
    null = np.array([hypothesis.null for hypothesis in hypotheses]).reshape(len(hypotheses), -1)
    balance = Balance.of(null, np.array([own.two_sided for own in hypotheses], dtype=bool))
    observed, sizes = balance.sizes(tested), balance.sizes(null)
    plain, adjusted = adjusted_p_values(observed, np.where(np.isnan(sizes), np.inf, sizes))
    known = np.nan_to_num(sizes[np.isfinite(observed)])
    critical = float(np.quantile(known.max(axis=0), level)) if len(known) else np.nan
    detectable = np.where(
        np.isfinite(observed), balance.of_size(critical + float(norm.ppf(POWER))), np.nan
    )
    rows = []
    for i, hypothesis in enumerate(hypotheses):
        found = (float(adjusted[i]), float(plain[i]), float(detectable[i]))
        rows += _rows_of(hypothesis, level, found)
    return rows


def _hypotheses(comparison: GroupComparison, n_permutations: int, seed: int) -> list[_Hypothesis]:
    measured, judged = comparison.measured, comparison.judged
    exact = len(judged) <= PERMUTED_UP_TO
    wanted = [gap for gap, measure in MEASURE_OF_GAP.items() if measure in measured.names]
    names = frozenset(MEASURE_OF_GAP[gap] for gap in wanted)
    dealt = NullGaps(judged, comparison.attribute, comparison.clusters, names, n_permutations, seed)
    found = []
    for gap in wanted:
        measure = MEASURE_OF_GAP[gap]
        at = measured.names.index(measure)
        for pair in comparison.pairs:
            null = dealt.of_pair(measure, pair) if exact else np.full(n_permutations, np.nan)
            found.append(_Hypothesis.of(comparison, gap, pair, null))
        inner = measured.values[at, :-1]
        if comparison.with_extremes and np.isfinite(inner).sum() > 1:
            known = np.isfinite(inner)
            a, b = int(np.nanargmax(inner)), int(np.nanargmin(inner))
            if exact:
                null, spread = dealt.of_extremes(measure, (a, b), known)
            else:
                # The resampled measures, moved to where there is no difference.
                moved = centred(measured.draws[at], n_permutations)
                null, some = moved[a] - moved[b], moved[:-1][known]
                spread = some.max(axis=0) - some.min(axis=0)
            found.append(_Hypothesis.of(comparison, gap, (a, b), null, spread))
    return [*found, *_equalized_odds(comparison, found)]


def _equalized_odds(comparison: GroupComparison, found: Sequence[_Hypothesis]) -> list[_Hypothesis]:
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
                np.maximum(np.abs(tpr.null), np.abs(fpr.null)),
                tested=float(np.maximum(abs(tpr.tested), abs(fpr.tested))),
                two_sided=False,
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
    at_b = [_of_everyone(measured, own) if b == len(measured.groups) - 1 else own for own in at]
    few = bool(measured.too_few[at, a].any() or measured.too_few[at_b, b].any())
    p_value, plain, detectable = tested
    if detectable > (measured.bounds[at, 1] - measured.bounds[at, 0]).max():
        # No gap is as large as that: none would be found.
        detectable = np.nan
    about: dict[str, Any] = {
        "attribute": comparison.attribute.name,
        "outcome": comparison.outcome,
        "metric": hypothesis.metric,
    }
    rest: dict[str, Any] = {
        "n_a": int(measured.n[at, a].sum()),
        "n_b": int(measured.n[at_b, b].sum()),
        "note": "too few" if few else "" if np.isfinite(hypothesis.value) else "no value",
    }
    groups = {"group_a": measured.groups[a], "group_b": measured.groups[b]}
    rows = []
    for kind in ("difference", "ratio"):
        value, low, high = _limits_of(hypothesis, at, kind, level)
        if kind == "ratio" and np.isposinf(value):
            # Of something to nothing: the other way round it is a number, and as far from 1.
            value, low, high = 0.0, 1 / high, 1 / low
            groups = {"group_a": groups["group_b"], "group_b": groups["group_a"]}
            rest |= {"n_a": rest["n_b"], "n_b": rest["n_a"]}
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


def _of_everyone(measured: GroupMeasures, measure: int) -> int:
    """Return the measure of all rows that one of a group is held against.

    Everyone has no background, so AUCs of all kinds are held against that of all rows.
    """
    is_auc = measured.names[measure] in AUCS
    return measured.names.index("subgroup_auc") if is_auc else measure


def _limits_of(
    hypothesis: _Hypothesis, at: Sequence[int], kind: str, level: float
) -> tuple[float, float, float]:
    """Return the value of a difference or ratio and the ends of its interval."""
    measured = hypothesis.comparison.measured
    ends = []
    for own in at:
        (first, over), (second, under), behind = _compared(
            measured, measured.names[own], hypothesis.pair
        )
        clusters = behind.min(keepdims=True)
        if kind == "difference":
            value, draws = first - second, over - under
        else:
            is_known = first >= 0 and second >= 0 and first + second > 0
            if not is_known or np.any(over <= 0) or np.any(under <= 0):
                return np.nan, np.nan, np.nan
            with np.errstate(divide="ignore"):
                value, draws = np.log(first) - np.log(second), np.log(over / under)
        bound = np.inf
        if kind == "difference":
            bound = float(measured.bounds[own, 1] - measured.bounds[own, 0])
        # The logarithm of a quotient of nothing is infinite; its interval is that of the draws.
        middle = value if np.isfinite(value) or np.isnan(value) else np.median(draws)
        low, high = limits(
            draws[None], np.array([middle]), level, clusters, smallest=-bound, largest=bound
        )
        ends.append((float(value), float(min(low[0], value)), float(max(high[0], value))))
    if hypothesis.metric == EQUALIZED_ODDS:
        # Without a sign: the largest of both, from 0 where an interval holds no difference.
        value = max(abs(end[0]) for end in ends)
        low_end = max(max(end[1], -end[2], 0.0) for end in ends)
        high_end = max(max(abs(end[1]), abs(end[2])) for end in ends)
        if np.isnan(ends).any():
            return np.nan, np.nan, np.nan
        if kind == "ratio":
            return float(np.exp(-value)), float(np.exp(-high_end)), float(np.exp(-low_end))
        return value, low_end, high_end
    value, low_end, high_end = ends[0]
    if kind == "ratio":
        return float(np.exp(value)), float(np.exp(low_end)), float(np.exp(high_end))
    return value, low_end, high_end
