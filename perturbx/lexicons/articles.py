"""The English indefinite article, by sound."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

ARTICLE_BEFORE: Final = re.compile(r"(?<![\w'’.-])(an?)(\s+)\Z", re.IGNORECASE)
"""An indefinite article at the end of what precedes a term."""

_FIRST: Final = re.compile(r"[\w.&]+")
_AN_NUMBER: Final = re.compile(r"8\d*|1[18](?!\d)")
# A "yoo" or a "w" is no vowel by sound; a silent h leaves one.
_A: Final = re.compile(
    r"uni(?!n|mp|mag|mm|d[ei])|eu|ewe|us(?:e|a|u(?!r))|ut(?:i|o|e)|ubi|ufo|uran|uri|ugand|uk|uyg"
    r"|u[.]|us\Z|ur\Z|one|once|ouija"
)
_AN: Final = re.compile(r"hour|hono|hones|heir")
_VOWEL_LETTERS: Final = "AEFHILMNORSX"
_SPELT: Final = frozenset(["FAQ", "FBI", "HIV", "LGBTI", "LGBTQIA", "MBA", "MRI", "NBA", "NGO"])
"""Abbreviations read letter by letter in spite of a vowel; without one, all capitals are."""


@lru_cache(maxsize=4096)
def indefinite_article(phrase: str) -> str:
    """Return "a" or "an", whichever goes before `phrase`; "" where there is no word.

    By spelling, with the exceptions that English has: a European, an hour, an MRI, an 8-year-old.

    Examples
    --------
    >>> [indefinite_article(w) for w in ("hour", "European", "MRI", "US", "uncle", "8-year-old")]
    ['an', 'a', 'an', 'a', 'an', 'an']
    """
    match = _FIRST.search(phrase)
    if match is None:
        return ""
    word = match[0]
    lower = word.lower()
    if word[0].isdigit():
        return "an" if _AN_NUMBER.match(word) else "a"
    if word in _SPELT or (len(word) > 1 and word.isupper() and not re.search("[AEIOUY]", word)):
        return "an" if word[0] in _VOWEL_LETTERS else "a"
    if _A.match(lower):
        return "a"
    return "an" if _AN.match(lower) or lower[0] in "aeiouáéíóúàèìòùäëïöüâêîôû" else "a"


def in_case(article: str, before: str, *, shouted: bool) -> str:
    """Return `article` in the case of the one that stood there."""
    if not before[0].isupper():
        return article
    return article.upper() if shouted else article.capitalize()
