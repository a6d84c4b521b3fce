"""Frozen spans: the parts of a text that are never masked."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.typing import Span
from perturbx.units.units import Units, as_spans

Frozen: TypeAlias = Sequence[Span] | str | re.Pattern[str] | Callable[[str], Iterable[Span]]
"""What is frozen: ``(start, stop)`` spans; a regular expression, of which every match is frozen;
or a function from a text to its frozen spans."""


def normalize_frozen(frozen: Frozen | None) -> Frozen:
    """Return `frozen` in the one form that compares equal: tuples, compiled patterns.

    None stands for no frozen spans.

    Raises
    ------
    ArgumentError
        If it is no form of `Frozen`.
    """
    if frozen is None:
        return ()
    if isinstance(frozen, str | re.Pattern):
        return as_pattern(frozen, "frozen")
    if callable(frozen):
        return frozen
    return as_spans(frozen, "frozen")


def frozen_spans(frozen: Frozen, text: str, segments: Sequence[Span]) -> tuple[Span, ...]:
    """Return the spans of `text` that a normalised `frozen` names, in order.

    Spans count in `text`; a pattern or function is given each of the segments on its own.

    Raises
    ------
    SegmentationError
        If spans overlap or lie outside the text.
    """
    if isinstance(frozen, tuple):
        return in_order(frozen, len(text), "frozen")
    found: list[Span] = []
    for first, last in segments:
        part = text[first:last]
        if isinstance(frozen, re.Pattern):
            local = tuple(match.span() for match in frozen.finditer(part) if match.group())
        else:
            assert callable(frozen)
            local = in_order(as_spans(frozen(part), "frozen"), len(part), "frozen")
        found.extend((first + start, first + stop) for start, stop in local)
    return tuple(found)


def freeze(units: Units, spans: Sequence[Span]) -> Units:
    r"""Return `units` without the frozen `spans` (in order, disjoint).

    A unit that overlaps a frozen span is trimmed, and owns two spans where the frozen one lies
    in its middle. A unit of which nothing, or only white space, is left joins the frame.

    Examples
    --------
    >>> units = Units("Review: so good", ((0, 8), (8, 11), (11, 15)))
    >>> freeze(units, [(0, 8), (13, 14)]).parts
    ((-1, 'Review: '), (0, 'so '), (1, 'go'), (-1, 'o'), (1, 'd'))
    """
    if not spans:
        return units
    left: list[tuple[Span, int]] = []
    whole: set[int] = set()
    kept: set[int] = set()
    for span, unit in zip(units.spans, units.unit_of_span, strict=True):
        remains = _subtract(span, spans)
        left.extend((piece, unit) for piece in remains)
        if remains == [span]:
            whole.add(unit)
        if any(not units.text[start:stop].isspace() for start, stop in remains):
            kept.add(unit)
    kept |= whole
    number = {unit: i for i, unit in enumerate(sorted(kept))}
    owned = [(span, number[unit]) for span, unit in left if unit in number]
    return replace(
        units,
        spans=tuple(span for span, _ in owned),
        unit_of_span=tuple(unit for _, unit in owned),
        frozen=_union([*units.frozen, *spans]),
        tree=None if units.tree is None else units.tree.subset(kept),
    )


def gaps(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """Return what of ``0 .. length`` lies in none of the `spans` (in order, disjoint)."""
    edges = [0, *(edge for span in spans for edge in span), length]
    return tuple(
        (start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop
    )


def as_pattern(pattern: Any, name: str) -> re.Pattern[str]:
    """Return the compiled `pattern`.

    Raises
    ------
    ArgumentError
        If it is no regular expression for strings.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ArgumentError(
            f"{name}: {pattern!r:.80} is no regular expression ({error}); "
            f"re.escape(...) makes one that finds a string as it stands"
        ) from error
    if not isinstance(compiled.pattern, str):
        raise ArgumentError(
            f"{name}: expected a pattern for strings; got one for bytes: {compiled}"
        )
    return compiled


def in_order(spans: Iterable[Span], length: int, name: str) -> tuple[Span, ...]:
    """Return `spans` in text order.

    Raises
    ------
    SegmentationError
        If one is empty, overlaps another, or lies outside ``0 .. length``.
    """
    ordered = tuple(sorted(spans))
    last = 0
    for start, stop in ordered:
        if not 0 <= start < stop <= length:
            raise SegmentationError(
                f"{name}: every span must hold a character and lie within 0 and {length}, the "
                f"length of the text; got {(start, stop)}"
            )
        if start < last:
            raise SegmentationError(
                f"{name}: spans must not overlap; {(start, stop)} begins before {last}, where the "
                f"one before it ends"
            )
        last = stop
    return ordered


def _subtract(span: Span, frozen: Sequence[Span]) -> list[Span]:
    """Return what the `frozen` spans leave of `span`."""
    start, stop = span
    remains: list[Span] = []
    first = max(bisect_right(frozen, (start, start)) - 1, 0)
    for i in range(first, len(frozen)):
        frozen_start, frozen_stop = frozen[i]
        if frozen_start >= stop:
            break
        if frozen_start > start:
            remains.append((start, frozen_start))
        start = max(start, frozen_stop)
    if start < stop:
        remains.append((start, stop))
    return remains


def _union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans in order, those that overlap as one."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)
