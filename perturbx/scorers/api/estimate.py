"""What calls will cost, before the first one is made."""

from __future__ import annotations

from dataclasses import dataclass

from perturbx.scorers.api.spending import Prices

ASCII_PER_TOKEN, OTHERS_PER_TOKEN = 4.0, 1.5
"""Characters a token, roughly: of English, and of scripts that tokenizers cut finer."""

CHAT_MARKUP = 8
"""Tokens that a chat puts around a prompt."""


@dataclass(frozen=True)
class Bill:
    """What some calls will cost, roughly.

    Parameters
    ----------
    calls : int
        Requests.
    prompt_tokens, completion_tokens : int
        Estimated from the characters.
    cost : float, optional
        In the currency of the prices; None without prices.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None = None

    @classmethod
    def of(
        cls, calls: int, prompt_tokens: float, completion_tokens: float, prices: Prices | None
    ) -> Bill:
        """Return the bill with its price."""
        cost = None if prices is None else prices.cost(prompt_tokens, completion_tokens)
        return cls(calls, round(prompt_tokens), round(completion_tokens), cost)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


def tokens_per_character(text: str) -> float:
    """Return how many tokens a character of a text is, roughly.

    Examples
    --------
    >>> tokens_per_character("plain English"), tokens_per_character("")
    (0.25, 0.25)
    """
    if not text:
        return 1.0 / ASCII_PER_TOKEN
    plain = sum(character.isascii() for character in text)
    return (plain / ASCII_PER_TOKEN + (len(text) - plain) / OTHERS_PER_TOKEN) / len(text)
