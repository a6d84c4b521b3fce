"""Requests and tokens a minute, as providers count them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

MINUTE = 60.5
"""Seconds: calls reach the server up to so much later than others did, over a new connection."""


@dataclass
class _Spent:
    at: float
    tokens: int


class RateLimits:
    """Holds calls back so that no 60 seconds see more requests or tokens than allowed.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : int, optional
        The limits; none by default. A call counts with the most tokens that it can have until
        its answer says how many they were.
    """

    def __init__(
        self, requests_per_minute: int | None = None, tokens_per_minute: int | None = None
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self._spent: deque[_Spent] = deque()
        self._tokens = 0
        self._lock: asyncio.Lock | None = None
        self._settled: asyncio.Future[None] | None = None

    @property
    def is_set(self) -> bool:
        """Say whether there is a limit at all."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None

    async def enter(self, tokens: int) -> _Spent:
        """Wait until a call of at most so many tokens may start; return its entry."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            while (pause := self._pause(tokens)) > 0:
                # A call that has ended may have made room before the oldest is a minute old.
                self._settled = asyncio.get_running_loop().create_future()
                await asyncio.wait([self._settled], timeout=pause)
            entry = _Spent(time.monotonic(), tokens)
            self._spent.append(entry)
            self._tokens += tokens
            return entry

    def settle(self, entry: _Spent, tokens: int) -> None:
        """Note how many tokens a call had in truth."""
        if entry.at > time.monotonic() - MINUTE:
            self._tokens += tokens - entry.tokens
            entry.tokens = tokens
            if self._settled is not None and not self._settled.done():
                self._settled.set_result(None)

    def _pause(self, tokens: int) -> float:
        """Return the seconds until the oldest call in the way is a minute old; 0: go."""
        now = time.monotonic()
        while self._spent and self._spent[0].at <= now - MINUTE:
            self._tokens -= self._spent.popleft().tokens
        if not self._spent:
            return 0.0  # a call larger than the limit itself goes alone
        too_many = (
            self.requests_per_minute is not None and len(self._spent) >= self.requests_per_minute
        )
        too_much = (
            self.tokens_per_minute is not None and self._tokens + tokens > self.tokens_per_minute
        )
        return self._spent[0].at + MINUTE - now if too_many or too_much else 0.0
