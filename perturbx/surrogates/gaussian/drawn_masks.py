"""Masks that nobody asked about, drawn once for each number of units."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from threading import Lock

import numpy as np
import torch


class _Sequence:
    """Distinct masks in random order; longer lists begin with the shorter ones."""

    def __init__(self, n_units: int, largest: int) -> None:
        self._n_units, self._largest = n_units, largest
        self._draw = np.random.default_rng(n_units)
        self._found: dict[bytes, np.ndarray] = {}
        self._lock = Lock()

    def first(self, count: int) -> torch.Tensor:
        """Return the first so many, ``(count, n)``; there must be as many."""
        with self._lock:  # equal sequences are shared
            while len(self._found) < count:
                drawn = np.zeros(self._n_units, bool)
                units = self._draw.permutation(self._n_units)
                drawn[units[: self._draw.integers(1, self._largest + 1)]] = True
                # Of two complements that may both be drawn, one stands for the pair.
                is_half = 2 * drawn.sum() == self._n_units == 2 * self._largest
                key = drawn ^ drawn[0] if is_half else drawn
                self._found.setdefault(key.tobytes(), drawn)
            return torch.from_numpy(np.stack(list(islice(self._found.values(), count))))


@lru_cache(maxsize=128)
def _sequence(n_units: int, largest: int) -> _Sequence:
    return _Sequence(n_units, largest)


@lru_cache(maxsize=64)
def drawn_masks(n_units: int, count: int, largest: int) -> torch.Tensor:
    """Return distinct masks, all sizes from 1 to the largest equally frequent, ``(count, n)``.

    Where the largest is half of the units, no two masks are complements.

    Parameters
    ----------
    n_units : int
        The number of units.
    count : int
        So many, of as many as there are at least.
    largest : int
        The largest number of units in a mask.

    Examples
    --------
    >>> drawn_masks(4, 7, 2).sum(1).bincount().tolist()
    [0, 4, 3]
    """
    return _sequence(n_units, largest).first(count)
