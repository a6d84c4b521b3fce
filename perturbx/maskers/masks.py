"""What every encoding asks of the masks that it is given."""

from __future__ import annotations

import torch

from perturbx.exceptions import MaskingError


def check_masks(masks: torch.Tensor, n_units: int) -> None:
    """Raise a `MaskingError` unless `masks` is a boolean matrix ``(m, n_units)``."""
    if masks.dtype != torch.bool or masks.ndim != 2 or masks.shape[1] != n_units:
        raise MaskingError(
            f"masks: expected a boolean matrix (m, {n_units}), True = kept; got {masks.dtype} of "
            f"shape {tuple(masks.shape)}"
        )
