"""Coalitions as bits: eight units a byte for transport, 64 a word for comparison."""

from __future__ import annotations

import numpy as np
import torch


def pack(masks: torch.Tensor) -> torch.Tensor:
    """Return the rows of a boolean matrix as bits, eight units a byte, on the same device.

    Parameters
    ----------
    masks : torch.Tensor of bool, (n_masks, n_units)
        True = kept.

    Returns
    -------
    torch.Tensor of uint8, (n_masks, ceil(n_units / 8))
        Unit ``u`` is bit ``u % 8`` of byte ``u // 8``; the bits left over are 0.

    Examples
    --------
    >>> pack(torch.tensor([[True, False, True]]))
    tensor([[5]], dtype=torch.uint8)
    """
    n_masks, n_units = masks.shape
    bits = masks.view(torch.uint8)
    packed = torch.zeros((n_masks, -(-n_units // 8)), dtype=torch.uint8, device=masks.device)
    for place in range(min(8, n_units)):
        column = bits[:, place::8]
        packed[:, : column.shape[1]] |= column << place
    return packed


def unpack(packed: torch.Tensor, n_units: int) -> torch.Tensor:
    """Return the boolean matrix that `pack` packed, on the device where the bits are.

    Parameters
    ----------
    packed : torch.Tensor of uint8, (n_masks, ceil(n_units / 8))
        What `pack` returned.
    n_units : int
        Number of units: the bits beyond are dropped.

    Returns
    -------
    torch.Tensor of bool, (n_masks, n_units)
        True = kept.

    Examples
    --------
    >>> unpack(torch.tensor([[5]], dtype=torch.uint8), 3)
    tensor([[ True, False,  True]])
    """
    units = torch.arange(n_units, device=packed.device)
    bits = packed.index_select(1, units // 8) >> (units % 8).to(torch.uint8)
    return (bits & 1).bool()


def words(masks: torch.Tensor) -> torch.Tensor:
    """Return the rows of a boolean matrix as int64 words that are equal where the rows are.

    Parameters
    ----------
    masks : torch.Tensor of bool, (n_masks, n_units)
        True = kept.

    Returns
    -------
    torch.Tensor of int64, (n_masks, max(1, ceil(n_units / 64)))
        64 units a word.
    """
    packed = pack(masks)
    width = 8 * max(1, -(-packed.shape[1] // 8))
    return torch.nn.functional.pad(packed, (0, width - packed.shape[1])).view(torch.int64)


def distinct_rows(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the distinct rows of an integer matrix, in the order in which they first appear.

    Parameters
    ----------
    keys : torch.Tensor of int64, (n_rows, n_words)
        For example what `words` returns; at least one column.

    Returns
    -------
    first : torch.Tensor of int64, (n_distinct,)
        Where each distinct row appears first, ascending.
    inverse : torch.Tensor of int64, (n_rows,)
        Which of the distinct rows each row is: ``keys == keys[first][inverse]``.

    Examples
    --------
    >>> distinct_rows(torch.tensor([[7], [3], [7]]))
    (tensor([0, 1]), tensor([0, 1, 0]))
    """
    # numpy sorts in one thread: torch's threads wait on each other where the cores are busy.
    table = keys.numpy()
    order = np.lexsort(table.T)
    in_order = table[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (in_order[1:] != in_order[:-1]).any(axis=1)
    # The sort is stable: each group of equal rows begins with the one that appears first.
    first = order[is_new]
    by_appearance = np.argsort(first)
    rank = np.empty_like(by_appearance)
    rank[by_appearance] = np.arange(len(first))
    inverse = np.empty_like(order)
    inverse[order] = rank[np.cumsum(is_new) - 1]
    return torch.from_numpy(first[by_appearance]), torch.from_numpy(inverse)
