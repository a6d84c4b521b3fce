"""What every transformers model needs to be asked: its window, and dropout switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

Part = TypeVar("Part")


def window_of(model: torch.nn.Module, tokenizer: Any) -> int | None:
    """Return the most tokens a text may have, or None where nothing limits it."""
    limits = [getattr(tokenizer, "model_max_length", None)]
    config: Any = model.config
    limits.append(getattr(config.get_text_config(), "max_position_embeddings", None))
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from the one after the padding's
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            limits.append(int(module.num_embeddings) - padding - 1)
    # a tokenizer without a limit says 1e30, XLNet says -1
    known = [int(limit) for limit in limits if limit is not None and 0 < limit < 1e9]
    return min(known, default=None)


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off, and afterwards on again in just those modules where it was on."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def asking(model: torch.nn.Module, parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts; each is computed without gradients and without dropout.

    Between two parts the model and torch are as they were: what a generator switches is switched
    for whoever waits for its next part, too, and stays so where that part is never fetched.
    """
    steps = iter(parts)
    while True:
        with torch.inference_mode(), evaluating(model):
            try:
                part = next(steps)
            except StopIteration:
                return
        yield part
