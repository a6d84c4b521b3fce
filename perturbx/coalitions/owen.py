"""Orders that keep the groups of a hierarchy together: the design of the Owen value."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget, covers_all
from perturbx.coalitions.walks import antithetic_walks, least_budget
from perturbx.typing import Players

Children: TypeAlias = tuple[tuple[int, ...], ...]
"""The children of each inner node, numbered as in `Tree`: leaves first, the root last."""


@dataclass(frozen=True)
class Owen(BatchSampler):
    """Chains that add group after group, in uniformly random order at every node of the tree.

    Along each chain of `Coalitions.walks` the differences of the scores are marginal
    contributions whose mean is an unbiased estimate of the Owen values. Chains come with their
    reversals, which keep the groups together, too, and rows that chains share are stored once.

    Where the budget covers every coalition that such a chain can visit, all of them are
    returned instead (``design="owen_exact"``, without `walks`) and the values computed from
    them are exact: on a balanced binary tree that takes ``2 (n² - 1) / 3 + 2`` calls, see
    `owen_coalitions_count`. Players without a tree get the balanced one.

    Notes
    -----
    Owen, "Values of Games with a Priori Unions", 1977; on a binary tree these are the values
    of shap's ``PartitionExplainer``.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> generator = torch.Generator().manual_seed(0)
    >>> coalitions = Owen().sample(PlayerCount(8), 30, generator)
    >>> coalitions.design, coalitions.walks.shape
    ('owen', torch.Size([6, 9]))
    >>> exact = Owen().sample(PlayerCount(8), 44, generator)
    >>> exact.design, len(exact)
    ('owen_exact', 44)
    """

    name: ClassVar[str] = "owen"

    def likeness(self, players: Players) -> Hashable:
        """Return the number of units and the tree."""
        return players.n_units, _children(players)

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``2 n`` calls (``n + 1`` below two units)."""
        n_units, children = players.n_units, _children(players)
        budget = check_budget(budget, least_budget(n_units), self.name, n_units)
        if owen_coalitions_count(children, n_units) <= budget:
            masks = owen_coalitions(children, n_units)
            exact = Coalitions(
                masks=masks,
                counts=torch.ones(len(masks), dtype=torch.int64),
                probabilities=torch.ones(len(masks), dtype=torch.float64),
                design=f"{self.name}_exact",
                paired=True,
                exhaustive=covers_all(len(masks), n_units),
            )
            return [exact] * len(generators)
        siblings = [torch.tensor(node) for node in children]
        return [self._walk(siblings, n_units, budget, generator) for generator in generators]

    def _walk(
        self,
        siblings: Sequence[torch.Tensor],
        n_units: int,
        budget: int,
        generator: torch.Generator,
    ) -> Coalitions:
        sizes = torch.ones(n_units + len(siblings), dtype=torch.int64)
        for index, node in enumerate(siblings):
            sizes[n_units + index] = sizes[node].sum()

        def draw_ranks(n_orders: int) -> torch.Tensor:
            keys = torch.rand((n_orders, len(sizes)), generator=generator, dtype=torch.float64)
            return _places(siblings, sizes, keys)[:, :n_units]

        return antithetic_walks(draw_ranks, n_units, budget, self.name)


def owen_coalitions_count(children: Children, n_units: int) -> int:
    """Count the coalitions that chains consistent with a tree can visit, without listing them.

    Parameters
    ----------
    children : tuple of tuple of int
        The children of each inner node, as in `Tree.children`.
    n_units : int
        Number of leaves.

    Returns
    -------
    int
        The empty and the full coalition included.

    Notes
    -----
    A chain inside a node with c children has some of them whole, the others not at all, and at
    most one in part: f = 2^c + Σ_children 2^(c-1) (f_child - 2), and f = 2 at a leaf.

    Examples
    --------
    >>> owen_coalitions_count(((0, 1), (2, 3), (4, 5)), 4)
    12
    """
    counts = [2] * n_units
    for node in children:
        partial = sum(counts[child] - 2 for child in node)
        counts.append(2 ** len(node) + 2 ** (len(node) - 1) * partial)
    return counts[-1] if counts else 1


def owen_coalitions(children: Children, n_units: int) -> torch.Tensor:
    """List the coalitions that chains consistent with a tree can visit.

    For every leaf: each group beside its path to the root is wholly in or out, and so is it.

    Parameters
    ----------
    children : tuple of tuple of int
        The children of each inner node, as in `Tree.children`.
    n_units : int
        Number of leaves.

    Returns
    -------
    torch.Tensor of bool, (owen_coalitions_count(children, n_units), n_units)
        Distinct rows; the first is the empty coalition and the last the full one.

    Examples
    --------
    >>> owen_coalitions(((0, 1), (2, 3)), 3).shape
    torch.Size([8, 3])
    """
    members = [*torch.eye(n_units, dtype=torch.bool)]
    # What lies properly inside each node: neither nothing nor all of it.
    inside = [torch.empty((0, n_units), dtype=torch.bool)] * n_units
    for node in children:
        groups = [members[child] for child in node]
        parts = [_unions(groups, n_units)[1:-1]]
        for place, child in enumerate(node):
            others = _unions(groups[:place] + groups[place + 1 :], n_units)
            parts.append((others[:, None] | inside[child]).flatten(0, 1))
        members.append(torch.stack(groups).any(0))
        inside.append(torch.cat(parts))
    ends = torch.tensor([[False], [True]]).expand(2, n_units)
    return torch.cat([ends[:1], inside[-1], ends[1:]]) if n_units else ends[:1]


def balanced_children(n_units: int) -> Children:
    """Return the children of the binary tree that halves every range of neighbours.

    It is ``Tree.balanced(n_units).children``: this package does not import `units`.
    """
    children: list[tuple[int, int]] = []

    def build(start: int, stop: int) -> int:
        if stop - start == 1:
            return start
        middle = (start + stop + 1) // 2
        children.append((build(start, middle), build(middle, stop)))
        return n_units + len(children) - 1

    if n_units > 1:
        build(0, n_units)
    return tuple(children)


def _children(players: Players) -> Children:
    return balanced_children(players.n_units) if players.tree is None else players.tree.children


def _unions(groups: Sequence[torch.Tensor], n_units: int) -> torch.Tensor:
    """Return the union of every subset of disjoint groups; none first, all last."""
    unions = torch.zeros((1, n_units), dtype=torch.bool)
    for group in groups:
        unions = torch.cat([unions, unions | group])
    return unions


def _places(
    siblings: Sequence[torch.Tensor], sizes: torch.Tensor, keys: torch.Tensor
) -> torch.Tensor:
    """Return where each node's leaves begin, ``(n_orders, n_nodes)``, siblings in order of keys."""
    n_units = len(sizes) - len(siblings)
    places = torch.zeros_like(keys, dtype=torch.int64)
    for index in range(len(siblings) - 1, -1, -1):
        node = siblings[index]
        order = torch.argsort(keys[:, node], dim=1, stable=True)
        lengths = sizes[node][order]
        before = torch.zeros_like(order).scatter_(1, order, lengths.cumsum(1) - lengths)
        places[:, node] = places[:, n_units + index, None] + before
    return places
