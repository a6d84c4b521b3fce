"""What a model says as a score: how much it is like the original answer."""

from perturbx.scorers.generated.entailment import Entailment
from perturbx.scorers.generated.overlap import Bleu, ChrF, Rouge
from perturbx.scorers.generated.scorer import GeneratedTextScorer
from perturbx.scorers.generated.similarity import EmbeddingSimilarity

__all__ = [
    "Bleu",
    "ChrF",
    "EmbeddingSimilarity",
    "Entailment",
    "GeneratedTextScorer",
    "Rouge",
]
