"""Many prompts in one row: a trie of tokens run through a decoder, every shared token once.

A node attends to its ancestors and to nothing else, so that a single row holds all the
sequences; there is no padding, and a beginning that many share is computed for all of them at
once. What does not fit into one pass is cut into chunks. Depth first, all that a chunk still
needs of what went before is the path to its first node, and only that path stays in the cache.

The mask is that of tree decoding (Miao et al. 2024, SpecInfer), used here to read many prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from perturbx.batch_budget import wait_for
from perturbx.scorers.causal_lm.attention_blocks import attention_in_blocks
from perturbx.scorers.causal_lm.chunk_size import ChunkSize
from perturbx.scorers.causal_lm.log_probs import token_log_probs
from perturbx.scorers.causal_lm.trie import Trie
from perturbx.typing import FloatArray, IntArray

FULL, SLIDING = "full_attention", "sliding_attention"

KNOWN_REACHES = frozenset(
    {
        "sliding_window",
        "use_sliding_window",
        "max_window_layers",
        "_sliding_window_pattern",
        "sliding_window_pattern",
    }
)
"""Numbers of a config that `_Layout` draws its masks by."""


READS_MASKS = frozenset({"eager", "sdpa", None})
"""Attention implementations that are told by a 4D mask who sees whom; None is a model's own."""


def reads_masks(config: Any) -> bool:
    """Say whether a model's attention heeds a 4D mask.

    Others (flash, flex) cut it, read it as something else or crash, which no try brings back.
    """
    return _implementation(config) in READS_MASKS


def _implementation(config: Any) -> str | None:
    name: str | None = getattr(config.get_text_config(), "_attn_implementation", None)
    return name


def knows_reach(config: Any) -> bool:
    """Say whether it is known how far each layer looks back, so that a mask can say the same.

    A layer that cuts its own view by columns (chunks, local windows) takes a trie of short prompts
    for a text, and goes wrong on long ones only: no small example would show it.
    """
    text = config.get_text_config()
    cuts = {
        name
        for name, value in vars(text).items()
        if value
        and ("window" in name or name.startswith("attention_chunk"))
        and not name.endswith("pattern")  # which layers have one; `layer_types` says it, too
    }
    kinds = set(getattr(text, "layer_types", None) or ())
    return cuts <= KNOWN_REACHES and kinds <= {FULL, SLIDING}


def tree_log_probs(
    model: Any, trie: Trie, targets: Sequence[IntArray], size: ChunkSize
) -> Iterator[list[tuple[int, FloatArray]]]:
    """Yield, chunk by chunk, the sequences completed and the log-probabilities of their targets.

    Parameters
    ----------
    model : transformers decoder
        Its forward takes a 4D mask, position ids and a cache.
    trie : Trie
        What the model reads.
    targets : sequence of numpy.ndarray of int64
        For each sequence the tokens that follow the nodes of its tail, one each.
    size : ChunkSize
        How many nodes go through the model at once; it learns.

    Yields
    ------
    list of (int, numpy.ndarray of float64, (n_targets,))
        The number of a sequence, and the log-probability of each of its targets.
    """
    device = next(model.parameters()).device
    layout = _Layout(model.config, trie, device)
    scored = np.zeros(len(trie), dtype=bool)
    for tail in trie.tails:
        scored[tail] = True
    found: list[FloatArray] = [np.empty(len(own)) for own in targets]
    last = np.array([tail[-1] for tail in trie.tails])[trie.order]
    questions = _Questions(trie, targets)
    cache = _new_cache()
    path = np.empty(0, dtype=np.int64)
    start = n_done = 0
    while start < len(trie):
        stop = start + size.nodes(scored[start:])
        columns = np.concatenate([path, np.arange(start, stop)])
        asked = start + np.flatnonzero(scored[start:stop])
        before = _tensors(cache)
        try:
            with size.timed(stop - start, len(asked)):
                log_p = _pass(model, layout, cache, columns, (start, stop), asked, questions)
                wait_for(device)
        except (RuntimeError, MemoryError) as error:
            cache = _put_back(cache, before)
            size.shrink(stop - start, error)
            continue
        for i, place, value in zip(*questions.between(start, stop), log_p, strict=True):
            found[i][place] = value
        path = trie.path(stop) if stop < len(trie) else path[:0]
        _keep(cache, np.searchsorted(columns, path), device)
        start = stop
        completed = trie.order[n_done : n_done + int((last[n_done:] < stop).sum())]
        # Sequences are completed in their order: the tail of a later one ends further on.
        n_done += len(completed)
        if len(completed):
            yield [(int(i), found[i]) for i in completed]


class _Questions:
    """Every target of every sequence, by the node before it."""

    def __init__(self, trie: Trie, targets: Sequence[IntArray]) -> None:
        nodes = np.concatenate(trie.tails)
        owners = np.repeat(np.arange(len(targets)), [len(own) for own in targets])
        places = np.concatenate([np.arange(len(own)) for own in targets])
        order = np.argsort(nodes, kind="stable")
        self.nodes = nodes[order]
        self.owners, self.places = owners[order], places[order]
        self.tokens = np.concatenate(targets)[order]

    def slice(self, start: int, stop: int) -> slice:
        """Return which questions are asked at the nodes from `start` to `stop`."""
        low, high = np.searchsorted(self.nodes, [start, stop])
        return slice(int(low), int(high))

    def between(self, start: int, stop: int) -> tuple[IntArray, IntArray]:
        """Return the sequence of each of those questions, and its place among the targets."""
        here = self.slice(start, stop)
        return self.owners[here], self.places[here]


class _Layout:
    """What a pass needs of the trie, on the device: masks for each kind of layer."""

    def __init__(self, config: Any, trie: Trie, device: torch.device) -> None:
        text = config.get_text_config()
        self.device = device
        self.tokens = torch.from_numpy(trie.tokens).to(device)
        self.depths = torch.from_numpy(trie.depths).to(device)
        self.ends = torch.from_numpy(trie.ends).to(device)
        kinds = set(getattr(text, "layer_types", None) or ())
        self.window = _window(text, kinds)
        self.is_mixed = {FULL, SLIDING} <= kinds or _takes_masks_by_kind(text, kinds)
        self.is_additive = _implementation(config) == "eager"

    def mask(self, columns: torch.Tensor, start: int, stop: int, dtype: torch.dtype) -> Any:
        """Return who sees whom: the nodes of a chunk, the path before it and the chunk."""
        rows = torch.arange(start, stop, device=self.device)[:, None]
        sees = (columns <= rows) & (rows < self.ends[columns])
        near = sees
        if self.window is not None:
            near = sees & (self.depths[start:stop, None] - self.depths[columns] < self.window)
        if self.is_mixed:
            full = self._finished(sees, dtype)
            return {FULL: full, SLIDING: full if near is sees else self._finished(near, dtype)}
        return self._finished(near, dtype)

    def _finished(self, sees: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if not self.is_additive:
            return sees[None, None]
        closed = torch.finfo(dtype).min
        return torch.zeros(sees.shape, dtype=dtype, device=self.device).masked_fill(~sees, closed)[
            None, None
        ]


def _window(config: Any, kinds: set[str]) -> int | None:
    """Return how far a sliding layer looks back; None where every layer sees all."""
    window = getattr(config, "sliding_window", None)
    if window is None or (kinds and SLIDING not in kinds):
        return None
    if not kinds and not getattr(config, "use_sliding_window", True):
        return None
    return int(window)


def _takes_masks_by_kind(config: Any, kinds: set[str]) -> bool:
    return SLIDING in kinds and FULL not in kinds and len(kinds) > 1


def _pass(
    model: Any,
    layout: _Layout,
    cache: Any,
    columns: IntArray,
    chunk: tuple[int, int],
    asked: IntArray,
    questions: _Questions,
) -> FloatArray:
    """Return the log-probability of every target asked about in a chunk."""
    start, stop = chunk
    here = questions.slice(start, stop)
    keep = torch.from_numpy(asked - start).to(layout.device)
    dtype = next(model.parameters()).dtype
    # A model that is asked for no logits at all would give those of every position.
    kept = keep if len(keep) else torch.zeros(1, dtype=torch.int64, device=layout.device)
    mask = layout.mask(torch.from_numpy(columns).to(layout.device), start, stop, dtype)
    masks = mask.values() if isinstance(mask, dict) else [mask]
    with attention_in_blocks(model, masks):
        output = model(
            input_ids=layout.tokens[None, start:stop],
            attention_mask=mask,
            position_ids=layout.depths[None, start:stop],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=kept,
        )
    if not len(keep):
        return np.empty(0)
    logits = output.logits[0]
    if len(logits) != len(kept):  # a model that does not know the argument and ignores it
        logits = logits[kept]
    rows = torch.from_numpy(np.searchsorted(asked, questions.nodes[here])).to(layout.device)
    tokens = torch.from_numpy(questions.tokens[here]).to(layout.device)
    values: FloatArray = token_log_probs(logits, rows, tokens).cpu().numpy()
    return values


def _new_cache() -> Any:
    """Return an empty cache; without a config its sliding layers keep every key, too."""
    from transformers import DynamicCache

    return DynamicCache()


def _tensors(cache: Any) -> list[Mapping[str, Any]]:
    """Return what each layer holds; a pass makes new tensors, and these stay as they are."""
    return [{"keys": layer.keys, "values": layer.values} for layer in _filled(cache)]


def _put_back(cache: Any, before: Sequence[Mapping[str, Any]]) -> Any:
    """Return the cache as it was before a pass that broke off, in whatever layer."""
    if not before:  # a layer of the very first pass may be left half begun
        return _new_cache()
    for layer, held in zip(_filled(cache), before, strict=True):
        layer.keys, layer.values = held["keys"], held["values"]
    return cache


def _keep(cache: Any, kept: IntArray, device: torch.device) -> None:
    """Keep only these columns of the cache."""
    index = torch.from_numpy(kept).to(device)
    for layer in _filled(cache):
        layer.keys = layer.keys.index_select(2, index)
        layer.values = layer.values.index_select(2, index)


def _filled(cache: Any) -> list[Any]:
    return [layer for layer in cache.layers if layer.keys is not None]
