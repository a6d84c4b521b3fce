"""`LassoExplainer`: a sparse linear surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

from perturbx.coalitions import Uniform
from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.design import Design, calls_for_line
from perturbx.surrogates import Lasso
from perturbx.typing import Link, Masker, RandomState
from perturbx.units.units import Units


class LassoExplainer(BaseExplainer):
    """Explains a text by a sparse linear model over masks that keep each unit with probability ½.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`, also for the parameters not listed here.
    alpha : float or "cv", default=0.01
        The weight of the L1 penalty on standardised columns, in units of the score; "cv" chooses
        it by cross-validation.
    keep : float, default=0.5
        The probability that a unit is kept in a mask.

    Notes
    -----
    ContextCite's surrogate (Cohen-Wang et al. 2024). ``explanation.refit("banzhaf")`` reads the
    Banzhaf values off the same masks.

    Examples
    --------
    >>> from perturbx import LassoExplainer
    >>> def ends_well(texts):
    ...     return [1.0 * ("well" in text) for text in texts]
    >>> explainer = LassoExplainer(ends_well, random_state=0)
    >>> explainer.explain(["all is well that ends"])[0].as_list(n=1)
    [('well', 0.9...)]
    """

    def __init__(
        self,
        model: Any,
        *,
        alpha: float | Literal["cv"] = 0.01,
        keep: float = 0.5,
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
        self.alpha = alpha
        self.keep = keep

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not (isinstance(self.keep, Real) and 0.0 < self.keep < 1.0):
            raise ArgumentError(f"keep: expected a probability between 0 and 1; got {self.keep!r}")

    def _design(self, units: Units) -> Design:
        calls = calls_for_line(self.budget, units.n_units)
        return Design(Uniform(self.keep), Lasso(self.alpha), calls)
