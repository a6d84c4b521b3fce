"""Texts through a transformers model, in batches of alike lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from perturbx.scorers.inference import evaluating

TOKENS_AT_ONCE = 8_192


def in_batches(
    model: Any,
    tokenizer: Any,
    columns: Sequence[Sequence[str]],
    read: Callable[[Any, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Return what `read` makes of the model's output for each text, ``(m, k)`` on the CPU.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    columns : one or two sequences of str
        The texts; the second ones, where the model reads pairs.
    read : callable
        From the model's output and the attention mask ``(m, width)`` to numbers ``(m, k)``.
    """
    device = next(model.parameters()).device
    lengths = [sum(map(len, row)) for row in zip(*columns, strict=True)]
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    parts = []
    with torch.inference_mode(), evaluating(model):
        start = 0
        while start < len(order):
            size = max(1, TOKENS_AT_ONCE // max(1, lengths[order[min(start + 31, len(order) - 1)]]))
            chosen = order[start : start + size]
            encoded = tokenizer(
                *([column[i] for i in chosen] for column in columns),
                padding=True,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            parts.append(read(model(**encoded), encoded["attention_mask"]).float().cpu())
            start += size
    joined = torch.cat(parts)
    return joined[torch.tensor(order).argsort()]
