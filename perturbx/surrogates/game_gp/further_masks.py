"""Masks that nobody asked about: where a model on a bent scale says what it expects.

They are the same for all texts of a length, so units have to be put in an order that does not
depend on their names first: every row gets a code from its size and its distances to the others,
every unit one from the rows that it is in.
"""

from __future__ import annotations

import numpy as np
import torch

from perturbx.surrogates.gaussian.drawn_masks import drawn_masks
from perturbx.surrogates.gaussian.model_grid import distances

FEWEST, PER_UNIT, PER_ROW, MOST, MOST_WITH_ROWS = 300, 40, 3, 1000, 3000
"""At least so many further masks, so many for each unit and for each row, up to the fourth number,
as long as they and the rows are not more than the last one together; all there are where they are
fewer. On games of 14 units, 1,000 in place of 560 had 1% less error at 10 rows a unit, for twice
the time; with 300 rows of 10 to 14 words they had 10% less."""


def order_of_units(masks: torch.Tensor) -> torch.Tensor:
    """Return the units of rows ``(R, n)`` in an order of their own, ``(n,)``."""
    n_units = masks.shape[1]
    drawn = np.random.default_rng(n_units).integers(-(2**62), 2**62, (2, n_units + 1))
    of_distance, of_size = torch.from_numpy(drawn)
    sizes = of_size[masks.sum(1)]
    # Sums of integers wrap around, so they do not depend on the order of what is added.
    codes = sizes * (of_distance[distances(masks)] * sizes).sum(1)
    of_units: torch.Tensor = (codes[:, None] * masks).sum(0)
    return of_units.argsort(stable=True)


def further_masks(masks: torch.Tensor) -> torch.Tensor:
    """Return masks ``(M, n)`` beside the rows ``(R, n)`` of a table, all different.

    Examples
    --------
    >>> further_masks(torch.eye(4).bool()).sum(1).bincount().tolist()
    [0, 0, 6, 4]
    """
    n_rows, n_units = masks.shape
    wanted = min(max(PER_UNIT * n_units, PER_ROW * n_rows), MOST, MOST_WITH_ROWS - n_rows)
    drawn = _masks(n_units, max(FEWEST, wanted))
    is_new: torch.Tensor = (distances(masks, drawn) > 0).all(0)
    return drawn[is_new]


def _masks(n_units: int, n_wanted: int) -> torch.Tensor:
    """Return distinct masks, every number of units but none and all of them equally frequent."""
    n_all = (1 << min(n_units, 62)) - 2
    if n_all <= n_wanted:
        numbers = np.arange(1, n_all + 1)[:, None]
        return torch.from_numpy((numbers >> np.arange(n_units) & 1).astype(bool))
    return drawn_masks(n_units, n_wanted, n_units - 1)
