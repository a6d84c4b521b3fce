"""`Explanation`: what the user holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perturbx.exceptions import TableError
from perturbx.explanation_record import read_record, write_record
from perturbx.explanation_values import ExplanationValues
from perturbx.score_table import ScoreTable
from perturbx.typing import FloatArray, Link, Surrogate

if TYPE_CHECKING:
    import lime.explanation
    import matplotlib.axes
    import pandas as pd
    import shap


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplanationValues):
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
        """Draw the values of one output or its interactions, with how sure they are.

        Parameters
        ----------
        kind : {"bar", "waterfall", "heatmap", "network"}, default="bar"
            Bars by size, steps from the base value to the score, a matrix of the interactions of
            pairs, or the units on a circle with an edge for each pair that is sure to interact.
        output : str or int, optional
            The output; `top_output` by default.
        n : int, optional
            Bars, 12 by default; units of a heat map, 40; edges of a network, 20.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new pyplot figure by default.

        Raises
        ------
        ArgumentError
            `kind`, `output` or `n` is not one of those.
        MissingExtraError
            Matplotlib is not installed (extra ``plots``).
        SurrogateError
            There are no interactions to draw: see `interactions`.
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
            "lime", "leverage", "banzhaf", "lasso", ..., with its default parameters whatever the
            explainer's were (see `perturbx.surrogates.get_surrogate`), or an object with ``fit``,
            such as ``Lasso(alpha="cv")`` or ``LimeLimit(kernel_width=50)``.
        link : str, optional
            Another link; this explanation's own by default.
        outputs : str or sequence of str, optional
            Other outputs; this explanation's own by default.

        Raises
        ------
        SurrogateError
            The table lacks what the surrogate needs: rows, or that they were drawn by chance. The
            message names surrogates that take it.
        """
        return self.from_table(
            self.table,
            surrogate,
            link=self.link if link is None else link,
            outputs=self.output_names if outputs is None else outputs,
        )

    def predict(self, masks: Any) -> FloatArray:
        """Return what the scores paid for let expect of other masks: no call is made.

        The posterior mean of Gaussian processes on the game, with its interactions; the values
        alone are a line (`additivity` tells how near the game is to one).

        Parameters
        ----------
        masks : array of bool, (m, n_units)
            True = kept.

        Returns
        -------
        numpy.ndarray, (m, n_outputs)
            On the scale of the explanation.

        Raises
        ------
        SurrogateError
            If the masks are of other units, or the table has fewer than four rows.
        """
        from perturbx.surrogates.game_gp.prediction import predict_scores

        view = self.table.linked(self.link).select(self.output_names)
        return predict_scores(view, np.asarray(masks))

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
        view = table.linked(link).select(table.select(outputs).output_names)
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
        """Return the explanation that `to_json` wrote (the text of it, not a path).

        Raises
        ------
        TableError
            The text is not one of those.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TableError(f"text: is not JSON ({error})") from error
        return cls.from_dict(record)
