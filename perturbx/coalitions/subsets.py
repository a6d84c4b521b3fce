"""Subsets of given sizes: uniform ones, and those of a given rank; one pass over the units."""

from __future__ import annotations

from collections.abc import Sequence

import torch

UNITS_AT_ONCE = 32
"""Units per call of a generator. A constant, so that a text draws the same alone or in a batch."""

ROWS_AT_ONCE = 2**14
"""Rows per operation: they stay in the cache, and torch starts no threads, which wait on each
other for longer than such a step takes where other work keeps the cores busy."""


def random_subsets(
    n_units: int, sizes: torch.Tensor, shares: Sequence[int], generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw a uniform subset of a given size for every row.

    Selection sampling: unit u joins with probability (places left) / (units left), which makes
    every subset of the size equally likely and needs no sort (Knuth, TAOCP 2, 3.4.2, S).

    Parameters
    ----------
    n_units : int
        Number of units.
    sizes : torch.Tensor of int64, (n_rows,)
        The size of each subset, text by text.
    shares : sequence of int
        How many of the rows belong to each text; they add up to n_rows.
    generators : sequence of torch.Generator
        One per text: its rows are drawn from it alone.

    Returns
    -------
    torch.Tensor of bool, (n_rows, n_units)
        True = in the subset.
    """
    chosen = torch.empty((n_units, len(sizes)), dtype=torch.bool)
    places = sizes.to(torch.float32)
    blocks = [slice(row, row + ROWS_AT_ONCE) for row in range(0, len(sizes), ROWS_AT_ONCE)]
    for start in range(0, n_units, UNITS_AT_ONCE):
        stop = min(start + UNITS_AT_ONCE, n_units)
        draws = [
            torch.rand((stop - start, share), generator=generator)
            for share, generator in zip(shares, generators, strict=True)
        ]
        uniforms = torch.cat(draws, dim=1)
        for block in blocks:
            for unit in range(start, stop):
                # The quotient is exactly 1 (or 0) where all units left must (or must not) join,
                # so rounding never breaks a size.
                chances = places[block] / (n_units - unit)
                torch.lt(uniforms[unit - start, block], chances, out=chosen[unit, block])
                places[block] -= chosen[unit, block].to(torch.float32)
    return chosen.T.contiguous()


def ranked_subsets(n_units: int, sizes: torch.Tensor, ranks: torch.Tensor) -> torch.Tensor:
    """Return the subset of each size and rank in colexicographic order.

    The combinatorial number system: rank = Σ_j C(u_j, j) over the members u_1 < u_2 < ...; so
    the first C(n_units - 1, size) ranks are the subsets without the last unit.

    Parameters
    ----------
    n_units : int
        Number of units.
    sizes : torch.Tensor of int64, (n_rows,)
        The size of each subset, 0 to n_units.
    ranks : torch.Tensor of int64, (n_rows,)
        From 0 to C(n_units, size) - 1, and below 2 ** 40.

    Returns
    -------
    torch.Tensor of bool, (n_rows, n_units)
        True = in the subset.

    Examples
    --------
    >>> ranked_subsets(3, torch.tensor([2, 2, 2]), torch.tensor([0, 1, 2])).int().tolist()
    [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    """
    chosen = torch.empty((n_units, len(sizes)), dtype=torch.bool)
    binomials = _binomials(n_units, int(sizes.max()) if len(sizes) else 0)
    for row in range(0, len(sizes), ROWS_AT_ONCE):
        block = slice(row, row + ROWS_AT_ONCE)
        places, rest = sizes[block].clone(), ranks[block].clone()
        for unit in range(n_units - 1, -1, -1):
            below = binomials[unit][places]
            taken = (rest >= below) & (places > 0)
            chosen[unit, block] = taken
            rest -= below * taken
            places -= taken.long()
    return chosen.T.contiguous()


def _binomials(n_units: int, largest: int) -> torch.Tensor:
    """Return C(u, k), cut off at 2 ** 40, for u < n_units and k <= largest."""
    table = torch.ones((n_units, largest + 1), dtype=torch.int64)
    for size in range(1, largest + 1):
        # C(u, k) = Σ_{j < u} C(j, k - 1)
        table[0, size] = 0
        table[1:, size] = table[:-1, size - 1].cumsum(0).clamp(max=2**40)
    return table
