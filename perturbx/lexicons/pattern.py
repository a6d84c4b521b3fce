"""One regular expression for all terms of a lexicon."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

# Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana and Han.
_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005\u3007\u3041-\u30ff"
    r"\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")
# Points of Hebrew and Arabic, which may be left out, and what chooses between glyphs.
_OPTIONAL: Final = re.compile(
    r"[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\ufe00-\ufe0f]"
)
_LETTER: Final = rf"[^\W{_UNSPACED}]"
_IS_LETTER: Final = re.compile(_LETTER)
_WRITTEN: Final = {" ": r"(?:\s+|[-‐‑])", "'": "['’ʼ]"}


def is_unspaced(character: str) -> bool:
    """Return whether the script of `character` puts no space between words."""
    return _IS_UNSPACED.match(character) is not None


def parts_a_word(text: str, start: int, stop: int) -> bool:
    """Return whether a word goes on from `start` or `stop` with a sign of one of its letters.

    A vowel sign, an accent: patterns see no letter in them.

    Examples
    --------
    >>> accented = "re\N{COMBINING ACUTE ACCENT}al"
    >>> parts_a_word(accented, 3, 5), parts_a_word(accented, 0, 2), parts_a_word("a real", 2, 6)
    (True, True, False)
    """
    before, after = start, stop
    while before and _is_sign(text[before - 1]):
        before -= 1
    while after < len(text) and _is_sign(text[after]):
        if _OPTIONAL.match(text[after]) is None:
            return True
        after += 1
    goes_on_before = before < start and not is_unspaced(text[start])
    goes_on_after = after > stop and not is_unspaced(text[stop - 1])
    return (goes_on_before and _IS_LETTER.match(text[before - 1 : before]) is not None) or (
        goes_on_after and _IS_LETTER.match(text[after : after + 1]) is not None
    )


def _is_sign(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")


def normal(term: str) -> str:
    """Return the form in which spellings are compared: no case, one apostrophe, no hyphens.

    Examples
    --------
    >>> normal("African-American"), normal("Ma’am")
    ('african american', "ma'am")
    """
    return _plain(term).casefold()


def _plain(term: str) -> str:
    straight = re.sub("[’ʼ]", "'", term)
    return " ".join(re.sub("[-‐‑]", " ", straight).split())


def compile_terms(spellings: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds the longest of some terms at any place, in normal form or not.

    A tree of common beginnings, so that its speed does not depend on how many terms there are. A
    term does not match inside a word; where the script has no spaces between words, whoever uses
    the pattern must see to that.
    """
    trees: dict[tuple[bool, bool], dict[str, Any]] = {}
    # "ß" is "ss" in normal form, which a pattern takes for two letters.
    for term in {form for own in spellings for form in (normal(own), _plain(own).lower())}:
        node = trees.setdefault((is_unspaced(term[0]), is_unspaced(term[-1])), {})
        for character in term:
            node = node.setdefault(character, {})
        node[""] = {}
    # Guards once for all terms with the same kind of ends: thousands would be slow to compile.
    # Terms of both scripts ("gay男") come before the parts that they begin with.
    guarded = [
        ("" if opens else rf"(?<!{_LETTER})")
        + _expression(trees[opens, closes])
        + ("" if closes else rf"(?!{_LETTER})")
        for opens, closes in ((True, False), (False, True), (True, True), (False, False))
        if (opens, closes) in trees
    ]
    return re.compile("|".join(guarded) or r"(?!)", re.IGNORECASE)


def _expression(tree: dict[str, Any]) -> str:
    """Return what matches the terms of a tree, the longer first."""
    longer = [_written(c) + _expression(below) for c, below in sorted(tree.items()) if c]
    if not longer:
        return ""
    choices = "|".join(longer)
    return f"(?:{choices})?" if "" in tree else f"(?:{choices})" if len(longer) > 1 else choices


def _written(character: str) -> str:
    return _WRITTEN.get(character) or re.escape(character)
