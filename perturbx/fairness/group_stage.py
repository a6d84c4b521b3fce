"""The stage of an audit that measures groups and the gaps between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx.fairness.audited import Audited, Rows, Tables
from perturbx.fairness.compared_groups import GroupComparison, pairs_to_compare
from perturbx.fairness.gaps import gap_rows
from perturbx.fairness.group_metrics import GroupMeasures, measure_groups
from perturbx.fairness.grouping import EVERYONE, Attribute
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.statistics.resampling import limits


def group_tables(audited: Audited) -> tuple[Tables, list[GroupComparison]]:
    """Return the tables of groups, metrics and gaps, and what gaps were made of."""
    plan, rows = audited.plan, audited.rows
    tables: Tables = {"groups": [], "metrics": [], "gaps": []}
    comparisons = []
    for place, attribute in enumerate(rows.attributes):
        pairs, with_extremes = pairs_to_compare(attribute, plan.compare)
        truth = audited.judged[0].labels
        labelled = None if truth is None else np.isfinite(truth)
        tables["groups"] += _group_rows(attribute, labelled)
        for number, (outcome, judged) in enumerate(
            zip(audited.outcomes, audited.judged, strict=True)
        ):
            measured = measure_groups(
                judged,
                attribute,
                rows.clusters,
                n_resamples=plan.n_resamples,
                seed=plan.seed + 1_000 * place + number,
                min_group_size=plan.min_group_size,
            )
            tables["metrics"] += _metric_rows(attribute, outcome, measured, plan.level)
            comparisons.append(
                GroupComparison(
                    attribute, outcome.name, judged, rows.clusters, measured, pairs, with_extremes
                )
            )
    tables["gaps"] = gap_rows(
        comparisons, level=plan.level, n_permutations=plan.n_permutations, seed=plan.seed
    )
    return tables, comparisons


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


def _metric_rows(
    attribute: Attribute, outcome: Outcome, measured: GroupMeasures, level: float
) -> Rows:
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
                {
                    "attribute": attribute.name,
                    "outcome": outcome.name,
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
            {
                "attribute": attribute.name,
                "outcome": outcome.name,
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
