"""Ways to get a number from a model that answers in text."""

from perturbx.scorers.api.readings.confidence import Confidence
from perturbx.scorers.api.readings.label_log_probs import LabelLogProbs
from perturbx.scorers.api.readings.prompt_log_probs import LabelsInPrompt, ResponseInPrompt
from perturbx.scorers.api.readings.reading import Reading
from perturbx.scorers.api.readings.similarity import AnswerSimilarity
from perturbx.scorers.api.readings.votes import Votes

__all__ = [
    "AnswerSimilarity",
    "Confidence",
    "LabelLogProbs",
    "LabelsInPrompt",
    "Reading",
    "ResponseInPrompt",
    "Votes",
]
