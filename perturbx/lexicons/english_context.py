"""What a term is in an English text, by closed classes of neighbours: rules, no model.

They are heuristics: of her and his, of a noun or an adjective, of *black* people or a *black* car.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from perturbx.lexicons.english_words import (
    ALSO_VERBS,
    BASE_VERBS,
    BE,
    CAUSATIVES,
    COLOURED,
    DETERMINERS,
    DITRANSITIVES,
    ESCORTS,
    FUNCTION_WORDS,
    IDENTITY_ADJECTIVES,
    MODALS,
    NAMING,
    OF_LANGUAGES,
    PERCEPTIONS,
    PERSON_NOUNS,
    PRONOUNS,
    STATES,
)
from perturbx.lexicons.letter_case import begins_sentence


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_NEXT: Final = re.compile(r"(\W*?)(\w[\w'’]*(?:-\w+)*)")
_GAP: Final = re.compile(r"\s+|[-‐‑–/]")
_HYPHEN: Final = re.compile(r"[-‐‑–]")
_BEFORE: Final = re.compile(r"(\w[\w'’]*)(\W*)\Z")
_SINGULAR: Final = _words("a an another one every each")
_PLURAL: Final = _words("the these those all many most some few both other")
_AGES: Final = _words(
    "year years yr yrs month months week weeks day days how decade decades century"
)


def word_after(text: str, stop: int) -> str:
    """Return the next word of the phrase in lower case; "" where the phrase ends at `stop`."""
    match = _NEXT.match(text, stop)
    if match is None or not _GAP.fullmatch(match[1]):
        return ""
    return match[2].replace("’", "'").casefold()


def words_before(text: str, start: int, n: int = 4) -> list[str]:
    """Return up to `n` words of the phrase before `start` in lower case, the nearest first."""
    words: list[str] = []
    while len(words) < n:
        match = _BEFORE.search(text[max(0, start - 40) : start])
        if match is None or not (match[2] == "" or _GAP.fullmatch(match[2])):
            break
        words.append(match[1].replace("’", "'").casefold())
        start -= len(match[0])
    return words


def likeliest(
    text: str, start: int, stop: int, forms: Sequence[str], *, has_plural: bool = False
) -> int:
    """Return which of the `forms` a term between these positions has.

    With a plural of its own (`has_plural`) "the Muslim" is one person; "the deaf" are many.
    """
    if "object" in forms and "possessive" in forms:
        wanted = "object" if _is_object(text, start, stop) else "possessive"
    elif "possessive" in forms and "possessive_pronoun" in forms:
        # By the rule for *her*, so that a swap can be taken back.
        wanted = "possessive_pronoun" if _is_object(text, start, stop) else "possessive"
    elif "adjective" in forms:
        wanted = _noun_or_adjective(text, start, stop, forms, has_plural)
    elif "plural" in forms:
        wanted = "plural" if _has(words_before(text, start), _PLURAL) else forms[0]
    else:
        wanted = forms[0]
    return list(forms).index(wanted) if wanted in forms else 0


def names_a_language(text: str, start: int, stop: int) -> bool:
    """Return whether a word that is written with a capital names a language ("in French")."""
    before = words_before(text, start, 1)
    return bool(before) and before[0] in OF_LANGUAGES and not _goes_on(text, stop)


def counts_as_identity(
    text: str,
    start: int,
    stop: int,
    form: str,
    *,
    needs_capital: bool = False,
    also: frozenset[str] = frozenset(),
) -> bool:
    """Return whether a word with another sense names people here.

    It does before a noun for people ("a black language teacher"), before a function word and at
    the end of a phrase ("murder black", "I am black and proud"); not before another word ("a black
    car"). A word that needs a
    capital does wherever it does not owe that to the sentence; a title before a name.

    Parameters
    ----------
    text : str
        The text.
    start, stop : int
        Where the word stands.
    form : str
        Its form; plurals always count.
    needs_capital : bool
        Whether the word has its other sense without a capital only ("Polish", "Will").
    also : frozenset of str
        Other words with another sense, which it may go together with: "black and white people"
        is about people.
    """
    capital = text[start].isupper()
    if form == "title":
        after = text[stop : stop + 2].strip(". ")
        return capital and after[:1].isupper()
    if needs_capital:
        after = text[_end_of_gap(text, stop) :][:1]
        return (
            not begins_sentence(text, start)
            or after.isupper()
            or (
                word_after(text, stop) not in DETERMINERS | PRONOUNS
                and _is_said_of_people(text, stop, also)
            )
        )
    if form == "plural":
        return True
    before = words_before(text, start, 2)
    if before and before[0] in _AGES:
        return False
    if before and before[0] in MODALS and text[start:stop].casefold() in ALSO_VERBS:
        return False
    # "Hearing" is a verb more often than not.
    is_doubtful = text[start:stop].endswith("ing") or (before and before[0] in COLOURED)
    if is_doubtful and not _is_person(word_after(text, stop)):
        return False
    return _is_said_of_people(text, stop, also)


def _is_said_of_people(text: str, stop: int, also: frozenset[str]) -> bool:
    after = word_after(text, stop)
    for _ in range(3):
        position = _end_of_next(text, stop)
        if after in ("and", "or", "nor"):
            other = word_after(text, position)
            if other not in also:
                return True
            stop = _end_of_next(text, position)
        elif after in IDENTITY_ADJECTIVES and after not in PERSON_NOUNS:
            stop = position
        else:
            break
        after = word_after(text, stop)
    if not after or after in FUNCTION_WORDS or _is_person(after):
        return True
    # "A young language teacher": the noun that counts is the last one.
    for _ in range(2):
        stop = _end_of_next(text, stop)
        after = word_after(text, stop)
        if not after or after in FUNCTION_WORDS:
            return False
        if _is_person(after):
            return True
    return False


def _is_person(word: str) -> bool:
    return word.removesuffix("'s").removesuffix("'") in PERSON_NOUNS


def _end_of_next(text: str, stop: int) -> int:
    match = _NEXT.match(text, stop)
    return stop if match is None else match.end()


def _end_of_gap(text: str, stop: int) -> int:
    match = _GAP.match(text, stop)
    return stop if match is None else match.end()


def _goes_on(text: str, stop: int) -> bool:
    """Return whether a noun phrase goes on behind `stop`."""
    after = word_after(text, stop)
    return bool(after) and (after not in FUNCTION_WORDS or after in ("very", "first", "last"))


def _shares_noun(text: str, start: int, stop: int) -> bool:
    """Return whether a possessive shares its noun with another.

    In "his/her dog" and "her and her husband's house" it does; "her and her husband" are two.
    """
    joint = stop if text[stop : stop + 1] == "/" else _end_of_next(text, stop)
    after, other = word_after(text, joint), _end_of_next(text, joint)
    if (joint > stop and word_after(text, stop) not in ("and", "or")) or not _goes_on(text, other):
        return False
    if after == text[start:stop].casefold():
        return word_after(text, other).endswith(("'s", "s'"))
    return after in ("my", "your", "his", "her", "their", "our")


def _is_object(text: str, start: int, stop: int) -> bool:
    """Return whether *her* is the object of a verb, not the owner of what follows."""
    after, before = word_after(text, stop), words_before(text, start, 1)
    verb = before[0] if before else ""
    further = word_after(text, _end_of_next(text, stop))
    ends = not further or further in FUNCTION_WORDS
    if after == "very":
        return ends or further.endswith("ly")
    if after in ("first", "last", "better"):
        return ends and verb not in BE
    if after == "all":
        return ends and bool(further)
    if not after or after in FUNCTION_WORDS:
        return not _shares_noun(text, start, stop)
    if (
        (verb in CAUSATIVES and after in BASE_VERBS)
        or (verb in PERCEPTIONS and after.endswith("ing"))
        or (verb in CAUSATIVES | PERCEPTIONS and after in STATES and ends)
        or (verb in ESCORTS and after == "home" and ends)
        or (verb in NAMING and text[_end_of_gap(text, stop) :][:1].isupper() and ends)
    ):
        return True
    if verb in DITRANSITIVES and after not in PERSON_NOUNS and further != "to":
        return ends and after not in ("own", "best")
    return ends and after.endswith("ly") and after not in ("family", "ally")


def stands_for_people(text: str, start: int, stop: int) -> bool:
    """Return whether an adjective is the noun of its phrase: "the deaf", "the old and sick".

    Not before a word that could be a noun: "need" in "the elderly need help" could.
    """
    joint = _end_of_next(text, stop)
    is_joined = word_after(text, stop) in ("and", "or")
    if is_joined and word_after(text, joint) not in FUNCTION_WORDS:
        stop = _end_of_next(text, joint)  # "The deaf and blind community" has a noun, too.
    if _goes_on(text, stop) or _follows_hyphen(text, start):
        return False
    for word in words_before(text, start):
        if word == "the":
            return True
        if word in BE or word in PERSON_NOUNS or word in FUNCTION_WORDS - {"and", "or", "very"}:
            return False
    return False


def _noun_or_adjective(
    text: str, start: int, stop: int, forms: Sequence[str], has_plural: bool
) -> str:
    """Return "adjective" before a noun and where nothing opens a noun phrase."""
    if text[stop : stop + 2] in ("'s", "’s") and "noun" in forms:
        return "noun"
    if _goes_on(text, stop):
        return "adjective"
    if word_after(text, stop) in ("and", "or") and not _has(words_before(text, start), _SINGULAR):
        return "adjective"
    is_part = _follows_hyphen(text, start)  # "The anti-Jewish."
    for word in words_before(text, start):
        if word in BE or word in FUNCTION_WORDS - DETERMINERS or word in PERSON_NOUNS:
            break
        is_one = word in _SINGULAR or (word == "the" and has_plural and not is_part)
        if is_one and "noun" in forms:
            return "noun"
        if word in _PLURAL and "plural" in forms:
            return "plural"
    return "adjective"


def _follows_hyphen(text: str, start: int) -> bool:
    return _HYPHEN.match(text[max(0, start - 1) : start]) is not None


def _has(words: Sequence[str], wanted: frozenset[str]) -> bool:
    return any(word in wanted for word in words)
