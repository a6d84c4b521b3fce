"""`OutputView`: what every report says about one output, in the same words and digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from math import floor, isfinite, isinf, log10
from typing import TYPE_CHECKING

import numpy as np

from perturbx.reports.safe_text import one_line
from perturbx.surrogates.extreme_scores import divided, exponents
from perturbx.surrogates.fit_quality import ROUNDING, additivities
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.explanation import Explanation
    from perturbx.typing import MaskMatrix
    from perturbx.units.units import Units

LEADING = 3
"""Of so many of the largest values it is told how sure it is that they are the largest."""

SETTLED = 0.8
"""With less confidence than this, which units are the largest is said to be open."""

POOR_FIT = 0.5
GOOD_FIT = 0.8

HARDLY_ADDITIVE = 0.5
"""Where units by themselves explain less of how the scores vary than this, a reader is told."""

_ROUNDING = 1e-9
"""A value this small beside the score and the other values is a rounding error, shown as 0."""

_SCALE_OF_LINK = {"probability": "probability", "log_prob": "log-probability"}
_SCALE_OF_KIND = {**_SCALE_OF_LINK, "logit": "logit", "similarity": "similarity"}


@dataclass(frozen=True, eq=False)
class OutputView:
    """One output of one explanation.

    Parameters
    ----------
    name : str
        The output.
    values, std_errors : numpy.ndarray, (n_units,)
        The worth of each unit for it, with errors.
    base_value, score : float
        The prediction without any unit, and with all of them.
    scale : str
        What the numbers are: "probability", "log-odds", "logit", "log-probability", "difference
        in log-probability", "score".
    predicted : bool
        It is the class that the model chooses.
    alone : bool
        The model has no other output.
    r2 : float or None
        How well the surrogate predicts what it was not fitted to.
    additivity : float or None
        Which share of the scores' variance the units explain by themselves, as `Attribution` has
        it over all outputs.
    exact : bool
        Nothing was estimated.
    is_constant : bool
        All variants that were asked about, of more that there are, had the same score. That others
        have it, too, is not known, and no error can tell.
    covariance : numpy.ndarray, (n_units, n_units), optional
        The covariance of the values' errors.
    """

    name: str
    values: FloatArray
    std_errors: FloatArray
    base_value: float
    score: float
    scale: str
    predicted: bool
    alone: bool
    r2: float | None
    additivity: float | None
    exact: bool
    is_constant: bool = False
    covariance: FloatArray | None = None

    @cached_property
    def order(self) -> IntArray:
        """The units, the largest absolute value first."""
        return np.argsort(-np.abs(self.values), kind="stable")

    @cached_property
    def largest(self) -> float:
        """The largest absolute value; 0 where there is none."""
        return float(np.abs(self.values).max(initial=0.0))

    @cached_property
    def strengths(self) -> FloatArray:
        """Each value as a share of the largest, ``(n_units,)`` between -1 and 1."""
        return self.values / self.largest if self.largest else np.zeros_like(self.values)

    @cached_property
    def clear(self) -> MaskMatrix:
        """Which values ``(n_units,)`` differ from 0 by more than two standard errors."""
        return np.abs(self.values) > 2 * self.std_errors

    @cached_property
    def _decimals(self) -> int:
        """Three digits of the largest value, so that all numbers of a table line up."""
        size = self.largest or max(abs(self.score), abs(self.base_value)) or 1.0
        return min(max(2 - floor(log10(size)), 0), 6)

    def number(self, value: float, *, sign: str = "-") -> str:
        """Return `value` in the digits of this output; ``sign="+"`` marks the positive, too."""
        if value and self.largest and not 1e-6 <= self.largest < 1e9:
            return f"{value:{sign}.2e}"
        shown = f"{value:{sign}.{self._decimals}f}"
        return shown if float(shown) else f"{0:.{self._decimals}f}"

    def signed(self, value: float) -> str:
        """Return `value` with its sign."""
        return self.number(value, sign="+")

    def error(self, std_error: float) -> str:
        """Return "± 0.012", "± ?" where nothing tells it, or nothing where the value is exact.

        Not a number stands for an error that was not worked out, and is not shown.
        """
        if isinf(std_error):
            return "± ?"
        if not std_error or not isfinite(std_error):
            return ""
        shown = self.number(std_error)
        return f"± {shown if float(shown) else f'{std_error:.0e}'}"

    def with_error(self, unit: int) -> str:
        """Return the value of a unit with its error, as in "+0.123 ± 0.045"."""
        value, error = self.signed(self.values[unit]), self.error(self.std_errors[unit])
        return f"{value} {error}".rstrip()

    def rest(self, n: int) -> tuple[int, float, float]:
        """Return the count, the sum and its standard error of all but the `n` largest values.

        The error is not a number where the values' covariance is not known, and infinite where one
        of the values is not.
        """
        others = self.order[n:]
        total = float(self.values[others].sum())
        if np.isinf(self.std_errors[others]).any():
            return len(others), total, float("inf")
        if self.exact:
            return len(others), total, 0.0
        if self.covariance is None:
            return len(others), total, float("nan")
        variance = self.covariance[np.ix_(others, others)].sum()
        return len(others), total, float(np.sqrt(max(variance, 0.0)))

    @property
    def fit(self) -> str:
        """The goodness of fit in a word or two, with its number, and what it leaves untold."""
        if self.is_constant:
            return "same score throughout"
        alone = f", {self.additivity:.0%} additive" if self.is_hardly_additive else ""
        if self.exact:
            return f"exact{alone}"
        if self.r2 is None:
            return f"not measured{alone}"
        words = "poor" if self.r2 < POOR_FIT else "good" if self.r2 >= GOOD_FIT else "fair"
        return f"{words} fit, r² {self.r2:.2f}{alone}"

    @property
    def is_hardly_additive(self) -> bool:
        """Say whether most of the scores' variance is what units do together."""
        return self.additivity is not None and self.additivity < HARDLY_ADDITIVE


def row_labels(units: Units, limit: int | None = None) -> tuple[str, ...]:
    """Return a label per unit for a ranking, where equal ones cannot be told by their place.

    Each is one line of `limit` characters at most; those that read the same are numbered.

    Examples
    --------
    >>> from perturbx.units.units import Units
    >>> row_labels(Units("no no yes", ((0, 3), (3, 6), (6, 9))))
    ('no (1)', 'no (2)', 'yes')
    """
    shown = [one_line(label, limit) for label in units.labels]
    total = Counter(shown)
    # Cut once more, for their numbers, others read the same.
    room = None if limit is None else limit - len(f" ({len(shown)})")
    seen: Counter[str] = Counter()
    numbered = []
    for label in shown:
        if total[label] > 1:
            label = one_line(label, room)
            seen[label] += 1
            label += f" ({seen[label]})"
        numbered.append(label)
    return tuple(numbered)


def output_views(explanation: Explanation) -> tuple[OutputView, ...]:
    """Return a view of every explained output, in their order."""
    table, fit = explanation.table, explanation.attribution
    linked = table.linked(explanation.link)
    winner = linked.output_names[int(np.argmax(linked.full_scores))]
    explained = linked.select(explanation.output_names)
    scores = explained.full_scores
    constant = np.zeros(len(scores), dtype=bool)
    if len(table) < 2**table.n_units:
        spread, largest = np.ptp(explained.scores, axis=0), np.abs(explained.scores).max(axis=0)
        constant = spread <= ROUNDING * largest
    if explanation.link == "log_odds":
        scale = "log-odds"
    elif explanation.link == "identity":
        scale = _SCALE_OF_KIND.get(table.kind, "score")
    else:
        scale = _SCALE_OF_LINK[explanation.link]
    if table.is_contrast:
        scale = "difference in log-probability"
    (additive,) = additivities([divided(explained, exponents(explained))])
    shares = additive.r2_by_output
    return tuple(
        OutputView(
            name=name,
            values=_rounded(fit.values[:, column], scores[column], fit.base_values[column]),
            std_errors=fit.std_errors[:, column],
            base_value=float(fit.base_values[column]),
            score=float(scores[column]),
            scale=scale,
            predicted=name == winner and table.exclusive and table.n_outputs > 1,
            alone=table.n_outputs == 1,
            r2=_known(fit.r2 if fit.r2_by_output is None else float(fit.r2_by_output[column])),
            additivity=None if shares is None else float(shares[column]),
            exact=fit.r2 is None and not fit.std_errors.any() and not constant[column],
            is_constant=bool(constant[column]),
            covariance=None if fit.covariance is None else fit.covariance[column],
        )
        for column, name in enumerate(explanation.output_names)
    )


def _rounded(values: FloatArray, *beside: float) -> FloatArray:
    """Return the values with 0 for those that are rounding errors."""
    size = max(np.abs(values).max(initial=0.0), *map(abs, beside))
    return np.where(np.abs(values) > _ROUNDING * size, values, 0.0)


def _known(r2: float | None) -> float | None:
    """Return None for the R² of an output that never changes, which has no number."""
    return r2 if r2 is not None and isfinite(r2) else None


def top_confidence(explanation: Explanation, view: OutputView, subject: str) -> str:
    """Return a clause on whether `subject`, the `LEADING` first values, are the largest ones.

    Nothing where that says nothing: values that are exact or all 0, errors that are not known, no
    more units than that.
    """
    errors = view.std_errors
    if view.exact or not view.largest or not np.isfinite(errors).all() or not errors.any():
        return ""
    if explanation.units.n_units <= LEADING:
        return ""
    probability = explanation.top_k(LEADING, view.name).probability
    # A percentage is rounded down, so that it never claims more than was found.
    share = "over 99%" if probability > 0.99 else f"{floor(100 * probability + 1e-9)}%"
    if probability < SETTLED:
        return f"which {LEADING} are the largest is not settled ({share} confidence)"
    return f"{subject} are the {LEADING} largest with {share} confidence"


def output_view(explanation: Explanation, output: str | int | None = None) -> OutputView:
    """Return the view of one output: its name, its position, or None for the highest score."""
    return output_views(explanation)[explanation.column(output)]
