"""`ShapleyExplainer`: Shapley values of the units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.design import Design, ShapleyEstimator, shapley_design
from perturbx.typing import Link, Masker, RandomState
from perturbx.units.units import Units


class ShapleyExplainer(BaseExplainer):
    """Explains a text by the Shapley values of its units.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`, also for the parameters not listed here.
    estimator : {"auto", "exact", "odd_gp", "leverage", "kernel", "permutation"}, default="auto"
        "auto" enumerates where all coalitions fit in the budget and takes "leverage" elsewhere:
        paired leverage-score sampling without replacement and constrained least squares.
        "odd_gp" asks about the pairs that tell most and fits Gaussian processes to them.
        "kernel" is KernelSHAP, "permutation" averages antithetic chains.

    Notes
    -----
    The value of unit i is the sum over coalitions S without i of
    ``|S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))``; the values add up to
    ``v(all) - v(none)``. Sources: Lundberg & Lee 2017; Musco & Witter 2025 (LeverageSHAP).

    Examples
    --------
    >>> from perturbx import ShapleyExplainer
    >>> def length(texts):
    ...     return [len(text.split()) for text in texts]
    >>> explainer = ShapleyExplainer(length, random_state=0)
    >>> explainer.explain(["one two three"])[0].values.ravel()
    array([1., 1., 1.])
    """

    def __init__(
        self,
        model: Any,
        *,
        estimator: ShapleyEstimator = "auto",
        units: Any = "words",
        masker: str | Masker = "auto",
        budget: int | str = "auto",
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
        self.estimator = estimator

    def _design(self, units: Units) -> Design:
        return shapley_design(self.estimator, self.budget, units.n_units)
