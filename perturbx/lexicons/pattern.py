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
_WRITTEN: Final = {" ": r"(?:\s+|[-‐‑])", "'": "['’ʼ]"}


def is_unspaced(character: str) -> bool:
    """Return whether the script of `character` puts no space between words."""
    return _IS_UNSPACED.match(character) is not None


def is_part_of_a_letter(character: str) -> bool:
    """Return whether a character belongs to the letter before it: a vowel sign, an accent.

    Examples
    --------
    >>> [is_part_of_a_letter(c) for c in ("\N{DEVANAGARI VOWEL SIGN O}", "\N{ARABIC FATHA}", "a")]
    [True, False, False]
    """
    is_mark = unicodedata.category(character) in ("Mn", "Mc")
    return is_mark and _OPTIONAL.match(character) is None


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
