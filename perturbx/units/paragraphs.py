"""Paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from perturbx.units.scripts import LINE_BREAKS
from perturbx.units.segmenter import BaseSegmenter, partition
from perturbx.units.units import Units

_WHITE_SPACE: Final = re.compile(r"\s+")
_LINE_BREAK: Final = re.compile(rf"\r\n|[{LINE_BREAKS}]")
_PARAGRAPH_SEPARATOR: Final = "\u2029"


@dataclass(frozen=True, repr=False)
class Paragraphs(BaseSegmenter):
    r"""Cuts a text at blank lines, which belong to the paragraph before them.

    Parameters
    ----------
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Paragraphs()("One.\nStill one.\n\n  Two.").pieces
    ('One.\nStill one.\n\n', '  Two.')
    """

    level: ClassVar[str] = "paragraphs"

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        starts = [0]
        for space in _WHITE_SPACE.finditer(text):
            breaks = list(_LINE_BREAK.finditer(text, *space.span()))
            is_blank_line = len(breaks) > 1 or _PARAGRAPH_SEPARATOR in space.group()
            if is_blank_line and space.start() > 0 and space.end() < len(text):
                starts.append(breaks[-1].end())
        return partition(text, starts, level=self.level)
