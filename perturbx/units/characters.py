"""Characters as a reader counts them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from perturbx.units import icu
from perturbx.units.segmenter import BaseSegmenter, partition
from perturbx.units.units import Units


@dataclass(frozen=True, repr=False)
class Characters(BaseSegmenter):
    r"""Cuts a text into grapheme clusters, white space included.

    A letter with its combining marks, a Hangul syllable, an emoji with its skin tone or joined
    by ZWJ, a flag and a line break ``\r\n`` are one unit each.

    Parameters
    ----------
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Characters()("né👍🏽").pieces
    ('n', 'é', '👍🏽')
    """

    level: ClassVar[str] = "characters"

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        pieces = icu.pieces(text, "character", "en")
        stops = list(accumulate(map(len, pieces)))
        return partition(text, [0, *stops[:-1]], level=self.level)
