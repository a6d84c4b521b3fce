"""The pairs that tell most about Shapley values: the design of the odd Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.exhaustive import all_coalitions
from perturbx.coalitions.greedy_design import greedy_pairs, most_greedy_pairs
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import BatchSampler, check_budget, covers_all
from perturbx.typing import Players


@dataclass(frozen=True)
class OddPairs(BatchSampler):
    """The empty and the full coalition, then the greedy sequence of pairs.

    One sequence for each number of units, computed once and kept on disk (see
    `perturbx.coalitions.design_cache`); a larger budget goes on where a smaller one stops. What is
    random is only which unit of the text plays which part. An odd budget is rounded down to whole
    pairs; one of ``2 ** n`` or more gives all coalitions.

    The sequence ends after 1,500 pairs (earlier above some hundred units: 860 of 1,000 units);
    the pairs beyond are drawn from those left, all sizes equally frequent, as `Leverage` does.

    Rows 0 and 1 are the empty and the full coalition; rows 2j and 2j + 1 are complements. There
    are no inclusion probabilities: estimators that need some should take `Leverage`.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = OddPairs().sample(PlayerCount(5), 13, torch.Generator().manual_seed(0))
    >>> len(coalitions), coalitions.paired
    (12, True)
    """

    name: ClassVar[str] = "odd_gp"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``min(n + 2, 2 ** n)`` calls."""
        n_units = players.n_units
        budget = check_budget(budget, min(n_units + 2, 1 << n_units), self.name, n_units)
        if covers_all(budget, n_units):
            return [all_coalitions(n_units, self.name)] * len(generators)
        n_pairs = budget // 2 - 1
        greedy = greedy_pairs(n_units, min(n_pairs, most_greedy_pairs(n_units)))
        halves = [greedy[:, torch.randperm(n_units, generator=g)] for g in generators]
        if n_pairs > len(greedy):
            drawn = Leverage().sample_alike(players, budget, generators)
            halves = [
                _first_distinct(torch.cat([half, more.masks[2::2]]), n_pairs)
                for half, more in zip(halves, drawn, strict=True)
            ]
        return [_coalitions(half, self.name) for half in halves]


def _first_distinct(half: torch.Tensor, n_pairs: int) -> torch.Tensor:
    """Return the first rows that are neither equal nor complements: there are enough."""
    first, _ = distinct_rows(words(half ^ half[:, :1]))
    return half[first[:n_pairs]]


def _coalitions(half: torch.Tensor, design: str) -> Coalitions:
    masks = torch.empty((2 * len(half) + 2, half.shape[1]), dtype=torch.bool)
    masks[0], masks[1] = False, True
    masks[2::2] = half
    torch.logical_not(half, out=masks[3::2])
    return Coalitions(
        masks=masks,
        counts=torch.ones(len(masks), dtype=torch.int64),
        design=design,
        paired=True,
    )
