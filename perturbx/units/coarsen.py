"""From groups of units to coarser units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perturbx.exceptions import SegmentationError
from perturbx.typing import Span
from perturbx.units.units import Units


def coarsen(units: Units, groups: Sequence[Sequence[int]]) -> Units:
    """Return units that each own what the units of one group own.

    Parameters
    ----------
    units : Units
        The finer units.
    groups : sequence of sequence of int
        Every unit in exactly one group.

    Returns
    -------
    Units
        One unit per group, in the order of `groups`; spans of a group that touch become one.

    Raises
    ------
    SegmentationError
        A unit is in no group, or in two.

    Examples
    --------
    >>> words = Units("so very good", ((0, 3), (3, 8), (8, 12)), level="words")
    >>> coarsen(words, [(0,), (1, 2)]).pieces
    ('so ', 'very good')
    """
    group_of = {unit: number for number, members in enumerate(groups) for unit in members}
    n_members = sum(map(len, groups))
    if n_members != units.n_units or len(group_of) != n_members:
        raise SegmentationError(
            f"groups: each of the {units.n_units} units must be in exactly one; got {n_members} "
            f"members, {len(group_of)} of them distinct"
        )
    owned: list[tuple[Span, int]] = []
    for (start, stop), unit in zip(units.spans, units.unit_of_span, strict=True):
        group = group_of[unit]
        if owned and owned[-1][1] == group and owned[-1][0][1] == start:
            owned[-1] = ((owned[-1][0][0], stop), group)
        else:
            owned.append(((start, stop), group))
    alone = all(len(members) == 1 for members in groups)
    return replace(
        units,
        spans=tuple(span for span, _ in owned),
        unit_of_span=tuple(group for _, group in owned),
        level=units.level if alone else f"{units.level} and groups",
        tree=None,
    )
