"""`PartitionExplainer`: Owen values on a hierarchy, SHAP's partition values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from perturbx.coalitions import Owen
from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.budget import resolve_budget
from perturbx.explainers.design import Design
from perturbx.surrogates import Owen as OwenSurrogate
from perturbx.typing import Link, Masker, RandomState
from perturbx.units import hierarchy
from perturbx.units.tree import Tree
from perturbx.units.units import Units


class PartitionExplainer(BaseExplainer):
    """Explains a text by Owen values: Shapley values that keep each group of a tree together.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`, also for the parameters not listed here.
    tree : {"auto", "balanced"}, Tree, scipy linkage matrix or callable, default="auto"
        The hierarchy. "auto": clauses within sentences within paragraphs. "balanced": halves of
        neighbours. A `Tree` or a linkage matrix ``(n_units - 1, 4)`` fits texts of that many
        units; a callable gets the `Units` of each text and returns either.

    Notes
    -----
    On a binary tree these are the values of shap's PartitionExplainer when its budget suffices;
    all of them are exact where the budget covers every coalition of the tree (``2 (n² - 1) / 3``
    calls for n units in a balanced tree). Coalitions that a service refuses, or that a limit leaves
    out, count with what the others let expect of them, and with the error of that.

    Examples
    --------
    >>> from perturbx import PartitionExplainer
    >>> def length(texts):
    ...     return [len(text.split()) for text in texts]
    >>> PartitionExplainer(length).explain(["one two three"])[0].values.ravel()
    array([1., 1., 1.])
    """

    def __init__(
        self,
        model: Any,
        *,
        tree: Any = "auto",
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
        self.tree = tree

    def _players(self, units: Units) -> Units:
        if units.tree is not None and isinstance(self.tree, str) and self.tree == "auto":
            return units
        return replace(units, tree=self._tree_of(units))

    def _tree_of(self, units: Units) -> Tree:
        chosen = self.tree
        if isinstance(chosen, str):
            if chosen == "balanced":
                return Tree.balanced(units.n_units)
            if chosen == "auto":
                grouped = hierarchy(units)
                return grouped.tree or Tree.balanced(units.n_units)
            raise ArgumentError(
                f"tree: expected 'auto', 'balanced', a Tree, a linkage matrix or a callable; got "
                f"{chosen!r}"
            )
        if callable(chosen):
            chosen = chosen(units)
        tree = chosen if isinstance(chosen, Tree) else Tree.from_linkage(chosen)
        if tree.n_units != units.n_units:
            raise ArgumentError(
                f"tree: has {tree.n_units} leaves for a text of {units.n_units} units that the "
                f"model reads; a callable makes one for the units that it is given"
            )
        return tree

    def _design(self, units: Units) -> Design:
        calls = resolve_budget(self.budget, units.n_units)
        return Design(Owen(), OwenSurrogate(), calls)
