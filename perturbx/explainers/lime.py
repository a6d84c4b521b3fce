"""`LimeExplainer`: a weighted linear surrogate around the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from perturbx.coalitions import Exhaustive, GlimeSizes, LimeSizes, OddPairs
from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.budget import resolve_budget
from perturbx.explainers.design import Design, calls_for_line, least_of_pairs
from perturbx.explainers.stopping import StoppingRule
from perturbx.maskers import as_masker
from perturbx.surrogates import LimeLimit, LimeText, RidgeSurrogate
from perturbx.surrogates.feature_selection import SELECTIONS, Selection
from perturbx.surrogates.ridge import check_positive
from perturbx.symmetric_kernels import lime_functional
from perturbx.typing import Link, Masker, RandomState, Scorer, Segmenter
from perturbx.units import BagOfWords, as_segmenter
from perturbx.units.units import Units

METHODS = ("limit", "lime", "glime", "lime_text")

LARGEST = ("auto", "highest_weights")
"""Of the ways to choose units, those that take the largest values."""

LIME_DRAWS = 5_000
"""The number of masks that lime draws by default."""


class LimeExplainer(BaseExplainer):
    r"""Explains a text by the linear model that fits best in its neighbourhood.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`, also for the parameters not listed here.
    method : {"limit", "lime", "glime", "lime_text"}, default="limit"
        "limit" estimates the line that LIME's own draws and kernel lead to with infinitely many
        samples: it asks about the same pairs as Shapley's "odd_gp" and fits Gaussian processes to
        them (see `LimeLimit`), so one table serves both and neither depends on lucky draws.
        "lime" draws LIME's masks until the budget of distinct ones is spent and fits the
        weighted ridge. "glime" draws them from the kernel itself and fits without weights, which
        is steadier (Tan et al. 2023). "lime_text" follows lime's LimeTextExplainer to the
        letter: its words (split at ``\W+``, all occurrences of a word together), deletion, its
        5,000 draws ("auto"; an int is the number of draws) with repeats, its feature selection.
    n_features : int, optional
        How many units get a value at most; all by default, 10 for "lime_text", as in lime. Not
        for "glime", which values every unit. Errors of "limit" count that others may be larger,
        so "auto" spends its most calls where it stays open which are the largest.
    feature_selection : str, default="auto"
        How they are chosen, by lime's names: "auto", "forward_selection", "highest_weights",
        "lasso_path", "none". "limit" takes the largest values and fits the line to these anew:
        "auto" and "highest_weights" are that, and the others are not to be had. Not for "glime".
    kernel_width : float, default=25.0
        The width of LIME's kernel, in hundredths of cosine distance.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Distinct model calls a text. "auto" with "limit": 3 a unit, then 1.5 times as many a round
        until the errors are small enough, at most 20 a unit; exact where all ``2 ** n_units``
        take at most 10 a unit, or where the rounds get to them. A number, or 5, 10, 20 a unit
        ("fast", "normal", "high"), is spent at once; "limit" rounds an odd one down to whole
        pairs and needs ``n_units + 2``. For "lime" and "glime" "auto" is 10 a unit.
    tolerance : float, default=0.1
        "auto" with "limit" stops for a text when the half-width of every interval is at most this
        part of the largest absolute value, in every output explained; see `ShapleyExplainer`.
    top_k : int, optional
        It stops, too, when the `top_k` largest values are separated from the rest.

    Notes
    -----
    ``explanation.method`` names the fit: "lime_limit", "ridge" ("lime" and "glime"), or "lime_text"
    wherever lime's own way chooses units, also for "lime" with `n_features`.

    The limit is a linear function of the scores of all ``2 ** n_units`` masks: Mardaoui & Garreau
    2021. LIME: Ribeiro, Singh & Guestrin 2016.

    Examples
    --------
    >>> from perturbx import LimeExplainer
    >>> def ends_well(texts):
    ...     return [1.0 * ("well" in text) for text in texts]
    >>> explainer = LimeExplainer(ends_well, random_state=0, method="lime_text")
    >>> explainer.explain(["all is well that ends"])[0].as_list(n=1)
    [('well', 0.9...)]
    """

    def __init__(
        self,
        model: Any,
        *,
        method: Literal["limit", "lime", "glime", "lime_text"] = "limit",
        n_features: int | None = None,
        feature_selection: Selection = "auto",
        kernel_width: float = 25.0,
        units: Any = "words",
        masker: str | Masker = "auto",
        budget: int | str = "auto",
        tolerance: float = 0.1,
        top_k: int | None = None,
        outputs: str | Sequence[str] = "all",
        link: Link = "identity",
        random_state: RandomState = None,
        device: Any = None,
        dtype: Any = None,
        batch_tokens: int | Literal["auto"] = "auto",
        output_names: Sequence[str] | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(
            model,
            units=units,
            masker=masker,
            budget=budget,
            outputs=outputs,
            link=link,
            random_state=random_state,
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            output_names=output_names,
            progress=progress,
        )
        self.method = method
        self.n_features = n_features
        self.feature_selection = feature_selection
        self.kernel_width = kernel_width
        self.tolerance = tolerance
        self.top_k = top_k

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.method not in METHODS:
            raise ArgumentError(f"method: expected one of {METHODS}; got {self.method!r}")
        if self.feature_selection not in SELECTIONS:
            raise ArgumentError(
                f"feature_selection: expected one of {SELECTIONS}; got {self.feature_selection!r}"
            )
        if self.method == "glime" and self.feature_selection != "auto":
            raise ArgumentError(
                f"feature_selection: method='glime' values every unit; use method='lime' to "
                f"select; got {self.feature_selection!r}"
            )
        if self.method == "limit" and self.feature_selection not in LARGEST:
            raise ArgumentError(
                f"feature_selection: method='limit' takes the largest values, 'auto' or "
                f"'highest_weights'; got {self.feature_selection!r}"
            )
        has_rounds = self.method == "limit" and self.budget == "auto"
        if not has_rounds and self._rule() != StoppingRule():
            raise ArgumentError(
                f"tolerance and top_k end the rounds of method='limit' with budget='auto', and "
                f"there are none with method={self.method!r} and budget={self.budget!r}"
            )

    def _rule(self) -> StoppingRule:
        return StoppingRule(self.tolerance, self.top_k)

    def _segmenter(self) -> Segmenter:
        if self.method == "lime_text" and isinstance(self.units, str) and self.units == "words":
            return BagOfWords()
        return as_segmenter(self.units)

    def _masker(self, scorer: Scorer) -> Masker:
        if self.method == "lime_text" and self.masker == "auto":
            return as_masker("delete")
        return super()._masker(scorer)

    def _design(self, units: Units) -> Design:
        if self.method == "lime_text":
            draws = (
                LIME_DRAWS if self.budget == "auto" else calls_for_line(self.budget, units.n_units)
            )
            n_features = 10 if self.n_features is None else self.n_features
            return Design(
                LimeSizes(n_draws=draws),
                LimeText(n_features, self.feature_selection, self.kernel_width),
                draws,
            )
        check_positive(self.kernel_width, "kernel_width")
        if units.n_units > 1:
            # Told before anything is paid for where the kernel is too narrow for a line.
            lime_functional(units.n_units, float(self.kernel_width))
        if self.method == "limit":
            calls = resolve_budget(self.budget, units.n_units)
            least_of_pairs(calls, units.n_units)
            line = LimeLimit(self.kernel_width, self.n_features)
            return Design(OddPairs(), line, calls, is_nested=True)
        calls = calls_for_line(self.budget, units.n_units)
        if self.method == "glime":
            if self.n_features is not None:
                raise ArgumentError(
                    "n_features: method='glime' values every unit; use method='lime' to select"
                )
            ridge = RidgeSurrogate(weights="uniform")
            if units.n_units == 1:  # of one unit the kernel's sizes are the whole text alone
                return Design(Exhaustive(), ridge, calls)
            return Design(GlimeSizes(kernel_width=self.kernel_width), ridge, calls)
        if self.n_features is None:
            return Design(LimeSizes(), RidgeSurrogate(kernel_width=self.kernel_width), calls)
        return Design(
            LimeSizes(),
            LimeText(self.n_features, self.feature_selection, self.kernel_width),
            calls,
        )
