"""Lime's words: all occurrences of a word are one unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from perturbx.units.segmenter import BaseSegmenter
from perturbx.units.units import Units


@dataclass(frozen=True, repr=False)
class BagOfWords(BaseSegmenter):
    r"""Cuts as lime's LimeTextExplainer does, for comparison with it.

    A word is a match of ``\w+``; all its occurrences in a text (same case) are one unit, which
    owns several spans; everything between words is frame. Scripts that do not put spaces between
    words are cut badly, as by lime: use `Words` for them.

    Examples
    --------
    >>> units = BagOfWords()("no, no and no!")
    >>> units.pieces, units.spans, units.unit_of_span
    (('no', 'and'), ((0, 2), (4, 6), (7, 10), (11, 13)), (0, 0, 1, 0))
    """

    level: ClassVar[str] = "words"

    def cut(self, text: str) -> Units:
        """Return one unit per distinct word, in order of first occurrence."""
        matches = list(re.finditer(r"\w+", text))
        number: dict[str, int] = {}
        owners = [number.setdefault(match.group(), len(number)) for match in matches]
        spans = tuple(match.span() for match in matches)
        return Units(text, spans, tuple(owners), level=self.level)
