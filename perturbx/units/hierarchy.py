"""From finer to coarser units: groups, and the tree that Owen values need."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from perturbx.exceptions import ArgumentError
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.scripts import LINE_BREAKS
from perturbx.units.tree import Tree
from perturbx.units.units import Units

_CLAUSE_ENDS: Final = frozenset(",;:.!?…—–、，；：。．！？｡､،؛؟۔।॥՝։·၊။།༎៖។፣፤፥፦፧።")
"""Punctuation between the parts of a sentence, in every script that has its own."""


def group(units: Units, coarser: Units | SegmenterLike) -> tuple[tuple[int, ...], ...]:
    """Return which units lie in each coarser one.

    A unit lies in the coarser one that holds its first character; or, where none does, in the
    last one before it, or the first of all. So every unit is in exactly one group.

    Parameters
    ----------
    units : Units
        The finer units.
    coarser : Units or whatever `as_segmenter` takes
        Units over the same text, or how to cut it.

    Returns
    -------
    tuple of tuple of int
        One group for each coarser unit, empty where no unit begins in it. If there is no coarser
        unit at all, one group of all units.

    Raises
    ------
    ArgumentError
        If `coarser` holds units of another text.

    Examples
    --------
    >>> words = as_segmenter("words")("He left. She did not.")
    >>> group(words, "sentences")
    ((0, 1), (2, 3, 4))
    """
    if not isinstance(coarser, Units):
        coarser = as_segmenter(coarser).in_segments(units.text, units.segments)
    if coarser.text != units.text:
        raise ArgumentError(
            f"coarser: its text is not that of the units: {coarser.text!r:.60} is not "
            f"{units.text!r:.60}"
        )
    members: list[list[int]] = [[] for _ in range(max(coarser.n_units, 1))]
    starts = [start for start, _ in coarser.spans]
    for unit, (first, _) in enumerate(units.first_spans):
        span = max(bisect_right(starts, first) - 1, 0)
        members[coarser.unit_of_span[span] if starts else 0].append(unit)
    return tuple(map(tuple, members))


def hierarchy(
    units: Units, *, levels: Sequence[SegmenterLike] = ("sentences", "paragraphs")
) -> Units:
    """Return the units with a binary tree that keeps the units of a sentence together.

    The units are split into those of each level, the coarsest first. Neighbours are split in
    two, again and again: between groups in the middle, within the finest groups after the
    punctuation or line break nearest to the middle, and in the middle where there is none.

    Parameters
    ----------
    units : Units
        The units that become the leaves.
    levels : sequence of whatever `as_segmenter` takes, default=("sentences", "paragraphs")
        The levels above the units, the finest first; none for clauses alone.

    Returns
    -------
    Units
        The same units with `Units.tree`, whose depth grows with the logarithm of their number.

    Examples
    --------
    >>> units = hierarchy(as_segmenter("words")("He, too, left. She stayed."))
    >>> [units.tree.leaves(node) for node in units.tree.children[-1]]
    [(0, 1, 2), (3, 4)]
    """
    groups_of = [_group_of_unit(units, level) for level in levels]
    ends = [_ends_clause(piece) for piece in units.pieces]
    children: list[tuple[int, ...]] = []

    def join(left: int, right: int) -> int:
        children.append((left, right))
        return units.n_units + len(children) - 1

    def halve(nodes: Sequence[int]) -> int:
        if len(nodes) == 1:
            return nodes[0]
        middle = (len(nodes) + 1) // 2
        return join(halve(nodes[:middle]), halve(nodes[middle:]))

    def split_at_clauses(members: Sequence[int]) -> int:
        if len(members) == 1:
            return members[0]
        middle = (len(members) + 1) // 2
        cuts = [i for i in range(1, len(members)) if ends[members[i - 1]]]
        cut = min(cuts, key=lambda i: abs(i - middle), default=middle)
        return join(split_at_clauses(members[:cut]), split_at_clauses(members[cut:]))

    def build(members: Sequence[int], depth: int) -> int:
        if depth == 0:
            return split_at_clauses(members)
        together: dict[int, list[int]] = {}
        for unit in members:
            together.setdefault(groups_of[depth - 1][unit], []).append(unit)
        return halve([build(inside, depth - 1) for inside in together.values()])

    if units.n_units > 1:
        order = sorted(range(units.n_units), key=lambda unit: units.first_spans[unit])
        build(order, len(levels))
    return replace(units, tree=Tree(units.n_units, tuple(children)))


def _group_of_unit(units: Units, level: SegmenterLike) -> dict[int, int]:
    return {unit: i for i, members in enumerate(group(units, level)) for unit in members}


def _ends_clause(piece: str) -> bool:
    """Return whether `piece` ends a line, or in punctuation, closing quotes and brackets aside."""
    core = piece.rstrip()
    if not set(piece[len(core) :]).isdisjoint(LINE_BREAKS):
        return True
    while core and (core[-1] in "\"'*_`~" or unicodedata.category(core[-1]) in ("Pe", "Pf", "Pi")):
        core = core[:-1]
    return core[-1:] in _CLAUSE_ENDS
