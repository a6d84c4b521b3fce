"""The stages of an audit after the scoring: each turns rows into tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx.explainers.base import BaseExplainer
from perturbx.fairness.audit_rows import AuditRows
from perturbx.fairness.contributions import (
    Contributions,
    contributions,
    decompose,
    mean_attributions,
)
from perturbx.fairness.explaining import explain_texts
from perturbx.fairness.gaps import GroupComparison, check_compared, gap_rows, pairs_to_compare
from perturbx.fairness.group_metrics import GroupMeasures, measure_groups
from perturbx.fairness.grouping import EVERYONE, Attribute
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.remedies import Case, reading_advice, threshold_advice
from perturbx.fairness.representatives import submodular_pick
from perturbx.fairness.reweighing import reweighing, reweighing_advice
from perturbx.fairness.sampling import Sample, stratified
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.statistics.resampling import limits
from perturbx.fairness.swaps import make_swaps, swap_tables
from perturbx.fairness.text_source import TextSource
from perturbx.lexicons import Lexicon
from perturbx.maskers.delete import Delete
from perturbx.maskers.swap import Swap
from perturbx.typing import FloatArray
from perturbx.units.identity_terms import IdentityTerms

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]

N_REPRESENTATIVES = 8
N_WORST = 10
N_WORDS_SHOWN = 5

NEUTRALISED = "reading texts with neutral words for identity terms"
MASKED = "reading texts without their identity terms"


@dataclass(frozen=True, eq=False)
class Audited:
    """Everything scored: what all stages begin with.

    Parameters
    ----------
    rows : AuditRows
        The rows.
    outcomes : tuple of Outcome
        What is audited.
    judged : tuple of Judged
        What was said of the rows, for each outcome.
    plan : AuditPlan
        The numbers to go by.
    """

    rows: AuditRows
    outcomes: tuple[Outcome, ...]
    judged: tuple[Judged, ...]
    plan: AuditPlan

    def sample(self, n: int, number: int) -> Sample:
        """Return some rows of every kind."""
        rng = np.random.default_rng([self.plan.seed, number])
        rows = self.rows
        return stratified(len(rows), n, rows.attributes, self.judged, rng, rows.clusters)


def group_tables(audited: Audited) -> tuple[Tables, list[GroupComparison]]:
    """Return the tables of groups, metrics and gaps, and what gaps were made of."""
    plan, rows = audited.plan, audited.rows
    check_compared(plan.compare, rows.attributes)
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


def word_tables(
    audited: Audited,
    comparisons: Sequence[GroupComparison],
    source: TextSource,
    scores: TextScores,
    explainer: BaseExplainer,
    lexicons: Sequence[Lexicon],
) -> tuple[Tables, int, int]:
    """Return the tables of words, how many calls they took, and how many gaps are not split."""
    plan, rows = audited.plan, audited.rows
    sample = audited.sample(plan.n_explained, 1)
    texts = source.texts_at(sample.rows)
    explanations, n_calls = explain_texts(explainer, texts, scores)
    clusters = sample.rows if rows.clusters is None else rows.clusters[sample.rows]
    categories = _categories(lexicons)
    left_out = 0
    tables: Tables = {
        name: []
        for name in ("words", "categories", "identity_terms", "false_positives", "representatives")
    }
    for number, outcome in enumerate(audited.outcomes):
        found = contributions(explanations, number, categories, sample, clusters)
        tables["representatives"] += _representatives(audited, outcome, found, texts)
        for comparison in comparisons:
            if comparison.outcome == outcome.name:
                left_out += _split_gaps(tables, comparison, found, plan)
    return tables, n_calls, left_out


def _categories(lexicons: Sequence[Lexicon]) -> Callable[[str], list[tuple[int, int, str]]]:
    def spans(text: str) -> list[tuple[int, int, str]]:
        if not lexicons:
            return []
        found = [mention for lexicon in lexicons for mention in lexicon.find(text)]
        # What is a term of one lexicon may be a hint of another one's group.
        found.sort(key=lambda mention: (not mention.is_swappable, mention.start - mention.stop))
        return [(mention.start, mention.stop, mention.attribute) for mention in found]

    return spans


def _split_gaps(
    tables: Tables, comparison: GroupComparison, found: Contributions, plan: AuditPlan
) -> int:
    """Add the words behind the gaps of one attribute and outcome; return how many were left out.

    Those are pairs of groups of which fewer texts were explained than half of the least size.
    """
    level, least = plan.level, max(2, plan.min_group_size // 2)
    left_out = 0
    at = found.sample.rows
    members = comparison.attribute.members[at].toarray()
    members = np.concatenate([members, np.ones((len(at), 1), dtype=bool)], axis=1)
    judged = comparison.judged.rows(at)
    wrong = None
    if judged.labels is not None and judged.decisions is not None:
        wrong = (judged.labels == 0) & (judged.decisions == 1)
    measured = comparison.measured
    mean = measured.names.index("mean_score")
    for a, b in comparison.pairs:
        if measured.too_few[mean, [a, b]].any():
            continue
        if members[:, [a, b]].sum(axis=0).min() < least:
            left_out += 1
            continue
        about = {
            "attribute": comparison.attribute.name,
            "outcome": comparison.outcome,
            "group_a": measured.groups[a],
            "group_b": measured.groups[b],
        }
        gap = float(measured.values[mean, a] - measured.values[mean, b])
        parts = decompose(
            found,
            members[:, a],
            members[:, b],
            level=level,
            gap=gap,
            share=len(at) / len(comparison.judged),
        )
        tables["words"] += [about | row for row in parts["words"]]
        for row in parts["categories"]:
            own = {k: row[k] for k in ("category", "contribution", "low", "high")}
            tables["categories"].append(about | own)
        if wrong is not None and all((wrong & members[:, side]).sum() >= least for side in (a, b)):
            driven = decompose(found, wrong & members[:, a], wrong & members[:, b], level=level)
            tables["false_positives"] += [about | row for row in driven["words"]]
    groups = [(name, members[:, i]) for i, name in enumerate(measured.groups)]
    about = {"attribute": comparison.attribute.name, "outcome": comparison.outcome}
    tables["identity_terms"] += [
        about | row for row in mean_attributions(found, groups, level=level)
    ]
    return left_out


def _representatives(
    audited: Audited, outcome: Outcome, found: Contributions, texts: Sequence[str]
) -> Rows:
    rows = []
    for place in submodular_pick(found.values, N_REPRESENTATIVES):
        row = int(found.sample.rows[place])
        own = found.values[[place]].tocoo()
        order = np.argsort(-np.abs(own.data), kind="stable")[:N_WORDS_SHOWN]
        words = [f"{found.words[own.coords[1][i]][0]} {own.data[i]:+.3g}" for i in order]
        groups = [
            f"{attribute.name}: {', '.join(names)}"
            for attribute in audited.rows.attributes
            if (names := attribute.names_of(row))
        ]
        rows.append(
            {
                "outcome": outcome.name,
                "row": row,
                "text": texts[place],
                "score": float(found.scores[place]),
                "groups": "; ".join(groups),
                "words": ", ".join(words),
            }
        )
    return rows


@dataclass(frozen=True, eq=False)
class Closer:
    """The rows that are read in other words, with their texts."""

    sample: Sample
    texts: list[str]

    @classmethod
    def of(cls, audited: Audited, source: TextSource) -> Closer:
        """Draw them."""
        sample = audited.sample(audited.plan.n_swaps, 2)
        return cls(sample, source.texts_at(sample.rows))


def counterfactual_tables(
    audited: Audited, closer: Closer, scores: TextScores, lexicons: Sequence[Lexicon]
) -> tuple[Tables, int]:
    """Return the tables of swapped terms, and how many swaps there were."""
    plan, rows = audited.plan, audited.rows
    rng = np.random.default_rng([plan.seed, 3])
    swaps = make_swaps(closer.texts, closer.sample, lexicons, plan.n_swaps, rng)
    tables: Tables = {"counterfactual": [], "worst_cases": []}
    if len(swaps):
        raw = scores.of([swap.text for swap in swaps.made])
        after = [o.judge(raw, rows.kind, rows.exclusive, None) for o in audited.outcomes]
        before = [judged.rows(swaps.rows) for judged in audited.judged]
        clusters = None if rows.clusters is None else rows.clusters[swaps.rows]
        tables["counterfactual"], tables["worst_cases"] = swap_tables(
            swaps, audited.outcomes, before, after, clusters, level=plan.level, n_worst=N_WORST
        )
    return tables, len(swaps)


def advice_tables(
    audited: Audited,
    closer: Closer | None,
    scores: TextScores,
    lexicons: Sequence[Lexicon],
    model: Any,
) -> Tables:
    """Return the tables of what would help."""
    tables: Tables = {"advice": [], "reweighing": []}
    others = {} if closer is None else _read_otherwise(closer, scores, lexicons)
    plan, rows = audited.plan, audited.rows
    for attribute in rows.attributes:
        for outcome, judged in zip(audited.outcomes, audited.judged, strict=True):
            if judged.decisions is None:
                continue
            case = Case(
                attribute,
                outcome.name,
                outcome.threshold,
                judged,
                rows.clusters,
                plan.level,
                plan.n_resamples,
                plan.seed,
                plan.min_group_size,
            )
            tables["advice"] += threshold_advice(case)
            if closer is not None:
                at, weights = closer.sample.rows, closer.sample.weights
                for remedy, raw in others.items():
                    decisions = _decisions(outcome, raw, rows)
                    tables["advice"] += reading_advice(case, remedy, at, weights, decisions)
            weighed, of_row = reweighing(case)
            tables["reweighing"] += weighed
            if closer is not None and weighed:
                tables["advice"] += reweighing_advice(
                    case, of_row, closer.sample.rows, closer.sample.weights, closer.texts, model
                )
    return tables


def _decisions(outcome: Outcome, raw: FloatArray, rows: AuditRows) -> FloatArray:
    decided = outcome.decisions(raw, outcome.scores(raw, rows.kind, rows.exclusive))
    assert decided is not None
    return decided


def _read_otherwise(
    closer: Closer, scores: TextScores, lexicons: Sequence[Lexicon]
) -> dict[str, FloatArray]:
    """Return the scores of the texts with identity terms neutralised, and without them."""
    if not lexicons:
        return {}
    neutral, terms = Swap(tuple(lexicons), to="neutral"), IdentityTerms(tuple(lexicons))
    deleted = Delete()
    texts: dict[str, list[str]] = {NEUTRALISED: [], MASKED: []}
    for text in closer.texts:
        units = terms(text)
        texts[NEUTRALISED].append(neutral.swapped(text).text)
        gone = deleted.variants(units, np.zeros((1, units.n_units), dtype=bool)).texts
        assert gone is not None
        texts[MASKED].append(str(gone[0]) if units.n_units else text)
    if texts[NEUTRALISED] == closer.texts:
        return {}
    return {remedy: scores.of(found) for remedy, found in texts.items()}
