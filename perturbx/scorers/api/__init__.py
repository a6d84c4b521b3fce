"""Models behind an API: asked side by side, within limits, and paid for once."""

from perturbx.scorers.api.cache import AnswerCache, CacheInfo
from perturbx.scorers.api.faults import Fault
from perturbx.scorers.api.model import ApiModel, as_provider
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question, Token, Usage
from perturbx.scorers.api.scorer import ApiScorer
from perturbx.scorers.api.spending import Limits, Prices, Spending
from perturbx.scorers.api_names import names_api_model

__all__ = [
    "Answer",
    "AnswerCache",
    "ApiModel",
    "ApiScorer",
    "CacheInfo",
    "Fault",
    "Limits",
    "Prices",
    "Provider",
    "Question",
    "Spending",
    "Token",
    "Usage",
    "as_provider",
    "names_api_model",
]
