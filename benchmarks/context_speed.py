"""The time of scoring a response behind masked contexts, beside batch 1 with every logit."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from perturbx.coalitions import PlayerCount, PrefixPairs
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.continuations import Continued


def random_masks(rows: int, n_units: int) -> np.ndarray:
    """Return random halves of the units, as ContextCite draws them."""
    return np.random.default_rng(7).random((rows, n_units)) < 0.5


def random_prompts(
    model: Any, masks: np.ndarray, *, prefix: int, unit_tokens: int, response: int, seed: int
) -> list[Continued]:
    """Return prompts of random tokens: a prefix, the kept units, an end of 12, a response."""
    n_units = masks.shape[1]
    draw = np.random.default_rng(seed)
    size = int(model.config.get_text_config().vocab_size)
    units = draw.integers(10, size, (n_units, unit_tokens))
    frozen, end = draw.integers(10, size, prefix), draw.integers(10, size, 12)
    answer = draw.integers(10, size, response)
    return [
        Continued(np.concatenate([[2], frozen, units[mask].ravel(), end]), (answer,))
        for mask in masks
    ]


def seconds_of_ours(model: Any, tokenizer: Any, asked: list[Continued], batching: str) -> Any:
    """Return the time for all, and the log-probabilities of the response."""
    lm = CausalLM(model, tokenizer, batching=batching)  # type: ignore[arg-type]
    lm._way()
    began = time.perf_counter()
    found = dict(pair for part in lm.log_probs(asked) for pair in part)
    return time.perf_counter() - began, [found[i][0] for i in range(len(asked))]


def seconds_one_by_one(model: Any, asked: list[Continued]) -> Any:
    """Return the time of ContextCite's way for these: batch 1, the logits of every position."""
    began = time.perf_counter()
    found = []
    with torch.inference_mode():
        for question in asked:
            (target,) = question.continuations
            ids = torch.from_numpy(np.concatenate([question.prompt, target]))[None].to(model.device)
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            log_p = logits[0, len(question.prompt) - 1 : -1].log_softmax(-1)
            found.append(log_p[np.arange(len(target)), target].float().cpu().numpy())
    return time.perf_counter() - began, found


def print_speed(model: Any, tokenizer: Any, *, rows: int, peer_rows: int) -> None:
    """Print the time of 24 sources, and of a long prefix, as shares of the other ways."""
    size = {"prefix": 0, "unit_tokens": 66, "response": 19, "seed": 0}
    halves = random_masks(rows, 24)
    asked = random_prompts(model, halves, **size)
    ours, scores = seconds_of_ours(model, tokenizer, asked, "tree")
    price = CausalLM(model, tokenizer).head_price or 0.0
    design = PrefixPairs((66,) * 24, tail=12 + 18 + 19 * price)
    drawn = design.sample(PlayerCount(24), rows, torch.Generator().manual_seed(0)).masks.numpy()
    own, _ = seconds_of_ours(model, tokenizer, random_prompts(model, drawn, **size), "tree")
    theirs, expected = seconds_one_by_one(model, asked[:peer_rows])
    theirs *= rows / peer_rows
    worst = max(np.abs(a - b).max() for a, b in zip(scores, expected, strict=False))
    print(
        f"\n24 sources of 66 tokens, 19 response tokens, {rows} ablations: batch 1, every logit "
        f"{theirs:.1f} s ({peer_rows} rows measured); ours on the same ablations {ours:.1f} s, "
        f"{ours / theirs:.3f} of it; on {rows} of our own design {own:.1f} s, {own / theirs:.3f}; "
        f"largest difference {worst:.1e} in log-probability"
    )
    asked = random_prompts(
        model, random_masks(rows, 10), prefix=1000, unit_tokens=20, response=5, seed=1
    )
    ours, scores = seconds_of_ours(model, tokenizer, asked, "tree")
    count = max(1, rows // 4)
    theirs, expected = seconds_of_ours(model, tokenizer, asked[:count], "padded")
    theirs *= rows / count
    worst = max(np.abs(a - b).max() for a, b in zip(scores, expected, strict=False))
    print(
        f"a frozen prefix of 1,000 tokens, 200 playable, {rows} ablations: ours {ours:.1f} s, "
        f"without prefix reuse (batches, {count} rows measured) {theirs:.1f} s: "
        f"{ours / theirs:.3f} of it; largest difference {worst:.1e}"
    )
