"""JSON and code as units: what gives them their shape is frozen."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Literal

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.typing import Segmenter, Span
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.frozen import freeze, gaps
from perturbx.units.segmenter import mark, place
from perturbx.units.text_input import as_one_text
from perturbx.units.units import Units

_LETTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.",
    re.DOTALL,
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


def json_prompt(text: str, *, units: SegmenterLike | None = None) -> Units:
    r"""Return a JSON text whose values are the units.

    Keys, braces, commas and the quotes of strings are frozen, so a string whose units are all
    removed is empty. A number, ``true``, ``false`` or ``null`` is a unit as it stands: without it
    its key has no value.

    Parameters
    ----------
    text : str
        The JSON text; it is kept to the character.
    units : str, re.Pattern, callable or Segmenter, optional
        Cuts what stands between the quotes of a string; by default that is one unit.

    Raises
    ------
    SegmentationError
        If it is not JSON; with its line and column.

    Examples
    --------
    >>> json_prompt('{"name": "Bob", "age": 3}').parts
    ((-1, '{"name": "'), (0, 'Bob'), (-1, '", "age": '), (1, '3'), (-1, '}'))
    """
    as_one_text(text)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SegmentationError(f"text: is not JSON ({error})") from None
    values = list(_values(text))
    if units is None:
        return mark(text, values, between="freeze", level="values")
    segmenter = as_segmenter(units)
    placed = [
        (
            _cut_string(text[start:stop], segmenter)
            if text[start - 1 : start] == '"'
            else Units(text[start:stop], ((0, stop - start),), level=segmenter.level),
            (start,),
        )
        for start, stop in values
    ]
    if not placed:
        return mark(text, values, between="freeze", level=segmenter.level)
    return freeze(place(text, placed, level=segmenter.level), gaps(values, len(text)))


def _values(text: str) -> Iterator[Span]:
    """Yield the span of each value that is no object and no list; of strings without quotes."""
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    for (start, stop), (after, _) in pairwise([*tokens, (len(text), len(text))]):
        if text[start] in "{}[]:,":
            continue
        is_string = text[start] == '"'
        is_key = is_string and text[after : after + 1] == ":"
        if is_key:
            continue
        span = (start + 1, stop - 1) if is_string else (start, stop)
        if span[0] < span[1]:
            yield span


def _cut_string(raw: str, segmenter: Segmenter) -> Units:
    """Return the units of a value as JSON writes it: what is cut is what the escapes stand for."""
    letters = [match.group() for match in _LETTER.finditer(raw)]
    decoded = "".join(_decoded(letter) for letter in letters)
    units = segmenter(decoded)
    if decoded == raw:
        return units
    places = [0, *accumulate(map(len, letters))]

    def on_raw(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple((places[start], places[stop]) for start, stop in spans)

    return replace(
        units,
        text=raw,
        spans=on_raw(units.spans),
        frozen=on_raw(units.frozen),
        segments=((0, len(raw)),),
    )


def _decoded(letter: str) -> str:
    """Return the one character that a letter of JSON stands for."""
    if not letter.startswith("\\"):
        return letter
    character: str = json.loads(f'"{letter}"')
    return "\ufffd" if 0xD800 <= ord(character[0]) < 0xE000 else character


def code_prompt(
    text: str,
    *,
    units: Literal["lines", "statements"] = "lines",
    freeze_imports: bool = True,
) -> Units:
    r"""Return code whose lines, or statements, are the units.

    Parameters
    ----------
    text : str
        The code; it is kept to the character.
    units : {"lines", "statements"}, default="lines"
        "lines": every line that is not blank, with its line break and the blank lines behind it,
        in any language. "statements": the top-level statements of Python (a function is one),
        each with the decorators and comments above it.
    freeze_imports : bool, default=True
        With "statements": imports are never removed.

    Raises
    ------
    ArgumentError
        If `units` is neither.
    SegmentationError
        If the code cannot be parsed as Python; take "lines" then.

    Examples
    --------
    >>> code_prompt("a = 1\n\nb = 2\n").pieces
    ('a = 1\n\n', 'b = 2\n')
    >>> code_prompt("import os\n# two\ndef f():\n    return 2\n", units="statements").pieces
    ('# two\ndef f():\n    return 2\n',)
    """
    as_one_text(text)
    if units == "lines":
        starts = [match.start() for match in _LINE.finditer(text) if match.group().strip()]
        return replace(_from_starts(text, starts), level="lines")
    if units != "statements":
        raise ArgumentError(f"units: expected 'lines' or 'statements', got {units!r}")
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise SegmentationError(
            f"text: cannot be parsed as Python ({error}); take units='lines'"
        ) from None
    # str.splitlines would also cut where Python sees no line end.
    lines = _LINE.findall(text)
    ends = [min(node.end_lineno or node.lineno, len(lines)) for node in body]
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    # Two statements on one line are one unit.
    firsts = [0, *(end for end, after in pairwise(ends) if after > end)]
    whole = _from_starts(text, [offsets[first] for first in dict.fromkeys(firsts)])
    if not freeze_imports or not body:
        return replace(whole, level="statements")
    imports = [
        whole.spans[_unit_at(whole, offsets[node.lineno - 1])]
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return replace(freeze(whole, tuple(sorted(set(imports)))), level="statements")


def _unit_at(units: Units, place: int) -> int:
    return next(i for i, (start, stop) in enumerate(units.spans) if start <= place < stop)


def _from_starts(text: str, starts: list[int]) -> Units:
    """Return units that begin at these places, each up to the next; the first at 0."""
    if not text.strip() or not starts:
        return Units(text, ())
    edges = [0, *starts[1:], len(text)]
    return Units(text, tuple(pairwise(edges)))
