"""Units that a regular expression finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from perturbx.units.frozen import as_pattern
from perturbx.units.segmenter import BaseSegmenter, Between, check_between, mark
from perturbx.units.units import Units


@dataclass(frozen=True, repr=False)
class Regex(BaseSegmenter):
    r"""Makes every match of a regular expression a unit. Empty matches do not count.

    Parameters
    ----------
    pattern : str or re.Pattern
        The expression.
    between : {"join", "freeze"}, default="join"
        What becomes of the text between matches: it joins the match before it (what comes before
        the first joins the first; a text without a match is one unit), or it is frozen.
    frozen : sequence of (start, stop), pattern or callable, default=()
        What is never masked.

    Examples
    --------
    >>> Regex(r"\w+")("so-so, good").pieces
    ('so-', 'so, ', 'good')
    >>> Regex(r"\d+", between="freeze")("from 3 to 14").pieces
    ('3', '14')
    """

    level: ClassVar[str] = "custom"
    pattern: str | re.Pattern[str]
    between: Between = "join"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_between(self.between)
        object.__setattr__(self, "pattern", as_pattern(self.pattern, "pattern"))

    def cut(self, text: str) -> Units:
        """Return the units of one string that is not blank, as if nothing were frozen."""
        matches = as_pattern(self.pattern, "pattern").finditer(text)
        spans = [match.span() for match in matches if match.group()]
        return mark(text, spans, between=self.between, level=self.level)
