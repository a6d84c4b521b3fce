"""`as_segmenter`: from what the user writes for ``units=`` to a segmenter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from perturbx.exceptions import ArgumentError
from perturbx.typing import Segmenter, Span
from perturbx.units.characters import Characters
from perturbx.units.custom import Custom, CutFunction
from perturbx.units.paragraphs import Paragraphs
from perturbx.units.regex import Regex
from perturbx.units.segmenter import BaseSegmenter
from perturbx.units.sentences import Sentences
from perturbx.units.spans import Spans
from perturbx.units.tokens import Tokens
from perturbx.units.units import as_spans
from perturbx.units.words import Words

SegmenterLike: TypeAlias = str | re.Pattern[str] | Sequence[Span] | Segmenter | CutFunction
"""Whatever `as_segmenter` takes."""

_BY_NAME: Final[dict[str, Callable[[], BaseSegmenter]]] = {
    "characters": Characters,
    "words": Words,
    "sentences": Sentences,
    "paragraphs": Paragraphs,
}


def as_segmenter(units: SegmenterLike) -> BaseSegmenter:
    r"""Return the segmenter that `units` stands for.

    Parameters
    ----------
    units : str, re.Pattern, sequence of (start, stop), callable or segmenter
        - "characters", "words", "sentences" or "paragraphs";
        - a compiled pattern: every match is a unit (`Regex`);
        - spans in characters: they are the units, the rest is frozen (`Spans`);
        - a tokenizer of transformers: its tokens are the units (`Tokens`);
        - a function from a text to spans, to strings, or to `Units` (`Custom`);
        - a segmenter with options of its own: ``Words(locale="fi", frozen=...)``,
          ``Tokens(tokenizer)``.

    Returns
    -------
    BaseSegmenter
        A callable from a text, or a pair of texts, to its `Units`.

    Raises
    ------
    ArgumentError
        If it is none of these.

    Examples
    --------
    >>> as_segmenter("words")
    Words()
    >>> as_segmenter(re.compile(r"\d+"))("1, 2").pieces
    ('1, ', '2')
    """
    if isinstance(units, BaseSegmenter):
        return units
    if isinstance(units, str):
        return _by_name(units)
    if isinstance(units, re.Pattern):
        return Regex(units)
    if isinstance(units, type):
        raise ArgumentError(f"units: got the class {units.__name__}; give an object: Words()")
    if isinstance(units, Sequence):
        return Spans(as_spans(units, "units"))
    if hasattr(units, "tokenize"):
        return Tokens(units)
    if callable(units):
        return Custom(units)
    raise ArgumentError(f"units: expected {_choices()}; got {_shown(units)}")


def _by_name(name: str) -> BaseSegmenter:
    if name in _BY_NAME:
        return _BY_NAME[name]()
    advice = "; tokens need their tokenizer: Tokens(tokenizer)" if name == "tokens" else ""
    raise ArgumentError(f"units: expected {_choices()}; got {name!r}{advice}")


def _choices() -> str:
    names = ", ".join(repr(name) for name in _BY_NAME)
    return (
        f"one of {names}, a compiled pattern (or Regex(...)), (start, stop) spans, a function "
        f"from a text to spans or strings, or a segmenter such as Words(locale=...)"
    )


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}"
