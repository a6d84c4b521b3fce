"""Texts through a transformers model, in batches of alike lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from perturbx.scorers.inference import evaluating

LETTERS_AT_ONCE = 8_192
"""Of the texts of one batch, each filled up to the longest."""


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
            stop = start + 1  # the longest, for which all are filled up, comes last
            while (
                stop < len(order) and (stop - start + 1) * lengths[order[stop]] <= LETTERS_AT_ONCE
            ):
                stop += 1
            chosen = order[start:stop]
            encoded = tokenizer(
                *([column[i] for i in chosen] for column in columns),
                padding=True,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            parts.append(read(model(**encoded), encoded["attention_mask"]).float().cpu())
            start = stop
    joined = torch.cat(parts)
    return joined[torch.tensor(order).argsort()]
