"""`ExplanationValues`: the numbers of an explanation, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from perturbx.budget_report import BudgetReport
from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.intervals import (
    Intervals,
    LargestUnits,
    check_k,
    check_level,
    top_of_output,
)
from perturbx.typing import FloatArray, Link
from perturbx.units.prompts import response_of
from perturbx.units.units import Units

if TYPE_CHECKING:
    from perturbx.surrogates.interactions import Interactions


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationValues:
    """What each unit and each pair of units of one text is worth, output by output.

    The fields are those of `Explanation`, which adds reports, refits and records.
    """

    units: Units
    table: ScoreTable
    attribution: Attribution
    output_names: tuple[str, ...]
    link: Link = "identity"
    budget_report: BudgetReport | None = None

    @property
    def cut_short_by(self) -> str | None:
        """The hard limit that ended the run before it was sure enough, if one did."""
        report = self.budget_report
        return report.reason if report is not None and report.is_cut_short else None

    @property
    def text(self) -> str:
        """The explained text."""
        return self.units.text

    @property
    def response(self) -> str | None:
        """What was said to the prompt; None for a text, or where labels are explained."""
        has_one = self.table.kind in ("log_prob", "similarity")
        return response_of(self.units) if has_one else None

    @property
    def values(self) -> FloatArray:
        """The worth of each unit, ``(n_units, n_outputs)``."""
        return self.attribution.values

    @property
    def base_values(self) -> FloatArray:
        """The prediction with every unit removed, ``(n_outputs,)``."""
        return self.attribution.base_values

    @property
    def std_errors(self) -> FloatArray:
        """The standard error of each value, ``(n_units, n_outputs)``."""
        return self.attribution.std_errors

    @property
    def r2(self) -> float | None:
        """Out-of-fold R² of the surrogate; None where it has no meaning."""
        return self.attribution.r2

    @property
    def additivity(self) -> float | None:
        """The share of the scores' variance that units explain by themselves; see `Attribution`."""
        return self.attribution.additivity

    @property
    def n_calls(self) -> int:
        """The number of distinct variants scored for this text."""
        return self.attribution.n_calls

    @property
    def method(self) -> str:
        """The surrogate's name."""
        return self.attribution.method

    @property
    def scores(self) -> FloatArray:
        """The model's score ``(n_outputs,)`` of the whole text, on the scale of `link`."""
        return self.table.linked(self.link).select(self.output_names).full_scores

    @property
    def top_output(self) -> str:
        """The explained output with the highest score on the whole text."""
        if len(self.output_names) == 1:  # told of tables without the whole text, too
            return self.output_names[0]
        return self.output_names[int(np.argmax(self.scores))]

    def column(self, output: str | int | None = None) -> int:
        """Return the column of an output: its name, its position, or None for `top_output`.

        Raises
        ------
        ArgumentError
            An output of that name or position was not explained.
        """
        if output is None:
            output = self.top_output
        n_outputs = len(self.output_names)
        if isinstance(output, Integral) and -n_outputs <= output < n_outputs:
            return int(output) % n_outputs
        if isinstance(output, str) and output in self.output_names:
            return self.output_names.index(output)
        raise ArgumentError(
            f"output: expected one of {list(self.output_names)} or its position; got {output!r}"
        )

    def as_list(
        self, output: str | int | None = None, *, n: int | None = None
    ) -> list[tuple[str, float]]:
        """Return ``(label, value)`` pairs, the largest absolute value first, as lime does.

        Parameters
        ----------
        output : str or int, optional
            The output; `top_output` by default.
        n : int, optional
            How many pairs; all by default.

        Raises
        ------
        ArgumentError
            `output` or `n` is not valid.
        """
        if n is not None:
            check_k(n, "n")
        values = self.values[:, self.column(output)]
        order = np.argsort(-np.abs(values), kind="stable")[:n]
        return [(self.units.labels[i], float(values[i])) for i in order]

    def confidence_interval(
        self,
        level: float = 0.95,
        *,
        output: str | int | None = None,
        simultaneous: bool = False,
    ) -> Intervals:
        """Return intervals ``(n_units,)`` of one output's values, of width 0 where exact.

        Parameters
        ----------
        level : float, default=0.95
            The probability that an interval holds the true value.
        output : str or int, optional
            The output; `top_output` by default.
        simultaneous : bool, default=False
            Make it the probability that all intervals hold theirs at once.

        Raises
        ------
        ArgumentError
            `level` is not between 0 and 1, or the output was not explained.
        """
        column = self.column(output)
        every = self.attribution.confidence_interval(level, simultaneous=simultaneous)
        return Intervals(every.low[:, column], every.high[:, column], level, simultaneous)

    def top_k(
        self, k: int, output: str | int | None = None, *, level: float = 0.95
    ) -> LargestUnits:
        """Return the k largest units of one output, and how sure it is that they are those.

        Parameters
        ----------
        k : int
            How many units, by absolute value.
        output : str or int, optional
            The output; `top_output` by default.
        level : float, default=0.95
            What ``certain`` of the result compares the probability with.

        Returns
        -------
        LargestUnits
            With ``units``, ``labels``, ``probability`` and ``certain``.

        Raises
        ------
        ArgumentError
            `k`, `level` or `output` is not valid.
        """
        check_level(level)
        units, probability = top_of_output(self.attribution, k, self.column(output))
        labels = tuple(self.units.labels[unit] for unit in units)
        return LargestUnits(tuple(int(unit) for unit in units), labels, probability, level)

    @cached_property
    def interactions(self) -> Interactions:
        """What pairs of units are worth together, beyond what each is worth.

        The pairwise Shapley interaction index (Grabisch & Roubens 1999): the mean of
        v(S+i+j) - v(S+i) - v(S+j) + v(S) over the sets S of the other units, of uniform size. It
        comes from the table of this explanation, on its link and for its outputs, with a standard
        error for every pair: no call to the model is made. It is computed once.

        Returns
        -------
        Interactions
            With ``values`` and ``std_errors``, ``(n_outputs, n_units, n_units)``, symmetric.

        Raises
        ------
        SurrogateError
            The table has no pairs of complements, or too many units.
        """
        from perturbx.surrogates.interactions import fit_interactions
        from perturbx.surrogates.odd_gp.odd_part import check_pairs

        if self.units.n_units > 1:
            try:
                check_pairs(self.table, "interactions")
            except SurrogateError:
                raise SurrogateError(
                    f"interactions: they are read out of masks that stand beside their "
                    f"complements, both ends among them, and the {len(self.table)} masks behind "
                    f"these values ({self.method!r}) are others; explain with the estimator "
                    f"'odd_gp' or 'leverage', or with LimeExplainer"
                ) from None
        return fit_interactions(self.table.linked(self.link).select(self.output_names))

    def top_interactions(
        self, output: str | int | None = None, *, n: int = 10
    ) -> list[tuple[tuple[str, ...], float, float]]:
        """Return ``((label, label), value, standard error)``, the largest absolute value first.

        Parameters
        ----------
        output : str or int, optional
            The output; `top_output` by default.
        n : int, default=10
            How many pairs of units.

        Raises
        ------
        ArgumentError
            `output` or `n` is not valid.
        SurrogateError
            The table has no pairs of complements, or too many units.

        Examples
        --------
        >>> import perturbx as px
        >>> def model(texts):
        ...     return [float("not" in text and "good" in text) for text in texts]
        >>> (explanation,) = px.explain(model, ["not a good day"])
        >>> explanation.top_interactions(n=1)
        [(('not', 'good'), 1.0, 0.0)]
        """
        from perturbx.surrogates.interactions.interactions import labelled

        column = self.column(output)
        check_k(n, "n")
        return labelled(self.interactions.top(column, n=n), self.units.labels)
