"""Chains of coalitions, from the empty one to the full one, in pairs of opposite order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import CELLS_AT_ONCE, covers_all

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
    a_pair = 2 * (n_units + 1)
    cost = 2 * (n_units - 1)
    left = MOST_FOR_FREE * ((budget - 2) // cost) if n_units > 1 else 1
    ranks = draw_ranks(0)
    first, inverse = torch.empty((2, 0), dtype=torch.int64)
    keys = words(torch.empty((0, n_units), dtype=torch.bool))
    n_tried = 1
    while left > 0:
        # As many as are sure to fit and some more, as rows may be shared, until one does not.
        n_sure = (budget - max(len(first), 2)) // cost if cost > 0 else 1
        n_pairs = min(left, max(n_sure + n_sure // 4 + 1, n_tried))
        drawn = draw_ranks(n_pairs)
        drawn = torch.stack([drawn, n_units - 1 - drawn], dim=1).flatten(0, 1)
        keys = torch.cat([keys, *(words(visited) for visited in _prefixes(drawn))])
        first, inverse = distinct_rows(keys)

        ends = len(keys) - a_pair * torch.arange(n_pairs - 1, -1, -1)
        n_fit = int((torch.searchsorted(first, ends) <= budget).sum())
        ranks = torch.cat([ranks, drawn[: 2 * n_fit]])
        keys, inverse = keys[: len(ranks) * (n_units + 1)], inverse[: len(ranks) * (n_units + 1)]
        first = first[first < len(keys)]
        left = left - n_pairs if n_fit == n_pairs else 0
        n_tried *= 2

    is_new = torch.zeros(len(keys), dtype=torch.bool)
    is_new[first] = True
    parts, at = [], 0
    for visited in _prefixes(ranks):
        parts.append(visited[is_new[at : at + len(visited)]])
        at += len(visited)
    masks = torch.cat(parts)
    return Coalitions(
        masks=masks,
        counts=torch.ones(len(masks), dtype=torch.int64),
        walks=inverse.view(-1, n_units + 1),
        design=design,
        paired=True,
        exhaustive=covers_all(len(masks), n_units),
    )


def _prefixes(ranks: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the rows that the orders visit, order by order, some orders at a time."""
    n_orders, n_units = ranks.shape
    at_once = max(1, CELLS_AT_ONCE // (n_units + 1) ** 2)
    steps = torch.arange(n_units + 1, dtype=torch.int32)
    for start in range(0, n_orders, at_once):
        part = ranks[start : start + at_once].to(torch.int32)
        yield (part[:, None, :] < steps[:, None]).flatten(0, 1)
