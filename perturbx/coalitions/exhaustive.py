"""All coalitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget
from perturbx.typing import Players


@dataclass(frozen=True)
class Exhaustive(BatchSampler):
    """All ``2 ** n_units`` coalitions: every value computed from them is exact.

    Row ``r`` keeps the units whose bits are set in ``r``; the first row is empty and the last
    full, and rows ``r`` and ``2 ** n_units - 1 - r`` are complements.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> Exhaustive().sample(PlayerCount(2), 4, torch.Generator()).masks.int().tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """

    name: ClassVar[str] = "exhaustive"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return the same table of all coalitions for every generator."""
        check_budget(budget, 1 << players.n_units, self.name, players.n_units)
        return [all_coalitions(players.n_units, self.name)] * len(generators)


def all_coalitions(n_units: int, design: str) -> Coalitions:
    """Return all ``2 ** n_units`` coalitions, taken for certain, in the name of `design`."""
    numbers = torch.arange(1 << n_units)
    masks = torch.empty((len(numbers), n_units), dtype=torch.bool)
    for unit in range(n_units):
        masks[:, unit] = (numbers >> unit) & 1
    return Coalitions(
        masks=masks,
        counts=torch.ones(len(numbers), dtype=torch.int64),
        probabilities=torch.ones(len(numbers), dtype=torch.float64),
        design=design,
        paired=True,
        exhaustive=True,
    )
