"""Terms found in a text as whole words, in every script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from perturbx.units import icu
from perturbx.units.scripts import has_word

_BETWEEN: Final = re.compile(r"[\s\-‐‑]+")
_APOSTROPHE: Final = re.compile("[’ʼ＇]")
_CLITIC: Final = re.compile(r"(?<=\w)['’ʼ＇]")


def normal_form(term: str) -> str:
    """Return what a term and its occurrences have in common: case, hyphens and spaces aside.

    Examples
    --------
    >>> normal_form("African-American"), normal_form("african  american")
    ('african american', 'african american')
    """
    text = _APOSTROPHE.sub("'", unicodedata.normalize("NFC", term)).casefold()
    return _BETWEEN.sub(" ", text).strip()


class WholeWords:
    """Finds terms that begin and end at ICU's word boundaries.

    A word ends before an apostrophe too: "women" is in "women's", "she" in "she's".

    Parameters
    ----------
    terms : iterable of str
        What is looked for.

    Examples
    --------
    >>> terms = WholeWords(["american", "african american", "他"])
    >>> [key for _, _, key in terms.find("An African-American woman's book, an american.")]
    ['african american', 'american']
    >>> terms.find("其他人"), terms.find("他来了。")
    ([], [(0, 1, '他')])
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self._keys = frozenset(map(normal_form, terms))
        self._longest = max(map(len, self._keys), default=0)
        self._hint = re.compile("|".join(map(re.escape, sorted(self._keys))))

    def candidates(self, text: str) -> list[tuple[int, int, str]]:
        """Return ``(start, stop, term)`` of every term at a boundary, overlapping ones too.

        In the order of their starts, the longest first.
        """
        # Most texts hold no term at all, and a search is far cheaper than ICU.
        if not self._keys or not self._hint.search(normal_form(text)):
            return []
        words = _words(text)
        found = []
        for first, (start, _) in enumerate(words):
            here = []
            for _, stop in words[first:]:
                key = normal_form(text[start:stop])
                if len(key) > self._longest:
                    break
                if key in self._keys:
                    here.append((start, stop, key))
            found += here[::-1]
        return found

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """Return the ``(start, stop, term)`` found from left to right, disjoint."""
        found, position = [], 0
        for start, stop, key in self.candidates(text):
            if start >= position:
                found.append((start, stop, key))
                position = stop
        return found


def _words(text: str) -> list[tuple[int, int]]:
    spans, position = [], 0
    for piece in icu.pieces(text, "word", icu.choose_locale(icu.AUTO, text)):
        if has_word(piece):
            edges = [0, *(match.start() for match in _CLITIC.finditer(piece)), len(piece)]
            spans += [(position + a, position + b) for a, b in pairwise(edges)]
        position += len(piece)
    return spans
