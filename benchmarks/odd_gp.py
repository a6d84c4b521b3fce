"""How far `odd_gp` is from the truth, beside `leverage` and the numpy reference in one run.

    PERTURBX_SHARED=../shared python benchmarks/odd_gp.py [--games 5] [--seeds 4] [--sentences 3]

The Shapley values of every game are known. Errors are relative and squared, the mean over games and
seeds. The reference gets the same pairs as `odd_gp`, and once more those of its own design.
Coverage is the share of exact values inside the pointwise 95% intervals, and the share of games all
of whose values lie inside the simultaneous ones; half-widths are compared with the pointwise ones
of the reference. Where the shared data is missing, networks and planted games are all there is.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import comb
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from scipy.stats import t as student

import perturbx as px
from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates import ExactShapley, LeverageShapley, OddGP
from perturbx.surrogates.intervals import half_widths
from perturbx.typing import Sampler
from perturbx.units import as_segmenter

SHARED = Path(
    os.environ.get("PERTURBX_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
)
BUDGETS = (2, 3, 5, 10, 20, 50)
N_WORDS = 12
FAMILIES = ("sentiment14", "resnet14", "vit16", "minilm", "network60", "planted")


@dataclass(frozen=True, eq=False)
class Game:
    """A game with known Shapley values: from masks ``(rows, n)`` to scores ``(rows,)``."""

    value: Callable[[np.ndarray], np.ndarray]
    truth: np.ndarray

    @property
    def n_units(self) -> int:
        """Return the number of units."""
        return len(self.truth)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=5, help="of each family")
    parser.add_argument("--seeds", type=int, default=4, help="for each game")
    parser.add_argument("--sentences", type=int, default=3, help="enumerated with the classifier")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    reference = prototype()
    for family in asked.families if asked.games else []:
        games = list(games_of(family, asked.games, asked.sentences))
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


def games_of(family: str, most: int, most_sentences: int) -> Iterator[Game]:
    """Yield at most so many games of a family."""
    if family == "network60":
        yield from (network(seed) for seed in range(most))
    elif family == "planted":
        yield from (known_everywhere(planted(seed)) for seed in range(most))
    elif family == "minilm":
        yield from map(known_everywhere, sentences(most_sentences))
    else:
        yield from map(known_everywhere, shared_games(family, most))


def known_everywhere(values: np.ndarray) -> Game:
    """Return the game with these values of all coalitions, unit u being bit u of the index."""
    masks = all_masks(len(values).bit_length() - 1)
    table = ScoreTable(masks, values[:, None], ("y",))
    bits = 1 << np.arange(masks.shape[1])
    return Game(lambda kept: values[kept @ bits], ExactShapley().fit([table])[0].values[:, 0])


def shared_games(family: str, most: int) -> Iterator[np.ndarray]:
    """Yield the values of all coalitions."""
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


def planted(seed: int, n_units: int = 14) -> np.ndarray:
    """Return a sum of a few products of few units, for all coalitions."""
    rng = np.random.default_rng(seed)
    kept = all_masks(n_units)
    values = np.zeros(len(kept))
    for _ in range(12):
        units = rng.choice(n_units, rng.integers(1, 5), replace=False)
        values += rng.normal() * kept[:, units].all(axis=1)
    return values


def network(seed: int, n_units: int = 60, n_hidden: int = 4) -> Game:
    """Return a network of one hidden layer of sigmoids with small integer weights.

    Shapley values are linear in the game, so each hidden unit has its own, by counting for each
    weight how many coalitions of the other units have which size and which sum of weights.
    """
    rng = np.random.default_rng(seed)
    weights = rng.integers(-2, 3, size=(n_hidden, n_units))
    offsets = rng.integers(-3, 4, size=n_hidden) - weights.sum(axis=1) // 2
    out = rng.normal(size=n_hidden)

    def sigmoid(sums: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-sums / 4.0))

    truth = np.zeros(n_units)
    for own, offset, factor in zip(weights, offsets, out, strict=True):
        least, most = own[own < 0].sum(), own[own > 0].sum()
        sums = np.arange(least, most + 1) + offset
        for weight in np.unique(own):
            share = _shares_of_sums(np.delete(own, np.argmax(own == weight)), least, len(sums))
            worth = share @ (sigmoid(sums + weight) - sigmoid(sums))
            truth[own == weight] += factor * worth
    return Game(lambda kept: sigmoid(kept @ weights.T + offsets) @ out, truth)


def _shares_of_sums(weights: np.ndarray, least: int, n_sums: int) -> np.ndarray:
    """Return how likely each sum of the weights is where all sizes are, and all sets of a size."""
    counts = np.zeros((len(weights) + 1, n_sums))
    counts[0, -least] = 1.0
    for weight in weights:
        counts[1:] += np.roll(counts[:-1], weight, axis=1)
    sets = np.array([comb(len(weights), size) for size in range(len(counts))], dtype=float)
    return (counts / sets[:, None]).mean(axis=0)


def all_masks(n_units: int) -> np.ndarray:
    """Return every coalition, ``(2 ** n_units, n_units)``."""
    return (np.arange(1 << n_units)[:, None] >> np.arange(n_units)) & 1 > 0


def table_of(game: Game, sampler: Sampler, budget: int, seed: int) -> ScoreTable:
    """Return what a sampler buys of a game."""
    generator = torch.Generator().manual_seed(seed)
    drawn = sampler.sample(PlayerCount(game.n_units), budget, generator)
    masks = drawn.masks.numpy()
    return ScoreTable(
        masks=masks,
        scores=game.value(masks)[:, None],
        output_names=("y",),
        probabilities=None if drawn.probabilities is None else drawn.probabilities.numpy(),
        design=drawn.design,
        paired=True,
    )


def compare(family: str, games: list[Game], n_seeds: int, reference: ModuleType | None) -> None:
    """Print errors by budget, and the coverage and the width of the intervals of odd_gp."""
    n_units = games[0].n_units
    print(f"\n{family}: {len(games)} games x {n_seeds} seeds, n = {n_units}\n")
    print(
        "| calls | odd_gp | same pairs: reference | ratio | own pairs: reference | ratio "
        "| leverage | coverage | all units | half-width ratio | r2 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for budget in [times * n_units for times in BUDGETS if times * n_units < 2**n_units]:
        rows = []
        for number, game in enumerate(games):
            seeds = range(1_000 * number, 1_000 * number + n_seeds)
            tables = [table_of(game, as_sampler("odd_gp"), budget, seed) for seed in seeds]
            drawn = [table_of(game, as_sampler("leverage"), budget, seed) for seed in seeds]
            fits = zip(OddGP().fit(tables), LeverageShapley().fit(drawn), strict=True)
            for seed, table, (ours, leverage) in zip(seeds, tables, fits, strict=True):
                same, same_width = _reference(reference, game, table.masks)
                own, _ = _reference(reference, game, _own_pairs(reference, budget, seed, n_units))
                off = np.abs(ours.values[:, 0] - game.truth)
                width = half_widths(ours, 0.95)[:, 0]
                joint = half_widths(ours, 0.95, simultaneous=True)[:, 0]
                rows.append(
                    (
                        error(ours.values[:, 0], game.truth),
                        same,
                        own,
                        error(leverage.values[:, 0], game.truth),
                        (off <= width).mean(),
                        (off <= joint).all(),
                        width.mean() / same_width,
                        np.nan if ours.r2 is None else ours.r2,
                    )
                )
        mine, same, own, leverage, covered, together, wider, r2 = np.mean(rows, axis=0)
        print(
            f"| {budget // n_units}n | {mine:.4g} | {same:.4g} | {mine / same:.3f} "
            f"| {own:.4g} | {mine / own:.3f} | {leverage:.4g} | {covered:.3f} "
            f"| {together:.3f} | {wider:.2f} | {r2:.3f} |",
            flush=True,
        )


def _own_pairs(
    reference: ModuleType | None, budget: int, seed: int, n_units: int
) -> np.ndarray | None:
    """Return the design of the reference, of the same size."""
    if reference is None:
        return None
    half = reference.design(n_units, budget // 2 - 1, np.random.default_rng(seed)) > 0
    ends = np.array([[True], [False]]).repeat(n_units, axis=1)
    return np.concatenate([ends, half, ~half])


def _reference(
    reference: ModuleType | None, game: Game, masks: np.ndarray | None
) -> tuple[float, float]:
    """Return the error of the reference and the mean half-width of its intervals."""
    if reference is None or masks is None:
        return float("nan"), float("nan")
    values, errors = reference.estimate(masks, game.value(masks), game.n_units)
    quantile = student.ppf(0.975, len(masks) / 4)
    return error(values, game.truth), float(quantile * errors.mean())


def error(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the relative squared error."""
    return float(np.square(values - truth).sum() / np.square(truth).sum())


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
    """Return the shortest time in seconds of the processor: others may use the machine."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
