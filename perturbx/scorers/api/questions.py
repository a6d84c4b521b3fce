"""What is sent to a model behind an API, and what comes back, whoever the provider is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
"""An object of JSON values."""

ChatMessages: TypeAlias = tuple[tuple[str, str], ...]
"""``(role, content)`` of each message of a chat."""

ApiPrompt: TypeAlias = str | ChatMessages


@dataclass(frozen=True, eq=False)
class Question:
    """One request, without what changes from run to run.

    Parameters
    ----------
    source : str
        The provider, its endpoint and its address.
    body : dict
        What is sent: the model, the parameters, the whole prompt.
    sample : int
        Which of several samples of the same request this is.
    size : int
        The most prompt tokens that it can have: a token is a byte at least.
    max_tokens : int
        The most tokens that may be answered.
    parts : int
        How many questions like this one, and this one, ask about the same variant.
    """

    source: str
    body: Json
    sample: int = 0
    size: int = 0
    max_tokens: int = 1
    parts: int = 1

    @property
    def share(self) -> Fraction:
        """The part of a variant that it stands for; further samples stand for none."""
        return Fraction(self.sample == 0, self.parts)

    @cached_property
    def key(self) -> str:
        """The name under which the answer is kept: equal for equal questions."""
        content = json.dumps([self.source, self.body, self.sample], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Wish:
    """What is wanted of an answer.

    Parameters
    ----------
    max_tokens : int
        The most tokens of it.
    temperature : float
        0: the likeliest token each time; 1: a sample of the model's distribution.
    top_log_probs : int
        How many of the likeliest tokens come with each token.
    echo : bool
        The log-probabilities of the prompt's tokens come with it.
    stop : tuple of str
        It ends before these.
    seed : int, optional
        Makes samples repeatable, where the service knows of seeds.
    """

    max_tokens: int = 1
    temperature: float = 0.0
    top_log_probs: int = 0
    echo: bool = False
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Token:
    """One token of an answer or a prompt.

    Parameters
    ----------
    text : str
        What it says; bytes of a character that goes on in the next token are lone surrogates
        (``surrogateescape``).
    log_prob : float, optional
        Its log-probability behind what stands before it; None for the first of a prompt.
    top : mapping of str to float
        The likeliest tokens at its place and their log-probabilities.
    """

    text: str
    log_prob: float | None
    top: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """The tokens that a provider counted."""

    prompt_tokens: int
    completion_tokens: int

    @classmethod
    def of(cls, prompt_tokens: Any, completion_tokens: Any) -> Usage | None:
        """Return what an answer says of them, None where that is not two numbers of tokens.

        An answer is not lost by that: it counts with its bound then.

        Examples
        --------
        >>> Usage.of(12, 1)
        Usage(prompt_tokens=12, completion_tokens=1)
        >>> Usage.of(None, 1), Usage.of(-3, 1)
        (None, None)
        """
        counts = (prompt_tokens, completion_tokens)
        if any(isinstance(own, bool) or not isinstance(own, int | float) for own in counts):
            return None
        if not all(0 <= own < math.inf for own in counts):
            return None
        return cls(int(prompt_tokens), int(completion_tokens))

    @property
    def total(self) -> int:
        """The tokens of the prompt and the answer."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model answered.

    Parameters
    ----------
    text : str
        The answer.
    tokens : tuple of Token, optional
        Its tokens, None where the server gave no log-probabilities.
    prompt : tuple of Token, optional
        The tokens of the prompt, where they were asked for and given.
    usage : Usage, optional
        What the server counted.
    model, fingerprint : str
        The model and its version, as the server reports them.
    raw : dict
        All of it, as it came.
    ended : str
        Why the answer ended where it does, in the service's own word.
    refusal : str, optional
        Why the service holds the answer back: a filter, a refusal that it marks as one.
    """

    text: str
    tokens: tuple[Token, ...] | None
    prompt: tuple[Token, ...] | None
    usage: Usage | None
    model: str
    fingerprint: str
    raw: Json
    ended: str = ""
    refusal: str | None = None

    @property
    def is_cut(self) -> bool:
        """Say whether the answer, or the thoughts before it, came to the most tokens allowed."""
        return self.ended in ("length", "max_tokens")


def bound_on_tokens(prompt: ApiPrompt) -> int:
    """Return the most tokens that a prompt can be: one a byte, and the markup of a chat."""
    if isinstance(prompt, str):
        return len(prompt.encode("utf-8", "surrogatepass")) + 8
    sizes = (len(text.encode("utf-8", "surrogatepass")) for pair in prompt for text in pair)
    return sum(sizes) + 16 * len(prompt) + 16
