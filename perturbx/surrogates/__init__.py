"""Surrogates: from a table of scores to attributions.

Every surrogate has ``fit(tables) -> list[Attribution]`` and reads the same tables, so a second
opinion costs no call. The Shapley family: `ExactShapley`, `OddGP`, `WithProxy` (beside the scores
of a cheaper model), `LeverageShapley`, `KernelShapley`, `PermutationShapley`, `Owen` (with a
hierarchy), `TreeProxy` and `Evidence` (with LightGBM). Other targets: `Banzhaf`,
`BanzhafGP`, `LeaveOneOut`. Linear models near the text: `LimeLimit`, `RidgeSurrogate`, `LimeText`,
`ForwardSelection`, `Lasso`.
"""

from perturbx.surrogates.attribution import Attribution
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
from perturbx.surrogates.registry import as_surrogate, get_surrogate, surrogate_names
from perturbx.surrogates.ridge import RidgeSurrogate
from perturbx.surrogates.tree_proxy import TreeProxy
from perturbx.surrogates.with_proxy import ProxyAttribution, WithProxy

__all__ = [
    "Attribution",
    "Banzhaf",
    "BanzhafGP",
    "Evidence",
    "ExactShapley",
    "ForwardSelection",
    "KernelShapley",
    "Lasso",
    "LeaveOneOut",
    "LeverageShapley",
    "LimeLimit",
    "LimeText",
    "OddGP",
    "Owen",
    "PermutationShapley",
    "ProxyAttribution",
    "RidgeSurrogate",
    "TreeProxy",
    "WithProxy",
    "as_surrogate",
    "get_surrogate",
    "surrogate_names",
]
