"""The boundaries of ICU (https://icu.unicode.org, Unicode Standard Annex 29)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal

from perturbx.exceptions import ArgumentError
from perturbx.units.scripts import guess_locale

AUTO: Final = "auto"
"""The locale that is guessed from the script of the text."""

_LOCALE: Final = re.compile(
    r"[A-Za-z]{2,3}([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|\d{3}))?([-_][A-Za-z0-9]{5,8})*"
    r"(@\w+=[\w-]+(;\w+=[\w-]+)*|-u(-[A-Za-z0-9]{2,8})+)?"
)


def check_locale(locale: str) -> None:
    """Raise if `locale` is neither "auto" nor written as a locale is.

    ICU itself takes any string, and cuts by its root rules where it knows none of it.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if not isinstance(locale, str) or not (locale == AUTO or _LOCALE.fullmatch(locale)):
        raise ArgumentError(
            f"locale: expected 'auto' or a locale such as 'en', 'pt_BR', 'zh-Hans' or "
            f"'de@ss=standard'; got {locale!r}"
        )


def choose_locale(locale: str, text: str) -> str:
    """Return `locale`, or the one that the script of `text` suggests where it is "auto"."""
    return guess_locale(text) if locale == AUTO else locale


def pieces(text: str, kind: Literal["character", "word", "sentence"], locale: str) -> Iterator[str]:
    """Yield the pieces between ICU's boundaries in `text`; joined, they are the text.

    Strings rather than ICU's offsets, since those count UTF-16 units and Python code points.
    """
    from icu4py.breakers import CharacterBreaker, SentenceBreaker, WordBreaker

    breakers = {"character": CharacterBreaker, "word": WordBreaker, "sentence": SentenceBreaker}
    yield from breakers[kind](text, locale)


def at_characters(text: str, starts: Sequence[int]) -> list[int]:
    """Return those of `starts` that part no grapheme cluster of `text`.

    ICU's boundaries of words and sentences never do in any language, but may in a jumble of
    scripts, marks and emoji.
    """
    if text.isascii():
        return list(starts)
    clusters = {0, *accumulate(map(len, pieces(text, "character", "en")))}
    return [start for start in starts if start in clusters]
