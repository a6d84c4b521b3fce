"""What went wrong, and how it is told: nothing that was paid for is lost."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from perturbx.exceptions import (
    AnswersWarning,
    ArgumentError,
    CutShortWarning,
    Interrupted,
    PerturbxError,
    PoorFitWarning,
    ScoringError,
)
from perturbx.explanations import Explanations
from perturbx.score_table import ScoreTable

if TYPE_CHECKING:
    from perturbx.explainers.purchases import Purchases

POOR_FIT = 0.5
"""An explanation whose out-of-fold r2 is below this says so."""


def raise_with_tables(failure: BaseException | None, tables: Sequence[ScoreTable]) -> None:
    """Raise what cut a run short, carrying the tables scored until then."""
    if failure is None:
        return
    # An argument can be at fault that only scores show, such as the number of `output_names`.
    if isinstance(failure, (ScoringError, ArgumentError)):
        failure.tables = list(tables)
        raise failure
    if isinstance(failure, KeyboardInterrupt):
        raise Interrupted(tables) from failure
    raise ScoringError(
        f"model: raised {type(failure).__name__}: {failure}; what was scored until then is in "
        f"the .tables of this error",
        tables,
    ) from failure


@contextmanager
def before_any_score() -> Iterator[None]:
    """Tell a failure of the model, or Ctrl-C, as one where scores are bought is told."""
    try:
        yield
    except (PerturbxError, Interrupted):
        raise
    except (Exception, KeyboardInterrupt) as error:
        raise_with_tables(error, ())


@contextmanager
def telling_what_is_paid(purchases: Purchases) -> Iterator[None]:
    """Let every error of perturbx, and Ctrl-C, leave with all that is paid for in ``.tables``."""
    try:
        yield
    except PerturbxError as error:
        if purchases.is_begun:
            error.tables = purchases.tables()
        raise
    except Interrupted:
        raise
    except KeyboardInterrupt as interrupt:
        raise Interrupted(purchases.tables()) from interrupt


def warn_of_limits(explanations: Explanations) -> None:
    """Issue one `CutShortWarning` for all explanations that a hard limit ended."""
    cut = [item.budget_report for item in explanations]
    reports = [own for own in cut if own is not None and own.is_cut_short]
    if reports:
        calls = sorted(own.n_calls for own in reports)
        warnings.warn(
            f"{reports[0].reason} was reached: {len(reports)} of {len(explanations)} explanations "
            f"are cut short, with {calls[0]} to {calls[-1]} variants scored for each; their error "
            f"bars are the wider for it",
            CutShortWarning,
            stacklevel=4,
        )


def warn_of_refusals(refused: Mapping[Any, str]) -> None:
    """Issue one `AnswersWarning` for all variants that the model has no answer to."""
    if refused:
        warnings.warn(
            f"{told_refusals(refused)}; error bars are the wider for it",
            AnswersWarning,
            stacklevel=5,
        )


def told_refusals(refused: Mapping[Any, str]) -> str:
    """Return in words how many variants have no answer, and why one of them has none."""
    text, why = next(iter(refused.items()))
    return (
        f"what was asked about {len(refused)} of the variants has no answer of use and is left "
        f"out; about {text!r:.80}: {why}"
    )


def warn_of_poor_fits(explanations: Explanations) -> None:
    """Issue one `PoorFitWarning` for all explanations that predict unseen masks badly."""
    poor = [
        (i, item.r2)
        for i, item in enumerate(explanations)
        if item.r2 is not None and item.r2 < POOR_FIT
    ]
    if poor:
        i, worst = min(poor, key=lambda pair: pair[1])
        warnings.warn(
            f"{len(poor)} of {len(explanations)} explanations predict unseen masks badly (r2 "
            f"below {POOR_FIT}; the lowest is {worst:.2f}, of texts[{i}]): single units do not "
            f"tell the story; a larger budget or coarser units may",
            PoorFitWarning,
            stacklevel=4,
        )
