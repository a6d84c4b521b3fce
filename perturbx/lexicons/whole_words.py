"""Whole words in scripts that put no space between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final

_PARTICLES: Final = frozenset("的是在说也都家俩会不就要对有和跟想去")
"""What ICU's dictionary joins to a pronoun: it has 他的 and 她在 as words."""


class WordEdges:
    """Where the words of one text begin and end, by ICU's dictionaries; found when first asked.

    Parameters
    ----------
    text : str
        The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._edges: list[int] | None = None

    @property
    def edges(self) -> list[int]:
        """The positions between words, with both ends of the text."""
        if self._edges is None:
            # `units` imports this package, so that it is asked for only when it is needed.
            from perturbx.units import icu
            from perturbx.units.scripts import guess_locale

            words = icu.pieces(self.text, "word", guess_locale(self.text))
            self._edges = [0, *accumulate(map(len, words))]
        return self._edges

    def holds(self, start: int, stop: int) -> bool:
        """Return whether a term between these positions can be a word of the text.

        One character must be a word of its own, but for a particle behind it (他 is one in 他的,
        and none in 其他). Two must not tear a word
        apart (先生 in 首先|生产), but may lie within a longer one (老人 in 老人家), as ICU's
        dictionary knows compounds. Three or more are taken as they stand: where ICU cuts them, it
        is ICU that errs (做法|国人).

        Examples
        --------
        >>> WordEdges("其他人").holds(1, 2), WordEdges("首先生产").holds(1, 3)
        (False, False)
        >>> WordEdges("他喜欢老人家").holds(0, 1), WordEdges("做法国人很好").holds(1, 4)
        (True, True)
        """
        if stop - start > 2:
            return True
        left, right = bisect_right(self.edges, start) - 1, bisect_left(self.edges, stop)
        opens, closes = self.edges[left] == start, self.edges[right] == stop
        if opens and closes:
            return True
        if stop - start > 1:
            return right == left + 1
        is_particle = self.text[stop : stop + 1] in _PARTICLES
        return opens and is_particle and self.edges[right] == stop + 1

    def word_after(self, position: int) -> str:
        """Return the word that begins at `position` (or the rest of it); "" at the end."""
        after = bisect_right(self.edges, position)
        return self.text[position : self.edges[after]] if after < len(self.edges) else ""

    def word_before(self, position: int) -> str:
        """Return the word that ends at `position` (or its beginning); "" at the start."""
        before = bisect_left(self.edges, position) - 1
        return self.text[self.edges[before] : position] if before >= 0 else ""
