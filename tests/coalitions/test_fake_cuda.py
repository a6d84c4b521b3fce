"""The masks are unpacked on the device: checked on a fake one, which has shapes and no numbers."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from perturbx.coalitions import unpack


@pytest.mark.parametrize("n_units", [1, 8, 30, 77])
def test_bits_are_unpacked_where_they_are(n_units):
    with FakeTensorMode():
        packed = torch.zeros((5, -(-n_units // 8)), dtype=torch.uint8, device="cuda")
        masks = unpack(packed, n_units)
    assert (masks.device.type, masks.dtype, masks.shape) == ("cuda", torch.bool, (5, n_units))
