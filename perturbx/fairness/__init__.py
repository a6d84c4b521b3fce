"""Audits of a text model on labelled data: what differs between groups, how sure, and why."""

from perturbx.fairness.audit import FairnessAudit
from perturbx.fairness.audit_cost import AuditCost
from perturbx.fairness.comparison import Comparison, compare, compare_explanations
from perturbx.fairness.gates import Gate
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.planted import PlantedBias, planted_scorer
from perturbx.fairness.report import FairnessReport
from perturbx.fairness.representatives import submodular_pick
from perturbx.fairness.verdicts import Verdict

__all__ = [
    "AuditCost",
    "Comparison",
    "FairnessAudit",
    "FairnessReport",
    "Gate",
    "LabelledTexts",
    "PlantedBias",
    "Verdict",
    "compare",
    "compare_explanations",
    "planted_scorer",
    "submodular_pick",
]
