"""Fingerprints of what the model would see: masks with equal ones are one call."""

from __future__ import annotations

import numpy as np
import torch

from perturbx.stream import PLAN_CHUNK
from perturbx.typing import Encoding, IntArray


def variant_keys(encoding: Encoding, masks: torch.Tensor) -> IntArray:
    """Return 128 bits per mask, ``(n_masks, 2)`` int64, equal where the variants are."""
    if not len(masks):
        return np.empty((0, 2), dtype=np.int64)
    step = max(1, PLAN_CHUNK // max(int(encoding.lengths(masks).max()), 1))
    return np.concatenate(
        [
            encoding.variants(masks[start : start + step]).keys()
            for start in range(0, len(masks), step)
        ]
    )
