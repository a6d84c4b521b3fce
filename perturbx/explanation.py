"""`Explanation`: what the user holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perturbx.budget_report import BudgetReport
from perturbx.exceptions import ArgumentError, TableError
from perturbx.explanation_record import read_record, write_record
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.intervals import Intervals, LargestUnits, check_level, top_of_output
from perturbx.typing import FloatArray, Link, Surrogate
from perturbx.units.units import Units

if TYPE_CHECKING:
    import lime.explanation
    import matplotlib.axes
    import pandas as pd
    import shap

    from perturbx.surrogates.interactions import Interactions


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The units of one text, what each is worth to the model, and how sure that is.

    Parameters
    ----------
    units : Units
        The units of the text.
    table : ScoreTable
        Every mask and score behind it, in the scorer's own numbers.
    attribution : Attribution
        The fit: values, errors, goodness of fit.
    output_names : tuple of str
        The explained outputs, one per column of `values`.
    link : {"identity", "probability", "log_prob", "log_odds"}
        The scale of the values.
    budget_report : BudgetReport, optional
        What it cost and why no more was bought; None for a view of a table.
    """

    units: Units
    table: ScoreTable
    attribution: Attribution
    output_names: tuple[str, ...]
    link: Link = "identity"
    budget_report: BudgetReport | None = None

    @property
    def text(self) -> str:
        """The explained text."""
        return self.units.text

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
        if isinstance(output, int) and -len(self.output_names) <= output < len(self.output_names):
            return output % len(self.output_names)
        if isinstance(output, str) and output in self.output_names:
            return self.output_names.index(output)
        raise ArgumentError(
            f"output: expected one of {list(self.output_names)} or its position; got {output!r}"
        )

    def __repr__(self) -> str:
        words = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        fit = "" if self.r2 is None else f", r2={self.r2:.2f}"
        return (
            f"Explanation({words!r}, {self.units.n_units} {self.units.level}, outputs="
            f"{list(self.output_names)}, method={self.method!r}, n_calls={self.n_calls}{fit})"
        )

    def __str__(self) -> str:
        from perturbx.reports.terminal import render_terminal

        return render_terminal(self)

    def _repr_html_(self) -> str:
        from perturbx.reports.html import render_html

        return render_html([self], standalone=False)

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
        """
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
        """
        from perturbx.surrogates.interactions.interactions import labelled

        column = self.column(output)
        if n < 1:
            raise ArgumentError(f"n: expected at least 1 pair; got {n!r}")
        return labelled(self.interactions.top(column, n=n), self.units.labels)

    def summary(self, output: str | int | None = None) -> str:
        """Return two or three plain sentences with the numbers in them."""
        from perturbx.reports.words import summarize

        return summarize(self, output)

    def plot(
        self,
        kind: Literal["bar", "waterfall", "heatmap", "network"] = "bar",
        *,
        output: str | int | None = None,
        n: int | None = None,
        ax: matplotlib.axes.Axes | None = None,
    ) -> matplotlib.axes.Axes:
        """Draw values (bar, waterfall) or interactions (heatmap, network) with their errors.

        Of `n` bars (12 by default), units of a heat map (40) or edges of a network (20); needs
        the extra ``plots``, and returns the axes.
        """
        from perturbx.reports.plots import plot

        return plot(self, kind, output=output, n=n, ax=ax)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """Return a self-contained HTML page, and write it to `path` where given."""
        from perturbx.reports.html import render_html

        page = render_html([self], standalone=True)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per unit and output (extra ``pandas``)."""
        from perturbx.interop.pandas import to_pandas

        return to_pandas([self])

    def to_shap(self) -> shap.Explanation:
        """Return a ``shap.Explanation`` that shap's plots accept."""
        from perturbx.interop.shap import to_shap

        return to_shap([self])[0]

    def to_lime(self) -> lime.explanation.Explanation:
        """Return a ``lime.explanation.Explanation``."""
        from perturbx.interop.lime import to_lime

        return to_lime(self)

    def refit(
        self,
        surrogate: str | Surrogate,
        *,
        link: Link | None = None,
        outputs: str | Sequence[str] | None = None,
    ) -> Explanation:
        """Return another surrogate's view of the same table: no call to the model is made.

        Parameters
        ----------
        surrogate : str or Surrogate
            "leverage", "banzhaf", "lasso", ..., or an object with ``fit``.
        link : str, optional
            Another link; this explanation's own by default.
        outputs : str or sequence of str, optional
            Other outputs; this explanation's own by default.

        Raises
        ------
        SurrogateError
            The table lacks what the surrogate needs.
        """
        return self.from_table(
            self.table,
            surrogate,
            link=self.link if link is None else link,
            outputs=self.output_names if outputs is None else outputs,
        )

    @classmethod
    def from_table(
        cls,
        table: ScoreTable,
        surrogate: str | Surrogate,
        *,
        link: Link = "identity",
        outputs: str | Sequence[str] = "all",
    ) -> Explanation:
        """Return a surrogate's view of a table, a loaded one say: the model is not needed.

        Parameters
        ----------
        table : ScoreTable
            The scores of one text.
        surrogate : str or Surrogate
            "leverage", "banzhaf", "lasso", ..., or an object with ``fit``.
        link : {"identity", "probability", "log_prob", "log_odds"}, default="identity"
            The scale of the values.
        outputs : {"all", "predicted"} or sequence of str, default="all"
            The outputs.

        Raises
        ------
        SurrogateError
            The table lacks what the surrogate needs.
        TableError
            The table is of a game without a text.
        """
        from perturbx.surrogates import as_surrogate

        if table.units is None:
            raise TableError("table: has no units, so there is no text to explain")
        view = table.linked(link).select(outputs)
        (attribution,) = as_surrogate(surrogate).fit([view])
        return cls(table.units, table, attribution, view.output_names, link)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain values, ready for JSON."""
        return write_record(self)

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the explanation with its table as JSON, and write it to `path` where given."""
        # An escape can hold a lone surrogate, which UTF-8 cannot.
        lone = any("\ud800" <= character <= "\udfff" for character in self.text)
        text = json.dumps(self.to_dict(), ensure_ascii=lone, allow_nan=False)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Explanation:
        """Return the explanation that `to_dict` wrote.

        Raises
        ------
        TableError
            The record is not one of those.
        """
        return cls(**read_record(record))

    @classmethod
    def from_json(cls, text: str) -> Explanation:
        """Return the explanation that `to_json` wrote (the text of it, not a path)."""
        return cls.from_dict(json.loads(text))
