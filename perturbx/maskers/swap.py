"""`Swap`: an identity term gives way to its counterpart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.entry import Ambiguous
from perturbx.lexicons.lexicon import Lexicon
from perturbx.lexicons.rules import Exchange, SwapRule, as_pairs, swap_rule
from perturbx.lexicons.shipped import LexiconsLike, as_lexicons
from perturbx.lexicons.swapping import Edit, Swapped, apply_edits, swap_text
from perturbx.maskers.removal import Editing, check_segments
from perturbx.maskers.text_encoding import TextEncoding
from perturbx.typing import Span
from perturbx.units.units import Units


@dataclass(frozen=True)
class Swap(Editing):
    """Put the counterpart of an identity term in the place of removed units.

    A removed unit has its terms swapped and is otherwise the same; one without a term that has a
    counterpart stays as it is. Any units do whose pieces hold whole terms: those of
    `IdentityTerms`, words, sentences. What a term is (*her* or *him*, noun or adjective) is told
    from the whole text, so a unit has one counterpart whatever else is removed. Articles (a, an),
    possessive endings (the ladies', the gentlemen's) and the verbs of *they* agree where they lie
    in the unit of the term, as articles and endings do in `IdentityTerms`. Variants are strings, as
    someone would type them, which the model's tokenizer reads anew; a text longer than the window
    is cut to it first.

    Parameters
    ----------
    lexicons : str, Path, Lexicon or several of these, default="all"
        "gender", "zh_gender", the path of a file, ...; see `perturbx.lexicons.as_lexicons`.
    exchange : mapping of str to str, or pairs, optional
        Groups that change places: of ``{"female": "male"}`` each gives way to the other. By
        default the two groups of each lexicon that has just two.
    to : str, optional
        The group that all others give way to, or "neutral".
    language : {"en", "zh"}, default="en"
        Of lexicons that are named by their attribute.
    ambiguous : {"context", "always", "never"}, default="context"
        When words with another sense count; see `Lexicon.find`.

    Raises
    ------
    ArgumentError
        If a lexicon or group is unknown, or it is not clear what gives way to what.

    Examples
    --------
    >>> from perturbx.units import IdentityTerms
    >>> swap = Swap("gender")
    >>> units = IdentityTerms("gender")("She is an actress.")
    >>> swap.variants(units, [[True, True], [True, False], [False, False]]).texts
    ['She is an actress.', 'She is an actor.', 'He is an actor.']
    >>> swap.swapped("Her father said: pregnant").is_symmetric
    False
    """

    lexicons: LexiconsLike = "all"
    exchange: Exchange | None = None
    to: str | None = field(default=None, kw_only=True)
    language: str = field(default="en", kw_only=True)
    ambiguous: Ambiguous = field(default="context", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.lexicons, str | Path | Lexicon):
            object.__setattr__(self, "lexicons", tuple(self.lexicons))
        if self.exchange is not None:
            object.__setattr__(self, "exchange", as_pairs(self.exchange))
        if self.ambiguous not in get_args(Ambiguous):
            raise ArgumentError(
                f'ambiguous: expected "context", "always" or "never"; got {self.ambiguous!r}'
            )
        _ = self.rule

    @cached_property
    def rule(self) -> SwapRule:
        """The rule by which groups give way."""
        found = as_lexicons(self.lexicons, language=self.language)
        return swap_rule(found, self.exchange, self.to)

    def swapped(self, text: str) -> Swapped:
        """Return the counterfactual of `text`: all its terms swapped at once.

        Parameters
        ----------
        text : str
            Any text.

        Returns
        -------
        Swapped
            The text, what was found and replaced, and whether a fair model should say the same.
        """
        return swap_text(text, self.rule, ambiguous=self.ambiguous)

    def filler(self, tokenizer: Any = None) -> Counterparts:
        """Return what stands in for removed units."""
        return Counterparts(self)

    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> TextEncoding:
        """Return the text ready for masking, as strings; see `Removal.encode`."""
        check_segments(units, tokenizer)
        return self.encode_strings(units, tokenizer, max_tokens)


@dataclass(frozen=True)
class Counterparts:
    """What stands in for the pieces of a text: the same with its terms swapped.

    Parameters
    ----------
    swap : Swap
        The masker.
    """

    swap: Swap

    def fill(self, text: str, spans: Sequence[Span], tokenizer: Any = None) -> list[str]:
        """Return each of the `spans` of `text` with the terms swapped that lie within it."""
        edits = self.swap.swapped(text).edits
        return [_fill(text, start, stop, edits) for start, stop in spans]


def _fill(text: str, start: int, stop: int, edits: Sequence[Edit]) -> str:
    inside = [edit for edit in edits if start <= edit.start and edit.stop <= stop]
    # An article or a verb changes with its term or not at all.
    terms = {edit.mention for edit in inside if edit.role == "term"}
    return apply_edits(text, [edit for edit in inside if edit.mention in terms], start, stop)
