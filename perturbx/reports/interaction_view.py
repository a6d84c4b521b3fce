"""`Pairs`: the interactions of one output, as reports show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx.reports.output_view import OutputView
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.explanation import Explanation

SURE = 0.95
"""A pair is sure to interact where its interval of this level excludes 0."""

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Pairs:
    """The interactions of one output.

    Parameters
    ----------
    values : numpy.ndarray, (n_units, n_units)
        The interactions, symmetric.
    sure : numpy.ndarray of bool, (n_units, n_units)
        The pairs whose interval excludes 0.
    fit : str
        How well they are known.
    """

    values: FloatArray
    sure: MaskMatrix
    fit: str

    @classmethod
    def of(cls, explanation: Explanation, view: OutputView) -> Pairs:
        """Return those of one output; rounding errors are not sure of anything."""
        found = explanation.interactions
        column = explanation.column(view.name)
        values = found.values[column]
        low, high = (ends[column] for ends in found.confidence_interval(SURE))
        size = max(abs(view.score), abs(view.base_value), np.abs(values).max(initial=0.0))
        sure = ((low > 0) | (high < 0)) & (np.abs(values) > _ROUNDING * size)
        exact = found.method == "exact"
        fit = "exact" if exact else "" if found.r2 is None else f"r² {found.r2:.2f}"
        return cls(values, sure, fit)

    @property
    def largest(self) -> float:
        """The largest absolute interaction; 0 where there is none."""
        return float(np.abs(self.values).max(initial=0.0))

    def strongest_units(self, n: int) -> IntArray:
        """Return the `n` units of the strongest interactions, sure ones first, in their order."""
        size = np.abs(self.values)
        sure, any_ = (a.max(axis=1, initial=0.0) for a in (np.where(self.sure, size, 0.0), size))
        return np.sort(np.lexsort((-any_, -sure))[:n])

    def strongest_pairs(self, n: int) -> list[tuple[int, int]]:
        """Return the `n` strongest of the pairs that are sure to interact, the strongest first."""
        first, second = np.nonzero(np.triu(self.sure, 1))
        order = np.argsort(-np.abs(self.values[first, second]), kind="stable")[:n]
        return [(int(first[i]), int(second[i])) for i in order]
