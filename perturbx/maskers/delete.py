"""`Delete`: a removed unit is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perturbx.maskers.removal import Removal


@dataclass(frozen=True)
class Delete(Removal):
    """Leave removed units out.

    Examples
    --------
    >>> from perturbx.units.units import Units
    >>> units = Units("not a good film", ((0, 4), (4, 6), (6, 11), (11, 15)))
    >>> Delete().variants(units, [[True, True, True, True], [False, True, True, True]]).texts
    ['not a good film', 'a good film']
    """

    def filler(self, tokenizer: Any = None) -> None:
        """Return None: nothing stands in for a removed unit."""
        return
