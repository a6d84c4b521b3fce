"""Strings that no tokenizer can read."""

from __future__ import annotations

from perturbx.exceptions import ArgumentError


def check_readable(name: str, text: str) -> None:
    """Raise an `ArgumentError` for a lone surrogate, which no tokenizer can read.

    Parameters
    ----------
    name : str
        The argument.
    text : str
        What came.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{name}: character {error.start} is half of a surrogate pair, which is no character; "
            f"got {text!r:.80}"
        ) from None
