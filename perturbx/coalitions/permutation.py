"""Random orders and their reversals: the design of permutation sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget
from perturbx.coalitions.walks import antithetic_walks, least_budget
from perturbx.typing import Players


@dataclass(frozen=True)
class Permutation(BatchSampler):
    """Units join one by one in a uniformly random order, and then in the opposite order.

    Along each chain of `Coalitions.walks` the differences of the scores are the units' marginal
    contributions; their mean is an unbiased estimate of the Shapley values. A pair of opposite
    chains needs ``2 n`` distinct rows and every further one ``2 (n - 1)`` at most: rows that
    chains share are stored, and paid for, once. As many whole pairs are taken as fit.

    Notes
    -----
    Mitchell, Cooper, Frank & Holmes, "Sampling Permutations for Shapley Value Estimation",
    JMLR 2022 (antithetic pairs).

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = Permutation().sample(PlayerCount(5), 20, torch.Generator().manual_seed(0))
    >>> coalitions.masks[coalitions.walks].sum(2)[:2].tolist()
    [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]
    """

    name: ClassVar[str] = "permutation"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``2 n`` calls (``n + 1`` below two units)."""
        n_units = players.n_units
        budget = check_budget(budget, least_budget(n_units), self.name, n_units)
        return [self._walk(n_units, budget, generator) for generator in generators]

    def _walk(self, n_units: int, budget: int, generator: torch.Generator) -> Coalitions:
        def draw_ranks(n_orders: int) -> torch.Tensor:
            keys = torch.rand((n_orders, n_units), generator=generator, dtype=torch.float64)
            # The order that sorts uniform keys is a uniform permutation, read here as places.
            return torch.argsort(keys, dim=1, stable=True)

        return antithetic_walks(draw_ranks, n_units, budget, self.name)
