"""What stands in for removed units: `StandIn` in strings, `Filler` on tokens, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from perturbx.exceptions import MaskingError
from perturbx.maskers.tokenized import ids_behind, plain_ids
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
        """Return the tokens of one copy behind the character `before`, see `ids_behind`."""
        if self.text in tokenizer.all_special_tokens:
            return [int(tokenizer.convert_tokens_to_ids(self.text))]
        return ids_behind(tokenizer, self.text, before)

    def fill(self, text: str, spans: Sequence[Span], tokenizer: Any = None) -> list[str]:
        """Return what replaces each of the `spans` of `text`: the white space at its ends stays.

        A span of white space alone has nothing to give way and stays; errors are those of `texts`.
        """
        filled = [text[start:stop] for start, stop in spans]
        with_core = [i for i, kept in enumerate(filled) if kept.strip()]
        cores = [filled[i].strip() for i in with_core]
        leads = [filled[i].index(core) for i, core in zip(with_core, cores, strict=True)]
        starts = [spans[i][0] + lead for i, lead in zip(with_core, leads, strict=True)]
        before = [text[max(start - 1, 0) : start] for start in starts]
        fillings = self.texts(cores, before, tokenizer)
        for i, lead, core, filling in zip(with_core, leads, cores, fillings, strict=True):
            filled[i] = filled[i][:lead] + filling + filled[i][lead + len(core) :]
        return filled

    def texts(
        self, cores: Sequence[str], before: Sequence[str], tokenizer: Any = None
    ) -> list[str]:
        """Return what replaces each of the strings `cores`.

        Parameters
        ----------
        cores : sequence of str
            Removed text, without the white space at its ends.
        before : sequence of str
            The character before each core, "" at the start of the text.
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
        counts = _counts(tokenizer, cores, before)
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


def _counts(tokenizer: Any, cores: Sequence[str], before: Sequence[str]) -> list[int]:
    """Return how many tokens each core has where it stands, a space of its own not counted."""
    space = ids_behind(tokenizer, "", " ")
    counts = []
    for core, character in zip(cores, before, strict=True):
        # What is unknown behind something unknown is one token with it, and not for nothing.
        ids = ids_behind(tokenizer, core, character) or plain_ids(tokenizer, core)
        has_space = bool(space) and character == " " and ids[: len(space)] == space
        counts.append(len(ids) - len(space) * has_space)
    return counts
