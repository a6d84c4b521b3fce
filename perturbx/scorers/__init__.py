"""The black box: variants in, numbers out, whatever the model is."""

from perturbx.scorers.as_scorer import as_scorer
from perturbx.scorers.callable import CallableScorer
from perturbx.scorers.classifier import TransformersClassifier
from perturbx.scorers.loading import load_classifier
from perturbx.scorers.outputs import checked
from perturbx.scorers.scores import Scores
from perturbx.scorers.sklearn import SklearnScorer

__all__ = [
    "CallableScorer",
    "Scores",
    "SklearnScorer",
    "TransformersClassifier",
    "as_scorer",
    "checked",
    "load_classifier",
]
