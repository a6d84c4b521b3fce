"""The English verb beside *they*: of "she is", "she works", "is she"."""

from __future__ import annotations

import re
from typing import Final

from perturbx.lexicons.english_words import ADVERBS, PREPOSITIONS
from perturbx.typing import Span

_IRREGULAR: Final = {
    "is": "are",
    "was": "were",
    "has": "have",
    "does": "do",
    "goes": "go",
    "isn't": "aren't",
    "wasn't": "weren't",
    "hasn't": "haven't",
    "doesn't": "don't",
}
_CLITIC: Final = re.compile(r"['’]s(?=\s+(\w+))")
_WORD: Final = re.compile(r"\s+([A-Za-z]+(?:['’]t)?)(?![\w'’])")
_BEFORE: Final = re.compile(r"(?<![\w'’])(is|was|has|does)\s+\Z", re.IGNORECASE)
_NO_VERB: Final = ADVERBS | PREPOSITIONS | {"this", "his", "its", "yes", "s", "us"}


def plural_verb(text: str, start: int, stop: int) -> tuple[Span, str] | None:
    """Return what the verb of a pronoun becomes when that becomes *they*, and where it stands.

    Parameters
    ----------
    text : str
        The text.
    start, stop : int
        Where the pronoun stands.

    Returns
    -------
    ((start, stop), str) or None
        None where the verb is the same ("she could") or is not told by its ending.

    Examples
    --------
    >>> plural_verb("she carries it", 0, 3), plural_verb("is she tired?", 3, 6)
    (((4, 11), 'carry'), ((0, 2), 'are'))
    """
    clitic = _CLITIC.match(text, stop)
    if clitic is not None:
        perfect = re.fullmatch(r"been|got|had|done|gone|\w+ed", clitic[1], re.IGNORECASE)
        return (stop, stop + 2), text[stop] + ("ve" if perfect else "re")
    word = _WORD.match(text, stop)
    while word is not None and word[1].lower() in ADVERBS:
        word = _WORD.match(text, word.end())
    if word is not None and (verb := _plural(word[1])) is not None:
        return word.span(1), verb
    before = _BEFORE.search(text[max(0, start - 12) : start])
    if before is not None:
        shift = max(0, start - 12)
        return (shift + before.start(1), shift + before.end(1)), _like(
            before[1], _IRREGULAR[before[1].lower()]
        )
    return None


def _plural(verb: str) -> str | None:
    lower = verb.lower().replace("’", "'")
    if lower in _IRREGULAR:
        return _like(verb, _IRREGULAR[lower])
    if lower in _NO_VERB or len(lower) < 4 or not lower.endswith("s") or lower.endswith("ss"):
        return None
    if lower.endswith("ies") and len(lower) > 4:
        return verb[:-3] + ("y" if verb[-1].islower() else "Y")
    if lower.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return verb[:-2]
    return verb[:-1]


def _like(verb: str, other: str) -> str:
    if len(verb) > 1 and verb.isupper():
        return other.upper()
    return other.capitalize() if verb[0].isupper() else other
