"""What stands in for removed units: `StandIn` in strings, `Filler` on tokens, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from perturbx.exceptions import MaskingError
from perturbx.maskers.tokenized import plain_ids
from perturbx.typing import Span

Per: TypeAlias = Literal["token", "unit"]
"""One replacement for each token of a unit, or one for the unit."""


class StandIn(Protocol):
    """Says what stands in for removed units in a string."""

    def fill(self, text: str, spans: Sequence[Span], tokenizer: Any = None) -> list[str]:
        """Return what replaces each of the `spans` of `text` while its unit is removed.

        A tokenizer is the sign that the result will be tokenized.
        """


@dataclass(frozen=True)
class Filler:
    """What stands in for a removed unit.

    Parameters
    ----------
    text : str
        The string; the name of a special token stands for that token.
    per : {"token", "unit"}
        One for each token of the unit, or one for the unit (for each of its spans).
    """

    text: str
    per: Per

    def ids(self, tokenizer: Any, before: str) -> list[int]:
        """Return the tokens of one copy.

        Tokenizers that write the space into the token that follows it (byte-level, metaspace)
        have other tokens after a space than without one: the string is tokenized behind what it
        follows, of which nothing but that space stays.

        Parameters
        ----------
        tokenizer : transformers tokenizer
            The tokenizer.
        before : str
            The character that comes before; "" at the start of a text. A space is one that the
            tokens are to bring along.

        Returns
        -------
        list of int
        """
        if self.text in tokenizer.all_special_tokens:
            return [int(tokenizer.convert_tokens_to_ids(self.text))]
        lead, gap = ("a", " ") if before == " " else (before, "")
        head = plain_ids(tokenizer, lead)
        whole = plain_ids(tokenizer, lead + gap + self.text)
        if head and whole[: len(head)] == head:
            return whole[len(head) :]
        return plain_ids(tokenizer, self.text)

    def fill(self, text: str, spans: Sequence[Span], tokenizer: Any = None) -> list[str]:
        """Return what replaces each of the `spans` of `text`: the white space at its ends stays.

        A span of white space alone has nothing to give way and stays; errors are those of `texts`.
        """
        filled = [text[start:stop] for start, stop in spans]
        with_core = [i for i, kept in enumerate(filled) if kept.strip()]
        fillings = self.texts([filled[i].strip() for i in with_core], tokenizer)
        for i, filling in zip(with_core, fillings, strict=True):
            bare = filled[i].lstrip()
            lead, tail = len(filled[i]) - len(bare), len(bare.rstrip())
            filled[i] = filled[i][:lead] + filling + bare[tail:]
        return filled

    def texts(self, cores: Sequence[str], tokenizer: Any = None) -> list[str]:
        """Return what replaces each of the strings `cores`.

        Parameters
        ----------
        cores : sequence of str
            Removed text, without the white space at its ends.
        tokenizer : transformers tokenizer, optional
            Counts the tokens of each core: needed for ``per="token"``. What it reads no token in
            (a control character) gives way to nothing.

        Returns
        -------
        list of str

        Raises
        ------
        MaskingError
            If the tokenizer is needed and missing.
        """
        if tokenizer is None and self.per == "token":
            raise MaskingError(
                f'per: "token" puts one {self.text!r} for each token, and there is no tokenizer '
                f'to say what the tokens are; give one, or take per="unit"'
            )
        if tokenizer is None:
            return [self.text] * len(cores)
        counts = [len(plain_ids(tokenizer, core)) for core in cores]
        copies = counts if self.per == "token" else [min(n, 1) for n in counts]
        joint = self._joint(tokenizer)
        return [joint.join([self.text] * n) for n in copies]

    def _joint(self, tokenizer: Any) -> str:
        """Return what stands between two copies so that they are read as two copies."""
        one = self.ids(tokenizer, before="")
        special = self.text in tokenizer.all_special_tokens
        return (
            "" if special and plain_ids(tokenizer, f"{self.text} {self.text}") != one * 2 else " "
        )
