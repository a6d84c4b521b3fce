"""Tables that are too long for one process: blocks of rows that begin alike."""

from __future__ import annotations

import numpy as np

from perturbx.typing import IntArray


def row_blocks(n_rows: int, most_rows: int) -> list[IntArray]:
    """Return the rows of few blocks of `most_rows`; one of all rows where they are no more.

    Half of a block are the first rows of the table, the other half is its share of the rest. A
    design begins with the rows that tell most, and blocks that are random parts of a larger one
    knew less, together, than its first rows alone.

    Examples
    --------
    >>> [rows.tolist() for rows in row_blocks(6, 4)]
    [[0, 1, 4, 2], [0, 1, 3, 5]]
    """
    if n_rows <= most_rows:
        return [np.arange(n_rows)]
    n_common = most_rows // 2
    n_own = most_rows - n_common
    rest = n_common + np.random.default_rng(0).permutation(n_rows - n_common)
    n_blocks = -(-len(rest) // n_own)
    starts = np.arange(n_blocks)[:, None] * len(rest) // n_blocks
    return [
        np.concatenate([np.arange(n_common), rest[own]])
        for own in (starts + np.arange(n_own)) % len(rest)
    ]
