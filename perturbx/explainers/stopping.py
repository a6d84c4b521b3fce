"""When an attribution is good enough: the rule that ends the rounds of "auto"."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from perturbx.budget_report import StopReason
from perturbx.exceptions import ArgumentError
from perturbx.explainers.design import NESTED
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.intervals import relative_half_widths, top_k_separated

CONFIDENCE = 0.95


@dataclass(frozen=True)
class StoppingRule:
    """Stop when the errors are small beside the largest value, or when the largest stand apart.

    Parameters
    ----------
    tolerance : float, default=0.1
        Stop when every interval's half-width is at most this part of the largest absolute value,
        in every output.
    top_k : int, optional
        Stop, too, when the `top_k` largest absolute values are separated from the rest in every
        output. Texts with no more units than that go by the tolerance alone.

    Raises
    ------
    ArgumentError
        One of them is no such number.

    Examples
    --------
    >>> StoppingRule(tolerance=0)
    Traceback (most recent call last):
    perturbx.exceptions.ArgumentError: tolerance: expected a number above 0; got 0
    """

    tolerance: float = 0.1
    top_k: int | None = None

    def __post_init__(self) -> None:
        is_number = isinstance(self.tolerance, Real) and not isinstance(self.tolerance, bool)
        if not is_number or not self.tolerance > 0:
            raise ArgumentError(f"tolerance: expected a number above 0; got {self.tolerance!r}")
        k = self.top_k
        if k is not None and (isinstance(k, bool) or not isinstance(k, Integral) or k < 1):
            raise ArgumentError(f"top_k: expected None or a whole number above 0; got {k!r}")

    def holds(self, attribution: Attribution, level: float) -> StopReason | None:
        """Return which part of the rule an attribution fulfils at a level, None where neither.

        Where all scores were the same there are no errors to go by, and more calls would as likely
        as not show nothing else: the reason is "constant", not that a rule holds.
        """
        if attribution.r2 is None and not (
            attribution.values.any() or attribution.std_errors.any()
        ):
            return "constant"
        k = self.top_k
        if k is not None and k < attribution.n_units:
            separated = top_k_separated(attribution, int(k), level)
            if separated.all():
                return "top_k"
        width = largest_half_width(attribution, level)
        return "tolerance" if width is not None and width <= self.tolerance else None


def check_rule(rule: StoppingRule, estimator: str, budget: int | str) -> None:
    """Raise an `ArgumentError` for a rule that was set where there are no rounds to end."""
    if isinstance(budget, str) and budget == "auto" and estimator in NESTED:
        return
    default = StoppingRule()
    for name in ("tolerance", "top_k"):
        if getattr(rule, name) != getattr(default, name):
            raise ArgumentError(
                f"{name}: ends the rounds of budget='auto' with one of the estimators {NESTED}, "
                f"and there are none with budget={budget!r} and estimator={estimator!r}"
            )


def level_of_look(n_looks: int) -> float:
    """Return the level of each of several looks that together keep `CONFIDENCE` (Bonferroni)."""
    return 1.0 - (1.0 - CONFIDENCE) / n_looks


def largest_half_width(attribution: Attribution, level: float) -> float | None:
    """Return the worst relative half-width of all outputs; None where errors are not known."""
    if not attribution.values.size:
        return 0.0
    widths = relative_half_widths(attribution, level)
    return float(widths.max()) if np.isfinite(widths).all() else None
