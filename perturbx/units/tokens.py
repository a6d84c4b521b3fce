"""Tokens, as a model's own tokenizer cuts them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from perturbx.exceptions import ArgumentError
from perturbx.typing import Span
from perturbx.units.segmenter import BaseSegmenter, partition
from perturbx.units.units import Units

_CONTINUES: Final = "##"
"""How WordPiece marks a token that continues a word."""

_LONGEST_UNKNOWN: Final = 400
"""Characters that a token may stand for which cannot be found in the text by its own string."""


@dataclass(frozen=True, repr=False)
class Tokens(BaseSegmenter):
    """Cuts a text into the tokens of a tokenizer.

    Text that no token covers (white space, for many tokenizers) goes to the token before it.
    Tokens that share a character, as the byte tokens of an emoji do, are one unit: half a
    character can be neither kept nor removed.

    Parameters
    ----------
    tokenizer : object
        A tokenizer of transformers. A fast one tells its offsets. With a slow one (``is_fast``
        False) the tokens are found again in the text, from left to right, whatever the case and
        accents; a run of tokens that cannot be found (an unknown word, bytes) is one unit.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.
    """

    level: ClassVar[str] = "tokens"
    tokenizer: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self._is_fast and callable(self.tokenizer)) and not hasattr(
            self.tokenizer, "tokenize"
        ):
            raise ArgumentError(
                f"tokenizer: expected a tokenizer of transformers; got {self.tokenizer!r:.80}"
            )

    @property
    def _is_fast(self) -> bool:
        return bool(getattr(self.tokenizer, "is_fast", False))

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        if self._is_fast:
            encoding = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            starts = _starts(encoding["offset_mapping"])
        else:
            starts = _align(self.tokenizer, text)
        return partition(text, starts, level=self.level)

    def __repr__(self) -> str:
        name = getattr(self.tokenizer, "name_or_path", "")
        tokenizer = f"{type(self.tokenizer).__name__}({name!r})"
        frozen = f", frozen={self.frozen!r}" if self.frozen != () else ""
        return f"Tokens({tokenizer}{frozen})"


def _starts(offsets: Iterable[Span]) -> list[int]:
    """Return where units begin: at every token that begins behind all tokens before it."""
    starts: list[int] = []
    behind = 0
    for start, stop in offsets:
        if stop > start >= behind:
            starts.append(start)
        behind = max(behind, stop)
    return starts


def _align(tokenizer: Any, text: str) -> list[int]:
    """Return where the tokens of a tokenizer without offsets begin, walking along the text."""
    folded, origin = _fold(text)
    found: list[int] = []
    position = 0
    lost = False
    for token in tokenizer.tokenize(text):
        string = tokenizer.convert_tokens_to_string([token])
        if string.isspace() and folded.startswith(string, position):
            found.append(position)
            position += len(string)
            continue
        wanted, _ = _fold(string.strip().removeprefix(_CONTINUES))
        position = _skip_space(folded, position)
        limit = position + len(wanted) + (_LONGEST_UNKNOWN if lost else 0)
        start = folded.find(wanted, position, limit) if wanted else -1
        if start < 0:
            lost = True
            continue
        found.extend([position, start])
        position = start + len(wanted)
        lost = False
    rest = _skip_space(folded, position)
    if lost and rest < len(folded):
        found.append(rest)
    return sorted({origin[start] for start in found})


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _fold(text: str) -> tuple[str, list[int]]:
    """Return `text` without case and accents, and which character of it each one came from."""
    folded: list[str] = []
    origin: list[int] = []
    for i, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character):
            if not unicodedata.combining(part):
                plain = part.casefold()
                folded.append(plain)
                origin.extend([i] * len(plain))
    return "".join(folded), origin
