"""The time to the same error: pairs priced in tokens beside ContextCite's way of asking."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from context_pairs import Game, Question, lasso_line, log_odds
from prefix_designs import trie_tokens

from perturbx.coalitions import Leverage, PlayerCount, PrefixPairs
from perturbx.explainers.design import shapley_design
from perturbx.explainers.prompt_design import priced_in_tokens
from perturbx.jobs import Job, Result
from perturbx.runner import Runner
from perturbx.score_table import ScoreTable
from perturbx.surrogates import BanzhafGP, LeverageShapley, OddGP

CALLS = 64
"""Of the peer: random halves for Banzhaf values, leverage pairs for Shapley values."""

REFERENCE = 160
"""Rows of each of three designs behind the reference, all of them together."""

COUNTS = (20, 24, 26, 28, 30, 32, 34, 36, 40, 48, 56, 64, 80)
BATCH_ONE_ROWS = 6


def measure_question(model: Any, question: Question, seed: int) -> dict[str, Any]:
    """Return errors by calls, and the seconds of both ways of asking."""
    game = Game(model, question, seed)
    n = game.units.n_units
    design = priced_in_tokens(shapley_design("odd_gp", "auto", n), game.encoding, model.head_price)
    assert isinstance(design.sampler, PrefixPairs)
    generator = torch.Generator().manual_seed(seed)
    priced = design.sampler.sample(PlayerCount(n), REFERENCE, generator).masks.numpy()
    leverage = Leverage().sample(PlayerCount(n), REFERENCE, generator)
    halves = np.random.default_rng(seed).random((REFERENCE, n)) < 0.5
    rows = [priced, leverage.masks.numpy(), halves]
    masks = np.concatenate(rows)
    result = game.read(masks)
    scores = log_odds(result.scores[:, 0])
    of_halves = scores[-REFERENCE:]
    banzhaf = BanzhafGP().fit([_table(masks, result)])[0].values[:, 0]
    pairs = _table(masks, result, slice(2 * REFERENCE))
    shapley = OddGP().fit([pairs])[0].values[:, 0]

    few = Leverage().sample(PlayerCount(n), CALLS, torch.Generator().manual_seed(seed))
    drawn = ScoreTable(
        few.masks.numpy(),
        log_odds(game.log_prob(few.masks.numpy()))[:, None],
        ("y",),
        counts=few.counts.numpy(),
        probabilities=None if few.probabilities is None else few.probabilities.numpy(),
        design=few.design,
        paired=few.paired,
    )
    line = lasso_line(halves[:CALLS], of_halves[:CALLS], len(game.encoding.readout))
    errors = {
        "peer banzhaf": _error(line, banzhaf),
        "peer shapley": _error(LeverageShapley().fit([drawn])[0].values[:, 0], shapley),
    }
    for count in COUNTS:
        table = _table(masks, result, slice(count))
        errors[f"banzhaf {count}"] = _error(BanzhafGP().fit([table])[0].values[:, 0], banzhaf)
        errors[f"shapley {count}"] = _error(OddGP().fit([table])[0].values[:, 0], shapley)
    seconds, price = _seconds(game, priced[:CALLS]), design.sampler
    tokens = [trie_tokens(priced[:count], price.unit_tokens, price.tail) for count in COUNTS]
    whole = trie_tokens(priced[:CALLS], price.unit_tokens, price.tail)
    return {
        "errors": errors,
        "ours": [seconds * own / whole for own in tokens],
        "peer": _seconds_of_batch_one(game, model, halves[:CALLS]),
    }


def _table(masks: np.ndarray, result: Result, kept: slice = slice(None)) -> ScoreTable:
    """Return the distinct rows among some, as `perturbx` keeps them: with their summands."""
    _, first = np.unique(masks[kept], axis=0, return_index=True)
    rows = np.sort(first)
    return ScoreTable(
        masks[rows],
        log_odds(result.scores[rows]),
        ("y",),
        summands=None if result.summands is None else result.summands[rows],
        design="odd_gp",
        paired=True,
    )


def _error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.square(found - truth).sum() / np.square(truth).sum())


def _seconds(game: Game, masks: np.ndarray) -> float:
    began = time.perf_counter()
    Runner(game.scorer, progress=False).run([Job(game.encoding, torch.from_numpy(masks))])
    return time.perf_counter() - began


def _seconds_of_batch_one(game: Game, model: Any, masks: np.ndarray) -> float:
    """Return the time of all masks, one at a time with every logit, from a few of them."""
    variants = game.encoding.variants(torch.from_numpy(masks[:BATCH_ONE_ROWS]))
    began = time.perf_counter()
    with torch.inference_mode():
        for row, length in zip(variants.token_ids, variants.lengths.tolist(), strict=True):
            model.model(input_ids=row[None, :length]).logits.log_softmax(-1)
    return (time.perf_counter() - began) * len(masks) / BATCH_ONE_ROWS


def print_equal_error(results: Sequence[dict[str, Any]]) -> None:
    """Print the calls and the share of the time at which our mean error is the peer's."""
    peer_seconds = sum(r["peer"] for r in results)
    print(f"\nEqual error, {len(results)} questions: the peer asks {CALLS} times, batch 1")
    for target in ("banzhaf", "shapley"):
        theirs = np.mean([r["errors"][f"peer {target}"] for r in results])
        means = [np.mean([r["errors"][f"{target} {count}"] for r in results]) for count in COUNTS]
        curve = ", ".join(f"{c}: {own:.4f}" for c, own in zip(COUNTS, means, strict=True))
        place = next((i for i, own in enumerate(means) if own <= theirs), None)
        print(f"{target}: peer's error {theirs:.4f}; ours by calls {curve}")
        if place is None:
            print("  ours does not get there")
            continue
        share = sum(r["ours"][place] for r in results) / peer_seconds
        print(f"  ours is there with {COUNTS[place]} calls and {share:.3f} of the peer's time")
