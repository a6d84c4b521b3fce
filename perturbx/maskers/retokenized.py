"""`Retokenized`: variants as strings, which the model's tokenizer reads anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perturbx.maskers.removal import Editing
from perturbx.maskers.text_encoding import TextEncoding
from perturbx.units.units import Units


@dataclass(frozen=True)
class Retokenized:
    """Edit the string and tokenize each variant again, whatever its units are.

    What the model would read if a user had typed the edited text. For byte-pair and sentence-piece
    tokenizers that can differ from the tokens of the text with some left out: what a removed unit
    kept apart may merge. It costs a tokenization a variant.

    Parameters
    ----------
    masker : Editing
        What a removed unit looks like.

    Examples
    --------
    >>> from perturbx.maskers.delete import Delete
    >>> from perturbx.units.units import Units
    >>> units = Units("so good", ((0, 3), (3, 7)))
    >>> Retokenized(Delete()).encode(units).kind
    'text'
    """

    masker: Editing

    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> TextEncoding:
        """Return the text ready for masking, as strings; see `Editing.encode_strings`."""
        return self.masker.encode_strings(units, tokenizer, max_tokens)
