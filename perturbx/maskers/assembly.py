"""The kernels of masking: pure functions of tensors, on whatever device the masks are.

An encoded text is a row of *symbols* (token ids) in text order. Each symbol is present in one of
``2 * n_units + 1`` states: while unit u is kept (state ``u``), while unit u is removed (state
``n_units + u``), or always (state ``2 * n_units``). The variant for a mask is the row of symbols
that are present. Nothing here waits for the device, so the width of the result is an argument.

Only functions are called, no ``~`` and no square brackets: those touch the CUDA driver, and the
tests run these kernels on a fake CUDA device where there is none.
"""

from __future__ import annotations

import torch


def presence(masks: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Return which symbols each variant holds.

    Parameters
    ----------
    masks : torch.Tensor of bool, (m, n_units)
        True = kept.
    states : torch.Tensor of int64, (n_symbols,)
        The state in which each symbol is present.

    Returns
    -------
    torch.Tensor of bool, (m, n_symbols)
    """
    always = masks.new_ones((masks.shape[0], 1))
    table = torch.cat([masks, torch.logical_not(masks), always], dim=1)
    return table.index_select(1, states)


def placement(present: torch.Tensor, width: int) -> torch.Tensor:
    """Return which symbol stands at each place of each variant.

    One cumulative sum numbers the places, one scatter fills them; absent symbols all go to a
    place past the end, which is cut off.

    Parameters
    ----------
    present : torch.Tensor of bool, (m, n_symbols)
        See `presence`.
    width : int
        At least the greatest number of symbols present in a row.

    Returns
    -------
    torch.Tensor of int64, (m, width)
        The number of the symbol; ``n_symbols`` where the row has ended.
    """
    m, n_symbols = present.shape
    places = torch.where(present, present.cumsum(1) - 1, width)
    symbols = torch.arange(n_symbols, device=present.device).expand(m, n_symbols)
    blank = torch.full((m, width + 1), n_symbols, device=present.device)
    return blank.scatter(1, places, symbols).narrow(1, 0, width)


def pick(values: torch.Tensor, placed: torch.Tensor, fill: int) -> torch.Tensor:
    """Return the value of the symbol at each place, `fill` past the end of a row.

    Parameters
    ----------
    values : torch.Tensor of int64, (n_symbols,)
        A value of each symbol: its id, its token type.
    placed : torch.Tensor of int64, (m, width)
        See `placement`.
    fill : int
        The value past the end.

    Returns
    -------
    torch.Tensor of int64, (m, width)
    """
    padded = torch.cat([values, values.new_full((1,), fill)])
    return padded.index_select(0, placed.flatten()).view(placed.shape)


def substitute(
    masks: torch.Tensor, states: torch.Tensor, ids: torch.Tensor, stand_ins: torch.Tensor
) -> torch.Tensor:
    """Return the ids with those of removed units replaced one by one: nothing moves.

    Parameters
    ----------
    masks : torch.Tensor of bool, (m, n_units)
        True = kept.
    states : torch.Tensor of int64, (n_tokens,)
        The state in which each token is present.
    ids, stand_ins : torch.Tensor of int64, (n_tokens,)
        The id of each token while it is present, and while it is not.

    Returns
    -------
    torch.Tensor of int64, (m, n_tokens)
    """
    return torch.where(presence(masks, states), ids, stand_ins)


def count(
    masks: torch.Tensor, kept: torch.Tensor, removed: torch.Tensor, always: int
) -> torch.Tensor:
    """Return how long each variant is, without making it.

    A sum of integers rather than a matrix product: exact on every device, at any length.

    Parameters
    ----------
    masks : torch.Tensor of bool, (m, n_units)
        True = kept.
    kept, removed : torch.Tensor of int64, (n_units,)
        What each unit adds to the length while it is kept, and while it is removed.
    always : int
        The length of what is always there.

    Returns
    -------
    torch.Tensor of int64, (m,)
    """
    return torch.where(masks, kept, removed).sum(1) + always
