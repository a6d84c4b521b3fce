"""Prompts in rows of a batch, for decoders that cannot read a trie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from perturbx.batch_budget import BatchBudget
from perturbx.scorers.causal_lm.log_probs import token_log_probs
from perturbx.scorers.row_batches import LOGITS_AT_ONCE, in_batches
from perturbx.typing import FloatArray, IntArray


def row_log_probs(
    model: Any,
    sequences: Sequence[IntArray],
    targets: Sequence[IntArray],
    inputs: frozenset[str],
    budget: BatchBudget,
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
    budget : BatchBudget
        Most tokens of a batch, padding included.
    pads : bool
        Fill shorter rows up on the left, with an attention mask and position ids; else a batch
        holds rows of one length only.
    """
    n_vocabulary = int(model.config.get_text_config().vocab_size)

    def fits(batch: Sequence[int]) -> int:
        width = len(sequences[batch[0]])
        size = len(batch) if pads else sum(len(sequences[i]) == width for i in batch)
        # A model that knows no `logits_to_keep` gives those of every token.
        n_kept = max(len(targets[i]) for i in batch) if "logits_to_keep" in inputs else width
        return min(size, LOGITS_AT_ONCE // (n_kept * n_vocabulary))

    yield from in_batches(
        [len(own) for own in sequences],
        budget,
        lambda batch: _batch(model, batch, sequences, targets, inputs),
        fits,
    )


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
    # Rows without padding are read as the model reads them by itself: not all count from 0.
    arguments: dict[str, Any] = {
        name: torch.from_numpy(value).to(device)
        for name, value in options.items()
        if name in inputs and (name == "input_ids" or not is_token.all())
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
