"""The stage of an audit that splits gaps into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from perturbx.explainers.base import BaseExplainer
from perturbx.fairness.audited import Audited, Rows, Tables
from perturbx.fairness.compared_groups import GroupComparison
from perturbx.fairness.contributions import (
    Contributions,
    contributions,
    decompose,
    mean_attributions,
)
from perturbx.fairness.explaining import explain_texts
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.representatives import submodular_pick
from perturbx.fairness.scoring import TextScores
from perturbx.fairness.text_source import TextSource
from perturbx.lexicons import Lexicon

N_REPRESENTATIVES: Final = 8
N_WORDS_SHOWN: Final = 5


def word_tables(
    audited: Audited,
    comparisons: Sequence[GroupComparison],
    source: TextSource,
    scores: TextScores,
    explainer: BaseExplainer,
    lexicons: Sequence[Lexicon],
) -> tuple[Tables, int, int]:
    """Return the tables of words, how many calls they took, and how many gaps are not split.

    There are no tables where the model refuses what they need.
    """
    plan, rows = audited.plan, audited.rows
    sample = audited.sample(plan.n_explained, 1)
    texts = source.texts_at(rows.in_source(sample.rows))
    explanations, n_calls = explain_texts(explainer, texts, scores)
    if explanations is None:
        return {}, n_calls, 0
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
                "row": int(audited.rows.in_source(np.array(row))),
                "text": texts[place],
                "score": float(found.scores[place]),
                "groups": "; ".join(groups),
                "words": ", ".join(words),
            }
        )
    return rows
