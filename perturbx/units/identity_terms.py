"""The identity terms of a text, by lexicons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar, Final, get_args

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.articles import ARTICLE_BEFORE
from perturbx.lexicons.entry import NEUTRAL, Ambiguous, Mention
from perturbx.lexicons.lexicon import Lexicon, find_mentions
from perturbx.lexicons.possessives import POSSESSIVE
from perturbx.lexicons.shipped import LexiconsLike, as_lexicons
from perturbx.lexicons.swapping import Edit, edits_of
from perturbx.typing import Span
from perturbx.units.segmenter import BaseSegmenter, mark
from perturbx.units.units import Units

_SPACE: Final = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, repr=False)
class IdentityTerms(BaseSegmenter):
    """Makes each identity term of a text a unit; all else is frozen.

    A term owns the white space that follows it on its line, and an indefinite article right before
    it and a possessive ending right behind it that one of its counterparts would change (an
    American, a German; the ladies', the gentlemen's): so each unit can be swapped whatever becomes
    of the others. Words that are tied to a group but never swapped
    (*pregnant*) are no units. A text without identity terms has no units.

    Parameters
    ----------
    lexicons : str, Path, Lexicon or several of these, default="all"
        "gender", "zh_gender", the path of a file, ...; see `perturbx.lexicons.as_lexicons`.
    language : {"en", "zh"}, default="en"
        Of lexicons that are named by their attribute.
    ambiguous : {"context", "always", "never"}, default="context"
        When words with another sense count; see `Lexicon.find`.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Raises
    ------
    ArgumentError
        If a lexicon is unknown, or a parameter is none of these.

    Examples
    --------
    >>> IdentityTerms(["ethnicity", "gender"])("She met an American woman.").parts
    ((0, 'She '), (-1, 'met '), (1, 'an American '), (2, 'woman'), (-1, '.'))
    """

    level: ClassVar[str] = "identity terms"
    lexicons: LexiconsLike = "all"
    language: str = "en"
    ambiguous: Ambiguous = "context"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.lexicons, str | Path | Lexicon):
            object.__setattr__(self, "lexicons", tuple(self.lexicons))
        if self.ambiguous not in get_args(Ambiguous):
            raise ArgumentError(
                f'ambiguous: expected "context", "always" or "never"; got {self.ambiguous!r}'
            )
        _ = self._found

    @cached_property
    def _found(self) -> tuple[Lexicon, ...]:
        return as_lexicons(self.lexicons, language=self.language)

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        mentions = find_mentions(self._found, text, ambiguous=self.ambiguous)
        spans = [
            self._span(text, mention, following)
            for mention, following in zip_longest(mentions, mentions[1:])
            if mention.is_swappable
        ]
        return mark(text, spans, between="freeze", level=self.level)

    def _span(self, text: str, mention: Mention, following: Mention | None) -> Span:
        start, stop = mention.start, mention.stop
        if ARTICLE_BEFORE.search(text[max(0, start - 12) : start]) or POSSESSIVE.match(text, stop):
            edits = self._agreeing(text, mention, following)
            start = min([start, *(edit.start for edit in edits)])
            stop = max([stop, *(edit.stop for edit in edits)])
        space = _SPACE.match(text, stop)
        return start, stop if space is None else space.end()

    def _agreeing(self, text: str, mention: Mention, following: Mention | None) -> list[Edit]:
        """Return how the counterparts of `mention` would change the article or ending beside it."""
        return [
            edit
            for lexicon in self._found
            if lexicon.attribute == mention.attribute
            for group in (*lexicon.groups, NEUTRAL)
            if group != mention.group and (other := lexicon.counterpart(mention, group)) is not None
            for edit in edits_of(text, mention, 0, group, other[0], following)
            if edit.role in ("article", "ending")
        ]
