"""`ApiModel`: a model behind an API, its limits, its cache, and what was spent on it."""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any

from perturbx.exceptions import ArgumentError
from perturbx.scorers.api.anthropic import AnthropicMessages
from perturbx.scorers.api.background import finish
from perturbx.scorers.api.cache import IN_MEMORY, AnswerCache
from perturbx.scorers.api.dispatcher import Dispatcher
from perturbx.scorers.api.openai import OpenAIChat, OpenAICompletions
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Json, Question
from perturbx.scorers.api.rates import RateLimits
from perturbx.scorers.api.spending import Limits, Prices, PriceTable, Purse, Spending
from perturbx.scorers.api.withheld import Check
from perturbx.scorers.api_names import FORMS

PROVIDERS: dict[str, type[Provider]] = {
    own.name: own for own in (OpenAIChat, OpenAICompletions, AnthropicMessages)
}

TIMEOUT = 60.0
"""Seconds that a call may take, by default."""

_OPEN: weakref.WeakSet[Provider] = weakref.WeakSet()

logger = logging.getLogger("perturbx")


class ApiModel:
    """A model that is asked over the network.

    Parameters
    ----------
    model : str or Provider
        ``"openai:NAME"`` (chat completions), ``"openai-completions:NAME"`` (the older endpoint,
        which base models need), ``"anthropic:NAME"``, or a `Provider` of your own.
    base_url : str, optional
        The address of a server that speaks the same language: vLLM, llama.cpp, Ollama, TGI,
        LM Studio, Azure, OpenRouter, ...; by default out of the environment (``OPENAI_BASE_URL``,
        ``ANTHROPIC_BASE_URL``), or the service's own.
    api_key : str, optional
        The key; by default out of the environment (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``). It
        is written nowhere.
    concurrency : int, default=16
        The most calls in flight. Fewer are, for a while, where the server refuses too many.
    requests_per_minute, tokens_per_minute : int, optional
        The account's limits, which are kept.
    max_calls, max_tokens, max_cost : optional
        What may be spent in all by this object: answered requests, tokens of prompts and answers,
        money. They are never exceeded, calls in flight included; a run that reaches one ends with
        the best explanation so far.
    prices : (float, float) or mapping of str to such, optional
        The prices of a million tokens of prompts and of answers, or a table of them by model.
    cache : path, optional
        An SQLite file for all answers: a run that was cut off goes on where it was, and no
        question is ever paid for twice. Without it, answers are kept as long as this object.
    timeout : float, default=60
        Seconds that a call may take, from its first byte to its last.
    max_retries : int, default=6
        How often a call is made again after a fault.
    max_pause : float, default=120
        The longest pause, in seconds, that a server may ask for.
    parameters : mapping, optional
        Further parameters of the service, sent with every call. A length among them
        (``max_tokens``, ``max_completion_tokens``) is that of every answer, and calls count with
        it against the limits until they are answered.

    Attributes
    ----------
    spending : Spending
        What was spent so far.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.
    MissingExtraError
        If the provider's client is not installed.

    Examples
    --------
    >>> model = ApiModel(
    ...     "openai:small", base_url="http://localhost:8000/v1", max_calls=100
    ... )
    >>> print(model.spending)
    0 calls answered; 0 from the cache; 0 + 0 tokens
    """

    def __init__(
        self,
        model: str | Provider,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        concurrency: int = 16,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        prices: PriceTable | Sequence[float] | None = None,
        cache: str | PathLike[str] | None = None,
        timeout: float = TIMEOUT,
        max_retries: int = 6,
        max_pause: float = 120.0,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        _check_whole("concurrency", concurrency)
        _check_whole("max_retries", max_retries, least=0)
        for name, value in (
            ("requests_per_minute", requests_per_minute),
            ("tokens_per_minute", tokens_per_minute),
        ):
            if value is not None:
                _check_whole(name, value)
        for name, number in (("timeout", timeout), ("max_pause", max_pause)):
            if not isinstance(number, Real) or isinstance(number, bool) or not number > 0:
                raise ArgumentError(f"{name}: expected seconds above 0; got {number!r}")
        if isinstance(model, Provider):
            if (base_url, api_key, parameters, timeout) != (None, None, None, TIMEOUT):
                raise ArgumentError(
                    "base_url, api_key, timeout, parameters: a Provider has its own; leave them out"
                )
            self.provider = model
        else:
            self.provider = as_provider(
                model, base_url=base_url, api_key=api_key, timeout=timeout, parameters=parameters
            )
        self.limits = Limits(max_calls, max_tokens, max_cost)
        self.prices = Prices.of(self.provider.model, prices)
        self.cache = AnswerCache(cache)
        self._dispatching = {
            "concurrency": concurrency,
            "max_retries": max_retries,
            "max_pause": float(max_pause),
        }
        self._rates = (requests_per_minute, tokens_per_minute)
        self._versions: dict[str, None] = {}
        self._begin(Spending(cost=None if self.prices is None else 0.0))
        _OPEN.add(self.provider)

    @property
    def is_asked(self) -> bool:
        """Say whether questions are asked, and not only looked up among the answers at hand."""
        return True

    @property
    def is_limited(self) -> bool:
        """Say whether a limit may end a run."""
        return self.limits != Limits()

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        finish(self.provider.close())

    def _begin(self, spent: Spending) -> None:
        """Begin with no call in flight."""
        purse = Purse(self.limits, self.prices)
        purse.spent = spent
        options: dict[str, Any] = self._dispatching
        rates = RateLimits(*self._rates)
        self.dispatcher = Dispatcher(self.provider, purse, self.cache, rates=rates, **options)
        self._process = os.getpid()

    @property
    def spending(self) -> Spending:
        """Return what was spent so far."""
        return self.dispatcher.purse.spent

    @property
    def model_id(self) -> str:
        """Return the name for the record: provider, model, address, a digest of parameters."""
        at = f" at {self.provider.address}" if self.provider.base_url else ""
        if self.provider.parameters:
            written = json.dumps(self.provider.parameters, sort_keys=True)
            at += f" parameters={hashlib.blake2b(written.encode(), digest_size=6).hexdigest()}"
        return f"{self.provider.name}:{self.provider.model}{at}"

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the models and fingerprints that the server has reported so far."""
        return tuple(self._versions)

    def ask(
        self, questions: Sequence[Question], check: Check | None = None, *, n_scored: int = 0
    ) -> Iterator[list[tuple[Question, Answer]]]:
        """Yield the answers as they come; see `Dispatcher.ask`."""
        if self._process != os.getpid():  # calls that were in flight before a fork are not here
            self._begin(self.spending)
        for part in self.dispatcher.ask(questions, check, n_scored=n_scored):
            for _, answer in part:
                version = f"{answer.model} {answer.fingerprint}".strip()
                if version not in self._versions:
                    self._versions[version] = None
                    if len(self._versions) > 1:
                        logger.warning(
                            "%s: the server answers as %r now, and as %r before",
                            self.model_id,
                            version,
                            next(iter(self._versions)),
                        )
            yield part

    def answer(self, question: Question, check: Check | None = None) -> Answer:
        """Return the answer to a single question."""
        (((_, answer),),) = list(self.ask([question], check))
        return answer

    def record(self) -> Json:
        """Return what an explanation's record needs to know of the model."""
        return {
            "model": self.provider.model,
            "provider": self.provider.name,
            "base_url": self.provider.address if self.provider.base_url else None,
            "versions": list(self.versions),
            "parameters": self.provider.parameters,
            "spending": self.spending.to_dict(),
        }

    def __repr__(self) -> str:
        return f"ApiModel({self.model_id!r})"

    # A connection, and what may be spent through it, is one, however many explainers share it.
    def __copy__(self) -> ApiModel:
        return self

    def __deepcopy__(self, memo: Any) -> ApiModel:
        return self

    def __getstate__(self) -> Json:
        kept = {k: v for k, v in self.__dict__.items() if k not in ("cache", "dispatcher")}
        path = None if self.cache.path == IN_MEMORY else self.cache.path
        return {**kept, "cache_path": path, "spent": self.spending}

    def __setstate__(self, state: Json) -> None:
        spent, path = state.pop("spent"), state.pop("cache_path")
        self.__dict__.update(state)
        self.cache = AnswerCache(path)
        self._begin(spent)
        _OPEN.add(self.provider)


@atexit.register
def _close_all() -> None:
    for provider in list(_OPEN):
        finish(provider.close())


def as_provider(model: str, *, base_url: str | None = None, **options: Any) -> Provider:
    """Return the provider of a model by its name, ``"openai:NAME"`` or ``"http://...#NAME"``."""
    name, _, rest = str(model).partition(":")
    if name in ("http", "https") and base_url is None:
        base_url, _, rest = str(model).partition("#")
        name = "openai"
    if name not in PROVIDERS:
        raise ArgumentError(f"model: expected {FORMS}; got {model!r}")
    return PROVIDERS[name](rest, base_url=base_url, **options)


def _check_whole(name: str, value: Any, *, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ArgumentError(f"{name}: expected a whole number, {least} at least; got {value!r}")
