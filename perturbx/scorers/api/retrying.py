"""When a call that failed is made again, and when it is given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import tenacity

from perturbx.scorers.api.faults import Fault

T = TypeVar("T")

LEAST_BACKOFF, MOST_BACKOFF = 0.25, 30.0
"""Seconds before a call is made again: at random up to this, doubled each time, up to that."""

JITTER = 0.1
"""Calls that were told to wait equally long come back this part of it apart."""

_CHANCE = Random()
"""Its own: what is seeded in the user's program must not go on in a thread that waits."""

MOST_INCOMPLETE = 3
"""Answers to one question that lack what was asked for, before it counts as a thing that the
service does not do."""


class TemporaryError(Exception):
    """A call failed and may succeed later."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True)
class Retries:
    """Exponential backoff with full jitter, or the pause that the server asks for if it is longer.

    Parameters
    ----------
    most : int
        How often a call is made again.
    note : callable
        Is told of every fault after which a call is made again.
    """

    most: int
    note: Callable[[Fault], None]

    async def again(self, failed: TemporaryError, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make a call again that failed once, until it is answered or has failed too often.

        Raises
        ------
        TemporaryError
            The last fault.
        """
        n_incomplete = 0

        def is_over(state: tenacity.RetryCallState) -> bool:
            so_far = n_incomplete + (_fault_of(state).kind == "incomplete")
            return so_far >= MOST_INCOMPLETE or state.attempt_number > self.most

        def goes_on(state: tenacity.RetryCallState) -> None:
            nonlocal n_incomplete
            n_incomplete += _fault_of(state).kind == "incomplete"
            self.note(_fault_of(state))

        rounds = tenacity.AsyncRetrying(
            stop=is_over,
            wait=_pause,
            retry=tenacity.retry_if_exception_type(TemporaryError),
            before_sleep=goes_on,
            reraise=True,
        )
        # Only calls that fail come here: a round of the library takes as long as a tenth of a call.
        async for one in rounds:
            with one:
                if one.retry_state.attempt_number == 1:
                    raise failed
                return await attempt()
        raise failed


def _fault_of(state: tenacity.RetryCallState) -> Fault:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, TemporaryError)
    return error.fault


def _pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds before the next attempt.

    What the server asks for, but never less than without that: some ask for nothing, time and
    again.
    """
    longest = tenacity.wait_exponential(multiplier=LEAST_BACKOFF, max=MOST_BACKOFF)(state)
    own = _CHANCE.uniform(0.0, longest)
    asked_for = _fault_of(state).pause
    if asked_for is None:
        return own
    return max(own, asked_for + _CHANCE.uniform(0.0, JITTER * asked_for + 0.01))
