"""OpenAI, and every server that speaks its language: vLLM, llama.cpp, Ollama, TGI, Azure, ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from numpy import logaddexp

from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, ApiPrompt, Json, Question, Token, Usage, Wish


class _OpenAI(Provider):
    """What the two endpoints share."""

    package: ClassVar[str] = "openai"
    environment: ClassVar[str] = "OPENAI_API_KEY"
    home: ClassVar[str] = "https://api.openai.com/v1"
    address_environment: ClassVar[str] = "OPENAI_BASE_URL"

    def new_client(self, package: Any, key: str) -> Any:
        """Return an asynchronous client."""
        address = self.base_url or self.home  # never one that the client finds by itself
        return package.AsyncOpenAI(
            base_url=address, api_key=key, max_retries=0, timeout=self.timeout
        )

    def batch_row(self, question: Question) -> Json:
        """Return a line of a request file; see `Provider.batch_row`."""
        return {
            "custom_id": question.key,
            "method": "POST",
            "url": f"/v1{self.path}",
            "body": question.body,
        }

    def read_batch_row(self, row: Json) -> tuple[str, Json | str]:
        """Return what a line of an answer file says; see `Provider.read_batch_row`."""
        key = str(row["custom_id"])
        error, response = row.get("error"), row.get("response") or {}
        if error or response.get("status_code", 200) != 200 or not response.get("body"):
            said = error or (response.get("body") or {}).get("error") or response
            message = said.get("message", said) if isinstance(said, Mapping) else said
            return key, str(message)
        return key, response["body"]


class OpenAIChat(_OpenAI):
    """Chat completions: messages in, an answer with the likeliest tokens at each place out."""

    name = "openai"
    path = "/chat/completions"
    most_top_log_probs = (20, 5)

    def body(self, prompt: ApiPrompt, wish: Wish) -> Json:
        """Return a request; see `Provider.body`."""
        messages = [("user", prompt)] if isinstance(prompt, str) else prompt
        body: Json = {
            "model": self.model,
            "messages": [{"role": role, "content": content} for role, content in messages],
            "temperature": wish.temperature,
        }
        # OpenAI knows the newer name only for its newer models; all others know the older one.
        body["max_completion_tokens" if self.base_url is None else "max_tokens"] = wish.max_tokens
        if wish.top_log_probs:
            body |= {"logprobs": True, "top_logprobs": wish.top_log_probs}
        if wish.stop:
            body["stop"] = list(wish.stop)
        if wish.seed is not None:
            body["seed"] = wish.seed
        return body

    def read(self, raw: Json) -> Answer:
        """Return what an answer says; see `Provider.read`."""
        choice = raw["choices"][0]
        content = (choice.get("logprobs") or {}).get("content")
        text = _said(choice["message"].get("content"))
        if content is not None and not content and text:
            content = None
        tokens = None if content is None else tuple(_chat_token(token) for token in content)
        return _answer(raw, text, tokens, None)


class OpenAICompletions(_OpenAI):
    """The older endpoint, which goes on with a text: what base models need."""

    name = "openai-completions"
    path = "/completions"
    is_chat = False
    most_top_log_probs = (20, 5)
    can_echo = True

    def body(self, prompt: ApiPrompt, wish: Wish) -> Json:
        """Return a request; see `Provider.body`."""
        if not isinstance(prompt, str):
            prompt = "".join(content for _, content in prompt)
        body: Json = {
            "model": self.model,
            "prompt": prompt,
            "max_tokens": wish.max_tokens,
            "temperature": wish.temperature,
        }
        if wish.top_log_probs or wish.echo:
            body["logprobs"] = max(wish.top_log_probs, 1)
        if wish.echo:
            body["echo"] = True
        if wish.stop:
            body["stop"] = list(wish.stop)
        if wish.seed is not None:
            body["seed"] = wish.seed
        return body

    def read(self, raw: Json) -> Answer:
        """Return what an answer says; see `Provider.read`."""
        choice = raw["choices"][0]
        tokens = _completion_tokens(choice.get("logprobs"))
        text = _said(choice.get("text"))
        prompt = None
        given = choice.get("prompt_logprobs") or raw.get("prompt_logprobs")
        if given is not None:
            prompt = tuple(_vllm_token(entry) for entry in given)
        elif tokens and tokens[0].log_prob is None:  # only a prompt's first token has none
            prompt, tokens = tokens, ()
        return _answer(raw, text, tokens, prompt)


def _said(content: Any) -> str:
    """Return the words of a content; some services give its parts, thoughts among them.

    Examples
    --------
    >>> _said([{"type": "thinking", "thinking": []}, {"type": "text", "text": "good"}])
    'good'
    """
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    if not isinstance(content, str | None):
        raise TypeError(f"content: expected words; got {content!r:.40}")
    return content or ""


def _answer(
    raw: Json, text: str, tokens: tuple[Token, ...] | None, prompt: tuple[Token, ...] | None
) -> Answer:
    choice = raw["choices"][0]
    ended = str(choice.get("finish_reason") or "")
    refusal = (choice.get("message") or {}).get("refusal")
    if ended == "content_filter":
        refusal = refusal or "the answer was filtered (finish_reason 'content_filter')"
    if tokens == () and not text and prompt is None and not refusal:
        refusal = "the answer is empty"
    return Answer(
        text=text,
        tokens=tokens,
        prompt=prompt,
        usage=_usage(raw),
        model=str(raw.get("model", "")),
        fingerprint=str(raw.get("system_fingerprint") or ""),
        raw=raw,
        ended=ended,
        refusal=str(refusal) if refusal else None,
    )


def _usage(raw: Json) -> Usage | None:
    used = raw.get("usage")
    if not isinstance(used, Mapping):
        return None
    return Usage.of(used.get("prompt_tokens"), used.get("completion_tokens") or 0)


def _chat_token(entry: Mapping[str, Any]) -> Token:
    ranked = [own for own in entry.get("top_logprobs") or () if own is not None]
    top = _by_text((_text_of(own), own["logprob"]) for own in ranked)
    number = entry["logprob"]
    return Token(_text_of(entry), None if number is None else float(number), top)


def _text_of(entry: Mapping[str, Any]) -> str:
    r"""Return what a token says; a part of a character (``\xe8``, U+FFFD) by its bytes."""
    text, given = str(entry["token"]), entry.get("bytes")
    if given and ("\ufffd" in text or "\\x" in text):
        return bytes(given).decode("utf-8", "surrogateescape")
    return text


def _by_text(pairs: Iterable[tuple[str, Any]]) -> dict[str, float]:
    """Return the log-probabilities of tokens; of those that read the same, of one or the other.

    Tokens without a number (some servers write null for 0) are as good as not there.
    """
    found: dict[str, float] = {}
    for text, number in pairs:
        if number is None:
            continue
        log_prob = float(number)
        found[text] = log_prob if text not in found else float(logaddexp(found[text], log_prob))
    return found


def _plain_text(token: str) -> str:
    r"""Return what a token of the older endpoint says: parts of characters are ``bytes:\xe8``."""
    if not token.startswith("bytes:\\x"):
        return token
    try:
        content = bytes.fromhex(token.removeprefix("bytes:").replace("\\x", ""))
    except ValueError:
        return token
    return content.decode("utf-8", "surrogateescape")


def _completion_tokens(logprobs: Mapping[str, Any] | None) -> tuple[Token, ...] | None:
    if not logprobs or logprobs.get("tokens") is None:
        return None
    texts: Sequence[str] = logprobs["tokens"]
    numbers = logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(texts)
    return tuple(
        Token(
            _plain_text(text),
            None if number is None else float(number),
            _by_text((_plain_text(own), log_prob) for own, log_prob in (top or {}).items()),
        )
        for text, number, top in zip(texts, numbers, tops, strict=True)
    )


def _vllm_token(entry: Mapping[str, Any] | None) -> Token:
    """Return a token of a prompt as vLLM gives it: the first of the entries is the one there."""
    if not entry:
        return Token("", None)
    ranked = _by_text((str(own.get("decoded_token", "")), own["logprob"]) for own in entry.values())
    actual = next(iter(entry.values()))
    number = actual["logprob"]
    text = str(actual.get("decoded_token", ""))
    return Token(text, None if number is None else float(number), ranked)
