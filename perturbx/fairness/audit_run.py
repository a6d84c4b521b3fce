"""`AuditRun`: one audit from the rows to the report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from perturbx._version import __version__
from perturbx.exceptions import AnswersWarning
from perturbx.fairness.audit_rows import AuditRows, collect_rows
from perturbx.fairness.audited import Audited, Tables
from perturbx.fairness.compared_groups import check_compared, pairs_to_compare
from perturbx.fairness.explaining import audit_explainer
from perturbx.fairness.frames import FRAMES, frame
from perturbx.fairness.group_stage import group_tables
from perturbx.fairness.grouping import Attribute
from perturbx.fairness.outcomes import Outcome, Task, check_choices, choose_outcomes
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.refusals import gathered_warnings
from perturbx.fairness.report import FairnessReport
from perturbx.fairness.rewording_stage import Closer, advice_tables, counterfactual_tables
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.text_source import TextSource
from perturbx.fairness.word_stage import word_tables
from perturbx.lexicons import Lexicon
from perturbx.typing import Link, Scorer


@dataclass(frozen=True)
class Choices:
    """What is audited of the model; see `FairnessAudit`."""

    positive: Any
    positive_label: Any
    threshold: float | None
    link: Link | Literal["auto"]
    task: Task


@dataclass(frozen=True, eq=False)
class AuditRun:
    """One audit; the parameters are those of `FairnessAudit`, made ready.

    Parameters
    ----------
    model : object
        The model as it was given, for training anew.
    scorer : Scorer
        The model as it is asked.
    scores : TextScores
        What it said before.
    plan : AuditPlan
        The numbers to go by.
    choices : Choices
        What is audited.
    groups, lexicons : sequence of Lexicon
        By which groups are found, and whose terms are swapped and told apart.
    explainer : None, str, or BaseExplainer
        What splits scores into words.
    batch_tokens, progress
        See `Runner`.
    """

    model: Any
    scorer: Scorer
    scores: TextScores
    plan: AuditPlan
    choices: Choices
    groups: Sequence[Lexicon]
    lexicons: Sequence[Lexicon]
    explainer: Any
    batch_tokens: int | Literal["auto"]
    progress: bool

    def report(self, source: TextSource, notes: Sequence[str]) -> FairnessReport:
        """Audit the rows of a source, stage by stage."""
        began = time.perf_counter()
        plan = self.plan
        tables: Tables = {name: [] for name in FRAMES}
        facts: dict[str, Any] = {"n_explained": 0, "explainer": None, "masker": None}
        facts |= {"n_swapped_texts": 0}
        n_calls = 0
        told: list[str] = []
        with tqdm(
            total=5, desc="audit", unit="stage", leave=False, disable=not self.progress
        ) as bar:
            rows = collect_rows(
                source, self.scores, lexicons=self.groups, depth=plan.depth, check=self._check
            )
            if plan.depth > 1 and not any(a.origin == "intersection" for a in rows.attributes):
                notes = [*notes, "there is one attribute only, so none are crossed (intersections)"]
            n_refused = len(self.scores.refused)
            outcomes = self._outcomes(rows)
            judged = tuple(rows.judge(outcome) for outcome in outcomes)
            audited = Audited(rows, outcomes, judged, plan)
            bar.update()
            found, comparisons = group_tables(audited)
            tables |= found
            bar.update()
            if plan.n_explained:
                explainer = audit_explainer(
                    self.explainer,
                    self.scorer,
                    outcomes,
                    batch_tokens=self.batch_tokens,
                    random_state=plan.seed,
                    progress=self.progress,
                )
                with gathered_warnings() as told:
                    found, n_calls, left_out = word_tables(
                        audited, comparisons, source, self.scores, explainer, self.lexicons
                    )
                tables |= found
                facts["n_explained"] = min(plan.n_explained, len(rows)) if found else 0
                facts["explainer"] = type(explainer).__name__
                facts["masker"] = str(explainer.masker)
                if left_out:
                    notes = [
                        *notes,
                        f"gaps that are not split into words, as too few of their texts were "
                        f"explained (n_explained={plan.n_explained}): {left_out}",
                    ]
            bar.update()
            closer = Closer.of(audited, source) if plan.n_swaps else None
            if closer is not None and self.lexicons:
                found, facts["n_swapped_texts"] = counterfactual_tables(
                    audited, closer, self.scores, self.lexicons
                )
                tables |= found
            bar.update()
            tables |= advice_tables(audited, closer, self.scores, self.lexicons, self.model)
            bar.update()
        if rows.refusals is not None:
            told.insert(0, str(rows.refusals))
        if n_more := len(self.scores.refused) - n_refused:
            told.append(f"refused among texts with swapped or neutral terms: {n_more:,}; left out")
        # The words of a service may hold what no file takes.
        told = [own.encode(errors="backslashreplace").decode() for own in told]
        if told:
            warnings.warn("; ".join(told), AnswersWarning, stacklevel=4)
        facts |= self._facts(source, audited, n_calls)
        facts |= {"seconds": round(time.perf_counter() - began, 1), "notes": [*told, *notes]}
        return FairnessReport(facts, {name: frame(name, tables[name]) for name in FRAMES})

    def _check(self, labels: list[Any], attributes: Sequence[Attribute]) -> None:
        """Refuse what does not fit the data, before anything is paid for."""
        check_compared(self.plan.compare, attributes)
        for attribute in attributes:
            pairs_to_compare(attribute, self.plan.compare)
        check_choices(self.scorer.output_names, labels=labels, **vars(self.choices))

    def _outcomes(self, rows: AuditRows) -> tuple[Outcome, ...]:
        return choose_outcomes(
            rows.raw,
            rows.kind,
            rows.exclusive,
            rows.output_names,
            labels=rows.distinct_labels,
            **vars(self.choices),
        )

    def _facts(self, source: TextSource, audited: Audited, n_calls: int) -> dict[str, Any]:
        """Return how the report came about, as JSON values."""
        plan, rows = self.plan, audited.rows
        return {
            "perturbx": __version__,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "dataset": source.name,
            "model": self.scorer.model_id,
            "n_texts": len(rows),
            "n_refused": 0 if rows.refusals is None else len(rows.refusals),
            "n_labelled": 0 if rows.labels is None else sum(v is not None for v in rows.labels),
            "n_calls": len(self.scores) + len(self.scores.refused) + n_calls,
            "task": "classification" if audited.outcomes[0].decides else "regression",
            "outcomes": [
                {
                    "name": outcome.name,
                    "threshold": outcome.threshold,
                    "link": outcome.link,
                    "is_probability": outcome.is_probability,
                    "positive_labels": list(outcome.positive_labels),
                }
                for outcome in audited.outcomes
            ],
            "level": plan.level,
            "min_group_size": plan.min_group_size,
            "n_resamples": plan.n_resamples,
            "n_permutations": plan.n_permutations,
            "compare": plan.compare if isinstance(plan.compare, str) else dict(plan.compare),
            "clusters": None if rows.clusters is None else source.cluster_name,
            "n_clusters": None if rows.clusters is None else int(np.max(rows.clusters)) + 1,
            "lexicons": [lexicon.name for lexicon in self.lexicons],
            "seed": plan.seed,
        }
