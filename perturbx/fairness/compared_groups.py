"""Which groups are held against which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from perturbx.exceptions import ArgumentError
from perturbx.fairness.group_metrics import GroupMeasures
from perturbx.fairness.grouping import Attribute
from perturbx.fairness.statistics.measures import Judged
from perturbx.typing import IntArray

ALL_PAIRS_UP_TO: Final = 6
"""More groups are compared with all rows, and the highest with the lowest."""


@dataclass(frozen=True, eq=False)
class GroupComparison:
    """The groups of one attribute, for one outcome, ready to be compared.

    Parameters
    ----------
    attribute : Attribute
        The groups.
    outcome : str
        The outcome.
    judged : Judged
        What was said of the rows.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    measured : GroupMeasures
        The measures of the groups.
    pairs : tuple of (int, int)
        Which groups are compared; the last group is everyone.
    with_extremes : bool
        The highest and the lowest are compared as well.
    """

    attribute: Attribute
    outcome: str
    judged: Judged
    clusters: IntArray | None
    measured: GroupMeasures
    pairs: tuple[tuple[int, int], ...]
    with_extremes: bool


def pairs_to_compare(
    attribute: Attribute, compare: str | Mapping[str, str]
) -> tuple[tuple[tuple[int, int], ...], bool]:
    """Return which groups are compared, and whether the extremes are as well.

    Parameters
    ----------
    attribute : Attribute
        The groups.
    compare : {"auto", "pairs", "all"} or str or mapping
        "pairs": each with each; "all": each but one of all rows with all rows, and the highest with
        the lowest;
        "auto": the former for 2 to 6 groups; the name of a group (or a mapping from attributes to
        such names): each with that group.

    Raises
    ------
    ArgumentError
        There is no such group.
    """
    n, n_rows = len(attribute.groups), attribute.members.shape[0]
    wanted = compare if isinstance(compare, str) else compare.get(attribute.name, "auto")
    if wanted == "auto":
        wanted = "pairs" if 1 < n <= ALL_PAIRS_UP_TO else "all"
    if wanted == "pairs":
        return tuple(combinations(range(n), 2)), False
    if wanted == "all":
        # A group of all rows would be held against itself.
        parts = [group for group in range(n) if attribute.sizes[group] < n_rows]
        return tuple((group, n) for group in parts), n > 2
    if wanted in attribute.groups:
        reference = attribute.groups.index(wanted)
        return tuple((group, reference) for group in range(n) if group != reference), False
    if isinstance(compare, str) and attribute.origin == "intersection":
        # A group of one attribute is none of an intersection.
        return pairs_to_compare(attribute, "auto")
    raise ArgumentError(
        f"compare: expected 'auto', 'pairs', 'all' or a group of {attribute.name!r} "
        f"({', '.join(attribute.groups[:12])}); got {wanted!r}"
    )


def check_compared(compare: str | Mapping[str, str], attributes: Sequence[Attribute]) -> None:
    """Refuse a mapping that names an attribute that is not there: it would be passed over.

    Raises
    ------
    ArgumentError
        It names one.
    """
    names = [attribute.name for attribute in attributes]
    unknown = [] if isinstance(compare, str) else [name for name in compare if name not in names]
    if unknown:
        raise ArgumentError(
            f"compare: there is no attribute {unknown[0]!r}; there are {', '.join(names)}"
        )
