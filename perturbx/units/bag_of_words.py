"""The words of lime: one unit for all occurrences of a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from perturbx.units.frozen import gaps
from perturbx.units.segmenter import BaseSegmenter
from perturbx.units.units import Units

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, repr=False)
class BagOfWords(BaseSegmenter):
    r"""Cuts a text as lime's ``LimeTextExplainer`` does, for comparison with it.

    A unit is a word wherever it occurs, by its spelling; words are what lies between matches of
    ``\W+``, and those matches are frozen. That parts letters from their marks in Hindi and Thai
    and finds no words in Chinese: `Words` does better everywhere but in a comparison.

    Parameters
    ----------
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked, besides what is not a word.

    Examples
    --------
    >>> BagOfWords()("well, all is well").parts
    ((0, 'well'), (-1, ', '), (1, 'all'), (-1, ' '), (2, 'is'), (-1, ' '), (0, 'well'))
    """

    level: ClassVar[str] = "words"

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        matches = list(_WORD.finditer(text))
        number: dict[str, int] = {}
        owners = tuple(number.setdefault(match.group(), len(number)) for match in matches)
        spans = tuple(match.span() for match in matches)
        return Units(text, spans, owners, level=self.level, frozen=gaps(spans, len(text)))
