"""Owen values: Shapley values that keep the groups of a hierarchy together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import numpy as np
from scipy.special import gammaln

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.surrogate import BatchSurrogate, ends
from perturbx.surrogates.walks import average_walks, units_in_order
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

Children: TypeAlias = tuple[tuple[int, ...], ...]
"""The children of each inner node: leaves are 0 .. n-1, inner node j is n + j, the root last."""


class Hierarchy(Protocol):
    """Whatever has children, such as `perturbx.units.tree.Tree`."""

    @property
    def children(self) -> Children:
        """Return the children of each inner node."""


@dataclass(frozen=True)
class Owen(BatchSurrogate):
    """Owen values on a tree: the Shapley values if only orders count that keep each group together.

    Siblings stand in uniformly random order at every node. On a binary tree these are the values
    of shap's PartitionExplainer when its budget suffices.

    Parameters
    ----------
    tree : Tree or None, default=None
        The hierarchy; by default the one of the table's units, and where they have none (a game
        without a text) the balanced binary tree over neighbours.

    Notes
    -----
    Where all coalitions of the tree are in the table the values are exact: for unit i, every
    subset T of the c - 1 siblings beside each node on its path to the root is in with
    probability |T|! (c-1-|T|)! / c!, and φ_i is the mean of v(S∪i) - v(S). Elsewhere marginal
    contributions are averaged along those walks of the table which keep the groups together;
    the sampler "owen" gives such tables. Errors: see `perturbx.surrogates.walks.average_walks`.

    Owen, "Values of Games with a Priori Unions", 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [7.0]]), ("y",))
    >>> Owen().fit([table])[0].values.ravel()
    array([3., 4.])
    """

    tree: Hierarchy | None = None
    name: ClassVar[str] = "owen"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where there are neither all coalitions nor walks."""
        ends(table, self.name)
        children = self._children(table)
        if _exact_terms(table, children) is None and len(_walks_within(table, children)) < 2:
            raise SurrogateError(
                f"{self.name} needs every coalition of the tree, or walks (each with its reversal) "
                f"that keep its groups together; the table (design {table.design!r}) has neither: "
                f"draw it with the sampler 'owen' and the same tree"
            )

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return [self._fit(table) for table in tables]

    def _fit(self, table: ScoreTable) -> Attribution:
        children = self._children(table)
        terms = _exact_terms(table, children)
        if terms is None:
            orders = sum(float(gammaln(len(node) + 1)) for node in children)
            return average_walks(table, _walks_within(table, children), orders, self.name)
        _, empty = ends(table, self.name)
        values = np.zeros((table.n_units, table.n_outputs))
        variances = np.zeros_like(values)
        for unit, (without, beside, weights) in enumerate(terms):
            values[unit] = weights @ (table.scores[beside] - table.scores[without])
            if table.variances is not None:
                noise = table.variances[beside] + table.variances[without]
                variances[unit] = np.square(weights) @ noise
        return Attribution(
            values=values,
            base_values=table.scores[empty].copy(),
            std_errors=np.sqrt(variances),
            method=self.name,
            n_calls=table.n_calls,
        )

    def _children(self, table: ScoreTable) -> Children:
        tree = self.tree
        if tree is None and table.units is not None:
            tree = table.units.tree
        children = balanced_children(table.n_units) if tree is None else tree.children
        leaves = sum(len(node) for node in children) - len(children) + 1
        if leaves != table.n_units:
            raise SurrogateError(
                f"tree: has {leaves} leaves for a table of {table.n_units} units; give the tree of "
                f"this text"
            )
        return children


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


Terms: TypeAlias = list[tuple[IntArray, IntArray, FloatArray]]
"""For each unit: the rows without it, the rows with it, and the weight of each such difference."""


def _exact_terms(table: ScoreTable, children: Children) -> Terms | None:
    """Return every term of the exact values; None where a row is missing."""
    n_units = table.n_units
    if max(_contexts_of_leaves(children, n_units)) > len(table):
        return None
    row_of = {mask.tobytes(): row for row, mask in enumerate(table.masks)}
    members = _members(children, n_units)
    terms: dict[int, tuple[IntArray, IntArray, FloatArray]] = {}
    waiting = [(n_units + len(children) - 1, np.zeros((1, n_units), dtype=bool), np.ones(1))]
    while waiting:
        node, contexts, weights = waiting.pop()
        if node < n_units:
            without = _find(contexts, row_of)
            beside = _find(contexts | members[node], row_of)
            if (without < 0).any() or (beside < 0).any():
                return None
            terms[node] = (without, beside, weights)
            continue
        siblings = children[node - n_units]
        for place, child in enumerate(siblings):
            others = siblings[:place] + siblings[place + 1 :]
            subsets = (np.arange(1 << len(others))[:, None] >> np.arange(len(others))) & 1 > 0
            sizes = subsets.sum(axis=1)
            unions = np.zeros((len(subsets), n_units), dtype=bool)
            for column, other in enumerate(others):
                unions |= subsets[:, [column]] & members[other]
            # |T|! (c-1-|T|)! / c! = 1 / (c C(c-1, |T|))
            shares = np.array([1.0 / (len(siblings) * comb(len(others), int(s))) for s in sizes])
            waiting.append(
                (
                    child,
                    (contexts[:, None] | unions).reshape(-1, n_units),
                    (weights[:, None] * shares).ravel(),
                )
            )
    return [terms[unit] for unit in range(n_units)]


def _contexts_of_leaves(children: Children, n_units: int) -> list[int]:
    """Return in how many contexts each unit's marginal contribution counts."""
    counts = [0] * (n_units + len(children))
    counts[-1] = 1
    for inner in range(len(children) - 1, -1, -1):
        for child in children[inner]:
            counts[child] = counts[n_units + inner] << (len(children[inner]) - 1)
    return counts[:n_units]


def _members(children: Children, n_units: int) -> MaskMatrix:
    """Return the units below each node: ``(n_nodes, n_units)``."""
    members: MaskMatrix = np.zeros((n_units + len(children), n_units), dtype=bool)
    members[:n_units] = np.eye(n_units, dtype=bool)
    for inner, node in enumerate(children):
        members[n_units + inner] = members[list(node)].any(axis=0)
    return members


def _find(masks: MaskMatrix, row_of: dict[bytes, int]) -> IntArray:
    return np.array([row_of.get(mask.tobytes(), -1) for mask in masks], dtype=np.int64)


def _walks_within(table: ScoreTable, children: Children) -> IntArray:
    """Return the walks of the table, pairs whole, that keep every group of the tree together."""
    if table.walks is None or not len(table.walks):
        return np.empty((0, table.n_units + 1), dtype=np.int64)
    places = np.argsort(units_in_order(table, table.walks), axis=1)
    together = np.ones(len(places), dtype=bool)
    for group in _members(children, table.n_units)[table.n_units :]:
        own = places[:, group]
        together &= own.max(axis=1) - own.min(axis=1) == group.sum() - 1
    pairs = np.repeat(together[0::2] & together[1::2], 2) if len(together) % 2 == 0 else together
    walks: IntArray = table.walks[pairs]
    return walks
