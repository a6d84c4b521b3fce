"""Round after round: the texts that are sure enough leave, the calls go to the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from perturbx.budget_report import BudgetReport, StopReason
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import BudgetExceeded, RefusedError, SurrogateError, TableError
from perturbx.explainers.failure import telling_what_is_paid, told_refusals
from perturbx.explainers.purchases import Purchases
from perturbx.explainers.stopping import StoppingRule, largest_half_width, level_of_look
from perturbx.explainers.tables import join_designs
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution

Draw: TypeAlias = Callable[[Mapping[int, int]], Mapping[int, Coalitions]]
"""From the calls that each text may have in all to its coalitions."""

Fit: TypeAlias = Callable[[Mapping[int, ScoreTable]], Mapping[int, Attribution]]
"""From tables to attributions, by text."""


@dataclass(frozen=True, eq=False)
class TextState:
    """How far one text has come.

    Parameters
    ----------
    budgets : tuple of int
        The calls that it may have in all after each round; one for a fixed budget.
    drawn : tuple of Coalitions
        The designs of the rounds, each with all rows of the one before, as far as drawn.
    n_looks : int
        Rounds done.
    table : ScoreTable, optional
        What the attribution was fitted to.
    attribution : Attribution, optional
        The latest fit.
    calls, half_widths : tuple
        Calls and relative half-width after each round (see `BudgetReport`).
    reason : str, optional
        Why nothing more is to be bought, from the first look at which that is so.
    is_done : bool
        Nothing more is looked at either.
    """

    budgets: tuple[int, ...]
    drawn: tuple[Coalitions, ...] = ()
    n_looks: int = 0
    table: ScoreTable | None = None
    attribution: Attribution | None = None
    calls: tuple[int, ...] = ()
    half_widths: tuple[float | None, ...] = ()
    reason: StopReason | None = None
    is_done: bool = False

    @property
    def level(self) -> float:
        """The confidence level of each look."""
        return level_of_look(len(self.budgets))

    @property
    def result(self) -> tuple[ScoreTable, Attribution]:
        """The table and the fit of a text that has been looked at."""
        assert self.table is not None
        assert self.attribution is not None
        return self.table, self.attribution

    @property
    def report(self) -> BudgetReport:
        """The report of a text that is done."""
        return BudgetReport(self.reason or "fixed budget", self.calls, self.half_widths, self.level)


def play_rounds(
    budgets: Mapping[int, tuple[int, ...]],
    draw: Draw,
    purchases: Purchases,
    fit: Fit,
    rule: StoppingRule,
    fit_cut_short: Fit,
    fit_without_refused: Fit,
) -> dict[int, TextState]:
    """Buy, fit and look, until no text needs more.

    What a text gets depends on its own scores only. A run that goes on with the scores of an
    earlier one looks at the same designs in the same order, so it comes to the same end: rows
    that belong to later rounds wait for their turn. Where the rule holds and the next design is
    paid for already, the text takes it, too.

    Parameters
    ----------
    budgets : mapping of int to tuple of int
        For each text by its number, the calls that it may have in all after each round.
    draw, fit : callable
        See `Draw` and `Fit`.
    purchases : Purchases
        What is paid for.
    rule : StoppingRule
        When a text is sure enough; it is asked only where there are rounds.
    fit_cut_short, fit_without_refused : callable
        Fit the tables of texts whose designs a hard limit, or a refusal, left unfinished.

    Returns
    -------
    dict of int to TextState
        All done.

    Raises
    ------
    PerturbxError, Interrupted
        With everything paid for in ``.tables``.
    """
    texts = {number: TextState(own) for number, own in budgets.items()}
    with telling_what_is_paid(purchases):
        while active := [i for i, text in texts.items() if not text.is_done]:
            texts |= _with_designs({i: texts[i] for i in active}, draw, purchases)
            designs = {i: texts[i].drawn[texts[i].n_looks] for i in active}
            limit = bought(purchases, designs)
            tables = {i: purchases.table(i, _later(texts[i])) for i in active}
            if limit is not None:
                ended = {i: texts[i] for i in active}
                texts |= _cut_short(ended, tables, purchases, fit_cut_short, limit)
                break
            fits = fitted_without_refused(tables, designs, purchases, fit, fit_without_refused)
            for i in active:
                texts[i] = _look(i, texts[i], tables[i], fits[i], purchases, rule)
        waiting = [i for i, text in texts.items() if len(text.result[0]) < purchases.n_rows(i)]
        tables = {i: purchases.table(i) for i in waiting}
        designs = {i: texts[i].drawn[texts[i].n_looks - 1] for i in waiting}
        fits = fitted_without_refused(tables, designs, purchases, fit, fit_without_refused)
        for i in waiting:
            texts[i] = _with_all(texts[i], tables[i], fits[i])
    return texts


def bought(purchases: Purchases, wanted: Mapping[int, Coalitions]) -> BudgetExceeded | None:
    """Buy the rows of some designs; return the hard limit that ended it before they were there."""
    try:
        purchases.take_refusals(wanted)
    except BudgetExceeded as limit:
        return limit
    return None


def fitted_without_refused(
    tables: Mapping[int, ScoreTable],
    designs: Mapping[int, Coalitions],
    purchases: Purchases,
    fit: Fit,
    fit_without_refused: Fit,
) -> dict[int, Attribution]:
    """Return the fits of tables, of which some lack the variants that were refused.

    Raises
    ------
    RefusedError
        If those that are left allow no explanation.
    """
    whole = {i: own for i, own in tables.items() if purchases.holds(i, designs[i])}
    others = {i: own for i, own in tables.items() if i not in whole}
    fits = dict(fit(whole))
    for i, own in others.items():
        try:
            check_whole_text(own)
            fits |= fit_without_refused({i: own})
        except (SurrogateError, TableError) as error:
            if not purchases.refused:
                raise
            text, why = next(iter((purchases.refused_of(i) or purchases.refused).items()))
            raise RefusedError(
                f"texts[{i}]: without the variants that have no answer of use no explanation is "
                f"left ({error}); one is {text!r:.80}: {why}; leave that text out, or what of it "
                f"is refused, or give another masker",
                refused=purchases.refused,
            ) from error
    return fits


def check_whole_text(table: ScoreTable) -> None:
    """Raise a `TableError` where nothing is known of the text itself: no explanation shows that."""
    if table.row_of(kept=True) is None:
        raise TableError("the whole text has no score")


def too_little(
    error: Exception, limit: BudgetExceeded, purchases: Purchases, whose: str
) -> BudgetExceeded:
    """Return a limit as the error that it is where what was bought allows no explanation."""
    refused = f"; {told_refusals(purchases.refused)}" if purchases.refused else ""
    ended = BudgetExceeded(
        f"{limit}; too little for an explanation of {whose} ({error}){refused}; raise the limit, "
        f"or explain fewer texts",
        limit=limit.limit,
    )
    ended.refused = dict(purchases.refused)
    return ended


def _cut_short(
    texts: Mapping[int, TextState],
    tables: Mapping[int, ScoreTable],
    purchases: Purchases,
    fit: Fit,
    limit: BudgetExceeded,
) -> dict[int, TextState]:
    """Return the texts with what their unfinished designs tell.

    Raises
    ------
    BudgetExceeded
        If one of them has too few rows for any explanation.
    """
    try:
        for table in tables.values():
            check_whole_text(table)
        fits = fit(tables)
    except (SurrogateError, TableError) as error:
        raise too_little(error, limit, purchases, "every text") from error
    return {
        i: replace(
            text,
            n_looks=text.n_looks + 1,
            table=tables[i],
            attribution=fits[i],
            calls=(*text.calls, fits[i].n_calls),
            half_widths=(*text.half_widths, largest_half_width(fits[i], text.level)),
            reason=cast("StopReason", limit.limit),
            is_done=True,
        )
        for i, text in texts.items()
    }


def _with_designs(
    texts: Mapping[int, TextState], draw: Draw, purchases: Purchases
) -> dict[int, TextState]:
    """Draw the next design of each text; all of them where scores of later rounds may wait."""
    texts = dict(texts)
    known = [i for i, text in texts.items() if not text.drawn and purchases.n_rows(i)]
    while missing := [
        i
        for i, text in texts.items()
        if len(text.drawn) < (len(text.budgets) if i in known else text.n_looks + 1)
    ]:
        designs = draw({i: texts[i].budgets[len(texts[i].drawn)] for i in missing})
        for i in missing:
            before = texts[i].drawn
            design = designs[i] if not before else join_designs(before[-1], designs[i])
            texts[i] = replace(texts[i], drawn=(*before, design))
    return texts


def _later(text: TextState) -> Coalitions | None:
    """Return the design that holds the rows of later rounds, where it is drawn."""
    return text.drawn[-1] if len(text.drawn) > text.n_looks + 1 else None


def _look(
    number: int,
    text: TextState,
    table: ScoreTable,
    attribution: Attribution,
    purchases: Purchases,
    rule: StoppingRule,
) -> TextState:
    n_looks = text.n_looks + 1
    is_last = n_looks == len(text.budgets)
    is_whole = purchases.holds(number, text.drawn[text.n_looks])
    reason = text.reason or _reason(text, table, attribution, rule, is_whole, is_last)
    is_next_paid = n_looks < len(text.drawn) and purchases.holds(number, text.drawn[n_looks])
    return replace(
        text,
        n_looks=n_looks,
        table=table,
        attribution=attribution,
        calls=(*text.calls, attribution.n_calls),
        half_widths=(*text.half_widths, largest_half_width(attribution, text.level)),
        reason=reason,
        is_done=is_last or (reason is not None and not is_next_paid),
    )


def _reason(
    text: TextState,
    table: ScoreTable,
    attribution: Attribution,
    rule: StoppingRule,
    is_whole: bool,
    is_last: bool,
) -> StopReason | None:
    # A design without chance that is whole, such as all coalitions of a tree, leaves none to ask.
    is_certain = table.probabilities is not None and bool((table.probabilities == 1.0).all())
    if table.exhaustive or is_certain:
        if is_whole and not attribution.std_errors.any():
            return "exact"
        if table.samples is None:  # further answers to the same masks are calls, too
            return "complete"
    if len(text.budgets) == 1:
        return "fixed budget"
    return rule.holds(attribution, text.level) or ("cap" if is_last else None)


def _with_all(text: TextState, table: ScoreTable, attribution: Attribution) -> TextState:
    """Take in what an earlier run paid for beyond the design at which the text stopped."""
    return replace(
        text,
        table=table,
        attribution=attribution,
        calls=(*text.calls[:-1], attribution.n_calls),
        half_widths=(*text.half_widths[:-1], largest_half_width(attribution, text.level)),
    )
