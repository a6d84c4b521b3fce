"""How many calls are in flight: as many as the user allows, fewer where the server is overrun."""

from __future__ import annotations

import asyncio
from collections import deque

WINDOW = 50
"""The latest calls by which a sustained rate of refusals is told from a single one."""

SUSTAINED = 0.2
"""The share of them that were refused, from which on the server is overrun."""

SLOWER, PAUSED = 0.7, 0.95
"""What is left of the limit when it is, and when the server asks for a pause by name."""

RECOVERY = 0.1
"""How much a call that succeeds adds to the limit: a tenth in the time of one call."""

AT_LEAST_BETWEEN = 0.25
"""Seconds between two steps down: refusals come in crowds, and a crowd is one event."""


class ConcurrencyLimit:
    """Lets so many calls through at once, in the order of their asking.

    The additive increase and multiplicative decrease of congestion control (Chiu & Jain 1989).

    Parameters
    ----------
    most : int
        The user's limit: where it starts, and what it never exceeds.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.in_flight = 0
        self.lowest = float(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._refused: deque[bool] = deque(maxlen=WINDOW)
        self._last_step = float("-inf")

    async def __aenter__(self) -> None:
        if self.in_flight < int(self.limit) and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def succeeded(self) -> None:
        """Note that a call was answered: the limit recovers."""
        self._refused.append(False)
        self.limit = min(float(self.most), self.limit + RECOVERY)
        self._admit()

    def refused(self, now: float, *, by_name: bool) -> None:
        """Note that the server refused a call.

        Parameters
        ----------
        now : float
            The time, in seconds.
        by_name : bool
            The server asked for a pause (``retry-after``). A single refusal without that delays
            its own call only.
        """
        self._refused.append(True)
        full = len(self._refused) == WINDOW
        sustained = full and sum(self._refused) >= SUSTAINED * WINDOW
        if not (by_name or sustained) or now - self._last_step < AT_LEAST_BETWEEN:
            return
        self._last_step = now
        self.limit = max(1.0, self.limit * (SLOWER if sustained else PAUSED))
        self.lowest = min(self.lowest, self.limit)
        if sustained:
            self._refused.clear()
