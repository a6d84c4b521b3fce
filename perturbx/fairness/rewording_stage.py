"""The stages of an audit that read texts in other words, and tell what would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from perturbx.fairness.audit_rows import AuditRows
from perturbx.fairness.audited import Audited, Tables
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.remedies import Case, reading_advice, threshold_advice
from perturbx.fairness.reweighing import reweighing, reweighing_advice
from perturbx.fairness.sampling import Sample
from perturbx.fairness.scoring import TextScores, are_answered
from perturbx.fairness.swaps import make_swaps, swap_tables
from perturbx.fairness.text_source import TextSource
from perturbx.lexicons import Lexicon
from perturbx.maskers.delete import Delete
from perturbx.maskers.swap import Swap
from perturbx.typing import FloatArray
from perturbx.units.identity_terms import IdentityTerms

N_WORST: Final = 10

NEUTRALISED: Final = "reading texts with neutral words for identity terms"
MASKED: Final = "reading texts without their identity terms"


@dataclass(frozen=True, eq=False)
class Closer:
    """The rows that are read in other words, with their texts."""

    sample: Sample
    texts: list[str]

    @classmethod
    def of(cls, audited: Audited, source: TextSource) -> Closer:
        """Draw them."""
        sample = audited.sample(audited.plan.n_swaps, 2)
        return cls(sample, source.texts_at(audited.rows.in_source(sample.rows)))


def counterfactual_tables(
    audited: Audited, closer: Closer, scores: TextScores, lexicons: Sequence[Lexicon]
) -> tuple[Tables, int]:
    """Return the tables of swapped terms, and how many swaps were answered."""
    plan, rows = audited.plan, audited.rows
    rng = np.random.default_rng([plan.seed, 3])
    swaps = make_swaps(closer.texts, closer.sample, lexicons, plan.n_swaps, rng)
    tables: Tables = {"counterfactual": [], "worst_cases": []}
    raw = scores.of([swap.text for swap in swaps.made])
    answered = np.flatnonzero(are_answered(raw))
    swaps, raw = swaps.at(answered), raw[answered]
    if len(swaps):
        after = [o.judge(raw, rows.kind, rows.exclusive, None) for o in audited.outcomes]
        before = [judged.rows(swaps.rows) for judged in audited.judged]
        clusters = None if rows.clusters is None else rows.clusters[swaps.rows]
        tables["counterfactual"], tables["worst_cases"] = swap_tables(
            swaps, audited.outcomes, before, after, clusters, level=plan.level, n_worst=N_WORST
        )
        for case in tables["worst_cases"]:
            case["row"] = int(rows.in_source(np.array(case["row"])))
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
    others: dict[str, FloatArray] | None = None
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
            if closer is not None and len(case.groups) > 1:
                if others is None:
                    others = _read_otherwise(closer, scores, lexicons)
                for remedy, raw in others.items():
                    answered = are_answered(raw)
                    if answered.any():
                        at, weights = closer.sample.rows[answered], closer.sample.weights[answered]
                        decisions = _decisions(outcome, raw[answered], rows)
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
