"""One unit removed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget, covers_all
from perturbx.typing import Players


@dataclass(frozen=True)
class LeaveOneOut(BatchSampler):
    """The full coalition, and it without each unit in turn: occlusion.

    Needs ``n_units + 1`` calls; one more, where the budget has it, buys the empty coalition as
    a base. Nothing is random.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> LeaveOneOut().sample(PlayerCount(3), 5, torch.Generator()).masks.int().tolist()
    [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]]
    """

    name: ClassVar[str] = "leave_one_out"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return the same coalitions for every generator."""
        n_units = players.n_units
        budget = check_budget(budget, n_units + 1, self.name, n_units)
        masks = torch.ones((n_units + 1, n_units), dtype=torch.bool)
        masks[1:].fill_diagonal_(False)
        # With one unit, leaving it out has given the empty coalition already.
        if n_units > 1 and budget >= n_units + 2:
            masks = torch.cat([masks, torch.zeros((1, n_units), dtype=torch.bool)])
        exhaustive = covers_all(len(masks), n_units)
        coalitions = Coalitions(
            masks=masks,
            counts=torch.ones(len(masks), dtype=torch.int64),
            probabilities=torch.ones(len(masks), dtype=torch.float64),
            design=self.name,
            paired=exhaustive,
            exhaustive=exhaustive,
        )
        return [coalitions] * len(generators)
