"""Pairs that keep neighbours together: the first look at a long text."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.sampler import BatchSampler, PlayerCount, check_budget
from perturbx.exceptions import ArgumentError
from perturbx.typing import Players

UNITS_PER_GROUP = 4
LEAST_GROUPS, MOST_GROUPS = 15, 60
"""A text falls into a group for four units, within these numbers."""

CALLS_PER_GROUP = 4
"""What a group takes at first. Where the budget is small there are fewer groups, so that half of
it is left for those that matter."""

FEWEST_GROUPS = 3
LEAST_CALLS = FEWEST_GROUPS * CALLS_PER_GROUP


def first_look(n_units: int, budget: int) -> int:
    """Return the calls that the groups of a text are worth at first, of so many there may be.

    Examples
    --------
    >>> first_look(100, 1200), first_look(1000, 1200), first_look(1000, 80)
    (100, 240, 40)
    """
    return CALLS_PER_GROUP * _n_groups(n_units, budget)


def _n_groups(n_units: int, budget: int) -> int:
    wanted = min(max(LEAST_GROUPS, n_units // UNITS_PER_GROUP), MOST_GROUPS)
    return min(wanted, max(budget // (2 * CALLS_PER_GROUP), FEWEST_GROUPS))


@dataclass(frozen=True)
class GroupedLeverage(BatchSampler):
    """The pairs of `Leverage` over nodes of the players' tree, each kept or removed as one.

    The full and the empty coalition, then pairs in random order. Row 2j + 1 is the complement of
    row 2j. Needs a tree, and at least 12 calls.

    Examples
    --------
    >>> from perturbx.units import Tree
    >>> players = PlayerCount(100, Tree.balanced(100))
    >>> masks = GroupedLeverage().sample(players, 80, torch.Generator().manual_seed(0)).masks
    >>> len(masks), bool((masks[:, 0] == masks[:, 1]).all())
    (80, True)
    """

    name: ClassVar[str] = "grouped_leverage"

    def likeness(self, players: Players) -> Hashable:
        """Return what texts must share to be drawn together."""
        return players.n_units, players.tree

    def nodes(self, players: Players, budget: int) -> tuple[int, ...]:
        """Return the nodes of the tree that are the groups, for a budget.

        Raises
        ------
        ArgumentError
            There is no tree, or the budget is below 12 calls.
        """
        budget = check_budget(budget, LEAST_CALLS, self.name, players.n_units)
        if players.tree is None:
            raise ArgumentError("players: grouped_leverage needs units with a tree, see hierarchy")
        n_groups = _n_groups(players.n_units, budget)
        return tuple(players.tree.split(players.tree.root, n_groups))

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator."""
        nodes = self.nodes(players, budget)
        groups = [players.tree.leaves(node) for node in nodes] if players.tree else []
        return [
            Coalitions(
                masks=masks,
                counts=torch.ones(len(masks), dtype=torch.int64),
                design=self.name,
                paired=True,
            )
            for masks in (
                grouped_pairs(groups, players.n_units, budget, generator)
                for generator in generators
            )
        ]


def grouped_pairs(
    groups: Sequence[Sequence[int]], n_units: int, n_calls: int, generator: torch.Generator
) -> torch.Tensor:
    """Return both ends and random pairs, row by row, that keep or remove each group as one.

    Parameters
    ----------
    groups : sequence of sequence of int
        Every unit in exactly one.
    n_units : int
        Number of units.
    n_calls : int
        The most rows.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    torch.Tensor of bool, (at most n_calls, n_units)
        Distinct rows, the pairs in random order: any first part of them has all sizes.
    """
    owner = torch.empty(n_units, dtype=torch.int64)
    for number, members in enumerate(groups):
        owner[list(members)] = number
    least = len(groups) + 2
    drawn = Leverage().sample(PlayerCount(len(groups)), max(n_calls, least), generator).masks
    half = drawn[drawn[:, 0] & ~drawn.all(1)]
    half = half[torch.randperm(len(half), generator=generator)]
    ends = torch.ones((1, len(groups)), dtype=torch.bool)
    half = torch.cat([ends, half])[: n_calls // 2]
    return torch.stack([half, ~half], dim=1).flatten(0, 1)[:, owner]
