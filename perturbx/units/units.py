"""`Units`: the players of one text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, Final

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.typing import Span
from perturbx.units.tree import Tree

if TYPE_CHECKING:
    from perturbx.units.front_door import SegmenterLike

FRAME = -1
"""The owner of the parts of a text that no unit owns: they are always kept."""


@dataclass(frozen=True)
class Units:
    """Spans of one text that are kept or removed as one.

    Parameters
    ----------
    text : str
        The text. A pair of texts is held as one text with two `segments`.
    spans : tuple of (start, stop)
        The owned spans in characters, in text order, disjoint and not empty. What lies in no
        span is the *frame*: it is never masked.
    unit_of_span : tuple of int, optional
        The unit that owns each span; by default span i belongs to unit i. A unit may own
        several spans (a word everywhere it occurs).
    level : str
        What the units are: "words", "sentences", ...
    frozen : tuple of (start, stop)
        Spans that the user froze; for the record, they lie in the frame.
    segments : tuple of (start, stop), optional
        The parts of the text that the model takes as separate inputs; by default one, all of it.
    locale : str
        The locale by which the text was cut ("" where none was needed).
    tree : Tree, optional
        A hierarchy over the units.

    Examples
    --------
    >>> units = Units("so good", ((0, 3), (3, 7)))
    >>> units.pieces
    ('so ', 'good')
    >>> units.labels
    ('so', 'good')
    """

    text: str
    spans: tuple[Span, ...]
    unit_of_span: tuple[int, ...] = field(default=())
    level: str = "custom"
    frozen: tuple[Span, ...] = ()
    segments: tuple[Span, ...] = ()
    locale: str = ""
    tree: Tree | None = None

    def __post_init__(self) -> None:
        # Lists and numpy's numbers would neither be saved nor be equal to what was loaded.
        for name in ("spans", "frozen", "segments"):
            object.__setattr__(self, name, as_spans(getattr(self, name), name))
        owners = _as_owners(self.unit_of_span) or tuple(range(len(self.spans)))
        object.__setattr__(self, "unit_of_span", owners)
        if not self.segments:
            object.__setattr__(self, "segments", ((0, len(self.text)),))
        last = 0
        for start, stop in self.spans:
            if not last <= start < stop <= len(self.text):
                raise SegmentationError(
                    f"spans: must be in text order, disjoint and not empty, within 0 and "
                    f"{len(self.text)}; got {(start, stop)} after {last}"
                )
            last = stop
        numbers = set(owners)
        if len(owners) != len(self.spans) or numbers != set(range(len(numbers))):
            raise SegmentationError(
                f"unit_of_span: must name units 0, 1, ... without a gap, one per span; "
                f"got {len(owners)} owners for {len(self.spans)} spans"
            )
        if self.tree is not None and self.tree.n_units != self.n_units:
            raise SegmentationError(
                f"tree: has {self.tree.n_units} leaves for {self.n_units} units"
            )

    @cached_property
    def n_units(self) -> int:
        """The number of units."""
        return max(self.unit_of_span, default=-1) + 1

    def __len__(self) -> int:
        return self.n_units

    @cached_property
    def first_spans(self) -> tuple[Span, ...]:
        """The first span of each unit."""
        first: dict[int, Span] = {}
        for span, unit in zip(self.spans, self.unit_of_span, strict=True):
            first.setdefault(unit, span)
        return tuple(first[unit] for unit in range(self.n_units))

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The text of each unit (of its first span, where it owns several).

        Where nothing is frozen, joining the pieces gives the text back, to the character.
        """
        return tuple(self.text[start:stop] for start, stop in self.first_spans)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Each piece without the white space and punctuation at its ends, for tables and plots.

        A unit that owns several spans is called by all of them that differ and have a word.

        Examples
        --------
        >>> Units("so, so good", ((0, 2), (4, 7), (7, 11)), (0, 0, 1)).labels
        ('so', 'good')
        >>> Units("so, so good", ((0, 2), (4, 11)), (0, 0)).labels
        ('so … so good',)
        """
        cores: list[dict[str, None]] = [{core_of(piece): None} for piece in self.pieces]
        for (start, stop), unit in zip(self.spans, self.unit_of_span, strict=True):
            piece = self.text[start:stop]
            if not all(map(_is_edge, piece)):
                cores[unit].setdefault(core_of(piece))
        return tuple(" … ".join(own) for own in cores)

    @cached_property
    def parts(self) -> tuple[tuple[int, str], ...]:
        """The whole text as ``(owner, string)`` in order; the owner is `FRAME` for the frame."""
        parts: list[tuple[int, str]] = []
        last = 0
        for (start, stop), unit in zip(self.spans, self.unit_of_span, strict=True):
            if start > last:
                parts.append((FRAME, self.text[last:start]))
            parts.append((unit, self.text[start:stop]))
            last = stop
        if last < len(self.text):
            parts.append((FRAME, self.text[last:]))
        return tuple(parts)

    def subset(self, kept: Sequence[int]) -> Units:
        """Return units with only the given ones as players; the others join the frame.

        A tree keeps what it says of them.
        """
        order = {unit: i for i, unit in enumerate(sorted(kept))}
        owned = [
            (s, order[u]) for s, u in zip(self.spans, self.unit_of_span, strict=True) if u in order
        ]
        return replace(
            self,
            spans=tuple(span for span, _ in owned),
            unit_of_span=tuple(unit for _, unit in owned),
            tree=None if self.tree is None else self.tree.subset(order),
        )

    def within(self, start: int, stop: int) -> Units:
        """Return the units of ``text[start:stop]``, one segment; those without a part of it leave.

        Examples
        --------
        >>> Units("so very good", ((0, 3), (3, 8), (8, 12))).within(0, 6).pieces
        ('so ', 'ver')
        """

        def inside(spans: Sequence[Span]) -> list[Span]:
            return [(max(a, start) - start, min(b, stop) - start) for a, b in spans]

        kept = [
            (span, unit)
            for span, unit in zip(inside(self.spans), self.unit_of_span, strict=True)
            if span[0] < span[1]
        ]
        order = {unit: i for i, unit in enumerate(sorted({unit for _, unit in kept}))}
        return replace(
            self,
            text=self.text[start:stop],
            spans=tuple(span for span, _ in kept),
            unit_of_span=tuple(order[unit] for _, unit in kept),
            frozen=tuple((a, b) for a, b in inside(self.frozen) if a < b),
            segments=((0, stop - start),),
            tree=None,
        )

    def group(self, coarser: Units | SegmenterLike) -> tuple[tuple[int, ...], ...]:
        """Return which units lie in each `coarser` one; see `perturbx.units.group`."""
        from perturbx.units.hierarchy import group

        return group(self, coarser)

    def to_dict(self) -> dict[str, Any]:
        """Return the units as plain values, ready for JSON."""
        return {
            "text": self.text,
            "spans": [list(span) for span in self.spans],
            "unit_of_span": list(self.unit_of_span),
            "level": self.level,
            "frozen": [list(span) for span in self.frozen],
            "segments": [list(span) for span in self.segments],
            "locale": self.locale,
            "tree": None if self.tree is None else [list(node) for node in self.tree.children],
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Units:
        """Return the units that `to_dict` wrote."""
        owners = tuple(record["unit_of_span"])
        n_units = max(owners, default=-1) + 1
        tree = record.get("tree")
        return cls(
            text=record["text"],
            spans=tuple((int(a), int(b)) for a, b in record["spans"]),
            unit_of_span=owners,
            level=record["level"],
            frozen=tuple((int(a), int(b)) for a, b in record["frozen"]),
            segments=tuple((int(a), int(b)) for a, b in record["segments"]),
            locale=record["locale"],
            tree=None if tree is None else Tree(n_units, tuple(tuple(node) for node in tree)),
        )


def as_spans(spans: Any, name: str) -> tuple[Span, ...]:
    """Return `spans` as a tuple of pairs of ints.

    Raises
    ------
    ArgumentError
        If they are anything else.
    """
    try:
        return tuple((index(start), index(stop)) for start, stop in spans)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{name}: expected (start, stop) pairs of character positions; got {spans!r:.80}"
        ) from error


def _as_owners(owners: Any) -> tuple[int, ...]:
    try:
        return tuple(map(index, owners))
    except TypeError as error:
        raise ArgumentError(
            f"unit_of_span: expected the number of a unit per span; got {owners!r:.80}"
        ) from error


_TAGS: Final = range(0xE0020, 0xE0080)


def core_of(piece: str) -> str:
    """Return `piece` without white space and punctuation at its ends, if anything is left."""
    start, stop = 0, len(piece)
    while start < stop and _is_edge(piece[start]):
        start += 1
    while start < stop and _is_edge(piece[stop - 1]):
        stop -= 1
    return piece[start:stop] or piece.strip() or piece


def _is_edge(character: str) -> bool:
    category = unicodedata.category(character)
    # Tags are the letters of flags (🏴󠁧󠁢󠁥󠁮󠁧󠁿); what Unicode has not named yet may be an emoji.
    return category[0] in "PZ" or (category in ("Cc", "Cf", "Co") and ord(character) not in _TAGS)
