"""Chains of coalitions, from the empty one to the full one, in pairs of opposite order."""

from __future__ import annotations

from collections.abc import Callable

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import covers_all

MOST_FOR_FREE = 10
"""Where chains share many rows, at most this many times the pairs of chains that would fit if
all their rows were new."""


def least_budget(n_units: int) -> int:
    """Return the distinct rows of one pair of opposite chains: their ends are shared."""
    return 2 * n_units if n_units > 1 else n_units + 1


def antithetic_walks(
    draw_ranks: Callable[[int], torch.Tensor], n_units: int, budget: int, design: str
) -> Coalitions:
    """Walk up random orders and their reversals, as many whole pairs as the budget has rows for.

    Parameters
    ----------
    draw_ranks : callable
        Given a number of orders k, draws the place ``(k, n_units)`` of each unit in each.
    n_units : int
        Number of units.
    budget : int
        The most distinct rows; at least `least_budget`. A row that was visited is free.
    design : str
        The name of the sampler.

    Returns
    -------
    Coalitions
        With `walks`; row 0 is the empty and row ``walks[0, -1]`` the full coalition.
    """
    ends = torch.tensor([[False], [True]]).expand(2, n_units)
    rows = ends if n_units else ends[:1]
    walks: list[torch.Tensor] = []
    cost = max(2 * (n_units - 1), 1)
    left = MOST_FOR_FREE * max((budget - 2) // cost, 1) if n_units > 1 else 1
    a_round = 0
    while left > 0:
        # As many as are sure to fit, then (some rows were shared, or few are left) ever more.
        n_pairs = min(left, max((budget - len(rows)) // cost, 2**a_round if a_round else 1))
        rows, found = _climb(rows, draw_ranks(n_pairs), budget)
        walks.append(found)
        left = left - n_pairs if len(found) == 2 * n_pairs else 0
        a_round += 1
    exhaustive = covers_all(len(rows), n_units)
    return Coalitions(
        masks=rows,
        counts=torch.ones(len(rows), dtype=torch.int64),
        walks=torch.cat(walks),
        design=design,
        paired=True,
        exhaustive=exhaustive,
    )


def _climb(
    rows: torch.Tensor, ranks: torch.Tensor, budget: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add the pairs of chains, the first ones that fit; return all rows and the new walks."""
    n_pairs, n_units = ranks.shape
    ranks = torch.stack([ranks, n_units - 1 - ranks], dim=1).flatten(0, 1)
    steps = torch.arange(n_units + 1)
    visited = (ranks[:, None, :] < steps[:, None]).flatten(0, 1)
    pool = torch.cat([rows, visited])
    first, inverse = distinct_rows(words(pool))

    # Distinct rows once each pair is through: the rows held before come first in the pool.
    ends = len(rows) + 2 * (n_units + 1) * torch.arange(1, n_pairs + 1)
    reached = torch.searchsorted(first, ends)
    n_fit = int((reached <= budget).sum())
    n_rows = int(reached[n_fit - 1]) if n_fit else len(rows)
    walks = inverse[len(rows) :].view(2 * n_pairs, n_units + 1)
    return pool[first[:n_rows]], walks[: 2 * n_fit]
