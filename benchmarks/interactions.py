"""How far pairwise interactions are from the truth, beside shapiq's approximators in one run.

    PERTURBX_SHARED=../shared python benchmarks/interactions.py [--games 4] [--seeds 2]

Games known everywhere (see `game_families`), the pairwise Shapley interaction index (SII) of their
full tables. Errors are relative and squared over all pairs, the mean over games and seeds; coverage
is the share of exact values in the pointwise 95% interval. perturbx reads the very table that its
Shapley values come from. Planted games have five pairs that matter together: `found` is the share
of them among the five strongest pairs, `false` the share of all other pairs whose 95% interval
excludes 0.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapiq
import torch
from game_families import games_of

from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates.interactions import Interactions, fit_interactions

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)
BUDGETS = (3, 5, 10, 20, 50)
PEERS = ("KernelSHAPIQ", "SVARMIQ", "SHAPIQ", "PermutationSamplingSII", "ProxySPEX")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=4, help="of each family")
    parser.add_argument("--seeds", type=int, default=2, help="for each game")
    parser.add_argument("--families", nargs="*", default=["sentiment14", "resnet14"])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for family in asked.families:
        compare(family, asked.games, asked.seeds)
    planted(asked.seeds)


def compare(family: str, n_games: int, n_seeds: int) -> None:
    """Print the errors for one family."""
    rows: dict[str, dict[int, list[float]]] = {}
    covered: dict[int, list[float]] = {}
    seconds: dict[str, float] = {}
    for game in games_of(family, n_games, SHARED, None):
        n_units = game.n_units
        masks = (np.arange(2**n_units)[:, None] >> np.arange(n_units) & 1).astype(bool)
        everything = ScoreTable(masks, game.value_of(masks)[:, None], ("y",))
        truth = fit_interactions(everything).values[0]
        for budget in BUDGETS:
            for seed in range(n_seeds):
                began = time.perf_counter()
                fit = ours(game.value_of, n_units, budget * n_units, seed)
                seconds["perturbx"] = seconds.get("perturbx", 0) + time.perf_counter() - began
                rows.setdefault("perturbx", {}).setdefault(budget, []).append(
                    error(fit.values[0], truth)
                )
                low, high = fit.confidence_interval(0.95)
                pairs = np.triu_indices(n_units, 1)
                inside = ((low[0] <= truth) & (truth <= high[0]))[pairs]
                covered.setdefault(budget, []).append(float(inside.mean()))
                for peer in PEERS:
                    began = time.perf_counter()
                    values = theirs(peer, game.value_of, n_units, budget * n_units, seed)
                    seconds[peer] = seconds.get(peer, 0) + time.perf_counter() - began
                    if values is not None:
                        rows.setdefault(peer, {}).setdefault(budget, []).append(
                            error(values, truth)
                        )
    print(f"\n{family}: relative squared error of pairwise interactions\n")
    print("| | " + " | ".join(f"{budget}n" for budget in BUDGETS) + " | seconds |")
    print("|---" * (len(BUDGETS) + 2) + "|")
    for name, by_budget in rows.items():
        cells = [f"{np.mean(by_budget[b]):.3g}" if b in by_budget else "–" for b in BUDGETS]
        print(f"| {name} | " + " | ".join(cells) + f" | {seconds[name]:.1f} |")
    cells = [f"{np.mean(covered[b]):.3f}" for b in BUDGETS]
    print("| 95% coverage | " + " | ".join(cells) + " | |")


def ours(
    value_of: Callable[[np.ndarray], np.ndarray], n_units: int, budget: int, seed: int
) -> Interactions:
    """Return the interactions from the table that odd_gp draws."""
    generator = torch.Generator().manual_seed(seed)
    drawn = as_sampler("odd_gp").sample(PlayerCount(n_units), budget, generator).masks.numpy()
    return fit_interactions(ScoreTable(drawn, value_of(drawn)[:, None], ("y",), paired=True))


def theirs(
    name: str, value_of: Callable[[np.ndarray], np.ndarray], n_units: int, budget: int, seed: int
) -> np.ndarray | None:
    """Return shapiq's values, None where this approximator needs more calls."""
    kind = getattr(shapiq.approximator, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = kind(n=n_units, max_order=2, index="SII", random_state=seed)
            return np.asarray(made.approximate(budget, value_of).get_n_order_values(2))
    except (ValueError, TypeError, IndexError, KeyError, np.linalg.LinAlgError):
        return None


def planted(n_seeds: int) -> None:
    """Print how often planted pairs are found."""
    print("\n20 units, five pairs that matter together (AND or XOR) beside 20 single units\n")
    print("| kind | calls | error | found | false |\n|---|---|---|---|---|")
    for kind in ("and", "xor"):
        for budget in (5, 10, 20):
            figures = [_planted(kind, budget, seed) for seed in range(max(n_seeds, 4))]
            cells = " | ".join(f"{value:.3f}" for value in np.mean(figures, axis=0))
            print(f"| {kind} | {budget}n | {cells} |")


def _planted(kind: str, budget: int, seed: int, n_units: int = 20) -> tuple[float, float, float]:
    random = np.random.default_rng(seed)
    alone = random.normal(size=n_units)
    every = np.stack(np.triu_indices(n_units, 1), axis=1)
    pairs = every[random.choice(len(every), 5, replace=False)]
    together = random.choice([-1, 1], 5) * random.uniform(1.5, 2.5, 5)

    def value_of(masks: np.ndarray) -> np.ndarray:
        first, second = masks[:, pairs[:, 0]], masks[:, pairs[:, 1]]
        joint = first & second if kind == "and" else first ^ second
        values: np.ndarray = masks @ alone + joint @ together
        return values

    truth = np.zeros((n_units, n_units))
    truth[tuple(pairs.T)] = together if kind == "and" else -2 * together
    truth += truth.T
    fit = ours(value_of, n_units, budget * n_units, seed)
    strongest = {term.units for term in fit.top(n=5)}
    found = len(strongest & {tuple(pair) for pair in pairs.tolist()}) / 5
    low, high = fit.confidence_interval(0.95)
    zero = (truth == 0)[np.triu_indices(n_units, 1)]
    excludes = ((low[0] > 1e-9) | (high[0] < -1e-9))[np.triu_indices(n_units, 1)]
    return error(fit.values[0], truth), found, float(excludes[zero].mean())


def error(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the relative squared error."""
    return float(np.square(values - truth).sum() / np.square(truth).sum())


if __name__ == "__main__":
    main()
