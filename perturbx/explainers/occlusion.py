"""`OcclusionExplainer`: leave one unit out."""

from __future__ import annotations

from perturbx.coalitions import LeaveOneOut
from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.budget import resolve_budget
from perturbx.explainers.design import Design
from perturbx.surrogates import LeaveOneOut as LeaveOneOutSurrogate
from perturbx.units.units import Units


class OcclusionExplainer(BaseExplainer):
    """Explains a text by what the score loses when one unit is removed.

    It takes ``n_units + 2`` calls: the text, each unit left out, and the empty coalition. Units
    that stand in for each other (two words of praise) all look worthless to it; Shapley values
    do not have that fault. For the parameters see `BaseExplainer`.

    Where a service refuses the text without some unit, that unit's value is not known: it is 0
    with an infinite standard error ("± ?").

    Examples
    --------
    >>> from perturbx import OcclusionExplainer
    >>> def length(texts):
    ...     return [len(text.split()) for text in texts]
    >>> OcclusionExplainer(length).explain(["one two three"])[0].values.ravel()
    array([1., 1., 1.])
    """

    def _design(self, units: Units) -> Design:
        needed = units.n_units + 1
        calls = resolve_budget(self.budget, units.n_units)
        if calls < needed:
            raise ArgumentError(
                f"budget: leaving out each of {units.n_units} units takes {needed} calls; got "
                f"{self.budget!r}"
            )
        return Design(LeaveOneOut(), LeaveOneOutSurrogate(), min(calls, needed + 1))
