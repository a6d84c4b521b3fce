"""One regular expression for all terms of a lexicon."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

# Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana and Han.
_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005\u3007\u3041-\u30ff"
    r"\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")
_LETTER: Final = rf"[^\W{_UNSPACED}]"
_WRITTEN: Final = {" ": r"(?:\s+|[-‐‑])", "'": "['’ʼ]"}


def is_unspaced(character: str) -> bool:
    """Return whether the script of `character` puts no space between words."""
    return _IS_UNSPACED.match(character) is not None


def normal(term: str) -> str:
    """Return the form in which spellings are compared: no case, one apostrophe, no hyphens.

    Examples
    --------
    >>> normal("African-American"), normal("Ma’am")
    ('african american', "ma'am")
    """
    straight = re.sub("[’ʼ]", "'", term)
    return " ".join(re.sub("[-‐‑]", " ", straight).split()).casefold()


def compile_terms(terms: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds the longest of the `terms` (in normal form) at any place.

    A tree of common beginnings, so that its speed does not depend on how many terms there are. A
    term does not match inside a word; where the script has no spaces between words, whoever uses
    the pattern must see to that.
    """
    trees: dict[tuple[bool, bool], dict[str, Any]] = {}
    for term in terms:
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
