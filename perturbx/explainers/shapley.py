"""`ShapleyExplainer`: Shapley values of the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.design import (
    Design,
    ShapleyEstimator,
    begins_with_groups,
    design_for_groups,
    shapley_design,
)
from perturbx.explainers.preparation import encode_texts
from perturbx.explainers.proxy import AskedProxy, ProxyGames
from perturbx.explainers.stopping import StoppingRule, check_rule
from perturbx.maskers import as_masker
from perturbx.runner import Runner
from perturbx.scorers import as_scorer
from perturbx.surrogates import OddGP
from perturbx.typing import Encoding, Link, Masker, RandomState
from perturbx.units import hierarchy
from perturbx.units.units import Units


class ShapleyExplainer(BaseExplainer):
    """Explains a text by the Shapley values of its units.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`, also for the parameters not listed here.
    estimator : {"auto", "exact", "odd_gp", "evidence", "tree_proxy", "leverage", "kernel", \
"permutation", "unbiased"}, default="auto"
        "auto" enumerates where all coalitions fit in the budget and takes "odd_gp" elsewhere: it
        asks about the pairs that tell most and fits Gaussian processes to them. "evidence" puts
        boosted trees beside it as far as the scores speak for them (extra ``trees``; from 20
        calls a unit), "tree_proxy" always does. "leverage" is
        paired leverage-score sampling without replacement and constrained least squares,
        "kernel" is KernelSHAP, "permutation" averages antithetic chains, which is the only one
        without any bias; "unbiased" takes it where not all coalitions fit in the budget: for means
        over many texts, in which errors average out and a bias does not.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Distinct model calls a text. "auto" (estimators "auto" and "odd_gp"): 3 a unit, then 1.5
        times as many a round until the errors are small enough, at most 20 a unit; exact where
        all ``2 ** n_units`` take at most 10 a unit, or where the rounds get to them. A number, or
        5, 10, 20 a unit ("fast", "normal", "high"), is spent at once; "odd_gp" and "leverage"
        round an odd one down to whole pairs and need ``n_units + 2``. The other estimators do
        not draw nested designs: for them "auto" is 10 a unit.
        Long texts, of more than 400 units with "auto", or of more than 60 with a number below
        ``n_units + 2``: clauses and sentences come first, and those that matter are taken apart,
        round after round, within 1,200 calls or the number given. The units of the explanation
        are then units and groups of units.
    tolerance : float, default=0.1
        "auto" stops for a text when the half-width of every interval is at most this part of the
        largest absolute value, in every output explained. Intervals have 95% confidence over all
        looks together: each of r possible looks takes 1 - 0.05 / r.
    top_k : int, optional
        "auto" stops, too, when the `top_k` largest values are separated from the rest.
    proxy : object, optional
        A cheap model beside one that is paid for, of any form that `model` may have: a small
        local model, a distilled classifier. It scores the same masks and many more, and as far as
        the paid scores speak for it, what it says of the interactions need not be bought. The
        weight is found by evidence, and is 0 for a proxy that tells nothing
        (``explanation.attribution.proxy_weight``). For the estimators "auto" and "odd_gp", and
        not for texts so long that groups of units come first.

    Notes
    -----
    The value of unit i is the sum over coalitions S without i of
    ``|S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))``; the values add up to
    ``v(all) - v(none)``. ``explanation.budget_report`` tells what was spent and why no more.
    Sources: Lundberg & Lee 2017; Musco & Witter 2025 (LeverageSHAP).

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
        tolerance: float = 0.1,
        top_k: int | None = None,
        proxy: Any = None,
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
        self.estimator: Any = estimator
        self.tolerance = tolerance
        self.top_k = top_k
        self.proxy = proxy

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_rule(self._rule(), self.estimator, self.budget)
        if self._proxy_model() is not None and self.estimator not in ("auto", "odd_gp"):
            raise ArgumentError(
                f"proxy: is for the estimators 'auto' and 'odd_gp'; got estimator="
                f"{self.estimator!r}"
            )

    def _rule(self) -> StoppingRule:
        return StoppingRule(self.tolerance, self.top_k)

    def _players(self, units: Units) -> Units:
        if units.tree is None and self._begins_with_groups(units):
            return hierarchy(units)
        return units

    def _begins_with_groups(self, units: Units) -> bool:
        return begins_with_groups(self.estimator, self.budget, units.n_units)

    def _proxy_model(self) -> Any:
        return getattr(self, "proxy", None)

    def _designs(self, encodings: Sequence[Encoding]) -> list[Design]:
        designs = super()._designs(encodings)
        model = self._proxy_model()
        if model is None:
            return designs
        for number, (design, encoding) in enumerate(zip(designs, encodings, strict=True)):
            if design.is_refined:
                raise ArgumentError(
                    f"proxy: texts[{number}] is so long that groups of units come first, and a "
                    f"proxy plays units only; take coarser units, or a number of at least "
                    f"{encoding.units.n_units + 2} for `budget`"
                )
        try:
            scorer = as_scorer(model)
        except ArgumentError as error:
            raise ArgumentError(f"proxy: {str(error).removeprefix('model: ')}") from error
        units = [encoding.units for encoding in encodings]
        masker = as_masker("auto", getattr(scorer, "tokenizer", None))
        ready = encode_texts(units, masker, scorer, self._players)
        for number, (own, paid) in enumerate(zip(ready, encodings, strict=True)):
            if own.units.n_units != paid.units.n_units:
                raise ArgumentError(
                    f"proxy: does not read all of texts[{number}]; its window is shorter than that "
                    f"of the model"
                )
        runner = Runner(scorer, batch_tokens=self.batch_tokens, progress=self.progress)
        games = ProxyGames(ready, runner, self.link, self._scorer())
        return [
            replace(design, surrogate=AskedProxy(games, number))
            if isinstance(design.surrogate, OddGP)
            else design
            for number, design in enumerate(designs)
        ]

    def _design(self, units: Units) -> Design:
        if units.tree is not None and self._begins_with_groups(units):
            return design_for_groups(self.estimator, self.budget, units.n_units)
        return shapley_design(self.estimator, self.budget, units.n_units)
