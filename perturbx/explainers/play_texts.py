"""Plays the texts of a run to their end: short ones in rounds, long ones group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from perturbx.budget_report import StopReason
from perturbx.coalitions.coalitions import Coalitions
from perturbx.explainers.design import Design
from perturbx.explainers.failure import warn_of_refusals
from perturbx.explainers.fitting import explanations_of, fit_tables
from perturbx.explainers.partition_of_units import UnitPartition
from perturbx.explainers.preparation import draw_coalitions
from perturbx.explainers.purchases import Purchases
from perturbx.explainers.refinement import refine
from perturbx.explainers.repeats import split_votes, with_samples
from perturbx.explainers.rounds import play_rounds
from perturbx.explainers.stopping import StoppingRule
from perturbx.explanations import Explanations
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.typing import Link
from perturbx.units.units import Units


def play_texts(
    units: Sequence[Units],
    designs: Sequence[Design],
    budgets: Sequence[tuple[int, ...]],
    purchases: Purchases,
    rule: StoppingRule,
    seed: int,
    *,
    link: Link,
    outputs: str | Sequence[str],
    when_spent: StopReason,
    n_samples: int | None = None,
) -> Explanations:
    """Draw, buy and fit until every text is sure enough or its calls are spent.

    Parameters
    ----------
    units : sequence of Units
        The texts.
    designs : sequence of Design
        How each is asked about.
    budgets : sequence of tuple of int
        The calls that each may have in all after each round.
    purchases : Purchases
        What is paid for, and the way to buy more.
    rule : StoppingRule
        When a text is sure enough.
    seed : int
        Of the run.
    link, outputs
        The scale of the explanation, and the outputs that are explained.
    when_spent : {"cap", "fixed budget"}
        What the report of a long text says where its calls are spent.
    n_samples : int, optional
        Where answers are sampled: how many for a mask at least. Then the calls of a budget are
        answers, and how they are split is told by `split_votes`.

    Raises
    ------
    PerturbxError, Interrupted
        With everything paid for in ``.tables``.
    """

    def draw(calls: Mapping[int, int]) -> dict[int, Coalitions]:
        splits = None
        n_masks = dict(calls)
        if n_samples is not None:
            splits = {i: split_votes(own, units[i].n_units, n_samples) for i, own in calls.items()}
            n_masks = {i: split.n_masks for i, split in splits.items()}
        drawn = draw_coalitions(
            [replace(designs[i], budget=budget) for i, budget in n_masks.items()],
            [units[i] for i in calls],
            seed,
        )
        if splits is not None:
            pairs = zip(drawn, splits.values(), strict=True)
            drawn = [with_samples(own, split) for own, split in pairs]
        return dict(zip(calls, drawn, strict=True))

    def fit(tables: Mapping[int, ScoreTable]) -> dict[int, Attribution]:
        return fit_tables(tables, {i: designs[i].surrogate for i in tables}, link, outputs)

    def fit_cut_short(tables: Mapping[int, ScoreTable]) -> dict[int, Attribution]:
        surrogates = {i: designs[i].surrogate_cut_short(purchases.design(i)) for i in tables}
        return fit_tables(tables, surrogates, link, outputs)

    def fit_without_refused(tables: Mapping[int, ScoreTable]) -> dict[int, Attribution]:
        surrogates = {i: designs[i].surrogate_without_refused(purchases.design(i)) for i in tables}
        return fit_tables(tables, surrogates, link, outputs)

    short = {i: own for i, own in enumerate(budgets) if not designs[i].is_refined}
    long = {i: own[-1] for i, own in enumerate(budgets) if designs[i].is_refined}
    ends = play_rounds(short, draw, purchases, fit, rule, fit_cut_short, fit_without_refused)
    ends |= refine(
        {i: UnitPartition.first(units[i], most) for i, most in long.items()},
        long,
        purchases,
        fit,
        rule,
        seed,
        when_spent=when_spent,
    )
    warn_of_refusals(purchases.refused)
    return explanations_of([ends[i] for i in range(len(designs))], link, outputs)
