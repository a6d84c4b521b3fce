"""Words for scores of overlap, in every script."""

from __future__ import annotations

import unicodedata

_WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def overlap_tokens(text: str) -> list[str]:
    """Return the words of a text, casefolded; the letters, where a script has no spaces.

    A letter keeps the marks that follow it. What is neither letter nor digit is left out.

    Examples
    --------
    >>> overlap_tokens("So good!"), overlap_tokens("很好, ok")
    (['so', 'good'], ['很', '好', 'ok'])
    """
    tokens: list[str] = []
    word = ""
    for letter in f"{unicodedata.normalize('NFC', text.casefold())} ":
        kind = unicodedata.category(letter)[0]
        if kind == "M" and (word or tokens):
            if word:
                word += letter
            else:
                tokens[-1] += letter
        elif kind in "LN" and not unicodedata.name(letter, "").startswith(_WITHOUT_SPACES):
            word += letter
        else:
            if word:
                tokens.append(word)
                word = ""
            if kind in "LN":
                tokens.append(letter)
    return tokens
