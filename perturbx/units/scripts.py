"""What the characters of a text tell: which of them make words, and what locale they suggest."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LINE_BREAKS: Final = "\n\r\v\f\x85\u2028\u2029"
"""The characters that end a line or a paragraph."""

_LATIN: Final = ("en", r"A-Za-z\u00c0-\u024f\u1e00-\u1eff")
_HAN: Final = (
    "zh",
    r"\u2e80-\u2fdf\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
)
_KANA: Final = ("ja", r"\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f")

_SCRIPTS: Final = tuple(
    (locale, re.compile(f"[{characters}]+"))
    for locale, characters in (
        _LATIN,
        _HAN,
        _KANA,
        ("ko", r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"),
        ("th", r"\u0e00-\u0e7f"),
        ("lo", r"\u0e80-\u0eff"),
        ("km", r"\u1780-\u17ff"),
        ("my", r"\u1000-\u109f"),
        ("hi", r"\u0900-\u097f"),
        ("bn", r"\u0980-\u09ff"),
        ("pa", r"\u0a00-\u0a7f"),
        ("gu", r"\u0a80-\u0aff"),
        ("or", r"\u0b00-\u0b7f"),
        ("ta", r"\u0b80-\u0bff"),
        ("te", r"\u0c00-\u0c7f"),
        ("kn", r"\u0c80-\u0cff"),
        ("ml", r"\u0d00-\u0d7f"),
        ("si", r"\u0d80-\u0dff"),
        ("bo", r"\u0f00-\u0fff"),
        ("ar", r"\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc"),
        ("he", r"\u0590-\u05ff\ufb1d-\ufb4f"),
        ("el", r"\u0370-\u03ff\u1f00-\u1fff"),
        ("ru", r"\u0400-\u052f"),
        ("hy", r"\u0530-\u058f"),
        ("ka", r"\u10a0-\u10ff\u1c90-\u1cbf"),
        ("am", r"\u1200-\u139f"),
    )
)
"""A locale for each script, with the characters of the script; ties go to the earlier one."""

_KANA_SHARE: Final = 0.1
"""Han characters with at least this share of kana beside them are read as Japanese."""

_NOT_WORDS: Final = frozenset(
    {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zs", "Zl", "Zp", "Cc", "Cf", "Sc"}
)
_KEYBOARD_SYMBOLS: Final = frozenset("+<=>^`|~")


def guess_locale(text: str) -> str:
    """Return the locale that the script of most characters of `text` suggests; "en" for none.

    Examples
    --------
    >>> guess_locale("the word мир")
    'en'
    >>> guess_locale("日本語を勉強する"), guess_locale("我喜欢北京"), guess_locale("3.14")
    ('ja', 'zh', 'en')
    """
    if text.isascii():
        return "en"
    counts = {locale: sum(map(len, script.findall(text))) for locale, script in _SCRIPTS}
    if counts["ja"] >= _KANA_SHARE * (counts["ja"] + counts["zh"]):
        counts["ja"] += counts.pop("zh")
    return max(counts, key=lambda locale: counts[locale])


def has_word(text: str) -> bool:
    """Return whether `text` holds a character that makes a word.

    Letters, digits, marks, emoji and symbols do. Punctuation, white space, control and format
    characters do not; nor do currency signs and the symbols of the ASCII keyboard
    (``+ < = > ^ ` | ~``): they are attached to words ("$5", "C++") or are markup.

    Examples
    --------
    >>> [has_word(text) for text in ("a", "3", "👍🏽", "→", "?!", "$", " ")]
    [True, True, True, True, False, False, False]
    """
    return any(
        character.isalnum()
        or (
            unicodedata.category(character) not in _NOT_WORDS and character not in _KEYBOARD_SYMBOLS
        )
        for character in text
    )
