"""perturbx explains any text model by asking it about perturbed inputs.

The public names are imported on first use, so ``import perturbx`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from perturbx._version import __version__

if TYPE_CHECKING:
    from perturbx.budget_report import BudgetReport
    from perturbx.exceptions import (
        AnswersWarning,
        ArgumentError,
        BudgetExceeded,
        CapabilityError,
        CutShortWarning,
        Interrupted,
        MaskingError,
        MissingExtraError,
        PerturbxError,
        PoorFitWarning,
        RateLimitError,
        RefusedError,
        ScoringError,
        SegmentationError,
        SurrogateError,
        TableError,
        TruncationWarning,
    )
    from perturbx.explainers.api_batch import read_batch, write_batch
    from perturbx.explainers.api_record import replay_record, write_record
    from perturbx.explainers.base import BaseExplainer
    from perturbx.explainers.context import ContextExplainer
    from perturbx.explainers.cost import CostEstimate
    from perturbx.explainers.explain import explain, make_explainer
    from perturbx.explainers.game import explain_game
    from perturbx.explainers.lasso import LassoExplainer
    from perturbx.explainers.lime import LimeExplainer
    from perturbx.explainers.occlusion import OcclusionExplainer
    from perturbx.explainers.partition import PartitionExplainer
    from perturbx.explainers.prompt import PromptExplainer
    from perturbx.explainers.shapley import ShapleyExplainer
    from perturbx.explanation import Explanation
    from perturbx.explanations import Explanations
    from perturbx.fairness.audit import FairnessAudit
    from perturbx.fairness.labelled_texts import LabelledTexts
    from perturbx.fairness.report import FairnessReport
    from perturbx.score_table import ScoreTable
    from perturbx.scorers.api.model import ApiModel
    from perturbx.scorers.api.scorer import ApiScorer
    from perturbx.scorers.as_scorer import as_scorer
    from perturbx.surrogates.attribution import Attribution
    from perturbx.units.template import Template
    from perturbx.units.tree import Tree
    from perturbx.units.units import Units

_HOME = {
    **dict.fromkeys(
        (
            "AnswersWarning",
            "ArgumentError",
            "BudgetExceeded",
            "CapabilityError",
            "CutShortWarning",
            "Interrupted",
            "MaskingError",
            "MissingExtraError",
            "PerturbxError",
            "PoorFitWarning",
            "RateLimitError",
            "RefusedError",
            "ScoringError",
            "SegmentationError",
            "SurrogateError",
            "TableError",
            "TruncationWarning",
        ),
        "perturbx.exceptions",
    ),
    "ApiModel": "perturbx.scorers.api.model",
    "ApiScorer": "perturbx.scorers.api.scorer",
    "Attribution": "perturbx.surrogates.attribution",
    "BaseExplainer": "perturbx.explainers.base",
    "BudgetReport": "perturbx.budget_report",
    "ContextExplainer": "perturbx.explainers.context",
    "CostEstimate": "perturbx.explainers.cost",
    "Explanation": "perturbx.explanation",
    "Explanations": "perturbx.explanations",
    "FairnessAudit": "perturbx.fairness.audit",
    "FairnessReport": "perturbx.fairness.report",
    "LabelledTexts": "perturbx.fairness.labelled_texts",
    "LassoExplainer": "perturbx.explainers.lasso",
    "LimeExplainer": "perturbx.explainers.lime",
    "OcclusionExplainer": "perturbx.explainers.occlusion",
    "PartitionExplainer": "perturbx.explainers.partition",
    "PromptExplainer": "perturbx.explainers.prompt",
    "ScoreTable": "perturbx.score_table",
    "ShapleyExplainer": "perturbx.explainers.shapley",
    "Template": "perturbx.units.template",
    "Tree": "perturbx.units.tree",
    "Units": "perturbx.units.units",
    "as_scorer": "perturbx.scorers.as_scorer",
    "explain": "perturbx.explainers.explain",
    "explain_game": "perturbx.explainers.game",
    "make_explainer": "perturbx.explainers.explain",
    "read_batch": "perturbx.explainers.api_batch",
    "replay_record": "perturbx.explainers.api_record",
    "write_batch": "perturbx.explainers.api_batch",
    "write_record": "perturbx.explainers.api_record",
}

__all__ = [
    "AnswersWarning",
    "ApiModel",
    "ApiScorer",
    "ArgumentError",
    "Attribution",
    "BaseExplainer",
    "BudgetExceeded",
    "BudgetReport",
    "CapabilityError",
    "ContextExplainer",
    "CostEstimate",
    "CutShortWarning",
    "Explanation",
    "Explanations",
    "FairnessAudit",
    "FairnessReport",
    "Interrupted",
    "LabelledTexts",
    "LassoExplainer",
    "LimeExplainer",
    "MaskingError",
    "MissingExtraError",
    "OcclusionExplainer",
    "PartitionExplainer",
    "PerturbxError",
    "PoorFitWarning",
    "PromptExplainer",
    "RateLimitError",
    "RefusedError",
    "ScoreTable",
    "ScoringError",
    "SegmentationError",
    "ShapleyExplainer",
    "SurrogateError",
    "TableError",
    "Template",
    "Tree",
    "TruncationWarning",
    "Units",
    "__version__",
    "as_scorer",
    "explain",
    "explain_game",
    "make_explainer",
    "read_batch",
    "replay_record",
    "write_batch",
    "write_record",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'perturbx' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
