"""From tables of many texts to batches that are solved in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

CELLS_AT_ONCE = 2**23
"""Numbers (rows x units x outputs) that one batch may hold: it bounds the memory of a fit."""


def batches(tables: Sequence[ScoreTable]) -> Iterator[list[int]]:
    """Yield the indices of tables that are solved together.

    They have the same numbers of units and outputs; those of like length stand together, so that
    little is padded.
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for index in sorted(range(len(tables)), key=lambda i: len(tables[i])):
        table = tables[index]
        alike.setdefault((table.n_units, table.n_outputs), []).append(index)
    for (n_units, n_outputs), indices in alike.items():
        part: list[int] = []
        for index in indices:
            cells = len(tables[index]) * max(n_units, 1) * max(n_outputs, 1)
            if part and (len(part) + 1) * cells > CELLS_AT_ONCE:
                yield part
                part = []
            part.append(index)
        yield part


def stack(arrays: Sequence[FloatArray]) -> torch.Tensor:
    """Return ``(n_tables, longest, ...)`` of arrays that differ in length, padded with zeros."""
    longest = max(len(array) for array in arrays)
    padded = np.zeros((len(arrays), longest, *arrays[0].shape[1:]))
    for target, array in zip(padded, arrays, strict=True):
        target[: len(array)] = array
    return torch.from_numpy(padded)


def complement_pairs(masks: MaskMatrix) -> IntArray:
    """Return the rows ``(n_pairs, 2)`` of each coalition and its complement.

    Pairs stand in the order in which their first row comes. Where only one of the two is in the
    table, it stands first and the second is -1.

    Examples
    --------
    >>> complement_pairs(np.array([[1, 0], [1, 1], [0, 1]], dtype=bool))
    array([[ 0,  2],
           [ 1, -1]])
    """
    # A coalition and its complement agree once the first unit is made False in both.
    canonical = np.ascontiguousarray(np.packbits(masks ^ masks[:, :1], axis=1))
    keys = canonical.view(f"V{canonical.shape[1]}").ravel()
    _, first, owner = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    pairs = np.full((len(first), 2), -1, dtype=np.int64)
    rows = np.arange(len(masks))
    is_first = first[owner] == rows
    pairs[rank[owner], np.where(is_first, 0, 1)] = rows
    return pairs


def row_or_zero(values: FloatArray, rows: IntArray) -> FloatArray:
    """Return the rows of `values`, zeros where the row is -1."""
    found = rows >= 0
    picked: FloatArray = values[np.where(found, rows, 0)]
    return picked * found.reshape(-1, *[1] * (values.ndim - 1))
