"""The texts that come in: checked once, and a pair of texts held as one."""

from __future__ import annotations

import re
from typing import Any, Final

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.typing import Span, TextInput

PAIR_SEPARATOR: Final = "\n"
"""What stands between the two texts of a pair; it belongs to the frame."""

LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a character, which no encoding can write: JSON's escapes can hold one."""


def as_one_text(text: TextInput) -> tuple[str, tuple[Span, ...]]:
    r"""Return one string for `text`, and the segments in it: one, or two for a pair.

    Raises
    ------
    ArgumentError
        If it is neither a string nor a tuple of two.
    SegmentationError
        If it holds a lone surrogate.

    Examples
    --------
    >>> as_one_text(("a man", "a boy"))
    ('a man\na boy', ((0, 5), (6, 11)))
    """
    if isinstance(text, str):
        check_characters(text, "text")
        return text, ((0, len(text)),)
    if not _is_pair(text):
        raise ArgumentError(
            f"text: expected a string, or a tuple of two strings for a pair; got {_short(text)}"
        )
    first, second = text
    check_characters(first, "text[0]")
    check_characters(second, "text[1]")
    start = len(first) + len(PAIR_SEPARATOR)
    return first + PAIR_SEPARATOR + second, ((0, len(first)), (start, start + len(second)))


def _is_pair(text: Any) -> bool:
    return (
        isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text)
    )


def check_characters(text: str, name: str) -> None:
    """Raise a `SegmentationError` for a text that holds a lone surrogate."""
    found = LONE_SURROGATE.search(text)
    if found:
        raise SegmentationError(
            f"{name}: the character at position {found.start()} is a lone surrogate "
            f"(U+{ord(found.group()):04X}), which is no text and cannot be encoded; repair it with "
            f"text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"
        )


def _short(value: Any) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"
