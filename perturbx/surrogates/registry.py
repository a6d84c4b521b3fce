"""Surrogates by name."""

from __future__ import annotations

from perturbx.exceptions import ArgumentError
from perturbx.surrogates.banzhaf import Banzhaf
from perturbx.surrogates.evidence import Evidence
from perturbx.surrogates.exact import ExactShapley
from perturbx.surrogates.forward_selection import ForwardSelection
from perturbx.surrogates.game_gp import BanzhafGP, LimeLimit
from perturbx.surrogates.kernel import KernelShapley
from perturbx.surrogates.lasso import Lasso
from perturbx.surrogates.leave_one_out import LeaveOneOut
from perturbx.surrogates.leverage import LeverageShapley
from perturbx.surrogates.lime_text import LimeText
from perturbx.surrogates.odd_gp import OddGP
from perturbx.surrogates.owen import Owen
from perturbx.surrogates.permutation import PermutationShapley
from perturbx.surrogates.ridge import RidgeSurrogate
from perturbx.surrogates.tree_proxy import TreeProxy
from perturbx.typing import Surrogate

_SURROGATES: dict[str, type[Surrogate]] = {
    "exact": ExactShapley,
    "odd_gp": OddGP,
    "tree_proxy": TreeProxy,
    "evidence": Evidence,
    "leverage": LeverageShapley,
    "kernel": KernelShapley,
    "permutation": PermutationShapley,
    "owen": Owen,
    "banzhaf": Banzhaf,
    "banzhaf_gp": BanzhafGP,
    "leave_one_out": LeaveOneOut,
    "ridge": RidgeSurrogate,
    "lime_limit": LimeLimit,
    "lime": LimeLimit,
    "lime_text": LimeText,
    "forward_selection": ForwardSelection,
    "lasso": Lasso,
}


def surrogate_names() -> tuple[str, ...]:
    """Return the names that `get_surrogate` knows."""
    return tuple(_SURROGATES)


def get_surrogate(name: str) -> Surrogate:
    """Return the surrogate of that name, with its default parameters.

    Parameters
    ----------
    name : str
        "exact", "odd_gp", "tree_proxy", "evidence", "leverage", "kernel", "permutation", "owen",
        "banzhaf", "banzhaf_gp", "leave_one_out", "ridge", "lime_limit" (also "lime"),
        "lime_text", "forward_selection" or "lasso".

    Raises
    ------
    ArgumentError
        There is none of that name.

    Examples
    --------
    >>> get_surrogate("leverage")
    LeverageShapley()
    """
    if name not in _SURROGATES:
        raise ArgumentError(
            f"surrogate: expected one of {', '.join(map(repr, _SURROGATES))}; got {name!r}"
        )
    return _SURROGATES[name]()


def as_surrogate(surrogate: str | Surrogate) -> Surrogate:
    """Return a surrogate as it is, and the one of that name for a string.

    Raises
    ------
    ArgumentError
        It is neither a known name nor an object with ``fit`` and ``name``.

    Examples
    --------
    >>> as_surrogate("ridge")
    RidgeSurrogate(alpha=1.0, kernel_width=25.0, weights='lime')
    """
    if isinstance(surrogate, str):
        return get_surrogate(surrogate)
    if isinstance(surrogate, type) or not isinstance(surrogate, Surrogate):
        raise ArgumentError(
            f"surrogate: expected one of {', '.join(map(repr, _SURROGATES))} or an object with "
            f"fit(tables) and a name; got {surrogate!r}"
        )
    return surrogate
