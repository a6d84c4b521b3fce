"""Whether the beginning of an answer is a label, or the beginning of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

MARKUP = "*_`#\"'“”„‘’«»「『([{<"
"""What may stand around an answer and is no part of it."""

GARBLED = "\ufffd"
"""How a part of a character reads where its bytes are not given."""

DEEPEST = 8
"""Tokens of an answer that are looked at, at most, to tell labels apart."""


def joined(text: str, token: str) -> str:
    """Return a text with one token more, which may end a character that is begun."""
    return _bytes(text + token).decode("utf-8", "surrogateescape")


def can_be_sent(text: str) -> bool:
    """Say whether a text is one of whole characters."""
    return GARBLED not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def is_shown(text: str, labels: Sequence[str]) -> bool:
    """Say whether a text holds more of a label that it begins than white space and markup."""
    return bool(text.strip() if any(label[0] in MARKUP for label in labels) else _bare(text))


def is_whole(text: str, label: str) -> bool:
    """Say whether a text is a label, maybe with something that is no letter behind it.

    Examples
    --------
    >>> is_whole(" Good.", "good"), is_whole("goods", "good"), is_whole("Good", " good")
    (True, False, False)
    """
    text, label = _folded(text, label)
    behind = text[len(label) : len(label) + 1]
    return text.startswith(label) and not behind.isalnum()


def is_begun(text: str, label: str) -> bool:
    """Say whether a text is the beginning of a label, or may be for what can be read of it.

    Examples
    --------
    >>> half = bytes([0xE8, 0xB4]).decode("utf-8", "surrogateescape")
    >>> [is_begun(text, "负面") for text in (half, "负", "**", GARBLED, "负面", "正")]
    [True, True, True, True, False, False]
    """
    text, label = _folded(text, label)
    whole, garbled, _ = text.partition(GARBLED)
    if garbled:
        return label.startswith(whole) and not label[len(whole) : len(whole) + 1].isascii()
    said, wanted = _bytes(text), _bytes(label)
    return len(said) < len(wanted) and wanted.startswith(said)


def tokens_to_tell_apart(labels: Sequence[str]) -> int:
    """Return how many tokens of an answer may be needed to tell the labels apart.

    Two letters that they share make a token at least, as a rule; of characters with three or four
    bytes those count.

    Examples
    --------
    >>> tokens_to_tell_apart(["good", "bad"]), tokens_to_tell_apart(["very good", "very bad"])
    (1, 4)
    """
    folded = [_pieces(_bare(label).casefold() or label) for label in labels]
    pairs = [(one, other) for i, one in enumerate(folded) for other in folded[:i]]
    shared = max((_n_shared(*pair) for pair in pairs), default=0)
    return 1 if shared == 0 else min(DEEPEST, shared // 2 + 2)


def _n_shared(one: Sequence[str | int], other: Sequence[str | int]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _pieces(text: str) -> list[str | int]:
    """Return the characters of a text, and of those with three or four bytes the bytes."""
    pieces: list[str | int] = []
    for char in text:
        pieces += char.encode("utf-8", "surrogatepass") if char >= "\u0800" else char
    return pieces


def _folded(text: str, label: str) -> tuple[str, str]:
    """Return both in a form in which they are compared: a label with a space to the character."""
    if label[0].isspace():
        return text, label
    if label[0] in MARKUP:
        return text.lstrip().casefold(), label.casefold()
    return _bare(text).casefold(), label.casefold()


def _bare(text: str) -> str:
    before = None
    while text != before:
        before, text = text, text.lstrip().lstrip(MARKUP)
    return text


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character in UTF-16, of which no service gives the bytes
        return text.encode("utf-8", "replace")
