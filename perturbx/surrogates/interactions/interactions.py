"""`Interactions`: what pairs of units are worth together, beyond what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.surrogates.intervals import check_k, check_level, student_quantile
from perturbx.typing import FloatArray


@dataclass(frozen=True)
class Term:
    """One Walsh term of a game: what a set of units does together.

    Parameters
    ----------
    units : tuple of int
        The units, in order.
    value : float
        The Banzhaf interaction index of these units, (-2)^k times the Walsh coefficient of k of
        them: how much they are worth together beyond what their smaller sets are worth, the mean
        over all coalitions of the others (Grabisch & Roubens 1999).
    std_error : float
        Its standard error.
    """

    units: tuple[int, ...]
    value: float
    std_error: float


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairwise Shapley interaction values with their errors, and larger sets that stand out.

    Parameters
    ----------
    values : numpy.ndarray, (n_outputs, n_units, n_units)
        The interaction of each pair for each output, symmetric, 0 on the diagonal. Above 0 two
        units together are worth more than the sum of both, below 0 less.
    std_errors : numpy.ndarray, (n_outputs, n_units, n_units)
        The standard error of each value; 0 where it is exact.
    method : str
        How they were found: "exact" or "even_gp".
    n_calls : int
        Distinct variants scored for the table behind it.
    dof : float, optional
        Degrees of freedom of Student's t for intervals; None: the normal distribution.
    r2 : float, optional
        Out of fold, the share of the variance of the even part that is predicted.
    terms : tuple of tuple of Term
        For each output, the sets of three units or more that stand out, the largest first.
    """

    values: FloatArray
    std_errors: FloatArray
    method: str
    n_calls: int
    dof: float | None = None
    r2: float | None = None
    terms: tuple[tuple[Term, ...], ...] = ()

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != 3 or shape[1] != shape[2] or self.std_errors.shape != shape:
            raise SurrogateError(
                f"values and std_errors: expected two arrays (n_outputs, n_units, n_units), got "
                f"{shape} and {self.std_errors.shape}"
            )
        if not self.terms:
            object.__setattr__(self, "terms", ((),) * shape[0])

    @property
    def n_units(self) -> int:
        """Return the number of units."""
        return int(self.values.shape[1])

    @property
    def n_outputs(self) -> int:
        """Return the number of outputs."""
        return int(self.values.shape[0])

    def multiplied(self, factors: FloatArray) -> Interactions:
        """Return the interactions of scores so many times as large: factors ``(n_outputs,)``."""
        return replace(
            self,
            values=self.values * factors[:, None, None],
            std_errors=self.std_errors * np.abs(factors)[:, None, None],
            terms=tuple(
                tuple(
                    replace(term, value=term.value * by, std_error=term.std_error * abs(by))
                    for term in own
                )
                for own, by in zip(self.terms, factors.tolist(), strict=True)
            ),
        )

    def confidence_interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Return the lower and the upper end of each value's interval, shaped as `values`.

        Raises
        ------
        ArgumentError
            `level` is not between 0 and 1.
        """
        check_level(level)
        half = student_quantile(level, self.dof) * self.std_errors
        return self.values - half, self.values + half

    def top(self, output: int = 0, *, n: int = 10) -> list[Term]:
        """Return the `n` pairs with the largest absolute values, the largest first.

        Parameters
        ----------
        output : int, default=0
            The output.
        n : int, default=10
            How many.

        Raises
        ------
        ArgumentError
            There is no such output, or `n` is not a whole number of at least 1.
        """
        if not isinstance(output, Integral) or not -self.n_outputs <= output < self.n_outputs:
            raise ArgumentError(
                f"output: expected the position of one of {self.n_outputs} outputs, got {output!r}"
            )
        check_k(n, "n")
        first, second = np.triu_indices(self.n_units, 1)
        values = self.values[output, first, second]
        errors = self.std_errors[output, first, second]
        order = np.argsort(-np.abs(values), kind="stable")[:n]
        return [
            Term((int(first[i]), int(second[i])), float(values[i]), float(errors[i])) for i in order
        ]


def labelled(
    terms: Sequence[Term], labels: Sequence[str]
) -> list[tuple[tuple[str, ...], float, float]]:
    """Return terms as (labels, value, standard error)."""
    return [(tuple(labels[i] for i in term.units), term.value, term.std_error) for term in terms]
