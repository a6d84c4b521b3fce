"""`Tree`: a hierarchy over units, as the Owen value needs it."""

from __future__ import annotations

from dataclasses import dataclass
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

    @classmethod
    def from_linkage(cls, linkage: Any) -> Tree:
        """Return the tree of a scipy linkage (or shap clustering) matrix ``(n_units - 1, 3+)``."""
        pairs = np.asarray(linkage)[:, :2].astype(int)
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
