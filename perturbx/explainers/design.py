"""`Design`: what is asked about a text and what is fitted to the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from perturbx.coalitions import Exhaustive, Kernel, Leverage, OddPairs, Permutation
from perturbx.exceptions import ArgumentError
from perturbx.explainers.budget import (
    MOST_UNITS_ENUMERATED,
    all_coalitions_fit,
    resolve_budget,
)
from perturbx.surrogates import (
    ExactShapley,
    KernelShapley,
    LeverageShapley,
    OddGP,
    PermutationShapley,
)
from perturbx.typing import Sampler, Surrogate

ShapleyEstimator: TypeAlias = Literal[
    "auto", "exact", "odd_gp", "leverage", "kernel", "permutation"
]

_ESTIMATORS: dict[str, tuple[Sampler, Surrogate]] = {
    "odd_gp": (OddPairs(), OddGP()),
    "leverage": (Leverage(), LeverageShapley()),
    "kernel": (Kernel(), KernelShapley()),
    "permutation": (Permutation(), PermutationShapley()),
}


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
        Most distinct calls.
    """

    sampler: Sampler
    surrogate: Surrogate
    budget: int


def shapley_design(estimator: str, budget: int | str, n_units: int) -> Design:
    """Return how the Shapley values of `n_units` units are estimated.

    Parameters
    ----------
    estimator : {"auto", "exact", "odd_gp", "leverage", "kernel", "permutation"}
        "auto" is exact where all coalitions fit in the budget, and leverage elsewhere.
    budget : int or str
        See `resolve_budget`. "exact" with budget "auto" takes the ``2 ** n_units`` calls it needs.
    n_units : int
        Number of units.

    Raises
    ------
    ArgumentError
        The estimator is unknown, or "exact" does not fit in the budget.
    """
    calls = resolve_budget(budget, n_units)
    if estimator == "exact":
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
    elif estimator not in ("auto", *_ESTIMATORS):
        raise ArgumentError(
            f"estimator: expected 'auto', 'exact', {', '.join(map(repr, _ESTIMATORS))}; "
            f"got {estimator!r}"
        )
    if estimator == "exact" or (estimator == "auto" and all_coalitions_fit(n_units, calls)):
        return Design(Exhaustive(), ExactShapley(), calls)
    sampler, surrogate = _ESTIMATORS["leverage" if estimator == "auto" else estimator]
    return Design(sampler, surrogate, calls)
