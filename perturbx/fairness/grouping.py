"""`Attribute`: which group each text is about or from, by a column or by the words in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import scipy.sparse

from perturbx.exceptions import ArgumentError
from perturbx.typing import IntArray
from perturbx.units.text_input import LONE_SURROGATE

if TYPE_CHECKING:
    from perturbx.lexicons import Lexicon

Origin: TypeAlias = Literal["column", "text", "intersection"]

EVERYONE: Final = "(all)"
"""The name under which all rows together are reported."""

MOST_GROUPS: Final = 1_000
"""A column with more values is no group."""

CROSSED: Final = " & "
"""Between the names of an intersection."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """A way to divide the rows into groups; a row may be of no group, or of several.

    Parameters
    ----------
    name : str
        "gender", say.
    groups : tuple of str
        The names of the groups.
    members : scipy.sparse.csr_array of bool, (n_rows, n_groups)
        Who belongs where.
    origin : {"column", "text", "intersection"}
        Where that is known from.
    """

    name: str
    groups: tuple[str, ...]
    members: scipy.sparse.csr_array
    origin: Origin = "column"

    @cached_property
    def sizes(self) -> IntArray:
        """The number of rows of each group."""
        return np.bincount(self.members.indices, minlength=len(self.groups))

    @cached_property
    def rows_of_group(self) -> tuple[IntArray, ...]:
        """The rows of each group, in order."""
        by_group = self.members.tocsc()
        return tuple(
            np.sort(by_group.indices[start:stop]).astype(np.int64)
            for start, stop in zip(by_group.indptr[:-1], by_group.indptr[1:], strict=True)
        )

    def rows(self, at: Any) -> Attribute:
        """Return the attribute of some rows; groups stay, also those that are empty then."""
        return replace(self, members=self.members[np.asarray(at)].tocsr())

    def names_of(self, row: int) -> tuple[str, ...]:
        """Return the groups of one row."""
        found = self.members.indices[self.members.indptr[row] : self.members.indptr[row + 1]]
        return tuple(self.groups[number] for number in sorted(found))


def attribute(name: str, values: Iterable[Any], *, origin: Origin = "column") -> Attribute:
    """Return the attribute of a column: a group per value.

    Parameters
    ----------
    name : str
        The column.
    values : iterable
        A string, number or boolean per row; None and NaN are no group; a tuple or set of strings
        is several groups.

    Raises
    ------
    ArgumentError
        Values of different types, more values than can be groups, or a name that is no text.

    Examples
    --------
    >>> attribute("gender", ["f", "m", None, "f"]).sizes
    array([2, 1])
    """
    per_row = [_names(name, value) for value in values]
    kinds = {type(value) for names in per_row for value in names}
    if len(kinds - {int, float}) > 1 or (kinds & {int, float} and kinds - {int, float}):
        shown = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ArgumentError(
            f"sensitive_features[{name!r}]: holds values of several types ({shown}); make them "
            f"all strings"
        )
    found = sorted({value for names in per_row for value in names})
    _check_groups(name, found)
    groups = tuple(map(_shown, found))
    for said in (name, *groups):
        if LONE_SURROGATE.search(said):
            raise ArgumentError(
                f"sensitive_features[{name!a}]: {said!a} holds a lone surrogate, which is no text"
            )
    place = {value: number for number, value in enumerate(found)}
    return _from_numbers(
        name,
        groups,
        [[place[value] for value in names] for names in per_row],
        origin,
    )


def _check_groups(name: str, found: Sequence[Any]) -> None:
    if EVERYONE in found:
        raise ArgumentError(
            f"sensitive_features[{name!r}]: has a group named {EVERYONE!r}, as all rows together "
            f"are; name it otherwise"
        )
    if alike := _alike(found):
        raise ArgumentError(
            f"sensitive_features[{name!r}]: the groups {alike[0]!r} and {alike[1]!r} differ in "
            f"white space only; make them one"
        )
    if len(found) > MOST_GROUPS:
        raise ArgumentError(
            f"sensitive_features[{name!r}]: has {len(found)} different values, which are no "
            f"groups; gather them (ages into decades, say)"
        )


def _names(column: str, value: Any) -> tuple[Any, ...]:
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ()
    if isinstance(value, (tuple, list, set, frozenset)):
        return tuple(dict.fromkeys(name for item in value for name in _names(column, item)))
    if isinstance(value, str):
        return (str(value),) if value else ()
    if isinstance(value, (bool, np.bool_)):
        return (bool(value),)
    if isinstance(value, (int, np.integer)):
        return (int(value),)
    if isinstance(value, (float, np.floating)):
        return (float(value),)
    # Missing values of pandas are equal to nothing, themselves included.
    if type(value).__name__ in ("NAType", "NaTType"):
        return ()
    raise ArgumentError(
        f"sensitive_features[{column!r}]: expected strings, numbers or booleans; got "
        f"{type(value).__name__} {value!r:.60}"
    )


def _alike(groups: Sequence[Any]) -> tuple[str, str] | None:
    """Return two names that look alike in every table, if there are any."""
    seen: dict[str, str] = {}
    for group in groups:
        if isinstance(group, str) and (first := seen.setdefault(group.strip(), group)) != group:
            return first, group
    return None


def _shown(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _from_numbers(
    name: str, groups: tuple[str, ...], numbers: Sequence[Sequence[int]], origin: Origin
) -> Attribute:
    counts = np.fromiter(map(len, numbers), dtype=np.int64, count=len(numbers))
    indices = np.fromiter((n for row in numbers for n in row), np.int32, int(counts.sum()))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data = np.ones(len(indices), dtype=bool)
    shape = (len(numbers), len(groups))
    return Attribute(
        name, groups, scipy.sparse.csr_array((data, indices, indptr), shape=shape), origin
    )


def columns_of(sensitive_features: Any) -> dict[str, Any]:
    """Return the columns that the user gave, by name.

    Parameters
    ----------
    sensitive_features : mapping, DataFrame, Series, or sequence
        A mapping or data frame from names to columns; a single column of any kind is called
        "group", or by the name of the series.

    Raises
    ------
    ArgumentError
        It is none of these.
    """
    given = sensitive_features
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        labels = list(given if isinstance(given, Mapping) else given.columns)
        names = [str(label) for label in labels]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ArgumentError(f"sensitive_features: has more than one column {twice[0]!r}")
        return {str(label): given[label] for label in labels}
    if getattr(given, "ndim", 1) == 2:
        return {f"group {i + 1}": given[:, i] for i in range(given.shape[1])}
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ArgumentError(
            f"sensitive_features: expected a column, or a mapping or data frame of columns; got "
            f"{type(given).__name__} {given!r:.60}"
        )
    return {str(getattr(given, "name", None) or "group"): given}


def joined(parts: Sequence[Attribute]) -> Attribute:
    """Return one attribute of the rows of several, one after another; groups by name.

    Raises
    ------
    ArgumentError
        What all have together is too many groups, or holds two that look alike.
    """
    groups = tuple(sorted({group for part in parts for group in part.groups}))
    _check_groups(parts[0].name, groups)
    if parts[0].origin == "text":
        groups = parts[0].groups
    place = {group: number for number, group in enumerate(groups)}
    moved = []
    for part in parts:
        to = np.array([place[group] for group in part.groups], dtype=np.int32)
        own = part.members
        indices = to[own.indices] if len(to) else own.indices
        shape = (own.shape[0], len(groups))
        moved.append(scipy.sparse.csr_array((own.data, indices, own.indptr), shape=shape))
    return replace(
        parts[0], groups=groups, members=scipy.sparse.vstack(moved, format="csr").astype(bool)
    )


def attributes_in_texts(texts: Sequence[str], lexicons: Sequence[Lexicon]) -> list[Attribute]:
    """Return an attribute per lexicon: the groups that each text mentions.

    Lexicons of the same attribute (in two languages, say) are one.
    """
    by_name: dict[str, list[Lexicon]] = {}
    for lexicon in lexicons:
        by_name.setdefault(lexicon.attribute, []).append(lexicon)
    found = []
    for name, own in by_name.items():
        groups = tuple(dict.fromkeys(group for lexicon in own for group in lexicon.groups))
        place = {group: number for number, group in enumerate(groups)}
        numbers = [
            sorted({place[m.group] for lexicon in own for m in lexicon.find(text) if m.group})
            for text in texts
        ]
        found.append(_from_numbers(name, groups, numbers, "text"))
    return found


def intersections(attributes: Sequence[Attribute], depth: int = 2) -> list[Attribute]:
    """Return the attributes whose groups are the combinations of those of several others.

    Parameters
    ----------
    attributes : sequence of Attribute
        What is crossed.
    depth : int, default=2
        How many at a time.
    """
    crossed = []
    for some in combinations(attributes, depth):
        groups: tuple[str, ...] = ("",)
        members: Any = None
        for own in some:
            groups = tuple(
                f"{first}{CROSSED}{second}" if first else second
                for first in groups
                for second in own.groups
            )
            members = own.members if members is None else _crossed(members, own.members)
        sizes = np.bincount(members.indices, minlength=len(groups))
        kept = np.flatnonzero(sizes)
        crossed.append(
            Attribute(
                CROSSED.join(own.name for own in some),
                tuple(groups[number] for number in kept),
                members[:, kept].tocsr(),
                "intersection",
            )
        )
    return crossed


def check_names(attributes: Sequence[Attribute]) -> None:
    """Raise an `ArgumentError` where two attributes have one name: no table tells them apart."""
    names = [own.name for own in attributes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ArgumentError(
            f"groups: two attributes are called {twice[0]!r}; give that column another name"
        )


def _crossed(
    first: scipy.sparse.csr_array, second: scipy.sparse.csr_array
) -> scipy.sparse.csr_array:
    """Return who belongs to each pair of groups (the row-wise Kronecker product)."""
    n_rows, width = first.shape[0], second.shape[1]
    one, two = first.tocoo(), second.tocsr()
    rows, groups = one.coords
    per_entry = np.diff(two.indptr)[rows]
    at = np.repeat(np.arange(len(rows)), per_entry)
    offset = np.arange(len(at)) - np.repeat(np.cumsum(per_entry) - per_entry, per_entry)
    other = two.indices[two.indptr[rows[at]] + offset]
    columns = groups[at].astype(np.int64) * width + other
    data = np.ones(len(at), dtype=bool)
    return scipy.sparse.csr_array(
        (data, (rows[at], columns)), shape=(n_rows, first.shape[1] * width)
    )


def with_everyone(members: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return the members with one more group, of all rows."""
    everyone = scipy.sparse.csr_array(np.ones((members.shape[0], 1), dtype=bool))
    return scipy.sparse.csr_array(scipy.sparse.hstack([members, everyone]))
