"""The stage of an audit that measures groups and the gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perturbx.fairness.audited import Audited, Rows, Tables
from perturbx.fairness.compared_groups import GroupComparison, pairs_to_compare
from perturbx.fairness.gaps import gap_rows
from perturbx.fairness.group_metrics import measure_groups
from perturbx.fairness.grouping import EVERYONE, Attribute
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.statistics.resampling import limits
from perturbx.typing import IntArray


def group_tables(audited: Audited) -> tuple[Tables, list[GroupComparison]]:
    """Return the tables of groups, metrics and gaps, and what gaps in answers were made of."""
    plan, rows = audited.plan, audited.rows
    truth = audited.judged[0].labels
    labelled = None if truth is None else np.isfinite(truth)
    tables: Tables = {
        "groups": [row for own in rows.attributes for row in _group_rows(own, labelled)]
    }
    names = [outcome.name for outcome in audited.outcomes]
    comparisons = _comparisons(plan, rows.attributes, names, audited.judged, rows.clusters)
    tables |= _compared(plan, comparisons)
    if rows.refusals is not None:
        own = rows.refusals
        # A family of its own: what is found in answers does not depend on it.
        refused = _comparisons(plan, own.attributes, names[:1], [own.judged], own.clusters)
        for name, added in _compared(plan, refused).items():
            tables[name] += added
    return tables, comparisons


def _comparisons(
    plan: AuditPlan,
    attributes: Sequence[Attribute],
    outcomes: Sequence[str],
    judged: Sequence[Judged],
    clusters: IntArray | None,
) -> list[GroupComparison]:
    """Measure the groups of every attribute, for every outcome."""
    comparisons = []
    for place, attribute in enumerate(attributes):
        pairs, with_extremes = pairs_to_compare(attribute, plan.compare)
        for number, (outcome, own) in enumerate(zip(outcomes, judged, strict=True)):
            measured = measure_groups(
                own,
                attribute,
                clusters,
                n_resamples=plan.n_resamples,
                seed=plan.seed + 1_000 * place + number,
                min_group_size=plan.min_group_size,
            )
            comparisons.append(
                GroupComparison(attribute, outcome, own, clusters, measured, pairs, with_extremes)
            )
    return comparisons


def _compared(plan: AuditPlan, comparisons: Sequence[GroupComparison]) -> Tables:
    """Return the tables of metrics and gaps."""
    return {
        "metrics": [row for own in comparisons for row in _metric_rows(own, plan.level)],
        "gaps": gap_rows(
            comparisons, level=plan.level, n_permutations=plan.n_permutations, seed=plan.seed
        ),
    }


def _group_rows(attribute: Attribute, labelled: Any) -> Rows:
    counts = attribute.sizes * 0
    if labelled is not None:
        counts = np.array([int(labelled[rows].sum()) for rows in attribute.rows_of_group])
    return [
        {
            "attribute": attribute.name,
            "group": group,
            "origin": attribute.origin,
            "n": int(size),
            "n_labelled": int(known),
        }
        for group, size, known in zip(attribute.groups, attribute.sizes, counts, strict=True)
    ]


def _metric_rows(comparison: GroupComparison, level: float) -> Rows:
    measured = comparison.measured
    about = {"attribute": comparison.attribute.name, "outcome": comparison.outcome}
    low, high = limits(
        measured.draws,
        measured.values,
        level,
        measured.n_clusters,
        smallest=measured.bounds[:, :1],
        largest=measured.bounds[:, 1:],
    )
    rows = []
    for i, metric in enumerate(measured.names):
        for j, group in enumerate(measured.groups):
            value = float(measured.values[i, j])
            if metric in ("bpsn_auc", "bnsp_auc") and group == EVERYONE:
                continue
            note = "too few" if measured.too_few[i, j] else "" if np.isfinite(value) else "no value"
            rows.append(
                about
                | {
                    "metric": metric,
                    "group": group,
                    "value": value,
                    "low": float(low[i, j]),
                    "high": float(high[i, j]),
                    "n": int(measured.n[i, j]),
                    "note": note,
                }
            )
    for metric, (value, draws) in measured.overall.items():
        ends = limits(draws[None], np.array([value]), level, smallest=0.0)
        rows.append(
            about
            | {
                "metric": metric,
                "group": EVERYONE,
                "value": value,
                "low": float(ends[0][0]),
                "high": float(ends[1][0]),
                "n": int(measured.n[0, -1]),
                "note": "",
            }
        )
    return rows
