"""The kernels on a fake CUDA device: no value is read back, and no tensor is left on the CPU."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from perturbx.maskers.assembly import count, pick, placement, presence, substitute
from perturbx.maskers.fingerprints import row_hashes


@pytest.fixture
def cuda():
    with FakeTensorMode():
        yield torch.device("cuda")


def _ids(cuda, n):
    return torch.arange(n, device=cuda)


@pytest.mark.parametrize("m", [0, 1, 7])
@pytest.mark.parametrize("n_units", [0, 3])
def test_assembly_stays_on_the_device(cuda, m, n_units):
    masks = torch.zeros((m, n_units), dtype=torch.bool, device=cuda)
    states = torch.full((9,), 2 * n_units, device=cuda)
    present = presence(masks, states)
    placed = placement(present, width=6)
    ids = pick(_ids(cuda, 9), placed, fill=0)
    assert present.shape == (m, 9)
    assert ids.shape == placed.shape == (m, 6)
    assert {present.device.type, placed.device.type, ids.device.type} == {"cuda"}


def test_substitution_stays_on_the_device(cuda):
    masks = torch.zeros((5, 3), dtype=torch.bool, device=cuda)
    ids = substitute(masks, _ids(cuda, 6), _ids(cuda, 6), _ids(cuda, 6))
    assert (ids.shape, ids.device.type) == ((5, 6), "cuda")


def test_counting_stays_on_the_device(cuda):
    masks = torch.zeros((5, 3), dtype=torch.bool, device=cuda)
    lengths = count(masks, _ids(cuda, 3), _ids(cuda, 3), 2)
    assert (lengths.shape, lengths.dtype, lengths.device.type) == ((5,), torch.int64, "cuda")


def test_hashing_stays_on_the_device(cuda):
    rows = [torch.zeros((5, 4), dtype=torch.int64, device=cuda)] * 2
    hashes = row_hashes(rows, _ids(cuda, 5), torch.zeros((2, 2, 4), dtype=int, device=cuda))
    assert (hashes.shape, hashes.device.type) == ((5, 2), "cuda")
