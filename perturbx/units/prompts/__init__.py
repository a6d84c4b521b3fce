"""Prompts as units: chats, documents, examples, and the responses behind them."""

from perturbx.units.prompts.chat import chat_prompt, in_chat
from perturbx.units.prompts.documents import document_prompt
from perturbx.units.prompts.few_shot import few_shot_prompt
from perturbx.units.prompts.responses import response_of, response_spans, with_responses
from perturbx.units.prompts.structured import code_prompt, json_prompt

__all__ = [
    "chat_prompt",
    "code_prompt",
    "document_prompt",
    "few_shot_prompt",
    "in_chat",
    "json_prompt",
    "response_of",
    "response_spans",
    "with_responses",
]
