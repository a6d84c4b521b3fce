"""Long texts: groups of units first, then what lies within the groups that matter.

A text of hundreds of units would need hundreds of calls before any unit is known at all. So it
begins as a game of a few dozen groups (clauses, sentences); the groups that matter are taken
apart, round after round, while the others stay whole, both kept and removed. Every row of an
earlier round is a row of the finer game as well, so all that was paid for counts to the end: the
values are Shapley values of the last game, and their errors those of its fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch

from perturbx.budget_report import StopReason
from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.grouped_leverage import CALLS_PER_GROUP as FIRST_CALLS_PER_GROUP
from perturbx.coalitions.grouped_leverage import grouped_pairs
from perturbx.exceptions import BudgetExceeded, SurrogateError, TableError
from perturbx.explainers.budget import GROWTH, seed_of_text, whole_pairs
from perturbx.explainers.failure import telling_what_is_paid
from perturbx.explainers.partition_of_units import PARTS, UnitPartition
from perturbx.explainers.purchases import Purchases
from perturbx.explainers.rounds import (
    Fit,
    TextState,
    bought,
    check_whole_text,
    fitted_without_refused,
    too_little,
)
from perturbx.explainers.stopping import StoppingRule, largest_half_width, level_of_look
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution

CALLS_PER_GROUP = 5
"""Calls for a group, in all, before a finer game is looked at."""

MOST_LOOKS = 12


@dataclass(frozen=True, eq=False)
class _LongText:
    """How far one long text has come; `drawn` are masks of units."""

    partition: UnitPartition
    most_calls: int
    generator: torch.Generator
    drawn: torch.Tensor
    calls: tuple[int, ...] = ()
    half_widths: tuple[float | None, ...] = ()
    reason: StopReason | None = None
    fitted: tuple[ScoreTable, Attribution] | None = field(default=None, repr=False)


def refine(
    partitions: Mapping[int, UnitPartition],
    most_calls: Mapping[int, int],
    purchases: Purchases,
    fit: Fit,
    rule: StoppingRule,
    seed: int,
    *,
    when_spent: StopReason,
) -> dict[int, TextState]:
    """Buy, fit and take apart, until nothing that matters is left whole or the calls are spent.

    Parameters
    ----------
    partitions : mapping of int to UnitPartition
        For each long text, the groups it begins with.
    most_calls : mapping of int to int
        The calls that it may have in all.
    purchases : Purchases
        What is paid for, in masks of units.
    fit : callable
        From tables to attributions.
    rule : StoppingRule
        When a text is sure enough; `tolerance` is also the share of the largest value above which
        a group is taken apart.
    seed : int
        Of the run; a text draws from a generator of its own.
    when_spent : {"cap", "fixed budget"}
        What the report says where the calls are spent before all that matters is taken apart.

    Returns
    -------
    dict of int to TextState
        Tables and attributions of the last groups of each text. Rows of an earlier run that
        keep those groups whole are in them, also where this one did not draw them.

    Raises
    ------
    PerturbxError, Interrupted
        With everything paid for in ``.tables``.
    """
    texts = {i: _begin(own, most_calls[i], seed) for i, own in partitions.items()}
    with telling_what_is_paid(purchases):
        while active := [i for i, text in texts.items() if text.reason is None]:
            designs = {i: _design(texts[i]) for i in active}
            limit = bought(purchases, designs)
            if limit is not None:
                for i in active:
                    texts[i] = _cut_short(i, texts[i], purchases, fit, limit)
                break
            tables = {i: _own_table(texts[i], purchases.table(i)) for i in active}
            fits = fitted_without_refused(tables, designs, purchases, fit, fit)
            for i in active:
                texts[i] = _look(texts[i], tables[i], fits[i], rule, when_spent)
        wider = {i: _all_whole_rows(text, purchases.table(i)) for i, text in texts.items()}
        for i, (table, attribution) in _fitted(wider, fit).items():
            calls = (*texts[i].calls[:-1], table.n_calls)
            texts[i] = replace(texts[i], fitted=(table, attribution), calls=calls)
    return {i: _result(text) for i, text in texts.items()}


def _all_whole_rows(text: _LongText, paid: ScoreTable) -> ScoreTable | None:
    """Return every row paid for that keeps the last groups whole, if there are more than drawn."""
    owner = text.partition.group_of_unit.numpy()
    first = [members[0] for members in text.partition.groups]
    whole = np.flatnonzero((paid.masks[:, first][:, owner] == paid.masks).all(axis=1))
    if len(whole) <= len(text.drawn):
        return None
    return text.partition.table_of_groups(paid.rows(whole))


def _fitted(
    tables: Mapping[int, ScoreTable | None], fit: Fit
) -> dict[int, tuple[ScoreTable, Attribution]]:
    chosen = {i: table for i, table in tables.items() if table is not None}
    fits = fit(chosen) if chosen else {}
    return {i: (table, fits[i]) for i, table in chosen.items()}


def _begin(partition: UnitPartition, most_calls: int, seed: int) -> _LongText:
    text = _LongText(
        partition,
        most_calls,
        torch.Generator().manual_seed(seed_of_text(seed, partition.units)),
        torch.empty((0, partition.units.n_units), dtype=torch.bool),
    )
    return _with_calls(text, FIRST_CALLS_PER_GROUP * len(partition))


def _with_calls(text: _LongText, n_calls: int) -> _LongText:
    """Draw rows of the present groups until there are so many in all, or as many as may be."""
    n_new = whole_pairs(min(n_calls, text.most_calls) - len(text.drawn))
    groups, n_units = text.partition.groups, text.partition.units.n_units
    # Rows are distinct, so there are enough of them that are new, whichever were drawn before.
    rows = grouped_pairs(groups, n_units, n_new + 2 + len(text.drawn), text.generator)
    had = {row.tobytes() for row in text.drawn.numpy()}
    is_new = torch.tensor([row.tobytes() not in had for row in rows.numpy()])
    return replace(text, drawn=torch.cat([text.drawn, rows[is_new][: max(n_new, 0)]]))


def _design(text: _LongText) -> Coalitions:
    return Coalitions(
        text.drawn, torch.ones(len(text.drawn), dtype=torch.int64), design="refined", paired=True
    )


def _own_table(text: _LongText, paid: ScoreTable) -> ScoreTable:
    """Return the rows drawn so far as rows of groups; what else is paid for comes at the end."""
    held = {row.tobytes() for row in paid.masks}  # but for those that were refused
    n_drawn = sum(row.tobytes() in held for row in text.drawn.numpy())
    return text.partition.table_of_groups(paid.rows(slice(0, n_drawn)))


def _look(
    text: _LongText,
    table: ScoreTable,
    attribution: Attribution,
    rule: StoppingRule,
    when_spent: StopReason,
) -> _LongText:
    level = level_of_look(MOST_LOOKS)
    n_calls = len(text.drawn)
    text = replace(
        text,
        calls=(*text.calls, table.n_calls),
        half_widths=(*text.half_widths, largest_half_width(attribution, level)),
        fitted=(table, attribution),
    )
    left = text.most_calls - n_calls
    matters = text.partition.to_take_apart(attribution, rule.tolerance)
    apart = matters[: left // (CALLS_PER_GROUP * (PARTS - 1))]
    if not apart and n_calls == 2 ** len(text.partition) and left >= PARTS:
        # Nothing is left to ask about these groups.
        apart = matters[:1]
    if apart:
        text = replace(text, partition=text.partition.taken_apart(apart))
        n_wanted = max(CALLS_PER_GROUP * len(text.partition), n_calls + 2 * PARTS * len(apart))
    else:
        reason = None if matters else rule.holds(attribution, level)
        if reason is not None:
            return replace(text, reason=reason)
        n_wanted = int(GROWTH * n_calls)
    longer = _with_calls(text, n_wanted)
    is_spent = len(longer.drawn) == n_calls or len(text.calls) == MOST_LOOKS
    return replace(text, reason=when_spent) if is_spent else longer


def _cut_short(
    number: int, text: _LongText, purchases: Purchases, fit: Fit, limit: BudgetExceeded
) -> _LongText:
    """Return a text as its last look left it, or with what its first groups tell so far."""
    reason = cast("StopReason", limit.limit)
    if text.fitted is not None:
        return replace(text, reason=reason)
    try:
        table = _own_table(text, purchases.table(number))
        check_whole_text(table)
        fit_of_text = fit({number: table})[number]
    except (SurrogateError, TableError) as error:
        raise too_little(error, limit, purchases, f"texts[{number}]") from error
    width = largest_half_width(fit_of_text, level_of_look(MOST_LOOKS))
    return replace(
        text,
        reason=reason,
        calls=(table.n_calls,),
        half_widths=(width,),
        fitted=(table, fit_of_text),
    )


def _result(text: _LongText) -> TextState:
    assert text.fitted is not None
    table, attribution = text.fitted
    # What a look may spend follows from what matters, so only the end of the budget is known.
    return TextState(
        (text.most_calls,) * MOST_LOOKS,
        table=table,
        attribution=attribution,
        calls=text.calls,
        half_widths=text.half_widths,
        reason=text.reason,
        is_done=True,
    )
