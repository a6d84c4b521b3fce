"""Sampled answers: masks asked once each beside the same calls as repeats, and whether errors hold.

    python benchmarks/votes.py              # about 2 minutes
    python benchmarks/votes.py --seeds 4

Games whose values are probabilities: six of a sentiment classifier (n = 14; set PERTURBX_SHARED to
the folder with the shared data, ../shared by default), six smooth random ones (n = 12), and three
(n = 8) where one unit alone matters: from .05 to .25, from .1 to .9 and from .3 to .7. An answer
is one draw with that probability. Reported, at equal calls: the squared error of the Shapley
values in parts of theirs, the mean over games and seeds, and the share of 95% intervals that hold
the exact value: of all units, and of the one with the largest.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.explainers.repeats import VoteSplit, split_votes
from perturbx.score_table import ScoreTable
from perturbx.surrogates import ExactShapley, OddGP
from perturbx.surrogates.vote_noise import vote_variances

SHARED = Path(os.environ.get("PERTURBX_SHARED", "../shared"))

Split = Callable[[int, int], VoteSplit | None]


def all_masks(n_units: int) -> np.ndarray:
    """Return all masks, the numbers of their rows in binary."""
    return ((np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1).astype(bool)


def sentiment_games(n_games: int) -> list[np.ndarray]:
    """Return probabilities of exact games of a classifier, in the order of `all_masks`."""
    games = []
    for path in sorted((SHARED / "data" / "games").glob("sentiment14_*.npz"))[:n_games]:
        file = np.load(path)
        codes = file["coalitions"].astype(bool) @ (1 << np.arange(14))
        values = np.empty(2**14)
        values[codes] = file["values"]
        if values.min() < 0 or values.max() > 1:
            values = expit(1.5 * (values - values.mean()) / values.std())
        games.append(values)
    return games


def smooth_games(n_games: int, n_units: int = 12) -> list[np.ndarray]:
    """Return probabilities of games with main effects and a few interactions."""
    masks, games = all_masks(n_units), []
    for seed in range(n_games):
        draw = np.random.default_rng(seed)
        effects = 0.8 * draw.normal(size=n_units)
        logits = masks @ effects - effects.sum() / 2 + 0.5 * draw.normal()
        for _ in range(6):
            one, other = draw.choice(n_units, 2, replace=False)
            logits = logits + draw.normal() * (masks[:, one] & masks[:, other])
        games.append(expit(logits))
    return games


def single_games() -> list[np.ndarray]:
    """Return probabilities of games where one of eight units matters."""
    bounds = ((0.05, 0.25), (0.1, 0.9), (0.3, 0.7))
    return [low + (high - low) * all_masks(8)[:, 0] for low, high in bounds]


def played(values: np.ndarray, split: VoteSplit, seed: int) -> ScoreTable:
    """Return the table of the answers that one run gets."""
    n_units = int(np.log2(len(values)))
    drawn = OddPairs().sample(
        PlayerCount(n_units), split.n_masks, torch.Generator().manual_seed(seed)
    )
    masks = drawn.masks.numpy()
    truth = values[masks @ (1 << np.arange(n_units))]
    is_end = masks.all(axis=1) | ~masks.any(axis=1)
    samples = np.where(is_end, split.of_ends, split.of_masks)
    shares = np.random.default_rng(seed + 1000).binomial(samples, truth)[:, None] / samples[:, None]
    return ScoreTable(
        masks,
        shares,
        ("p",),
        variances=vote_variances(masks, shares, samples),
        samples=samples,
        kind="probability",
        paired=True,
        exhaustive=drawn.exhaustive,
    )


def fixed(repeats: int) -> Split:
    """Return the split that asks every mask, the ends included, so often."""

    def split(n_calls: int, n_units: int) -> VoteSplit | None:
        n_masks = n_calls // repeats // 2 * 2
        return None if n_masks < n_units + 2 else VoteSplit(n_masks, repeats, repeats)

    return split


SPLITS: dict[str, Split] = {
    "ours": split_votes,
    "once each": fixed(1),
    "5 times each": fixed(5),
    "20 times each": fixed(20),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    families = {
        "sentiment14": sentiment_games(options.games),
        "smooth12": smooth_games(options.games),
        "single8": single_games(),
    }
    print("family       calls  split          error   coverage  of the largest")
    for family, games in families.items():
        for per_unit in (5, 10, 20, 50):
            for name, split in SPLITS.items():
                errors, held, largest = [], [], []
                for number, values in enumerate(games):
                    n_units = int(np.log2(len(values)))
                    chosen = split(per_unit * n_units, n_units)
                    if chosen is None:
                        continue
                    everything = ScoreTable(all_masks(n_units), values[:, None], ("p",))
                    exact = ExactShapley().fit([everything])[0].values[:, 0]
                    for seed in range(options.seeds):
                        table = played(values, chosen, 97 * seed + number)
                        (fit,) = OddGP().fit([table])
                        ends = fit.confidence_interval()
                        off = fit.values[:, 0] - exact
                        errors.append((off**2).sum() / (exact**2).sum())
                        inside = (ends.low[:, 0] <= exact) & (exact <= ends.high[:, 0])
                        held.append(inside.mean())
                        largest.append(inside[np.abs(exact).argmax()])
                if errors:
                    print(
                        f"{family:12s} {per_unit:3d}n   {name:14s} {np.mean(errors):.4f}  "
                        f"{np.mean(held):.3f}     {np.mean(largest):.3f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
