"""Sentences."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import ClassVar, Final

from perturbx.units import icu
from perturbx.units.scripts import LINE_BREAKS, has_word
from perturbx.units.segmenter import BaseSegmenter, partition
from perturbx.units.units import Units

_TITLES: Final = (
    "Dr Drs Prof Mr Mrs Ms Mx Messrs St Rev Hon Sen Rep Gov Gen Col Maj Capt Cpt Cmdr Lt Sgt Cpl "
    "vs cf Sr Sra Srta Dra Mme Mmes Mlle Hr Fr Frl Dipl Ing Sig Dott проф акад ул им"
)
_CAPITAL: Final = "[A-ZÀ-ÖØ-ÞА-Я]"

_GOES_ON: Final = re.compile(
    rf"\b(?:{'|'.join(_TITLES.split())})\.\Z"  # Dr. | Smith
    rf"|\b{_CAPITAL}\w+\s{_CAPITAL}\.\Z"  # George W. | Bush
    r"|\A\W*(?:\d{1,3}|[^\W\d_])[.)]\Z"  # 1. | An item, or J. | Smith
)
_LETTER_AT_END: Final = re.compile(r"\b[^\W\d_]\.\Z")
_LETTER_AT_START: Final = re.compile(r"[^\W\d_]\.")
_LONGEST_ENDING: Final = 40
"""Characters at the end of a piece in which an abbreviation is looked for."""


@dataclass(frozen=True, repr=False)
class Sentences(BaseSegmenter):
    r"""Cuts a text into sentences, each with the white space that follows it.

    The boundaries are ICU's: a line break ends a sentence too. Those after a title ("Dr."), an
    initial or the number of a list item are left out, and so are those around pieces without a
    word ("***"), which belong to the sentence before. Thai and Lao have no mark that ends a
    sentence: there a line is one, and ``re.compile(r"\S+")`` makes units of what stands between
    spaces.

    Parameters
    ----------
    locale : str, default="auto"
        The locale whose rules apply; "auto" guesses it from the script of the text. ICU's own
        lists of abbreviations are to be had by name: "de@ss=standard".
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Sentences()("Dr. Smith left. Why? Nobody knows.").pieces
    ('Dr. Smith left. ', 'Why? ', 'Nobody knows.')
    """

    level: ClassVar[str] = "sentences"
    locale: str = icu.AUTO

    def __post_init__(self) -> None:
        super().__post_init__()
        icu.check_locale(self.locale)

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        locale = icu.choose_locale(self.locale, text)
        pieces = list(icu.pieces(text, "sentence", locale))
        starts = [0]
        position = 0
        seen_word = False
        for piece, following in pairwise(pieces):
            position += len(piece)
            seen_word = seen_word or has_word(piece)
            if seen_word and has_word(following) and not _goes_on(piece, following):
                starts.append(position - _n_opening(piece))
        starts = icu.at_characters(text, starts)
        return partition(text, starts, level=self.level, locale=locale)


def _n_opening(piece: str) -> int:
    """Return how many opening brackets and quotes end `piece`: ICU closes a sentence with them."""
    opening = takewhile(lambda c: unicodedata.category(c) in ("Ps", "Pi"), reversed(piece))
    return len(list(opening))


def _goes_on(piece: str, following: str) -> bool:
    """Return whether the sentence of `piece` goes on in the piece after it."""
    ending = piece.rstrip()
    if not set(piece[len(ending) :]).isdisjoint(LINE_BREAKS):
        return False
    ending = ending[-_LONGEST_ENDING:]
    return bool(
        _GOES_ON.search(ending)
        or (_LETTER_AT_END.search(ending) and _LETTER_AT_START.match(following))
    )
