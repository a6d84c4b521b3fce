"""Prompts as units: chats, documents, examples, and the responses behind them."""

from perturbx.units.prompts.chat import chat_prompt, in_chat
from perturbx.units.prompts.documents import document_prompt
from perturbx.units.prompts.few_shot import few_shot_prompt
from perturbx.units.prompts.responses import response_of, response_spans, with_responses

__all__ = [
    "chat_prompt",
    "document_prompt",
    "few_shot_prompt",
    "in_chat",
    "response_of",
    "response_spans",
    "with_responses",
]
