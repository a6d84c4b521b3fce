"""Units that the user names by their positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from perturbx.exceptions import SegmentationError
from perturbx.typing import Span
from perturbx.units.frozen import in_order
from perturbx.units.segmenter import BaseSegmenter, Between, check_between, mark
from perturbx.units.units import Units, as_spans


@dataclass(frozen=True, repr=False)
class Spans(BaseSegmenter):
    r"""Makes the given spans the units, of whatever text it is called with.

    Parameters
    ----------
    spans : sequence of (start, stop)
        Characters, half open, in any order; they must be disjoint and not empty. For a pair they
        count in ``first + "\n" + second``, and none may reach over the line break.
    between : {"freeze", "join"}, default="freeze"
        What becomes of the text between spans: it is frozen, or it joins the span before it.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Spans([(0, 3), (7, 11)])("New or used").parts
    ((0, 'New'), (-1, ' or '), (1, 'used'))
    """

    level: ClassVar[str] = "custom"
    spans: Sequence[Span]
    between: Between = "freeze"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between(self.between)
        object.__setattr__(self, "spans", as_spans(self.spans, "spans"))

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        spans = in_order(self.spans, len(text), "spans")
        return mark(text, spans, between=self.between, level=self.level)

    def cut_segments(self, text: str, segments: Sequence[Span]) -> list[Units]:
        """Return the units of each segment; the spans count in the whole of `text`."""
        spans = in_order(self.spans, len(text), "spans")
        inside = [
            [
                (start - first, stop - first)
                for start, stop in spans
                if first <= start < stop <= last
            ]
            for first, last in segments
        ]
        if sum(map(len, inside)) < len(spans):
            raise SegmentationError(
                f"spans: none may reach over the line break between the two texts of a pair, at "
                f"character {segments[0][1]}; got {spans!r:.80}"
            )
        return [
            mark(text[first:last], local, between=self.between, level=self.level)
            for (first, last), local in zip(segments, inside, strict=True)
        ]
