"""`explain`: the one-liner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perturbx.exceptions import ArgumentError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.lasso import LassoExplainer
from perturbx.explainers.lime import LimeExplainer
from perturbx.explainers.occlusion import OcclusionExplainer
from perturbx.explainers.partition import PartitionExplainer
from perturbx.explainers.shapley import ShapleyExplainer
from perturbx.explanations import Explanations
from perturbx.typing import TextInput
from perturbx.units.units import Units

EXPLAINERS: dict[str, type[BaseExplainer]] = {
    "shapley": ShapleyExplainer,
    "partition": PartitionExplainer,
    "lime": LimeExplainer,
    "lasso": LassoExplainer,
    "occlusion": OcclusionExplainer,
}


def make_explainer(name: str, model: Any, **parameters: Any) -> BaseExplainer:
    """Return the explainer of that name.

    Parameters
    ----------
    name : {"shapley", "partition", "lime", "lasso", "occlusion"}
        Which one.
    model : object
        What is explained; see `BaseExplainer`.
    **parameters
        Its parameters.

    Raises
    ------
    ArgumentError
        There is no explainer, or no parameter, of that name.
    """
    if name not in EXPLAINERS:
        raise ArgumentError(f"explainer: expected one of {', '.join(EXPLAINERS)}; got {name!r}")
    kind = EXPLAINERS[name]
    known = kind._get_param_names()
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        raise ArgumentError(
            f"{unknown[0]}: {kind.__name__} has no such parameter; it has {', '.join(known)}"
        )
    return kind(model, **parameters)


def explain(
    model: Any,
    texts: Sequence[TextInput | Units],
    *,
    explainer: str = "shapley",
    **parameters: Any,
) -> Explanations:
    """Explain what a model makes of some texts.

    Parameters
    ----------
    model : object
        What is explained; see `BaseExplainer`.
    texts : sequence of str, of (str, str), or of Units
        The texts.
    explainer : {"shapley", "partition", "lime", "lasso", "occlusion"}, default="shapley"
        How.
    **parameters
        Parameters of that explainer: ``units``, ``budget``, ``link``, ``random_state``, ...

    Returns
    -------
    Explanations
        One per text.

    Examples
    --------
    >>> import perturbx as px
    >>> def shouts(texts):
    ...     return [text.count("!") for text in texts]
    >>> px.explain(shouts, ["Stop! Please."])[0].as_list()
    [('Stop', 1.0), ('Please', 0.0)]
    """
    return make_explainer(explainer, model, **parameters).explain(texts)
