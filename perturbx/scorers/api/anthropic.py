"""Anthropic's messages: text in, text out, no log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, ApiPrompt, Json, Question, Usage, Wish

EMPTY = "(empty)"
"""What is sent in the place of a message without a word, which the service refuses."""


class AnthropicMessages(Provider):
    """The messages endpoint; answers are sampled, or compared with the original one."""

    name = "anthropic"
    package = "anthropic"
    path = "/v1/messages"
    environment = "ANTHROPIC_API_KEY"
    home = "https://api.anthropic.com"
    address_environment = "ANTHROPIC_BASE_URL"

    def new_client(self, package: Any, key: str) -> Any:
        """Return an asynchronous client."""
        address = self.base_url or self.home  # never one that the client finds by itself
        return package.AsyncAnthropic(
            base_url=address, api_key=key, max_retries=0, timeout=self.timeout
        )

    def body(self, prompt: ApiPrompt, wish: Wish) -> Json:
        """Return a request; see `Provider.body`."""
        messages = (("user", prompt),) if isinstance(prompt, str) else prompt
        # A system prompt stands beside the messages there, and is no message.
        system = "\n".join(content for role, content in messages if role == "system")
        body: Json = {
            "model": self.model,
            "messages": [
                {"role": role, "content": content if content.strip() else EMPTY}
                for role, content in messages
                if role != "system"
            ],
            "max_tokens": wish.max_tokens,
            "temperature": wish.temperature,
        }
        if system:
            body["system"] = system
        # It refuses stop sequences of white space only.
        if any(text.strip() for text in wish.stop):
            body["stop_sequences"] = [text for text in wish.stop if text.strip()]
        return body

    def read(self, raw: Json) -> Answer:
        """Return what an answer says; see `Provider.read`."""
        used = raw.get("usage")
        ended = str(raw.get("stop_reason") or "")
        return Answer(
            text="".join(block["text"] for block in raw["content"] if block["type"] == "text"),
            tokens=None,
            prompt=None,
            usage=_usage(used) if isinstance(used, Mapping) else None,
            model=str(raw.get("model", "")),
            fingerprint="",
            raw=raw,
            ended=ended,
            refusal="the answer was refused (stop_reason 'refusal')"
            if ended == "refusal"
            else None,
        )

    def batch_row(self, question: Question) -> Json:
        """Return a line of a request file; see `Provider.batch_row`."""
        return {"custom_id": question.key, "params": question.body}

    def read_batch_row(self, row: Json) -> tuple[str, Json | str]:
        """Return what a line of an answer file says; see `Provider.read_batch_row`."""
        key = str(row["custom_id"])
        result: Mapping[str, Any] = row.get("result") or {}
        if result.get("type") == "succeeded":
            return key, result["message"]
        said = result.get("error") or result
        inner = said.get("error", said) if isinstance(said, Mapping) else said
        message = inner.get("message", inner) if isinstance(inner, Mapping) else inner
        return key, str(message)


def _usage(used: Mapping[str, Any]) -> Usage | None:
    """Return what was counted; tokens that go into the service's own cache, or come out, are apart.

    Examples
    --------
    >>> _usage({"input_tokens": 3, "cache_read_input_tokens": 2000, "output_tokens": 1})
    Usage(prompt_tokens=2003, completion_tokens=1)
    """
    counted = Usage.of(used.get("input_tokens"), used.get("output_tokens"))
    if counted is None:
        return None
    apart = ("cache_creation_input_tokens", "cache_read_input_tokens")
    return replace(
        counted, prompt_tokens=counted.prompt_tokens + sum(used.get(name) or 0 for name in apart)
    )
