"""The front doors, by scikit-learn's rules. They orchestrate the other rooms."""

from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.cost import CostEstimate
from perturbx.explainers.explain import EXPLAINERS, explain, make_explainer
from perturbx.explainers.game import explain_game
from perturbx.explainers.lasso import LassoExplainer
from perturbx.explainers.lime import LimeExplainer
from perturbx.explainers.occlusion import OcclusionExplainer
from perturbx.explainers.partition import PartitionExplainer
from perturbx.explainers.shapley import ShapleyExplainer

__all__ = [
    "EXPLAINERS",
    "BaseExplainer",
    "CostEstimate",
    "LassoExplainer",
    "LimeExplainer",
    "OcclusionExplainer",
    "PartitionExplainer",
    "ShapleyExplainer",
    "explain",
    "explain_game",
    "make_explainer",
]
