"""Greedy sequences that come with the package: no one waits for the design of a usual text.

`designs.npz` holds one array for each number of units from 8 to 60, ten pairs a unit (20 calls),
eight units a byte. `benchmarks/ship_designs.py` makes it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch

from perturbx.coalitions.packing import unpack

FEWEST_UNITS, MOST_UNITS = 8, 60
PAIRS_PER_UNIT = 10


@lru_cache(maxsize=64)
def shipped_pairs(n_units: int) -> torch.Tensor:
    """Return the first pairs ``(n_pairs, n_units)`` of bool of the sequence; none for some lengths.

    Examples
    --------
    >>> shipped_pairs(14).shape, shipped_pairs(100).shape
    (torch.Size([140, 14]), torch.Size([0, 100]))
    """
    if not FEWEST_UNITS <= n_units <= MOST_UNITS:
        return torch.empty((0, n_units), dtype=torch.bool)
    with (
        files("perturbx.coalitions").joinpath("designs.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return unpack(torch.from_numpy(arrays[str(n_units)]), n_units)
