"""Capitals: which of them a term needs, and how another term takes them over."""

from __future__ import annotations

import re
from typing import Final

from perturbx.lexicons.entry import Entry

_SENTENCE_START: Final = re.compile(r"(?:^|[.!?…:\n]['\"”’)\]]*\s*|[\n])['\"“‘(\[*_-]*\Z")


def begins_sentence(text: str, start: int) -> bool:
    """Return whether a sentence begins at `start`.

    Examples
    --------
    >>> begins_sentence("So. Men", 4), begins_sentence("So men", 3)
    (True, False)
    """
    return _SENTENCE_START.search(text[max(0, start - 8) : start]) is not None or not start


def could_be(text: str, start: int, term: str, spelling: str, entry: Entry) -> bool:
    """Return whether `term` has the capitals that `spelling` cannot do without.

    Names need theirs ("will" is none), and so do words that have another sense without ("us",
    "polish").
    """
    if spelling == spelling.lower() or (entry.form != "name" and spelling not in entry.ambiguous):
        return True
    if spelling.startswith("the "):
        term, spelling = term[4:], spelling[4:]
    return term == spelling or (term.isupper() and len(term) > 2)


def in_case_of(replacement: str, term: str, spelling: str, *, first: bool) -> str:
    """Return `replacement` in the case of `term`, which a lexicon writes as `spelling`.

    Parameters
    ----------
    replacement : str
        As a lexicon writes it.
    term : str
        The text that it replaces.
    spelling : str
        How the lexicon writes that.
    first : bool
        Whether it begins a sentence.

    Examples
    --------
    >>> in_case_of("Asian", "BLACK", "black", first=False)
    'ASIAN'
    >>> in_case_of("black", "Asian", "Asian", first=True)
    'Black'
    >>> in_case_of("Christian", "muslim", "Muslim", first=False)
    'christian'
    """
    if not replacement:
        return replacement
    letters = [character for character in term if character.isalpha()]
    if term == spelling:
        return _title(replacement) if first and letters and term[0].isupper() else replacement
    if len(letters) > 1 and all(character.isupper() for character in letters):
        return replacement.upper()
    if term == term.lower() and spelling != spelling.lower():
        return replacement.lower()
    words = term.split()
    if len(words) > 1 and all(word[0].isupper() for word in words):
        return " ".join(map(_title, replacement.split(" ")))
    if term[:1].isupper():
        return _title(replacement)
    return replacement


def _title(word: str) -> str:
    return word[:1].upper() + word[1:]
