"""Long texts: groups of units that play as one, and which of them to take apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from perturbx.coalitions import GroupedLeverage
from perturbx.exceptions import ArgumentError
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.typing import FloatArray, IntArray, MaskMatrix
from perturbx.units.coarsen import coarsen
from perturbx.units.tree import Tree
from perturbx.units.units import Units

PARTS = 4
"""A group is taken apart into so many: two steps down a binary hierarchy."""


@dataclass(frozen=True)
class UnitPartition:
    """The units of a text in groups, each a node of its hierarchy.

    Parameters
    ----------
    units : Units
        The units.
    tree : Tree
        A hierarchy over them.
    nodes : tuple of int
        Nodes of the tree whose leaves are all units, each once.
    """

    units: Units
    tree: Tree
    nodes: tuple[int, ...]

    @classmethod
    def first(cls, units: Units, most_calls: int) -> UnitPartition:
        """Return the groups that units with a tree begin with, of so many calls at most."""
        assert units.tree is not None
        return cls(units, units.tree, GroupedLeverage().nodes(units, most_calls))

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The units of each group."""
        return tuple(tuple(sorted(self.tree.leaves(node))) for node in self.nodes)

    @cached_property
    def players(self) -> Units:
        """The groups as units."""
        return coarsen(self.units, self.groups)

    @cached_property
    def group_of_unit(self) -> torch.Tensor:
        """The group of each unit, ``(n_units,)`` int64."""
        owner = torch.empty(self.units.n_units, dtype=torch.int64)
        for number, members in enumerate(self.groups):
            owner[list(members)] = number
        return owner

    def table_of_groups(self, table: ScoreTable) -> ScoreTable:
        """Return a table of units as one of the groups.

        Raises
        ------
        ArgumentError
            A row keeps a part of a group.
        """
        first = [members[0] for members in self.groups]
        masks: MaskMatrix = table.masks[:, first]
        if (masks[:, self.group_of_unit.numpy()] != table.masks).any():
            raise ArgumentError("table: has rows that keep a part of a group")
        return replace(table, masks=masks, units=self.players)

    def to_take_apart(self, attribution: Attribution, share: float) -> list[int]:
        """Return the groups that matter, the largest first.

        Parameters
        ----------
        attribution : Attribution
            Of the groups.
        share : float
            A group matters where its absolute value, plus a standard error, is more than this
            share of the largest value, for any output.
        """
        worth = np.abs(attribution.values) + attribution.std_errors
        largest = np.abs(attribution.values).max(axis=0)
        relative = (worth / np.where(largest > 0, largest, 1.0)).max(axis=1)
        sizes = np.array([len(members) for members in self.groups])
        matters = np.flatnonzero((sizes > 1) & (relative > share))
        order = matters[np.argsort(-relative[matters], kind="stable")]
        return [int(group) for group in order]

    def taken_apart(self, groups: list[int]) -> UnitPartition:
        """Return the partition with some groups split into up to four each."""
        chosen = set(groups)
        nodes: list[int] = []
        for number, node in enumerate(self.nodes):
            nodes += self.tree.split(node, PARTS) if number in chosen else [node]
        return replace(self, nodes=tuple(nodes))


def table_of_units(table: ScoreTable, units: Units) -> ScoreTable:
    """Return a table of groups of the units as one of the units, any other table as it is.

    Raises
    ------
    ArgumentError
        It is no table.
    """
    if not isinstance(table, ScoreTable):
        raise ArgumentError(f"tables: expected a ScoreTable for each text; got {table!r}")
    if table.units is None or table.units.text != units.text:
        return table
    owner = _group_of_unit(table.units, units)
    groups = [np.flatnonzero(owner == group).tolist() for group in range(table.n_units)]
    is_coarser = table.n_units < units.n_units and (owner >= 0).all() and all(groups)
    if not is_coarser or coarsen(units, groups).spans != table.units.spans:
        return table
    masks: MaskMatrix = table.masks[:, owner]
    return replace(table, masks=masks, units=units)


def values_by_label(
    explained: Units, values: FloatArray, units: Units
) -> Iterator[tuple[str, FloatArray]]:
    """Yield labels and values ``(k,)`` of the units; those of a group have equal shares.

    Parameters
    ----------
    explained : Units
        Groups of the units, or as many of them as the model reads.
    values : numpy.ndarray, (n_explained, k)
        Their values.
    units : Units
        What `explained` was made of.
    """
    if explained.level == units.level:
        yield from zip(explained.labels, values, strict=True)
        return
    owner = _group_of_unit(explained, units)
    sizes = np.bincount(owner[owner >= 0], minlength=explained.n_units)
    for label, group in zip(units.labels, owner, strict=True):
        if group >= 0:
            yield label, values[group] / sizes[group]


def _group_of_unit(groups: Units, units: Units) -> IntArray:
    """Return the group that holds the first character of each unit, -1 where none does."""
    starts = [start for start, _ in groups.spans]
    owner = np.full(units.n_units, -1, dtype=np.int64)
    for unit, (first, _) in enumerate(units.first_spans):
        span = bisect_right(starts, first) - 1
        if span >= 0 and first < groups.spans[span][1]:
            owner[unit] = groups.unit_of_span[span]
    return owner
