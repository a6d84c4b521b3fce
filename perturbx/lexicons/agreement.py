"""The English verbs beside *they*: of "she is", "she sings and dances", "is she"."""

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
# What the endings of verbs do not tell: focus and use, go and toe, rely and lie.
_BASES: Final = {
    **dict.fromkeys(("focuses", "refocuses", "biases", "buses", "gases", "canvases"), -2),
    **dict.fromkeys(("aches", "caches", "axes", "tiptoes", "canoes", "shoes", "toes"), -1),
    **dict.fromkeys(("underlies", "belies", "unties"), -1),
    **dict.fromkeys(("quizzes", "whizzes"), -3),
}
_CLITIC: Final = re.compile(r"['’]s(?=\s+(\w+))", re.IGNORECASE)
_WORD: Final = re.compile(r"\s+([A-Za-z]+(?:['’]t)?)(?![\w'’])")
_JOINT: Final = re.compile(r"\s+(?:and|or|but)(?!\w)", re.IGNORECASE)
_RELATIVE: Final = re.compile(r"\s+who(?![\w'’])", re.IGNORECASE)
_BEFORE: Final = re.compile(r"(?<![\w'’])(is|was|has|does)\s+\Z", re.IGNORECASE)
_NO_VERB: Final = (
    ADVERBS | PREPOSITIONS | {"this", "his", "its", "yes", "us", "hers", "ours", "yours", "plus"}
)


def plural_verbs(text: str, start: int, stop: int) -> tuple[tuple[Span, str], ...]:
    """Return what the verbs of a pronoun become when that becomes *they*, and where they stand.

    The verb beside the pronoun, those joined to it right behind ("goes and does"), that of a
    relative clause, and behind this the main verb if it is an irregular or the same one ("he who
    laughs last laughs best"). Others are not looked for: "she takes the car and drives".

    Parameters
    ----------
    text : str
        The text.
    start, stop : int
        Where the pronoun stands.

    Returns
    -------
    tuple of ((start, stop), str)
        In order. None where the verb is the same ("she could") or is not told by its ending.

    Examples
    --------
    >>> plural_verbs("she carries it", 0, 3), plural_verbs("is she tired?", 3, 6)
    ((((4, 11), 'carry'),), (((0, 2), 'are'),))
    """
    clitic = _CLITIC.match(text, stop)
    if clitic is not None:
        perfect = re.fullmatch(r"been|got|had|done|gone|\w+ed", clitic[1], re.IGNORECASE)
        verb = "ve" if perfect else "re"
        is_upper = text[stop + 1].isupper()
        return (((stop, stop + 2), text[stop] + (verb.upper() if is_upper else verb)),)
    relative = _RELATIVE.match(text, stop)
    found = _joined_verbs(text, stop if relative is None else relative.end())
    if found and relative is not None:
        main = _next_word(text, found[-1][0][1])
        first = text[slice(*found[0][0])].lower()
        if main is not None and main[1].lower() in (first, *_IRREGULAR):
            found += _joined_verbs(text, found[-1][0][1])
    before = _BEFORE.search(text[max(0, start - 12) : start])
    if not found and before is not None:
        shift = max(0, start - 12)
        verb = _like(before[1], _IRREGULAR[before[1].lower()])
        return (((shift + before.start(1), shift + before.end(1)), verb),)
    return tuple(found)


def _joined_verbs(text: str, stop: int) -> list[tuple[Span, str]]:
    """Return the verb behind `stop` and those that "and" joins to it without an object between."""
    found: list[tuple[Span, str]] = []
    word = _next_word(text, stop)
    while word is not None and (verb := _plural(word[1])) is not None:
        found.append((word.span(1), verb))
        joint = _JOINT.match(text, word.end())
        word = None if joint is None else _next_word(text, joint.end())
        if word is not None and word[1].istitle():
            break  # A name begins another clause.
    return found


def _next_word(text: str, stop: int) -> re.Match[str] | None:
    """Return the next word that is no adverb."""
    word = _WORD.match(text, stop)
    while word is not None and word[1].lower() in ADVERBS:
        word = _WORD.match(text, word.end())
    return word


def _plural(verb: str) -> str | None:
    lower = verb.lower().replace("’", "'")
    if lower in _IRREGULAR:
        return _like(verb, _IRREGULAR[lower])
    if lower in _BASES:
        return verb[: _BASES[lower]]
    if lower in _NO_VERB or len(lower) < 4 or not lower.endswith("s") or lower.endswith("ss"):
        return None
    if lower.endswith("ies") and len(lower) > 4:
        return verb[:-3] + ("y" if verb[-1].islower() else "Y")
    if lower.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")) and len(lower) > 4:
        return verb[:-2]
    return verb[:-1]


def _like(verb: str, other: str) -> str:
    if len(verb) > 1 and verb.isupper():
        return other.upper()
    return other.capitalize() if verb[0].isupper() else other
