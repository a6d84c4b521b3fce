"""Whether choosing by evidence pays: odd_gp, trees and leverage at equal calls.

    PERTURBX_SHARED=../shared python benchmarks/evidence.py [--games 3] [--seeds 3] [--times 10 20]

Every game is known everywhere. Errors are relative and squared, the mean over games and seeds;
"worst" is the largest over the games of the evidence's error, a mean over seeds, divided by that
of odd_gp; coverage is the share of exact values inside the pointwise 95% interval of `Evidence`.
Leverage has its own design; "same_rows" is leverage on the pairs of odd_gp. Families whose files
are missing are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates import (
    Attribution,
    Evidence,
    ExactShapley,
    LeverageShapley,
    OddGP,
    TreeProxy,
)

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)

COLUMNS = ("family", "calls", "odd_gp", "evidence", "worst", "tree_proxy", "leverage", "same_rows")
COLUMNS += ("coverage",)


def main() -> None:
    """Print a row for each family and budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=3, help="of each family")
    parser.add_argument("--seeds", type=int, default=3, help="for each game")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--times", type=int, nargs="*", default=[3, 5, 10, 20, 50])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for family in asked.families:
        games = FAMILIES[family](asked.games)
        for times in asked.times:
            if games and times * n_units_of(games[0]) < len(games[0]) // 2:
                compare(family, games, times, asked.seeds)


def shared_games(family: str, most: int) -> list[np.ndarray]:
    """Return the values of all coalitions, unit u being bit u of the index."""
    games = []
    for path in sorted((SHARED / "data" / "games").glob(f"{family}_*.npz"))[:most]:
        with np.load(path) as file:
            masks, values = file["coalitions"], file["values"]
        games.append(values[np.argsort(masks @ (1 << np.arange(masks.shape[1])))])
    return games


def planted(kind: str, most: int) -> list[np.ndarray]:
    """Return sums of six terms of two to five out of 14 units.

    "or" would tell nothing new: its odd part is that of "and".
    """
    kept, games = all_masks(14), []
    for seed in range(most):
        rng = np.random.default_rng(100 + seed)
        values = np.zeros(len(kept))
        for _ in range(6):
            own = kept[:, rng.choice(14, rng.integers(2, 6), replace=False)]
            terms = {"and": own.all(axis=1), "xor": own.sum(axis=1) % 2}
            values += rng.normal() * terms[kind]
        games.append(values)
    return games


def trees(count: int, depth: int, most: int) -> list[np.ndarray]:
    """Return sums of random decision trees on 14 units."""
    kept, games = all_masks(14), []
    for seed in range(most):
        rng = np.random.default_rng(1000 + seed)
        games.append(sum(random_tree(kept, rng, list(range(14)), depth) for _ in range(count)))
    return games


def random_tree(
    kept: np.ndarray, rng: np.random.Generator, units: list[int], depth: int
) -> np.ndarray:
    """Return the values of a full tree with normal leaves."""
    if depth == 0:
        return np.full(len(kept), rng.normal())
    unit = int(rng.choice(units))
    others = [other for other in units if other != unit]
    off = random_tree(kept, rng, others, depth - 1)
    return np.where(kept[:, unit], random_tree(kept, rng, others, depth - 1), off)


def white(most: int) -> list[np.ndarray]:
    """Return games with a number of its own for every coalition of 14 units."""
    return [np.random.default_rng(seed).normal(size=1 << 14) for seed in range(most)]


def additive(most: int) -> list[np.ndarray]:
    """Return games in which units do not interact."""
    return [all_masks(14) @ np.random.default_rng(s).normal(size=14) for s in range(most)]


FAMILIES: dict[str, Callable[[int], list[np.ndarray]]] = {
    "sentiment14": lambda most: shared_games("sentiment14", most),
    "resnet14": lambda most: shared_games("resnet14", most),
    "vit16": lambda most: shared_games("vit16", most),
    "planted and": lambda most: planted("and", most),
    "planted xor": lambda most: planted("xor", most),
    "one tree": lambda most: trees(1, 4, most),
    "five trees": lambda most: trees(5, 4, most),
    "30 trees": lambda most: trees(30, 3, most),
    "white": white,
    "additive": additive,
}


def all_masks(n_units: int) -> np.ndarray:
    """Return every coalition, ``(2 ** n_units, n_units)``."""
    return (np.arange(1 << n_units)[:, None] >> np.arange(n_units)) & 1 > 0


def n_units_of(game: np.ndarray) -> int:
    """Return the number of units of a game."""
    return len(game).bit_length() - 1


def bought(game: np.ndarray, sampler: str, budget: int, seed: int) -> ScoreTable:
    """Return what a sampler buys of a game."""
    n_units = n_units_of(game)
    generator = torch.Generator().manual_seed(seed)
    drawn = as_sampler(sampler).sample(PlayerCount(n_units), budget, generator)
    masks = drawn.masks.numpy()
    return ScoreTable(
        masks=masks,
        scores=game[masks @ (1 << np.arange(n_units))][:, None],
        output_names=("y",),
        probabilities=None if drawn.probabilities is None else drawn.probabilities.numpy(),
        design=drawn.design,
        paired=True,
    )


def compare(family: str, games: list[np.ndarray], times: int, n_seeds: int) -> None:
    """Print the row of one family and budget."""
    n_units = n_units_of(games[0])
    errors: dict[str, list[list[float]]] = {}
    covered: list[float] = []
    for number, game in enumerate(games):
        every = ScoreTable(all_masks(n_units), game[:, None], ("y",))
        truth = ExactShapley().fit([every])[0].values
        seeds = range(1_000 * number, 1_000 * number + n_seeds)
        pairs = [bought(game, "odd_gp", times * n_units, seed) for seed in seeds]
        by_size = [bought(game, "leverage", times * n_units, seed) for seed in seeds]
        fits = {
            "odd_gp": OddGP().fit(pairs),
            "evidence": Evidence().fit(pairs),
            "tree_proxy": TreeProxy().fit(pairs),
            "leverage": LeverageShapley().fit(by_size),
            "same_rows": LeverageShapley().fit(pairs),
        }
        for name, some in fits.items():
            errors.setdefault(name, []).append([error(fit, truth) for fit in some])
        covered += [covers(fit, truth) for fit in fits["evidence"]]
    by_game = {name: np.mean(error, axis=1) for name, error in errors.items()}
    worst = (by_game["evidence"] / by_game["odd_gp"]).max()
    mean = {name: f"{error.mean():.3g}" for name, error in by_game.items()}
    print(
        f"| {family} | {times}n | {mean['odd_gp']} | {mean['evidence']} | {worst:.2f} "
        f"| {mean['tree_proxy']} | {mean['leverage']} | {mean['same_rows']} "
        f"| {np.mean(covered):.3f} |",
        flush=True,
    )


def error(fit: Attribution, truth: np.ndarray) -> float:
    """Return the relative squared error."""
    return float(np.square(fit.values - truth).sum() / np.square(truth).sum())


def covers(fit: Attribution, truth: np.ndarray) -> float:
    """Return the share of values inside the 95% interval."""
    interval = fit.confidence_interval(0.95)
    return float(((interval.low <= truth) & (truth <= interval.high)).mean())


if __name__ == "__main__":
    main()
