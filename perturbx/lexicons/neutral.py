"""What a term becomes when its text is neutralised, and where it is left out."""

from __future__ import annotations

import re
from typing import Final

from perturbx.lexicons.chinese import goes_before_a_person
from perturbx.lexicons.english_context import stands_for_people, word_after
from perturbx.lexicons.english_words import HEADS, PERSON_NOUNS
from perturbx.lexicons.entry import Mention
from perturbx.lexicons.pattern import is_unspaced
from perturbx.lexicons.possessives import PRONOUN_FORMS

_SPACE: Final = re.compile(r"\s+")
_ANYONE: Final = frozenset(["人", "人们", "人士"])
_PLACES: Final = frozenset(["country", "region", "continent", "religion"])
_WHERE: Final = tuple("在到去来从于往")


def neutral_wording(
    text: str, mention: Mention, written: str, following: Mention | None
) -> tuple[str, int]:
    """Return what is put in for a term that is neutralised, and where what it replaces ends.

    Before a word for people nothing is put in: "a human woman", "a person doctor" and 人朋友 say no
    more than "a woman", "a doctor" and 朋友, if they say anything. So the noun stays, and it stays
    as it is where its own attribute is not neutralised. An English adjective that stands for people
    by itself ("the deaf") becomes the second of the neutral spellings of its row. Where a sentence
    begins with what is left out, it goes on with a small letter.

    Parameters
    ----------
    text : str
        The text.
    mention : Mention
        The term.
    written : str
        What stands in for it, as the lexicon writes it.
    following : Mention or None
        The next term of the text.

    Examples
    --------
    >>> from perturbx.lexicons import load_lexicon
    >>> [deaf] = load_lexicon("disability").find("help the deaf")
    >>> neutral_wording("help the deaf", deaf, "human", None)
    ('people', 13)
    >>> [muslim] = load_lexicon("zh_religion").find("穆斯林女孩")
    >>> neutral_wording("穆斯林女孩", muslim, "人", None)
    ('', 3)
    """
    stop = mention.stop
    if is_unspaced(written[-1]):
        says_nothing = written in _ANYONE or mention.form in _PLACES
        is_next = _goes_with(mention, following, stop)
        is_where = mention.form in _PLACES and text.startswith(_WHERE, max(0, mention.start - 1))
        if says_nothing and not is_where and (is_next or goes_before_a_person(text, stop)):
            return "", stop
        return written, stop
    if not (mention.term.isascii() or mention.spelling.isascii()):
        return written, stop
    is_adjective = mention.form == "adjective"
    space = _SPACE.match(text, stop)
    if space is not None and (is_adjective or written == "person"):
        noun = word_after(text, stop).removesuffix("'s").removesuffix("'")
        if noun in (PERSON_NOUNS if is_adjective else HEADS):
            return "", space.end()
        if _goes_with(mention, following, space.end()):
            return "", space.end()
    alone = mention.entry.neutral[1:2] if is_adjective else ()
    return (alone[0] if alone and stands_for_people(text, mention.start, stop) else written), stop


def _goes_with(mention: Mention, following: Mention | None, start: int) -> bool:
    """Return whether the next term stands at `start` and names the people that this one is of."""
    if following is None or following.start != start or following.form in PRONOUN_FORMS:
        return False
    # "Parents children" are two, "an American Muslim" is one.
    is_said_of = mention.form == "adjective" or mention.form in _PLACES
    return is_said_of or following.attribute != mention.attribute
