"""What all segmenters share: pairs of texts, blank texts and frozen spans are handled here.

A segmenter says only where to cut one plain string, in its method ``cut``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import ClassVar, Literal, TypeAlias

from perturbx.exceptions import ArgumentError
from perturbx.typing import Span, TextInput
from perturbx.units.frozen import Frozen, freeze, frozen_spans, gaps, normalize_frozen
from perturbx.units.text_input import as_one_text
from perturbx.units.units import Units

Between: TypeAlias = Literal["join", "freeze"]
"""What becomes of the text between marked spans: it joins the unit before it, or is frozen."""


@dataclass(frozen=True, repr=False)
class BaseSegmenter(ABC):
    r"""Cuts a text into units; equal to every other with the same parameters.

    Parameters
    ----------
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked: spans in characters, a regular expression of which every match is
        frozen, or a function from a text to its frozen spans. Spans count in the whole text (for
        a pair, in ``first + "\n" + second``); a pattern or function is given each text of a
        pair on its own.
    """

    level: ClassVar[str]
    frozen: Frozen = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frozen", normalize_frozen(self.frozen))

    def __call__(self, text: TextInput) -> Units:
        """Return the units of `text`, a string or a pair of strings.

        Raises
        ------
        SegmentationError
            If the text holds a lone surrogate, or frozen spans do not fit it.
        """
        return self.in_segments(*as_one_text(text))

    def in_segments(self, text: str, segments: tuple[Span, ...]) -> Units:
        """Return the units of a text that holds one segment or more, each cut on its own."""
        cut = self.cut_segments(text, segments)
        placed = [(units, (start,)) for units, (start, _) in zip(cut, segments, strict=True)]
        units = place(text, placed, level=cut[0].level, segments=segments)
        return freeze(units, frozen_spans(self.frozen, text, segments))

    def cut_segments(self, text: str, segments: Sequence[Span]) -> list[Units]:
        """Return the units of each segment of `text`: they are cut apart."""
        parts = [text[start:stop] for start, stop in segments]
        return [
            self.cut(part) if part.strip() else Units(part, (), level=self.level) for part in parts
        ]

    @abstractmethod
    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""

    def __repr__(self) -> str:
        own_first = sorted(fields(self), key=lambda parameter: bool(parameter.kw_only))
        shown = [
            f"{parameter.name}={getattr(self, parameter.name)!r}"
            for parameter in own_first
            if getattr(self, parameter.name) != parameter.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def partition(text: str, starts: Sequence[int], *, level: str, locale: str = "") -> Units:
    """Return units that begin at `starts`; each reaches to the next, the first one back to 0.

    Examples
    --------
    >>> partition("- so good", [2, 5], level="words").pieces
    ('- so ', 'good')
    """
    edges = [0, *starts[1:], len(text)]
    return Units(text, tuple(pairwise(edges)), level=level, locale=locale)


def mark(text: str, spans: Sequence[Span], *, between: Between, level: str) -> Units:
    """Return a unit for each of the `spans` (in order, disjoint), and do with the rest as told."""
    if not text.strip():
        return Units(text, (), level=level)
    if between == "join":
        return partition(text, [start for start, _ in spans], level=level)
    return Units(text, tuple(spans), level=level, frozen=gaps(spans, len(text)))


def check_between(between: str) -> None:
    """Raise if `between` is no way to treat the text between spans.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if between not in ("join", "freeze"):
        raise ArgumentError(
            f"between: expected 'join' (it joins the unit before it) or 'freeze' (it is never "
            f"masked); got {between!r}"
        )


def place(
    text: str,
    placed: Sequence[tuple[Units, Sequence[int]]],
    *,
    level: str,
    segments: tuple[Span, ...] = (),
) -> Units:
    """Return the units of a text that is put together from texts with units of their own.

    Parameters
    ----------
    text : str
        The whole text.
    placed : sequence of (Units, offsets)
        Units, and where in `text` their text stands. A text that stands in several places gives
        units that own spans in all of them.
    level : str
        What the units are.
    segments : tuple of (start, stop), optional
        The segments of the whole text.

    Returns
    -------
    Units
        A tree is kept only where `placed` is one text that is all of `text`.
    """
    if len(placed) == 1 and placed[0][0].text == text:
        return placed[0][0]
    owned: list[tuple[Span, int]] = []
    frozen: list[Span] = []
    n_units = 0
    for units, offsets in placed:
        for offset in offsets:
            owned.extend(
                ((offset + start, offset + stop), n_units + unit)
                for (start, stop), unit in zip(units.spans, units.unit_of_span, strict=True)
            )
            frozen.extend((offset + start, offset + stop) for start, stop in units.frozen)
        n_units += units.n_units
    owned.sort()
    locales = dict.fromkeys(units.locale for units, _ in placed if units.locale)
    return Units(
        text,
        spans=tuple(span for span, _ in owned),
        unit_of_span=tuple(unit for _, unit in owned),
        level=level,
        frozen=tuple(sorted(frozen)),
        segments=segments,
        locale=",".join(locales),
    )
