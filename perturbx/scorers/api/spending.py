"""Calls as money: prices, hard limits, and what was spent so far."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypeAlias

from perturbx.exceptions import ArgumentError, BudgetExceeded
from perturbx.scorers.api.faults import Fault
from perturbx.scorers.api.questions import Json, Question, Usage

PER = 1e6
"""Prices are for a million tokens."""

PriceTable: TypeAlias = Mapping[str, Sequence[float]]
"""For each model the prices of a million tokens of prompts and of answers."""


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in whatever currency.

    Parameters
    ----------
    prompt, completion : float
        Of prompts and of answers.
    """

    prompt: float
    completion: float

    @classmethod
    def of(cls, model: str, prices: PriceTable | Sequence[float] | None) -> Prices | None:
        """Return the prices of a model out of a table, or the pair that was given for it.

        Raises
        ------
        ArgumentError
            If they are not such, or the table has no such model.
        """
        if prices is None:
            return None
        if isinstance(prices, Mapping):
            if model not in prices:
                raise ArgumentError(
                    f"prices: there is none for {model!r}, only for {sorted(prices)}"
                )
            prices = prices[model]
        pair = list(prices) if isinstance(prices, Sequence) and not isinstance(prices, str) else []
        if len(pair) != 2 or not all(_is_number(p) and p >= 0 for p in pair):
            raise ArgumentError(
                f"prices: expected (prompt, completion), the prices of a million tokens, or a "
                f"mapping of models to such pairs; got {prices!r:.80}"
            )
        return cls(float(pair[0]), float(pair[1]))

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what so many tokens cost."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / PER


@dataclass(frozen=True)
class Limits:
    """What a scorer may spend in all; None: no limit.

    Parameters
    ----------
    max_calls : int, optional
        Answered requests.
    max_tokens : int, optional
        Tokens of prompts and answers.
    max_cost : float, optional
        Money, in the currency of the prices.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_calls", "max_tokens", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise ArgumentError(f"{name}: expected a number above 0; got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass
class Spending:
    """What was spent so far.

    Parameters
    ----------
    calls : int
        Requests that were answered.
    from_cache : int
        Questions whose answers were there already, and cost nothing.
    prompt_tokens, completion_tokens : int
        As the server counted them.
    unsure_tokens : int
        The most that calls may have been billed for whose tokens nobody told (a connection lost,
        no answer in time, an answer that does not say); they count against the limits.
    cost : float or None
        In the currency of the prices, the unsure tokens included; None without prices.
    retries : Counter
        Calls made again, by what was wrong with them.
    """

    calls: int = 0
    from_cache: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unsure_tokens: int = 0
    cost: float | None = None
    retries: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """All tokens, the unsure ones included."""
        return self.prompt_tokens + self.completion_tokens + self.unsure_tokens

    def __str__(self) -> str:
        parts = [f"{self.calls:,} calls answered", f"{self.from_cache:,} from the cache"]
        parts.append(f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens")
        if self.unsure_tokens:
            parts.append(f"up to {self.unsure_tokens:,} tokens that were not counted")
        if self.cost is not None:
            parts.append(f"cost {self.cost:.4g}")
        if self.retries:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(self.retries.items()))
            parts.append(f"retries: {told}")
        return "; ".join(parts)

    def to_dict(self) -> Json:
        """Return the numbers as plain values, ready for JSON."""
        return {**self.__dict__, "retries": dict(self.retries)}


class Purse:
    """Sees to it that no limit is ever exceeded, calls in flight included.

    A call reserves the most that it can cost before it is sent; when its answer comes it is
    charged what it did cost. One that fails keeps its place, see `again`.

    Parameters
    ----------
    limits : Limits
        What may be spent.
    prices : Prices, optional
        What tokens cost.

    Raises
    ------
    ArgumentError
        If the cost is limited and there are no prices.
    """

    def __init__(self, limits: Limits, prices: Prices | None) -> None:
        if limits.max_cost is not None and prices is None:
            raise ArgumentError("max_cost: needs the prices of the model's tokens; give prices")
        self.limits = limits
        self.prices = prices
        self.spent = Spending(cost=None if prices is None else 0.0)
        self._calls = 0
        self._tokens = 0
        self._cost = 0.0
        self._excess: int | None = None
        self._n_unsure = 0
        self._waiting: list[asyncio.Future[None]] = []

    def bounds(self, question: Question) -> tuple[int, float]:
        """Return the most tokens and money that a call can cost.

        A token is a byte at least. What the service itself puts before the prompt shows in the
        first answers: the largest such excess is added from then on.
        """
        prompt = question.size + (self._excess or 0)
        cost = 0.0 if self.prices is None else self.prices.cost(prompt, question.max_tokens)
        return prompt + question.max_tokens, cost

    def limit_in_the_way(self, question: Question, *, in_flight: bool = True) -> str | None:
        """Return the name of the limit that a call could exceed, None where there is none.

        Parameters
        ----------
        question : Question
            The call.
        in_flight : bool
            Count what is reserved for calls in flight, too.
        """
        tokens, cost = self.bounds(question)
        held = (self._calls, self._tokens, self._cost) if in_flight else (0, 0, 0.0)
        spent, limits = self.spent, self.limits
        if limits.max_calls is not None and spent.calls + held[0] + 1 > limits.max_calls:
            return "max_calls"
        if limits.max_tokens is not None and spent.tokens + held[1] + tokens > limits.max_tokens:
            return "max_tokens"
        if limits.max_cost is not None and (spent.cost or 0.0) + held[2] + cost > limits.max_cost:
            return "max_cost"
        return None

    async def reserve(self, question: Question) -> tuple[int, float] | str:
        """Reserve what a call can cost; wait for calls in flight where that may make room.

        Returns
        -------
        tuple or str
            What is reserved, or the limit that is reached; then nothing is.
        """
        while self._is_unmeasured and self._calls:
            await self._wait()
        while (limit := self.limit_in_the_way(question)) is not None:
            # With the calls in flight at their real cost there may be room again, never more
            # than with none of them.
            if not self._calls or self.limit_in_the_way(question, in_flight=False):
                return limit
            await self._wait()
        return self._taken(question)

    def again(self, question: Question) -> tuple[int, float] | None:
        """Reserve at once what another attempt can cost, None where that is not possible.

        Calls that come later would spend everything while this one waits for its next attempt.
        """
        if self._is_unmeasured or self.limit_in_the_way(question) is not None:
            return None
        return self._taken(question)

    def _taken(self, question: Question) -> tuple[int, float]:
        tokens, cost = self.bounds(question)
        self._calls += 1
        self._tokens += tokens
        self._cost += cost
        return tokens, cost

    def release(self, reserved: tuple[int, float]) -> None:
        """Give back what was reserved for a call that is over."""
        tokens, cost = reserved
        self._calls -= 1
        self._tokens -= tokens
        self._cost -= cost
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    @property
    def _is_unmeasured(self) -> bool:
        """Whether a limit needs to know what the service adds, and no answer has told it yet.

        Then one call goes ahead of the others.
        """
        return self._excess is None and (
            self.limits.max_tokens is not None or self.limits.max_cost is not None
        )

    async def _wait(self) -> None:
        """Wait until a call is over."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def settle(
        self,
        question: Question,
        reserved: tuple[int, float],
        *,
        usage: Usage | None,
        answered: bool,
        was_read: bool,
        may_be_billed: bool,
    ) -> None:
        """Charge a call that is over.

        Parameters
        ----------
        question : Question
            The call.
        reserved : tuple
            What was reserved for it.
        usage : Usage, optional
            What the server counted; without it an answered call is charged its bound.
        answered : bool
            An answer came, of use or not.
        was_read : bool
            It is no torn one, which says nothing of what the service counts.
        may_be_billed : bool
            None came, but it may have to be paid for.
        """
        spent = self.spent
        if answered:
            spent.calls += 1
        if usage is not None:
            spent.prompt_tokens += usage.prompt_tokens
            spent.completion_tokens += usage.completion_tokens
            self._learn(usage.prompt_tokens - question.size)
            if self.prices is not None and spent.cost is not None:
                spent.cost += self.prices.cost(usage.prompt_tokens, usage.completion_tokens)
        elif answered or may_be_billed:
            if was_read:  # from a service that counts nothing: there is no excess to learn
                self._excess = self._excess or 0
            self._n_unsure += 1
            bound, price = self.bounds(question)
            spent.unsure_tokens += bound
            if spent.cost is not None:
                spent.cost += price
        self.release(reserved)

    def exceeded(self, limit: str) -> BudgetExceeded:
        """Return the error of a limit that is reached, with what was spent so far."""
        most = getattr(self.limits, limit)
        return BudgetExceeded(f"{limit}: {most:,} is reached ({self.spent})", limit=limit)

    def note(self, fault: Fault) -> None:
        """Count a fault after which a call is made again."""
        self.spent.retries[fault.kind] += 1

    def _learn(self, excess: int) -> None:
        """Note by how much a prompt was larger than its text; so were those that nobody counted."""
        known = self._excess or 0
        self._excess = max(known, excess)
        unsure = self._n_unsure * (self._excess - known)
        self.spent.unsure_tokens += unsure
        if self.prices is not None and self.spent.cost is not None:
            self.spent.cost += self.prices.cost(unsure, 0)
