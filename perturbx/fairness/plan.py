"""`AuditPlan`: the numbers that an audit goes by, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from perturbx.exceptions import ArgumentError


@dataclass(frozen=True)
class AuditPlan:
    """The numbers that an audit goes by.

    Parameters
    ----------
    compare, level, min_group_size, n_resamples, n_permutations, n_explained, n_swaps, depth
        See `FairnessAudit`; `depth` is 2 where attributes are crossed.
    seed : int
        Of all random numbers.
    """

    compare: str | Mapping[str, str]
    level: float
    min_group_size: int
    n_resamples: int
    n_permutations: int
    n_explained: int
    n_swaps: int
    depth: int
    seed: int

    def __post_init__(self) -> None:
        if not isinstance(self.compare, (str, Mapping)):
            raise ArgumentError(
                f"compare: expected 'auto', 'pairs', 'all', the name of a group, or a mapping from "
                f"attributes to these; got {self.compare!r:.60}"
            )
        if not (isinstance(self.level, Real) and 0 < self.level < 1):
            raise ArgumentError(f"level: expected a number between 0 and 1; got {self.level!r}")
        for name, least in (
            ("min_group_size", 1),
            ("n_resamples", 100),
            ("n_permutations", 100),
            ("n_explained", 0),
            ("n_swaps", 0),
        ):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise ArgumentError(
                    f"{name}: expected a whole number of at least {least}; got {value!r}"
                )
