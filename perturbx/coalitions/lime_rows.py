"""The rows that tell most about LIME's limit, after pairs that tell most about Shapley values.

LIME's line leans on masks that keep most units, whose complements tell little of it. So in longer
texts only the first calls are pairs; each row after them is the one that lowers the variance of the
line's coefficients most, given the rows before it, under the prior of `greedy_design` on the whole
game. It does not depend on the scores: one sequence for each number of units is kept on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.design_cache import load_rows, save_rows
from perturbx.coalitions.greedy_design import RHO, WHITE, greedy_pairs
from perturbx.coalitions.greedy_search import greedy_rows, prior_by_distance
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.odd_pairs import OddPairs
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import BatchSampler, PlayerCount, covers_all
from perturbx.symmetric_kernels import falling_shares, krawtchouk, lime_functional
from perturbx.typing import Players

MOST_UNITS_OF_PAIRS = 16
"""Of fewer units pairs know more: for 10 to 13 words they had half to two thirds of rows' error."""

PAIRS_PER_UNIT = 4
"""At 300 calls for 20 to 28 words 6 or 8 calls a unit in pairs do as well as none."""

CANDIDATES = 4000
SHORTEST = 128
MOST_ROWS, MOST_PAIRED_UNITS = 1200, 120
"""Longer sequences, or those of more units, take more than some seconds: pairs are cheaper."""

CONSTANT = 1e3
SEED = 2


@dataclass(frozen=True)
class LimeRows(BatchSampler):
    """`OddPairs` for the first 8 calls a unit, then single rows chosen for LIME's line.

    A larger budget goes on where a smaller one stops. Up to 16 units, and of more than 120, all
    calls are pairs. Rows beyond the 1,200 of the sequence are drawn as `Leverage` does. There are
    no inclusion probabilities.

    Parameters
    ----------
    kernel_width : float, default=25.0
        The width of LIME's kernel, in hundredths of cosine distance.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = LimeRows().sample(PlayerCount(17), 150, torch.Generator().manual_seed(0))
    >>> len(coalitions), coalitions.paired
    (150, False)
    """

    kernel_width: float = 25.0
    name: ClassVar[str] = "lime_limit"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``min(n + 2, 2 ** n)`` calls."""
        n_units = players.n_units
        n_paired = 2 * PAIRS_PER_UNIT * n_units
        is_paired = not MOST_UNITS_OF_PAIRS < n_units <= MOST_PAIRED_UNITS
        if is_paired or budget <= n_paired or covers_all(budget, n_units):
            pairs = OddPairs().sample_alike(players, budget, generators)
            return [replace(own, design=self.name) for own in pairs]
        rows = begun_with(n_units)
        n_greedy = min(budget - n_paired, MOST_ROWS)
        rows = torch.cat([rows, _rows_after(n_units, float(self.kernel_width), n_greedy)])
        masks = [rows[:, torch.randperm(n_units, generator=g)] for g in generators]
        if budget > len(rows):
            drawn = Leverage().sample_alike(players, budget, generators)
            both = [torch.cat([own, more.masks]) for own, more in zip(masks, drawn, strict=True)]
            masks = [own[distinct_rows(words(own))[0][:budget]] for own in both]
        counts = torch.ones(budget, dtype=torch.int64)
        return [
            Coalitions(masks=own.contiguous(), counts=counts, design=self.name) for own in masks
        ]


def begun_with(n_units: int) -> torch.Tensor:
    """Return the ends and the first pairs, ``(8 n, n)``."""
    half = greedy_pairs(n_units, PAIRS_PER_UNIT * n_units - 1)
    half = torch.cat([torch.zeros((1, n_units), dtype=torch.bool), half])
    return torch.stack([half, ~half], dim=1).flatten(0, 1)


def _rows_after(n_units: int, kernel_width: float, n_rows: int) -> torch.Tensor:
    length = SHORTEST
    while length < n_rows:
        length += length // 2
    return _sequence(n_units, kernel_width, min(length, MOST_ROWS))[:n_rows]


@lru_cache(maxsize=128)
def _sequence(n_units: int, kernel_width: float, length: int) -> torch.Tensor:
    kind = f"lime-{kernel_width:g}"
    rows = load_rows(kind, n_units, length)
    if rows is None:
        rows = search(n_units, kernel_width, length)
        save_rows(kind, rows)
    return rows


def search(n_units: int, kernel_width: float, length: int) -> torch.Tensor:
    """Return the rows ``(length, n_units)`` after `begun_with`, each the best after the others.

    Parameters
    ----------
    n_units : int
        Number of units.
    kernel_width : float
        The width of LIME's kernel.
    length : int
        How many rows.
    """
    begun = begun_with(n_units)
    generator = torch.Generator().manual_seed(SEED)
    drawn = Leverage().sample(PlayerCount(n_units), CANDIDATES + 2, generator).masks[2:]
    drawn = drawn[torch.randperm(len(drawn), generator=generator)]
    masks = torch.cat([begun, drawn])
    masks = masks[distinct_rows(words(masks))[0]]

    line = lime_functional(n_units, kernel_width)
    shares = falling_shares(line.n_orders, RHO)
    kept, removed, _ = torch.from_numpy(
        shares @ line.readout
        + WHITE * np.stack([line.kept_alone, line.removed_alone, line.level_alone])
    )
    sizes = masks.sum(1, keepdim=True)
    with_values = torch.where(masks, kept[sizes], removed[sizes])
    by_distance = torch.from_numpy(shares @ krawtchouk(n_units) + CONSTANT)
    prior = prior_by_distance(masks, by_distance, with_values, white=WHITE)
    return masks[greedy_rows([prior], length, taken=range(len(begun)))]
