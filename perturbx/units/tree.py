"""`Tree`: a hierarchy over units, as the Owen value needs it."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from perturbx.exceptions import ArgumentError


@dataclass(frozen=True)
class Tree:
    """A rooted tree whose leaves are the units.

    Nodes ``0 .. n_units - 1`` are the leaves; inner node ``n_units + j`` has the children
    ``children[j]``, each of a smaller number; the last node is the root. With one unit there is
    no inner node.

    Parameters
    ----------
    n_units : int
        Number of leaves.
    children : tuple of tuple of int
        The children of each inner node, at least two of each.

    Examples
    --------
    >>> tree = Tree(3, ((0, 1), (3, 2)))
    >>> tree.leaves(3)
    (0, 1)
    """

    n_units: int
    children: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        # Rows of an array are no sets of children, and numpy's numbers cannot be saved.
        try:
            children = tuple(tuple(map(index, node)) for node in self.children)
            object.__setattr__(self, "n_units", index(self.n_units))
        except TypeError as error:
            raise ArgumentError(
                f"children: expected the numbers of the children of each inner node; got "
                f"{self.children!r:.200} for {self.n_units!r} units"
            ) from error
        object.__setattr__(self, "children", children)
        seen = [child for node in self.children for child in node]
        n_nodes = self.n_units + len(self.children)
        complete = sorted(seen) == list(range(max(n_nodes - 1, 0)))
        ordered = all(
            len(node) >= 2 and max(node) < self.n_units + j for j, node in enumerate(self.children)
        )
        if not (complete and ordered):
            raise ArgumentError(
                f"children: every node below the root must be the child of exactly one later node "
                f"with two children or more; got {self.children!r:.200} for {self.n_units} units"
            )

    @property
    def root(self) -> int:
        """Return the number of the root node."""
        return self.n_units + len(self.children) - 1

    def leaves(self, node: int) -> tuple[int, ...]:
        """Return the units below `node`, in order of the tree."""
        leaves: list[int] = []
        ahead = [node]
        while ahead:
            current = ahead.pop()
            if current < self.n_units:
                leaves.append(current)
            else:
                ahead.extend(reversed(self.children[current - self.n_units]))
        return tuple(leaves)

    def split(self, node: int, n_parts: int) -> list[int]:
        """Return the nodes that `node` falls into, the one with the most leaves split first.

        Parameters
        ----------
        node : int
            A node.
        n_parts : int
            How many nodes to stop at. A node of fewer leaves gives as many as it has; the last
            split, of a node with several children, may give more.

        Examples
        --------
        >>> tree = Tree.balanced(8)
        >>> [tree.leaves(part) for part in tree.split(tree.root, 3)]
        [(0, 1), (2, 3), (4, 5, 6, 7)]
        """
        leaves = self.leaves(node)
        # The largest first, and of those the first in order of the tree.
        ahead = [(-len(leaves), leaves[0], node)]
        parts: list[tuple[int, int]] = []
        while ahead and len(ahead) + len(parts) < n_parts:
            size, place, current = heapq.heappop(ahead)
            if size == -1:
                parts.append((place, current))
                continue
            for child in self.children[current - self.n_units]:
                leaves = self.leaves(child)
                heapq.heappush(ahead, (-len(leaves), leaves[0], child))
        parts += [(place, current) for _, place, current in ahead]
        return [current for _, current in sorted(parts)]

    def subset(self, kept: Collection[int]) -> Tree:
        """Return the tree of only some leaves, numbered anew in their order.

        Parameters
        ----------
        kept : collection of int
            The leaves that stay. What joins no two of them any more is left out.

        Examples
        --------
        >>> Tree(4, ((0, 1), (4, 2), (5, 3))).subset([0, 2, 3]).children
        ((0, 1), (3, 2))
        """
        number = {leaf: i for i, leaf in enumerate(sorted(kept))}
        children: list[tuple[int, ...]] = []
        for node, own in enumerate(self.children, self.n_units):
            left = tuple(number[child] for child in own if child in number)
            if len(left) > 1:
                children.append(left)
                number[node] = len(kept) + len(children) - 1
            elif left:
                number[node] = left[0]
        return Tree(len(kept), tuple(children))

    @classmethod
    def from_linkage(cls, linkage: Any) -> Tree:
        """Return the tree of a scipy linkage (or shap clustering) matrix ``(n_units - 1, 3+)``.

        Raises
        ------
        ArgumentError
            It is no such matrix.
        """
        try:
            pairs = np.asarray(linkage, dtype=np.float64)[:, :2]
        except (TypeError, ValueError, IndexError):
            pairs = np.empty((0, 0))
        if pairs.shape[1:] != (2,) or not np.isfinite(pairs).all():
            raise ArgumentError(
                f"tree: expected a Tree or a linkage matrix (n_units - 1, 4) of numbers; "
                f"got {linkage!r:.200}"
            )
        return cls(len(pairs) + 1, tuple((int(a), int(b)) for a, b in pairs))

    @classmethod
    def balanced(cls, n_units: int) -> Tree:
        """Return the binary tree that halves every range of neighbours."""
        children: list[tuple[int, ...]] = []

        def build(start: int, stop: int) -> int:
            if stop - start == 1:
                return start
            middle = (start + stop + 1) // 2
            children.append((build(start, middle), build(middle, stop)))
            return n_units + len(children) - 1

        if n_units > 1:
            build(0, n_units)
        return cls(n_units, tuple(children))
