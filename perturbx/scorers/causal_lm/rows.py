"""Prompts in rows of a batch, for decoders that cannot read a trie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

from perturbx.batch_budget import BatchBudget, free_memory, is_out_of_memory
from perturbx.exceptions import ScoringError
from perturbx.scorers.causal_lm.chunk_size import LOGITS_AT_ONCE
from perturbx.scorers.causal_lm.log_probs import token_log_probs
from perturbx.typing import FloatArray, IntArray

FIRST_BATCH = 1_024
LARGEST_BATCH = 32_768


def row_log_probs(
    model: Any,
    sequences: Sequence[IntArray],
    targets: Sequence[IntArray],
    inputs: frozenset[str],
    batch_tokens: int | Literal["auto"],
    *,
    pads: bool,
) -> Iterator[list[tuple[int, FloatArray]]]:
    """Yield, batch by batch, the log-probabilities of the targets at the end of each sequence.

    Parameters
    ----------
    model : transformers decoder
        The model.
    sequences : sequence of numpy.ndarray of int64
        What it reads.
    targets : sequence of numpy.ndarray of int64
        The tokens that follow the last so many tokens of each sequence.
    inputs : frozenset of str
        The arguments of the model's forward.
    batch_tokens : int or "auto"
        Most tokens of a batch, padding included.
    pads : bool
        Fill shorter rows up on the left, with an attention mask and position ids; else a batch
        holds rows of one length only.
    """
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    n_vocabulary = int(model.config.get_text_config().vocab_size)
    automatic = batch_tokens == "auto"
    first = FIRST_BATCH if batch_tokens == "auto" else int(batch_tokens)
    budget = BatchBudget(first, grows=automatic, largest=LARGEST_BATCH)
    while order:
        width = len(sequences[order[0]])
        size = max(1, min(len(order), budget.tokens // width))
        if not pads:
            size = sum(len(sequences[i]) == width for i in order[:size])
        n_kept = max(len(targets[i]) for i in order[:size])
        size = min(size, max(1, LOGITS_AT_ONCE // (n_kept * n_vocabulary)))
        batch = order[:size]
        try:
            part = _batch(model, batch, sequences, targets, inputs)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise ScoringError(
                    f"the model runs out of memory on a single prompt of {width} tokens; use a "
                    f"smaller dtype or a device with more memory"
                ) from error
            budget.shrink(size // 2 * width)
            free_memory()
            continue
        order = order[size:]
        yield part


def _batch(
    model: Any,
    batch: Sequence[int],
    sequences: Sequence[IntArray],
    targets: Sequence[IntArray],
    inputs: frozenset[str],
) -> list[tuple[int, FloatArray]]:
    device = next(model.parameters()).device
    width = len(sequences[batch[0]])
    n_kept = max(len(targets[i]) for i in batch)
    ids = np.zeros((len(batch), width), dtype=np.int64)
    is_token = np.zeros((len(batch), width), dtype=bool)
    for row, i in enumerate(batch):
        ids[row, width - len(sequences[i]) :] = sequences[i]
        is_token[row, width - len(sequences[i]) :] = True
    options = {
        "input_ids": ids,
        "attention_mask": is_token.astype(np.int64),
        "position_ids": np.maximum(is_token.cumsum(axis=1) - 1, 0),
    }
    arguments: dict[str, Any] = {
        name: torch.from_numpy(value).to(device)
        for name, value in options.items()
        if name in inputs and not (name == "attention_mask" and is_token.all())
    }
    if "logits_to_keep" in inputs:
        arguments["logits_to_keep"] = n_kept
    if "use_cache" in inputs:
        arguments["use_cache"] = False
    logits = model(**arguments).logits[:, -n_kept:]
    rows = np.concatenate(
        [row * n_kept + np.arange(n_kept - len(targets[i]), n_kept) for row, i in enumerate(batch)]
    )
    tokens = np.concatenate([targets[i] for i in batch])
    log_p = token_log_probs(
        logits.flatten(0, 1), torch.from_numpy(rows).to(device), torch.from_numpy(tokens).to(device)
    )
    ends = np.cumsum([len(targets[i]) for i in batch])
    return list(zip(batch, np.split(log_p.cpu().numpy(), ends[:-1]), strict=True))
