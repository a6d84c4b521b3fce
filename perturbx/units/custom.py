"""Units that a function of the user's finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.typing import Span
from perturbx.units.frozen import in_order
from perturbx.units.segmenter import BaseSegmenter, Between, check_between, mark
from perturbx.units.units import Units, as_spans

CutFunction: TypeAlias = Callable[[str], Units | Iterable[Span] | Iterable[str]]
"""From a text to its units: spans, strings in the order in which they stand in it, or `Units`."""


@dataclass(frozen=True, repr=False)
class Custom(BaseSegmenter):
    """Cuts a text by a function.

    Parameters
    ----------
    function : callable
        From a text to its units: ``(start, stop)`` spans, strings in the order in which they
        stand in the text, or `Units`, which are used as they are. Each text of a pair is given
        to it on its own; a text without anything but white space is not.
    between : {"join", "freeze"}, default="join"
        What becomes of the text between spans or strings: it joins the unit before it (what
        comes before the first joins the first; without any, the text is one unit), or it is
        frozen.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Custom(str.split)("so  good").pieces
    ('so  ', 'good')
    """

    level: ClassVar[str] = "custom"
    function: CutFunction
    between: Between = "join"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between(self.between)
        if not callable(self.function):
            raise ArgumentError(
                f"function: expected a function from a text to its units; got {self.function!r:.80}"
            )

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        result = self.function(text)
        if isinstance(result, Units):
            if result.text != text:
                raise SegmentationError(
                    f"function: returned units of another text than it was given: "
                    f"{result.text!r:.60} for {text!r:.60}"
                )
            return result
        spans = _spans_of(result, text)
        return mark(text, spans, between=self.between, level=self.level)


def _spans_of(result: Any, text: str) -> Sequence[Span]:
    """Return the spans in `text` that a function named, or of the strings that it returned."""
    if isinstance(result, str) or not isinstance(result, Iterable):
        raise SegmentationError(
            f"function: must return (start, stop) spans, strings or Units; got {result!r:.80}"
        )
    found = list(result)
    if not all(isinstance(unit, str) for unit in found):
        return in_order(as_spans(found, "function"), len(text), "function")
    spans: list[Span] = []
    position = 0
    for unit in found:
        start = text.find(unit, position)
        if start < 0:
            raise SegmentationError(
                f"function: returned {unit!r:.60}, which does not stand in the text after "
                f"character {position}; strings must be pieces of the text, in order"
            )
        position = start + len(unit)
        if unit:
            spans.append((start, position))
    return spans
