"""`AuditCost`: how often an audit will ask the model, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.repeats import samples_expected
from perturbx.fairness.explaining import named_explainer
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.sampling import Sample, stratified
from perturbx.fairness.swaps import make_swaps
from perturbx.lexicons import Lexicon
from perturbx.typing import PaidScorer, Scorer

if TYPE_CHECKING:
    from perturbx.scorers.api.estimate import Bill


@dataclass(frozen=True)
class AuditCost:
    """How often an audit asks the model; print it to read it. Sampled answers count each.

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
        """The calls of all stages, at most."""
        return self.scoring + self.explaining[1] + self.swapping + self.neutral

    def __str__(self) -> str:
        least, most = self.explaining
        words = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        said = (
            f"at most {self.most_calls:,} calls: {self.scoring:,} for the texts, {words} for "
            f"words, {self.swapping:,} for swapped terms, {self.neutral:,} for neutral ones"
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

    def sample(n: int, number: int) -> Sample:
        rng = np.random.default_rng([plan.seed, number])
        return stratified(len(texts), n, (), (), rng)

    explaining = (0, 0)
    if plan.n_explained and texts:
        chosen = explainer
        if not isinstance(chosen, BaseExplainer):
            chosen = named_explainer(explainer, scorer)
        cost = chosen.estimate_cost([texts[i] for i in sample(plan.n_explained, 1).rows])
        explaining = (cost.least_calls, cost.most_calls)
    swapping = neutral = 0
    if plan.n_swaps and texts and lexicons:
        closer = sample(plan.n_swaps, 2)
        own = [texts[i] for i in closer.rows]
        rng = np.random.default_rng([plan.seed, 3])
        swaps = make_swaps(own, closer, lexicons, plan.n_swaps, rng)
        swapping = len({swap.text for swap in swaps.made})
        neutral = 2 * sum(any(lexicon.find(text) for lexicon in lexicons) for text in own)
    each = samples_expected(scorer) or 1
    found = AuditCost(each * len(set(texts)), explaining, each * swapping, each * neutral)
    if not isinstance(scorer, PaidScorer):
        return found
    length = sum(map(len, texts)) // max(len(texts), 1)
    bill = scorer.estimate(found.most_calls, found.most_calls * length, "".join(texts[:100]))
    return replace(found, bill=bill)
