import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import (
    Coalitions,
    Leverage,
    PlayerCount,
    distinct_rows,
    pack,
    unpack,
    words,
)


def random_masks(n_masks, n_units, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((n_masks, n_units), generator=generator) < 0.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(0, 200), st.integers(0, 99))
def test_unpack_gives_back_what_pack_packed(n_masks, n_units, seed):
    masks = random_masks(n_masks, n_units, seed)
    packed = pack(masks)
    assert packed.shape == (n_masks, (n_units + 7) // 8)
    assert torch.equal(packed, torch.from_numpy(np.packbits(masks, axis=1, bitorder="little")))
    assert torch.equal(unpack(packed, n_units), masks)


def test_masks_whose_memory_runs_unit_by_unit_are_packed_alike():
    masks = random_masks(50, 37, 0)
    by_unit = masks.T.contiguous().T
    assert torch.equal(pack(by_unit), pack(masks))
    assert torch.equal(words(by_unit), words(masks))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.sampled_from([1, 3, 63, 64, 65, 130]), st.integers(0, 99))
def test_distinct_rows_are_those_of_numpy_in_order_of_appearance(n_masks, n_units, seed):
    # Only two units vary, one in the first word and one in the last, so that rows do repeat.
    masks = torch.zeros((n_masks, n_units), dtype=torch.bool)
    masks[:, 0] = random_masks(n_masks, 1, seed)[:, 0]
    masks[:, -1] |= random_masks(n_masks, 2, seed)[:, 1]
    first, inverse = distinct_rows(words(masks))
    assert torch.equal(masks[first][inverse], masks)
    _, expected = np.unique(masks.numpy(), axis=0, return_index=True)
    assert first.tolist() == sorted(expected.tolist())


def test_moving_to_another_device_keeps_what_the_rows_are():
    coalitions = Leverage().sample(PlayerCount(9), 40, torch.Generator().manual_seed(0))
    assert coalitions.to("cpu") is coalitions
    moved = coalitions.to("meta")
    assert isinstance(moved, Coalitions)
    assert moved.masks.shape == coalitions.masks.shape
    assert moved.masks.dtype == torch.bool
    assert {moved.masks.device.type, moved.counts.device.type} == {"meta"}
    assert moved.probabilities.device.type == "meta"
    assert (moved.design, moved.paired) == ("leverage", True)
