"""Words, in every script that ICU knows."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Final

from perturbx.units import icu
from perturbx.units.scripts import LINE_BREAKS, has_word
from perturbx.units.segmenter import BaseSegmenter, partition
from perturbx.units.units import Units

_OPENING: Final = re.compile(r"(?:B|[MQ]++(?=[SNB])|Q(?=O))*+(?:S++(?:B++(?=[SN])|M++(?=S*N)))?+")
"""Matches, in the classes of a gap read **backwards** from a word, what belongs to that word:

- brackets and opening quotes next to it, and a straight quote that touches no word before it;
- a run of markers and straight quotes after white space or a bracket;
- beyond white space, a bracket with white space on its other side too (« mot »), or a marker at
  the beginning of a line (a bullet, the sign of a heading).

Possessive, so that a gap of any length takes linear time.
"""

_NEVER_FIRST: Final = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々ゝゞヽヾ")
"""Kana that no word begins with: where ICU's dictionary is at a loss it cuts before them."""


@dataclass(frozen=True, repr=False)
class Words(BaseSegmenter):
    """Cuts a text into words, each with the white space and punctuation that follow it.

    The rule is stated in `perturbx.units`.

    Parameters
    ----------
    locale : str, default="auto"
        The locale whose rules apply; "auto" guesses it from the script of the text. ICU cuts
        Chinese, Japanese, Thai, Lao, Khmer and Burmese by its dictionaries in every locale.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Words()('She said: "I do not know (yet)."').pieces
    ('She ', 'said: ', '"I ', 'do ', 'not ', 'know ', '(yet)."')
    >>> Words()("我喜欢北京。").pieces
    ('我', '喜欢', '北京。')
    """

    level: ClassVar[str] = "words"
    locale: str = icu.AUTO

    def __post_init__(self) -> None:
        super().__post_init__()
        icu.check_locale(self.locale)

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        locale = icu.choose_locale(self.locale, text)
        starts: list[int] = []
        position = 0
        gap: list[str] = []
        for piece in icu.pieces(text, "word", locale):
            is_word = has_word(piece)
            if is_word and (gap or position == 0 or piece[0] not in _NEVER_FIRST):
                opening = gap[len(gap) - _n_opening(gap) :]
                starts.append(position - sum(map(len, opening)))
                gap = []
            elif not is_word:
                gap.append(piece)
            position += len(piece)
        # The first word begins with the text, whatever cluster its own first letter is in.
        starts = icu.at_characters(text, [0, *starts[1:]])
        return partition(text, starts, level=self.level, locale=locale)


def _n_opening(gap: list[str]) -> int:
    """Return how many of the last pieces between two words belong to the second."""
    backwards = "".join(_class_of(piece[0]) for piece in reversed(gap))
    match = _OPENING.match(backwards)
    return match.end() if match else 0


def _class_of(character: str) -> str:
    """Return B(racket), Q(uote), M(arker), S(pace), N(ewline) or O(ther)."""
    if character.isspace():
        return "N" if character in LINE_BREAKS else "S"
    category = unicodedata.category(character)
    if category in ("Ps", "Pi") or character in "¿¡":
        return "B"
    if character in "\"'":
        return "Q"
    # Markdown, signs of numbers and names, dashes of lists and speech, and quotes that close in
    # most languages but open in some (»Danish«, ”Swedish”).
    if character in "*_~`#@&<>=+-–—•" or category in ("Sc", "Pf"):
        return "M"
    return "O"
