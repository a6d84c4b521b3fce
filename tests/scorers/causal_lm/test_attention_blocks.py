"""Attention in blocks gives the numbers of attention as a whole, of less work."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from transformers import LlamaConfig

from perturbx.scorers.causal_lm.attention_blocks import attention_in_blocks, blocks_of
from perturbx.scorers.causal_lm.trie import build_trie


def tree_mask(seed, *, n_sequences=6, length=40, shared=10):
    """Return who sees whom in a trie of random sequences behind one beginning."""
    draw = np.random.default_rng(seed)
    stem = draw.integers(0, 50, shared)
    rows = [np.concatenate([stem, draw.integers(0, 3, length)]) for _ in range(n_sequences)]
    trie = build_trie(rows, [shared] * n_sequences)
    place = np.arange(len(trie))
    sees = (place <= place[:, None]) & (place[:, None] < trie.ends)
    return torch.from_numpy(sees)[None, None]


class Model:
    def __init__(self, heads=3, shared=3):
        self.config = LlamaConfig(
            hidden_size=8 * heads, num_attention_heads=heads, num_key_value_heads=shared
        )


def attended(mask, seed=0, heads=3, width=8):
    generator = torch.Generator().manual_seed(seed)
    n_queries, n_keys = mask.shape[2:]
    query = torch.randn(1, heads, n_queries, width, generator=generator)
    key, value = torch.randn(2, 1, heads, n_keys, width, generator=generator)
    return query, key, value


@given(st.integers(0, 1000), st.integers(1, 50))
def test_blocks_hold_all_that_is_seen_and_nothing_twice(seed, n_rows):
    mask = tree_mask(seed)
    put_together = torch.zeros_like(mask)
    for block in blocks_of(mask, n_rows):
        assert not put_together[0, 0, block.rows].any()
        put_together[0, 0, block.rows, :] = put_together[0, 0, block.rows, :].index_copy(
            1, block.columns, block.added[0, 0] == 0
        )
    assert not blocks_of(mask, n_rows) or torch.equal(put_together, mask)


def test_little_to_be_saved_is_not_worth_a_block():
    triangle = torch.ones(200, 200).tril().bool()[None, None]
    assert len(blocks_of(triangle, 20)) == 10
    assert blocks_of(triangle, 150) == []
    assert blocks_of(torch.ones_like(triangle), 20) == []


class Watched(TorchFunctionMode):
    """Notes how many products each call of attention has."""

    def __init__(self):
        super().__init__()
        self.products = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is scaled_dot_product_attention:
            self.products.append(args[0].shape[2] * args[1].shape[2])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("scale", [None, 0.3])
def test_the_numbers_are_those_of_the_whole(scale):
    mask = tree_mask(3, n_sequences=20)
    given = attended(mask)
    whole = scaled_dot_product_attention(*given, attn_mask=mask, scale=scale)
    with Watched() as watched, attention_in_blocks(Model(), [mask]):
        cut = scaled_dot_product_attention(*given, attn_mask=mask, scale=scale)
    torch.testing.assert_close(cut, whole)
    assert len(watched.products) > 1
    assert sum(watched.products) < 0.8 * mask.numel()


def test_another_mask_is_left_alone():
    mask, other = tree_mask(1), tree_mask(1)
    other[..., 0] = True
    query, key, value = attended(mask)
    with attention_in_blocks(Model(), [mask]):
        found = scaled_dot_product_attention(query, key, value, attn_mask=other)
        plain = scaled_dot_product_attention(query, key, value, is_causal=False)
    assert torch.equal(found, scaled_dot_product_attention(query, key, value, attn_mask=other))
    assert torch.equal(plain, scaled_dot_product_attention(query, key, value))


@pytest.mark.parametrize("repeats", [True, False], ids=["side by side", "as they come"])
def test_heads_that_share_keys_are_one_product(repeats):
    mask = tree_mask(3, n_sequences=20)
    query, key, value = attended(mask, heads=6)
    if repeats:
        key, value = (own[:, :2].repeat_interleave(3, dim=1) for own in (key, value))
    whole = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with Heads() as heads, attention_in_blocks(Model(6, 2), [mask]):
        cut = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(cut, whole)
    # A model whose heads are no copies, or not in this order, is read as it is.
    assert heads.seen == {2 if repeats else 6}


class Heads(TorchFunctionMode):
    """Notes with how many heads attention is called."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is scaled_dot_product_attention:
            self.seen.add(args[1].shape[1])
        return func(*args, **(kwargs or {}))
