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


def resolve_budget(budget: int | str, n_units: int) -> int:
    """Return the number of distinct calls that `budget` allows for one text.

    Parameters
    ----------
    budget : int or {"auto", "fast", "normal", "high"}
        A number of distinct calls, or 10, 5, 10, 20 calls per unit.
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
