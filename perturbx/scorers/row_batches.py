"""Prompts in batches of equal cost, the longest first; a batch that is too large is halved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

import torch

from perturbx.batch_budget import BatchBudget, first_batch, free_memory, is_out_of_memory
from perturbx.exceptions import ScoringError

FIRST_BATCH = 1_024
"""Tokens of the first batch."""

LARGEST_BATCH = 32_768
"""The token budget stops growing here."""

LOGITS_AT_ONCE = 1 << 26
"""Numbers that the logits of one pass may hold (256 MiB as float32)."""

Part = TypeVar("Part")


def row_budget(batch_tokens: int | Literal["auto"], device: torch.device) -> BatchBudget:
    """Return a budget of so many tokens a batch, or one that finds itself on that device."""
    if batch_tokens == "auto":
        first = first_batch(device, FIRST_BATCH)
        return BatchBudget(first, grows=True, largest=LARGEST_BATCH)
    return BatchBudget(int(batch_tokens), grows=False, largest=LARGEST_BATCH)


def in_batches(
    lengths: Sequence[int],
    budget: BatchBudget,
    run: Callable[[Sequence[int]], Part],
    fits: Callable[[Sequence[int]], int] = len,
) -> Iterator[Part]:
    """Yield what `run` returns for batch after batch, until every row has been in one.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row; a batch is as wide as its longest.
    budget : BatchBudget
        Tokens of a batch, padding included; it learns.
    run : callable
        Takes the numbers of the rows of a batch, the longest first.
    fits : callable
        Takes such numbers; says how many of the first of them may be one batch.

    Raises
    ------
    ScoringError
        If a single row runs out of memory.

    Examples
    --------
    >>> list(in_batches([2, 5, 3], row_budget(6, torch.device("cpu")), list))
    [[1], [2, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while order:
        width = max(1, lengths[order[0]])
        batch = order[: max(1, budget.tokens // width)]
        batch = batch[: max(1, fits(batch))]
        began = time.perf_counter()
        try:
            part = run(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise ScoringError(
                    f"the model runs out of memory on a single prompt of {width} tokens; use a "
                    f"smaller dtype or a device with more memory"
                ) from error
            budget.shrink(len(batch) // 2 * width)
            free_memory()
            continue
        budget.note(len(batch) * width, time.perf_counter() - began)
        order = order[len(batch) :]
        yield part
