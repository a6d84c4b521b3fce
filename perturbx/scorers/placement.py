"""Which device and number format a model works on."""

from __future__ import annotations

import copy
from typing import Any

import torch

from perturbx.exceptions import ArgumentError


def best_device() -> torch.device:
    """Return the accelerator that is there, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def checked_device(device: str | torch.device) -> torch.device:
    """Return the device of that name.

    Raises
    ------
    ArgumentError
        If there is no such name, or no such device here.

    Examples
    --------
    >>> checked_device("cpu")
    device(type='cpu')
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ArgumentError(
            f"device: expected a name such as 'cpu', 'cuda' or 'cuda:1'; got {device!r}"
        ) from error
    missing = {
        "cuda": not torch.cuda.is_available(),
        "mps": not torch.backends.mps.is_available(),
    }
    if missing.get(found.type, False):
        raise ArgumentError(f"device: {device!r} is not available here; use 'cpu'")
    return found


def checked_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """Return the floating-point format of that name.

    Raises
    ------
    ArgumentError
        If there is no such format.

    Examples
    --------
    >>> checked_dtype("bfloat16")
    torch.bfloat16
    """
    found: Any = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ArgumentError(
            f"dtype: expected 'float32', 'bfloat16', 'float16' or a floating torch.dtype; got "
            f"{dtype!r}"
        )
    return found


def placed(
    model: torch.nn.Module,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
) -> torch.nn.Module:
    """Return the model where and as it is wanted: itself, or a copy where that differs."""
    first = next(model.parameters())
    to_device = first.device if device is None else checked_device(device)
    to_dtype = first.dtype if dtype is None else checked_dtype(dtype)
    # "cuda" is any of them
    same_device = to_device.type == first.device.type and to_device.index in (
        None,
        first.device.index,
    )
    if same_device and to_dtype == first.dtype:
        return model
    return copy.deepcopy(model).to(device=to_device, dtype=to_dtype)
