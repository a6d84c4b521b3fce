"""How far `odd_gp` is from the truth, beside `leverage` and the numpy reference in one run.

    PERTURBX_SHARED=../shared python benchmarks/odd_gp.py [--games 5] [--seeds 4] [--sentences 3]

Every game is known everywhere. Errors are relative and squared, the mean over games and seeds;
coverage is the share of exact values inside the pointwise 95% interval. Where the shared data is
missing, planted games are all there is.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from scipy.stats import t as student

import perturbx as px
from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Attribution, ExactShapley, LeverageShapley, OddGP
from perturbx.typing import Sampler
from perturbx.units import as_segmenter

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)
BUDGETS = (2, 3, 5, 10, 20, 50)
N_WORDS = 12


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=5, help="of each family")
    parser.add_argument("--seeds", type=int, default=4, help="for each game")
    parser.add_argument("--sentences", type=int, default=3, help="enumerated with the classifier")
    parser.add_argument("--families", nargs="*", default=["sentiment14", "resnet14", "minilm"])
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    reference = prototype()
    for family in [*asked.families, "planted"]:
        if family == "planted":
            games = planted(asked.games)
        elif family == "minilm":
            games = list(sentences(asked.sentences))
        else:
            games = list(shared_games(family, asked.games))
        if games:
            compare(family, games, asked.seeds, reference)
    speed(reference)


def prototype() -> ModuleType | None:
    """Return the numpy reference, None where it is missing."""
    path = SHARED / "prototypes" / "odd_gp_prototype.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("odd_gp_prototype", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shared_games(family: str, most: int) -> Iterator[np.ndarray]:
    """Yield the values of all coalitions, unit u being bit u of the index."""
    for path in sorted((SHARED / "data" / "games").glob(f"{family}_*.npz"))[:most]:
        with np.load(path) as file:
            masks, values = file["coalitions"], file["values"]
        order = np.argsort(masks @ (1 << np.arange(masks.shape[1])))
        yield values[order]


def sentences(most: int) -> Iterator[np.ndarray]:
    """Yield the log-odds of all maskings of sentences of twelve words."""
    model, data = SHARED / "models" / "minilm-sst2", SHARED / "data" / "sst2" / "test.tsv"
    if not (model.is_dir() and data.is_file()):
        return
    explainer = px.ShapleyExplainer(
        str(model), estimator="exact", link="log_odds", random_state=0, progress=False
    )
    cut = as_segmenter("words")
    texts = [line.rpartition("\t")[0] for line in data.read_text("utf-8").splitlines()]
    for text in [text for text in texts if cut(text).n_units == N_WORDS][:most]:
        table = explainer.explain([text])[0].table.linked("log_odds")
        order = np.argsort(table.masks @ (1 << np.arange(N_WORDS)))
        yield table.scores[order, 1]


def planted(most: int) -> list[np.ndarray]:
    """Return sums of a few products of few units, of 14 units."""
    games = []
    for seed in range(most):
        rng = np.random.default_rng(seed)
        kept = all_masks(14)
        values = np.zeros(len(kept))
        for _ in range(12):
            units = rng.choice(14, rng.integers(1, 5), replace=False)
            values += rng.normal() * kept[:, units].all(axis=1)
        games.append(values)
    return games


def all_masks(n_units: int) -> np.ndarray:
    """Return every coalition, ``(2 ** n_units, n_units)``."""
    return (np.arange(1 << n_units)[:, None] >> np.arange(n_units)) & 1 > 0


def table_of(game: np.ndarray, sampler: Sampler, budget: int, seed: int) -> ScoreTable:
    """Return what a sampler buys of a game."""
    n_units = len(game).bit_length() - 1
    generator = torch.Generator().manual_seed(seed)
    drawn = sampler.sample(PlayerCount(n_units), budget, generator)
    masks = drawn.masks.numpy()
    return ScoreTable(
        masks=masks,
        scores=game[masks @ (1 << np.arange(n_units))][:, None],
        output_names=("y",),
        probabilities=None if drawn.probabilities is None else drawn.probabilities.numpy(),
        design=drawn.design,
        paired=True,
    )


def compare(
    family: str, games: list[np.ndarray], n_seeds: int, reference: ModuleType | None
) -> None:
    """Print errors by budget, and the coverage of the intervals of odd_gp."""
    n_units = len(games[0]).bit_length() - 1
    truths = [exact(game) for game in games]
    print(f"\n{family}: {len(games)} games x {n_seeds} seeds, n = {n_units}\n")
    print("| calls | odd_gp | reference | odd_gp / reference | leverage | coverage | r2 |")
    print("|---|---|---|---|---|---|---|")
    for budget in [times * n_units for times in BUDGETS if times * n_units < 2**n_units]:
        ours, theirs, leverage, covered, r2 = [], [], [], [], []
        for number, (game, truth) in enumerate(zip(games, truths, strict=True)):
            seeds = range(1_000 * number, 1_000 * number + n_seeds)
            tables = [table_of(game, as_sampler("odd_gp"), budget, seed) for seed in seeds]
            for attribution in OddGP().fit(tables):
                ours.append(error(attribution.values[:, 0], truth))
                covered.append(covers(attribution, truth, budget // 2))
                r2.append(attribution.r2 if attribution.r2 is not None else np.nan)
            tables = [table_of(game, as_sampler("leverage"), budget, seed) for seed in seeds]
            leverage += [error(a.values[:, 0], truth) for a in LeverageShapley().fit(tables)]
            if reference is not None:
                theirs += [error(by(reference, game, budget, seed), truth) for seed in seeds]
        mean = float(np.mean(theirs)) if theirs else float("nan")
        print(
            f"| {budget // n_units}n | {np.mean(ours):.4g} | {mean:.4g} "
            f"| {np.mean(ours) / mean:.3f} | {np.mean(leverage):.4g} "
            f"| {np.mean(covered):.3f} | {np.mean(r2):.3f} |",
            flush=True,
        )


def exact(game: np.ndarray) -> np.ndarray:
    """Return the Shapley values."""
    masks = all_masks(len(game).bit_length() - 1)
    return ExactShapley().fit([ScoreTable(masks, game[:, None], ("y",))])[0].values[:, 0]


def by(reference: ModuleType, game: np.ndarray, budget: int, seed: int) -> np.ndarray:
    """Return the values of the reference, from its own design."""
    n_units = len(game).bit_length() - 1
    half = reference.design(n_units, budget // 2 - 1, np.random.default_rng(seed)) > 0
    ends = np.array([[True], [False]]).repeat(n_units, axis=1)
    masks = np.concatenate([ends, half, ~half])
    return reference.estimate(masks, game[masks @ (1 << np.arange(n_units))], n_units)[0]


def error(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the relative squared error."""
    return float(np.square(values - truth).sum() / np.square(truth).sum())


def covers(attribution: Attribution, truth: np.ndarray, n_pairs: int) -> float:
    """Return the share of values inside the 95% interval."""
    half_width = student.ppf(0.975, n_pairs / 2) * attribution.std_errors[:, 0]
    return float((np.abs(attribution.values[:, 0] - truth) <= half_width).mean())


def speed(reference: ModuleType | None) -> None:
    """Print the time of a fit, the best of three."""
    print("\n| n | calls | texts at once | odd_gp, ms a text | reference, ms a text |")
    print("|---|---|---|---|---|")
    for n_units, budget, n_texts in ((14, 280, 1), (60, 1200, 1), (20, 100, 1000)):
        tables = []
        for seed in range(n_texts):
            drawn = as_sampler("odd_gp").sample(
                PlayerCount(n_units), budget, torch.Generator().manual_seed(seed)
            )
            masks = drawn.masks.numpy()
            weights = np.random.default_rng(seed).normal(size=n_units)
            scores = np.tanh(masks @ weights) + 0.3 * masks[:, :3].all(axis=1)
            tables.append(ScoreTable(masks, scores[:, None], ("y",), paired=True))
        ours = best_of_three(lambda t=tables: OddGP().fit(t)) / n_texts
        theirs = float("nan")
        if reference is not None:
            some = tables[:20]
            theirs = best_of_three(
                lambda t=some, n=n_units: [
                    reference.estimate(x.masks, x.scores[:, 0], n) for x in t
                ]
            ) / len(some)
        print(f"| {n_units} | {budget} | {n_texts} | {1e3 * ours:.1f} | {1e3 * theirs:.1f} |")


def best_of_three(run: Callable[[], object]) -> float:
    """Return the shortest time in seconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
