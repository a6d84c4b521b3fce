"""Attention in blocks: what nobody of a block of rows may see is not computed for it.

In a chunk of a trie a node sees its ancestors, a few hundred of some thousands of columns; the
kernels behind ``scaled_dot_product_attention`` compute a masked product whole. Cut into blocks of
rows, with the columns that any row of the block sees, the same numbers come out of a fraction of
the work, and larger chunks cost no more a token than small ones. Heads that attend to the same keys
(grouped queries) are rows of one product, so that their blocks may have fewer rows each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

ROWS = 256
"""Rows of a block, where each head has keys of its own."""

LEAST_ROWS = 128
"""Rows of a block, however many heads share their keys."""

WORTHWHILE = 0.8
"""Blocks are used where they leave at most this share of the products."""


class Block(NamedTuple):
    """Some rows of a mask, and the columns that any of them sees.

    Parameters
    ----------
    rows : slice
        Which rows.
    columns : torch.Tensor of int64, (n_columns,)
        Which columns.
    added : torch.Tensor of float32, (1, 1, n_rows, n_columns)
        Added to the products: 0 where a row sees a column, minus infinity elsewhere.
    """

    rows: slice
    columns: torch.Tensor
    added: torch.Tensor


def blocks_of(mask: torch.Tensor, n_rows: int = ROWS) -> list[Block]:
    """Return a mask cut into blocks; none where little would be saved.

    Parameters
    ----------
    mask : torch.Tensor of bool, (1, 1, n_queries, n_keys)
        Who sees whom; everyone sees somebody.
    n_rows : int
        Rows of a block.

    Examples
    --------
    >>> mask = torch.eye(4, dtype=torch.bool)[None, None]
    >>> [block.columns.tolist() for block in blocks_of(mask, n_rows=2)]
    [[0, 1], [2, 3]]
    """
    sees = mask[0, 0]
    n_queries = len(sees)
    if n_queries <= n_rows:
        return []
    blocks = []
    for start in range(0, n_queries, n_rows):
        rows = slice(start, min(start + n_rows, n_queries))
        columns = sees[rows].any(dim=0).nonzero().flatten()
        closed = ~sees[rows, columns]
        added = torch.zeros(closed.shape, device=mask.device).masked_fill_(closed, -torch.inf)
        blocks.append(Block(rows, columns, added[None, None]))
    left = sum(block.added.numel() for block in blocks)
    return blocks if left <= WORTHWHILE * sees.numel() else []


def attention_in_blocks(model: Any, masks: Iterable[torch.Tensor]) -> AbstractContextManager[Any]:
    """Return a context in which a model's attention under these masks is computed in blocks.

    Whatever else the model does, attention under other masks included, is left alone. So is a
    compiled model, and one on a GPU: there each block would be a kernel more to start.

    Parameters
    ----------
    model : transformers decoder
        Blocks serve it where it attends by ``scaled_dot_product_attention``.
    masks : iterable of torch.Tensor, (1, 1, n_queries, n_keys)
        The masks, as the model is given them; those that are not boolean are left alone.
    """
    if hasattr(model, "_orig_mod"):
        return nullcontext()
    able = [mask for mask in masks if mask.dtype == torch.bool and mask.device.type == "cpu"]
    n_sharing = _heads_that_share(model.config)
    n_rows = max(LEAST_ROWS, ROWS // n_sharing)
    cut = [(mask, blocks_of(mask, n_rows)) for mask in able]
    cut = [(mask, blocks) for mask, blocks in cut if blocks]
    return _AttentionBlocks(cut, n_sharing) if cut else nullcontext()


class _AttentionBlocks(TorchFunctionMode):
    """While it is entered, attention under one of these masks is computed in blocks."""

    def __init__(self, cut: Sequence[tuple[torch.Tensor, list[Block]]], n_sharing: int) -> None:
        super().__init__()
        self._cut = cut
        self._n_sharing = n_sharing

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is scaled_dot_product_attention and len(args) == len(("query", "key", "value")):
            given = kwargs.get("attn_mask")
            # By identity: a mask that a model has changed, or made itself, is another one.
            blocks = next((blocks for mask, blocks in self._cut if mask is given), None)
            if blocks is not None:
                return _in_blocks(blocks, args, kwargs, self._n_sharing)
        return func(*args, **kwargs)


def _heads_that_share(config: Any) -> int:
    """Return how many heads attend to the same keys and values (grouped queries); 1 if none do."""
    text = config.get_text_config()
    n_heads = getattr(text, "num_attention_heads", None)
    n_keys = getattr(text, "num_key_value_heads", None)
    if not isinstance(n_heads, int) or not isinstance(n_keys, int) or n_keys < 1:
        return 1
    return n_heads // n_keys if n_heads % n_keys == 0 else 1


def _in_blocks(
    blocks: Sequence[Block],
    attended: Sequence[torch.Tensor],
    kwargs: dict[str, Any],
    n_sharing: int,
) -> torch.Tensor:
    query, key, value = attended
    # Heads that attend to the same keys become more rows of one product, which is faster.
    if not (_is_repeated(key, n_sharing) and _is_repeated(value, n_sharing)):
        n_sharing = 1
    grouped = query.reshape(len(query), -1, n_sharing, *query.shape[2:])
    key, value = key[:, ::n_sharing], value[:, ::n_sharing]
    parts = [
        scaled_dot_product_attention(
            grouped[:, :, :, block.rows].flatten(2, 3),
            key.index_select(2, block.columns),
            value.index_select(2, block.columns),
            **{**kwargs, "attn_mask": block.added.to(query.dtype).repeat(1, 1, n_sharing, 1)},
        ).reshape(*grouped.shape[:3], -1, value.shape[-1])
        for block in blocks
    ]
    return torch.cat(parts, dim=3).flatten(1, 2)


def _is_repeated(heads: torch.Tensor, n_sharing: int) -> bool:
    """Say whether heads are copies, so many side by side; one column tells."""
    if heads.shape[1] % n_sharing:
        return False
    last = heads[:, :, -1].reshape(len(heads), -1, n_sharing, heads.shape[-1])
    return torch.equal(last, last[:, :, :1].expand_as(last))
