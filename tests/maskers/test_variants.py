"""Batches of variants: keys and concatenation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import MaskingError
from perturbx.maskers.variants import Variants

ROWS = st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=8)


def _variants(rows, width=6, pad_id=0, extra=None):
    padded = [row + [pad_id] * (width - len(row)) for row in rows]
    return Variants(
        token_ids=torch.tensor(padded).reshape(len(rows), width),
        lengths=torch.tensor([len(row) for row in rows]),
        extras={} if extra is None else {"token_type_ids": torch.full((len(rows), width), extra)},
        pad_id=pad_id,
    )


def _keys(variants):
    return [tuple(key) for key in variants.keys().tolist()]


@given(rows=ROWS)
def test_keys_tell_rows_apart(rows):
    keys = _keys(_variants(rows))
    distinct = {tuple(row) for row in rows}
    assert len(set(keys)) == len(distinct) == len(set(zip(keys, map(tuple, rows), strict=True)))


@settings(deadline=None)
@given(rows=ROWS, width=st.integers(6, 300), pad_id=st.integers(0, 5))
def test_keys_do_not_depend_on_the_padding(rows, width, pad_id):
    assert _keys(_variants(rows)) == _keys(_variants(rows, width, pad_id))


def test_keys_depend_on_every_input_of_the_model():
    rows = [[1, 2, 3]]
    keys = {_keys(_variants(rows, extra=extra))[0] for extra in (None, 0, 1)}
    assert len(keys) == 3


def test_keys_tell_many_rows_apart():
    """Rows that differ in few bits: all masks of 16 tokens, all rotations, all lengths."""
    bits = (torch.arange(2**16)[:, None] >> torch.arange(16)) & 1
    ids = 1000 + 103 * bits
    lengths = torch.full((2**16,), 16)
    keys = Variants(token_ids=ids, lengths=lengths).keys()
    assert len({tuple(key) for key in keys.tolist()}) == 2**16
    # Either half alone is a good hash, too.
    assert all(len(set(half.tolist())) == 2**16 for half in keys.T)


@given(
    texts=st.lists(
        st.one_of(
            st.text("ab\x00\x01\ud800", max_size=3),
            st.tuples(*[st.text("a\x00\x01", max_size=2)] * 2),
        ),
        max_size=8,
    )
)
def test_keys_tell_texts_and_pairs_apart(texts):
    keys = _keys(Variants(texts=texts))
    assert len(set(keys)) == len(set(texts)) == len(set(zip(keys, texts, strict=True)))


@given(
    batches=st.lists(ROWS, min_size=1, max_size=4),
    widths=st.lists(st.integers(6, 9), min_size=4, max_size=4),
)
def test_concatenating_changes_no_row(batches, widths):
    parts = [_variants(rows, width, extra=1) for rows, width in zip(batches, widths, strict=False)]
    whole = Variants.concatenate(parts)
    assert _keys(whole) == [key for part in parts for key in _keys(part)]
    assert len(whole) == sum(map(len, parts))


def test_tokens_and_texts_make_no_batch():
    with pytest.raises(MaskingError, match="tokens and texts"):
        Variants.concatenate([Variants(texts=["a"]), _variants([[1]])])


def test_half_a_batch_is_refused():
    with pytest.raises(MaskingError, match="either token_ids with lengths, or texts"):
        Variants()
    with pytest.raises(MaskingError, match="lengths: needed"):
        Variants(token_ids=torch.zeros(1, 1, dtype=torch.int64))
