"""How many distinct calls a text may cost, and the seed that its masks are drawn from."""

from __future__ import annotations

import hashlib
import secrets
from numbers import Integral

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.typing import RandomState
from perturbx.units.units import Units

CALLS_PER_UNIT = {"fast": 5, "auto": 10, "normal": 10, "high": 20}

MOST_UNITS_ENUMERATED = 20

FIRST_LOOK = 3
"""Calls a unit of the first round where rounds are made; each one after it takes GROWTH as many."""

GROWTH = 1.5

LAST_LOOK = 20
"""Calls a unit that are never exceeded by rounds."""

ENUMERATED_AT_ONCE = 10
"""All coalitions are asked about in one round where that takes at most so many calls a unit."""


def resolve_budget(budget: int | str, n_units: int) -> int:
    """Return the number of distinct calls that a fixed `budget` allows for one text.

    Parameters
    ----------
    budget : int or {"auto", "fast", "normal", "high"}
        A number of distinct calls, or 10, 5, 10, 20 calls per unit. ("auto" is 10 where no
        rounds are made; see `rounds_of`.)
    n_units : int
        Units of the text.

    Raises
    ------
    ArgumentError
        `budget` is neither, or not positive.

    Examples
    --------
    >>> resolve_budget("fast", 12)
    60
    """
    if isinstance(budget, str):
        if budget not in CALLS_PER_UNIT:
            raise ArgumentError(
                f"budget: expected a number of calls or one of {', '.join(CALLS_PER_UNIT)}; "
                f"got {budget!r}"
            )
        return max(CALLS_PER_UNIT[budget] * n_units, 2)
    if isinstance(budget, bool) or not isinstance(budget, Integral):
        raise ArgumentError(f"budget: expected a whole number of calls or a name; got {budget!r}")
    if budget < 1:
        raise ArgumentError(f"budget: expected at least one call; got {budget}")
    return int(budget)


def rounds_of(n_units: int) -> tuple[int, ...]:
    """Return the calls after each round of "auto": at most six rounds, whole pairs each.

    3 calls a unit, then 1.5 times as many a round, at most 20 a unit. All ``2 ** n_units`` at
    once where that is at most 10 a unit, and in the last round where it is at most 20.

    Examples
    --------
    >>> rounds_of(14), rounds_of(7), rounds_of(5)
    ((42, 62, 94, 140, 212, 280), (20, 30, 46, 70, 106, 128), (32,))
    """
    last = LAST_LOOK * n_units
    if n_units <= MOST_UNITS_ENUMERATED:
        if 2**n_units <= max(ENUMERATED_AT_ONCE * n_units, 2):
            return (2**n_units,)
        last = min(last, 2**n_units)
    calls = [whole_pairs(int(FIRST_LOOK * n_units * GROWTH**look)) for look in range(6)]
    return (*(call for call in calls if call < last), last)


def whole_pairs(calls: int) -> int:
    """Return the number of calls rounded down to whole pairs."""
    return calls - calls % 2


def all_coalitions_fit(n_units: int, budget: int) -> bool:
    """Return whether every coalition can be asked about within the budget."""
    return n_units <= MOST_UNITS_ENUMERATED and 2**n_units <= budget


def resolve_seed(random_state: RandomState) -> int:
    """Return the integer that all draws of a run start from.

    Raises
    ------
    ArgumentError
        `random_state` is none of None, an int, a numpy Generator or RandomState.
    """
    if random_state is None:
        return secrets.randbits(32)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    raise ArgumentError(
        f"random_state: expected None, an int, a numpy Generator or RandomState; "
        f"got {random_state!r}"
    )


def seed_of_text(seed: int, units: Units) -> int:
    """Return a text's own seed: its masks do not depend on the texts beside it."""
    content = f"{seed}\x00{units.text}\x00{units.spans}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest(), "big")
