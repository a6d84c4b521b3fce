"""`PrefixPairs`: the pairs that tell most for the tokens that a decoder has to read anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import ClassVar

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.exhaustive import all_coalitions
from perturbx.coalitions.prefix_search import PrefixSearch
from perturbx.coalitions.sampler import check_budget, covers_all
from perturbx.exceptions import ArgumentError
from perturbx.typing import Players


@dataclass(frozen=True)
class PrefixPairs:
    """The empty and the full coalition, then pairs chosen by what they tell for their price.

    For models that read a beginning that several variants share only once: a row costs the tokens
    of its units behind the longest beginning it shares with a row before it, and its tail. The
    first pairs, six for ten units, are those of `OddPairs`: no price is looked at there but in
    who plays which part. The next ones, up to as many as units, have the sizes of those of
    `OddPairs`, and whom they keep goes by what it tells for its price; so do the sizes, too, of
    all behind them. Units stay in text order; what is random are the candidates of the search,
    and the dealings of parts that are tried. Larger designs of one generator begin with the
    smaller ones.

    Rows 0 and 1 are the empty and the full coalition; rows 2j and 2j + 1 are complements. There
    are no inclusion probabilities.

    Parameters
    ----------
    unit_tokens : tuple of int, (n_units,)
        Tokens of each unit, in text order.
    tail : float, default=0
        What each row costs behind its last unit, in tokens: the frozen end of the prompt, the
        response, and the scoring of it.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> sampler = PrefixPairs((20, 30, 25, 40, 20), tail=10)
    >>> coalitions = sampler.sample(PlayerCount(5), 13, torch.Generator().manual_seed(0))
    >>> len(coalitions), coalitions.paired
    (12, True)
    """

    unit_tokens: tuple[int, ...]
    tail: float = 0.0

    name: ClassVar[str] = "odd_gp"

    def __post_init__(self) -> None:
        for name, counts in (("unit_tokens", self.unit_tokens), ("tail", (self.tail,))):
            wrong = [count for count in counts if not (count >= 0 and isfinite(count))]
            if wrong:
                raise ArgumentError(f"{name}: expected finite numbers of 0 or more, got {wrong[0]}")

    def sample(self, players: Players, budget: int, generator: torch.Generator) -> Coalitions:
        """Return at most `budget` distinct coalitions; needs ``min(n + 2, 2 ** n)``.

        Raises
        ------
        ArgumentError
            If the budget is too small, or the units are not as many as `unit_tokens`.
        """
        n_units = players.n_units
        if n_units != len(self.unit_tokens):
            raise ArgumentError(
                f"unit_tokens: has {len(self.unit_tokens)} entries for {n_units} units"
            )
        budget = check_budget(budget, min(n_units + 2, 1 << n_units), self.name, n_units)
        if covers_all(budget, n_units):
            return all_coalitions(n_units, self.name)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        half = _search(self.unit_tokens, self.tail, seed).extend(budget // 2 - 1)
        masks = np.empty((2 * len(half) + 2, n_units), dtype=bool)
        masks[0], masks[1] = False, True
        masks[2::2], masks[3::2] = half, ~half
        return Coalitions(
            masks=torch.from_numpy(masks),
            counts=torch.ones(len(masks), dtype=torch.int64),
            design=self.name,
            paired=True,
        )


@lru_cache(maxsize=32)
def _search(unit_tokens: tuple[int, ...], tail: float, seed: int) -> PrefixSearch:
    """Return the search of that seed: a later round goes on where the last one stopped."""
    return PrefixSearch(unit_tokens, tail, seed)
