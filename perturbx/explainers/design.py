"""`Design`: what is asked about a text and what is fitted to the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from perturbx.coalitions import (
    Exhaustive,
    GroupedLeverage,
    Kernel,
    Leverage,
    OddPairs,
    Permutation,
)
from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.grouped_leverage import FEWEST_GROUPS, LEAST_CALLS, first_look
from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.explainers.budget import (
    FIRST_LOOK,
    MOST_UNITS_ENUMERATED,
    all_coalitions_fit,
    resolve_budget,
    rounds_of,
    whole_pairs,
)
from perturbx.explainers.filled import Filled
from perturbx.surrogates import (
    Evidence,
    ExactShapley,
    KernelShapley,
    LeaveOneOut,
    LeverageShapley,
    OddGP,
    Owen,
    PermutationShapley,
    TreeProxy,
)
from perturbx.surrogates.tree_proxy.boosting import is_installed
from perturbx.typing import Sampler, Surrogate

ShapleyEstimator: TypeAlias = Literal[
    "auto",
    "exact",
    "odd_gp",
    "evidence",
    "tree_proxy",
    "leverage",
    "kernel",
    "permutation",
    "unbiased",
]

_ESTIMATORS: dict[str, tuple[Sampler, Surrogate]] = {
    "odd_gp": (OddPairs(), OddGP()),
    "evidence": (OddPairs(), Evidence()),
    "tree_proxy": (OddPairs(), TreeProxy()),
    "leverage": (Leverage(), LeverageShapley()),
    "kernel": (Kernel(), KernelShapley()),
    "permutation": (Permutation(), PermutationShapley()),
    "unbiased": (Permutation(), PermutationShapley()),
}

SHAPLEY_ESTIMATORS = ("auto", "exact", *_ESTIMATORS)

NESTED = ("auto", "odd_gp", "evidence", "tree_proxy")
"""The Shapley estimators whose larger designs begin with the smaller ones."""

_OF_PAIRS = (*NESTED, "leverage")

MOST_UNITS_AT_ONCE = 60
"""Longer texts begin with groups of units where the budget does not do for the units."""

MOST_CALLS_FOR_LONG = 20 * MOST_UNITS_AT_ONCE
"""What "auto" spends on a long text at most. Where the first look at all units would take more,
groups come first. Wherever it takes less, looking at all units at once is better: of 94 to 135
words with as many calls as units and two, it had half the error of groups taken apart."""


LEAST_CALLS_FOR_LINE = 4
"""Two of them may be both ends of the game."""

LEAST_UNITS_FILLED = 4
"""Fewer have too few coalitions to say what is to be expected of those that are missing."""


@dataclass(frozen=True)
class Design:
    """The sampler, its budget and the surrogate for one text.

    Parameters
    ----------
    sampler : Sampler
        Draws the coalitions.
    surrogate : Surrogate
        Is fitted to their scores.
    budget : int
        Most distinct calls, where they are bought in one round.
    is_nested : bool, default=False
        The sampler's larger designs of one seed begin with the smaller ones, and the surrogate's
        errors are those of what it estimates: with the budget "auto" the calls are bought in
        rounds (see `rounds_of`) until the stopping rule holds, whatever `budget` here says.
    is_refined : bool, default=False
        The sampler keeps neighbours together, and what matters is taken apart in further rounds
        (see `perturbx.explainers.refinement`) within the budget.
    """

    sampler: Sampler
    surrogate: Surrogate
    budget: int
    is_nested: bool = False
    is_refined: bool = False

    def surrogate_cut_short(self, drawn: Coalitions) -> Surrogate:
        """Return the surrogate for a design of which only some rows were bought.

        The same one, but Shapley values come from whatever pairs there are: the other estimators
        need all coalitions, inclusion probabilities, or whole chains. Owen values, for which any
        other rows do not do, get what is expected of those that are missing.
        """
        shapley = (ExactShapley, LeverageShapley, KernelShapley, PermutationShapley)
        if isinstance(self.surrogate, shapley):
            return OddGP()
        return Filled(self.surrogate, drawn) if isinstance(self.surrogate, Owen) else self.surrogate

    def surrogate_without_refused(self, drawn: Coalitions) -> Surrogate:
        """Return the surrogate for a design of which some rows have no answer.

        Leaving one out goes on without the units that nothing is known of. Of walks, and of all
        coalitions, nearly every pair may lack a row, so those are filled: with a filter of two or
        three words the values had a half to an eighth of the error that whole pairs leave.
        """
        if isinstance(self.surrogate, LeaveOneOut):
            return LeaveOneOut(when_missing="unknown")
        few = drawn.n_units < LEAST_UNITS_FILLED
        if isinstance(self.surrogate, PermutationShapley) or (
            isinstance(self.surrogate, ExactShapley) and not few
        ):
            return Filled(self.surrogate, drawn)
        return self.surrogate_cut_short(drawn)

    def rounds(self, budget: int | str, n_units: int) -> tuple[int, ...]:
        """Return the calls allowed after each round, for the budget that the user set."""
        if self.is_refined:
            return (first_look(n_units, self.budget), self.budget)
        if self.is_nested and isinstance(budget, str) and budget == "auto":
            return rounds_of(n_units)
        return (self.budget,)


def shapley_design(estimator: str, budget: int | str, n_units: int) -> Design:
    """Return how the Shapley values of `n_units` units are estimated.

    Parameters
    ----------
    estimator : {"auto", "exact", "odd_gp", "evidence", "tree_proxy", "leverage", "kernel", \
"permutation", "unbiased"}
        "auto" is exact where all coalitions fit in the budget, and odd_gp elsewhere; "unbiased" is
        exact there, and permutation elsewhere.
    budget : int or str
        "auto": "exact" takes the ``2 ** n_units`` calls it needs, "auto" and "odd_gp" buy in
        rounds, the others take 10 calls a unit. For the rest see `resolve_budget`; designs of
        pairs round an odd number down.
    n_units : int
        Number of units.

    Raises
    ------
    ArgumentError
        The estimator is unknown, or the budget too small for it.
    MissingExtraError
        LightGBM, for "tree_proxy", is not installed.
    """
    calls = resolve_budget(budget, n_units)
    if estimator == "exact":
        return _enumeration(budget, calls, n_units)
    check_estimator(estimator, SHAPLEY_ESTIMATORS)
    if estimator == "tree_proxy" and not is_installed():
        raise MissingExtraError("lightgbm", "trees")
    in_rounds = budget == "auto" and estimator in NESTED
    if in_rounds:
        calls = rounds_of(n_units)[0]
    if estimator in ("auto", "unbiased") and all_coalitions_fit(n_units, calls):
        return Design(Exhaustive(), ExactShapley(), calls)
    if estimator in _OF_PAIRS:
        least = least_of_pairs(calls, n_units)
        # Below n + 2 after rounding there is one pair a unit less, which the samplers allow.
        calls = max(whole_pairs(calls), min(least, calls))
    sampler, surrogate = _ESTIMATORS["odd_gp" if estimator == "auto" else estimator]
    if in_rounds:
        calls = rounds_of(n_units)[-1]
    return Design(sampler, surrogate, calls, is_nested=estimator in NESTED)


def check_estimator(estimator: Any, known: Sequence[str]) -> None:
    """Raise an `ArgumentError` for an estimator that is none of those known."""
    if not isinstance(estimator, str) or estimator not in known:
        raise ArgumentError(
            f"estimator: expected {', '.join(map(repr, known))}; got {estimator!r:.80}"
        )


def calls_for_line(budget: int | str, n_units: int) -> int:
    """Return the calls of a budget for a line that is fitted to draws.

    Raises
    ------
    ArgumentError
        The budget is none, or so small that less than two draws may lie between the ends.
    """
    calls = resolve_budget(budget, n_units)
    if n_units > 1 and calls < LEAST_CALLS_FOR_LINE:
        raise ArgumentError(
            f"budget: a line takes at least {LEAST_CALLS_FOR_LINE} calls; got {budget!r}; raise it"
        )
    return calls


def least_of_pairs(calls: int, n_units: int) -> int:
    """Return the least calls that pairs of so many units take.

    Raises
    ------
    ArgumentError
        There are fewer.
    """
    least: int = min(n_units + 2, 2 ** min(n_units, 62))
    if calls < least:
        raise ArgumentError(
            f"budget: {n_units} units take at least {least} calls (both ends, and half a pair a "
            f"unit); got {calls}; raise the budget or take coarser units"
        )
    return least


def design_for_groups(estimator: str, budget: int | str, n_units: int) -> Design:
    """Return how the Shapley values of a long text are estimated, see `begins_with_groups`.

    Raises
    ------
    ArgumentError
        The budget is too small for groups, too.
    """
    auto = isinstance(budget, str) and budget == "auto"
    calls = MOST_CALLS_FOR_LONG if auto else whole_pairs(resolve_budget(budget, n_units))
    if calls < LEAST_CALLS:
        raise ArgumentError(
            f"budget: {n_units} units take at least {LEAST_CALLS} calls ({FEWEST_GROUPS} groups of "
            f"units first, then what matters), and {n_units + 2} for all of them at once; got "
            f"{budget}"
        )
    _, surrogate = _ESTIMATORS["odd_gp" if estimator == "auto" else estimator]
    return Design(GroupedLeverage(), surrogate, calls, is_refined=True)


def begins_with_groups(estimator: str, budget: int | str, n_units: int) -> bool:
    """Say whether a text is so long for its budget that groups of units come first."""
    if n_units <= MOST_UNITS_AT_ONCE or estimator not in NESTED:
        return False
    if budget == "auto":
        return FIRST_LOOK * n_units > MOST_CALLS_FOR_LONG
    return resolve_budget(budget, n_units) < n_units + 2


def _enumeration(budget: int | str, calls: int, n_units: int) -> Design:
    if n_units > MOST_UNITS_ENUMERATED:
        raise ArgumentError(
            f"estimator: 'exact' takes 2 ** n_units calls and is limited to "
            f"{MOST_UNITS_ENUMERATED} units; this text has {n_units}; use 'auto', or coarser "
            f"units"
        )
    if budget == "auto":
        calls = 2**n_units
    if calls < 2**n_units:
        raise ArgumentError(
            f"budget: 'exact' takes {2**n_units} calls for {n_units} units; got {budget!r}"
        )
    return Design(Exhaustive(), ExactShapley(), calls)
