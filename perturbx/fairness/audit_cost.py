"""`AuditCost`: how often an audit will ask the model, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.repeats import samples_expected
from perturbx.fairness.explaining import named_explainer
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.sampling import stratified
from perturbx.lexicons import Lexicon
from perturbx.lexicons.counterfactuals import counterfactuals
from perturbx.typing import PaidScorer, Scorer

if TYPE_CHECKING:
    from perturbx.scorers.api.estimate import Bill


LOOKED_AT: Final = 50_000
"""Texts in which terms are looked for; of further ones, each is taken to hold one."""


@dataclass(frozen=True)
class AuditCost:
    """How often an audit asks the model; print it to read it. Sampled answers count each.

    What is drawn depends on groups and scores: the calls for words may be a few more or less.

    Parameters
    ----------
    scoring : int
        Distinct texts.
    explaining : tuple of (int, int)
        Calls for words, at least and at most, on a sample like the one that will be drawn.
    swapping, neutral : int
        Texts with swapped terms, and with neutral words or none in their place, at most.
    bill : Bill, optional
        Requests, tokens and money of the most calls, roughly, of a model behind an API.
    """

    scoring: int
    explaining: tuple[int, int]
    swapping: int
    neutral: int
    bill: Bill | None = None

    @property
    def most_calls(self) -> int:
        """The most calls of each stage, added up."""
        return self.scoring + self.explaining[1] + self.swapping + self.neutral

    def __str__(self) -> str:
        least, most = self.explaining
        words = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        said = (
            f"about {self.most_calls:,} calls: {self.scoring:,} for the texts, {words} for words, "
            f"at most {self.swapping:,} for swapped terms and {self.neutral:,} for neutral ones"
        )
        if self.bill is None:
            return said
        said += f"; {self.bill.calls:,} requests, about {self.bill.tokens:,} tokens"
        return said if self.bill.cost is None else f"{said}, cost about {self.bill.cost:.4g}"


def estimate_audit(
    texts: Sequence[str],
    plan: AuditPlan,
    scorer: Scorer,
    explainer: Any,
    lexicons: Sequence[Lexicon],
) -> AuditCost:
    """Return what an audit of some texts would cost."""
    explaining = (0, 0)
    if plan.n_explained and texts:
        chosen = explainer
        if not isinstance(chosen, BaseExplainer):
            chosen = named_explainer(explainer, scorer)
        rng = np.random.default_rng([plan.seed, 1])
        sample = stratified(len(texts), plan.n_explained, (), (), rng)
        cost = chosen.estimate_cost([texts[i] for i in sample.rows])
        explaining = (cost.least_calls, cost.most_calls)
    swapping = neutral = 0
    if plan.n_swaps and lexicons:
        # Texts with terms are drawn before others: of all texts, not of a sample, so many hold one.
        holding = (text for text in texts[:LOOKED_AT] if any(own.find(text) for own in lexicons))
        held = list(islice(holding, plan.n_swaps))
        n_held = min(len(held) + max(len(texts) - LOOKED_AT, 0), plan.n_swaps)
        swapping, neutral = plan.n_swaps, 2 * n_held
        if n_held == len(held) < plan.n_swaps:
            made = {
                swap.text
                for text in held
                for own in lexicons
                for swap in counterfactuals(text, own)
            }
            swapping = min(len(made), plan.n_swaps)
    each = samples_expected(scorer) or 1
    found = AuditCost(each * len(set(texts)), explaining, each * swapping, each * neutral)
    if not isinstance(scorer, PaidScorer):
        return found
    length = sum(map(len, texts)) // max(len(texts), 1)
    bill = scorer.estimate(found.most_calls, found.most_calls * length, "".join(texts[:100]))
    return replace(found, bill=bill)
