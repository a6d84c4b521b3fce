"""What the scores of a cheaper model save: `odd_gp` alone and `WithProxy`, at equal calls.

    PERTURBX_SHARED=../shared python benchmarks/proxy.py [--games 5] [--seeds 4] [--sentences 8]

The Shapley values of every game are known. Errors are relative and squared, the mean over games and
seeds. "Saved" is the share of calls that odd_gp alone needs more for the same mean error, between
the budgets that were run (">" beyond the largest of them). Coverage is that of the pointwise 95%
intervals; half-widths are compared with those of odd_gp alone. The proxy is known on all
coalitions; with ``--pairs 20`` only on so many pairs a unit beside those paid for.

| proxy | of the same game |
|---|---|
| noise 10%, noise 30% | plus white noise of so much of its standard deviation |
| logistic | a logistic function of it, saturated on both sides |
| additive | its additive part, by least squares: the best bag of words there is |
| bag of words | the same, each weight off by a factor e^N(0, ½) |
| other game | another game of the family, which has nothing to do with it |

The classifiers are a real pair: two models of sentiment, 22M and 2.7M parameters, and the same
sentences of twelve words (scores: log-odds), each as the other's proxy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from odd_gp import N_WORDS, SHARED, all_masks, error, known_everywhere, shared_games, table_of

import perturbx as px
from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Attribution, OddGP, WithProxy
from perturbx.surrogates.intervals import half_widths
from perturbx.units import as_segmenter

FAMILIES = ("sentiment14", "resnet14", "vit16")
BUDGETS = (2, 3, 5, 10)
ALONE = (2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50)
"""Budgets of odd_gp alone, to tell what its error costs."""

LIMIT = 10.0
"""Of a standard score, so that the logistic function stays a number."""


@dataclass(frozen=True, eq=False)
class Pair:
    """The values of all coalitions of the model paid for and of its proxy, unit u being bit u."""

    paid: np.ndarray
    proxy: np.ndarray


@dataclass(frozen=True)
class Run:
    """What one fit came to."""

    error: float
    coverage: float
    half_width: float
    probability: float = 0.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", type=int, default=5, help="of each family")
    parser.add_argument("--seeds", type=int, default=4, help="for each game")
    parser.add_argument("--sentences", type=int, default=8, help="for the two classifiers")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--pairs", type=int, help="a unit at which the proxy is known; all of them")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for family in asked.families:
        games = list(shared_games(family, asked.games + 1))
        if len(games) > 1:
            made = {name: proxies_of(name, games) for name in PROXIES}
            compare(family, made, asked.seeds, asked.pairs)
    real = classifiers(asked.sentences) if asked.sentences else {}
    if real:
        compare("two classifiers", real, asked.seeds, asked.pairs)


def noisy(game: np.ndarray, share: float) -> np.ndarray:
    """Return the game plus white noise, always the same."""
    noise = np.random.default_rng(0).normal(size=len(game))
    return game + share * game.std() * noise


def logistic(game: np.ndarray) -> np.ndarray:
    """Return a steep logistic function of the game around its median."""
    standard = 2.0 * (game - np.median(game)) / game.std()
    return 1.0 / (1.0 + np.exp(-np.clip(standard, -LIMIT, LIMIT)))


def additive(game: np.ndarray, spread: float = 0.0) -> np.ndarray:
    """Return the additive game nearest to it over all coalitions, its weights spread."""
    masks = all_masks(len(game).bit_length() - 1)
    design = np.column_stack([masks, np.ones(len(game))])
    weights = np.linalg.lstsq(design, game, rcond=None)[0][:-1]
    return masks @ (weights * np.random.default_rng(0).lognormal(0.0, spread, len(weights)))


PROXIES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "noise 10%": lambda game, _: noisy(game, 0.1),
    "noise 30%": lambda game, _: noisy(game, 0.3),
    "logistic": lambda game, _: logistic(game),
    "additive": lambda game, _: additive(game),
    "bag of words": lambda game, _: additive(game, 0.5),
    "other game": lambda _, other: other,
}
"""From a game and the next one to the proxy."""


def proxies_of(name: str, games: Sequence[np.ndarray]) -> list[Pair]:
    """Return a pair for each game but the last."""
    return [Pair(game, PROXIES[name](game, other)) for game, other in pairwise(games)]


def classifiers(most: int) -> dict[str, list[Pair]]:
    """Return the log-odds of the same sentences by two classifiers, each as the other's proxy."""
    model, data = SHARED / "models" / "minilm-sst2", SHARED / "data" / "sst2" / "test.tsv"
    if not (model.is_dir() and data.is_file()):
        return {}
    cut = as_segmenter("words")
    texts = [line.rpartition("\t")[0] for line in data.read_text("utf-8").splitlines()]
    texts = [text for text in texts if cut(text).n_units == N_WORDS][:most]
    large, small = list(log_odds(str(model), texts)), list(log_odds("default", texts))
    return {
        "small for large": [Pair(*both) for both in zip(large, small, strict=True)],
        "large for small": [Pair(*both) for both in zip(small, large, strict=True)],
        "small, other sentence": [
            Pair(paid, proxy) for paid, proxy in zip(large[:-1], small[1:], strict=True)
        ],
    }


def log_odds(model: str, texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield the log-odds of all maskings of each text."""
    explainer = px.ShapleyExplainer(model, estimator="exact", random_state=0, progress=False)
    for explanation in explainer.explain(texts):
        table = explanation.table.linked("log_odds")
        yield table.scores[np.argsort(table.masks @ (1 << np.arange(table.n_units))), 1]


def compare(family: str, made: dict[str, list[Pair]], n_seeds: int, n_pairs: int | None) -> None:
    """Print one table of a family: every proxy at every budget."""
    first = next(iter(made.values()))
    n_units = len(first[0].paid).bit_length() - 1
    print(f"\n{family}: {len(first)} games x {n_seeds} seeds, n = {n_units}\n")
    print(
        "| proxy | calls | odd_gp | with proxy | ratio | saved | coverage: odd_gp | with proxy "
        "| half-width ratio | P(proxy) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, pairs in made.items():
        budgets = [times for times in ALONE if times * n_units < 2 ** (n_units - 1)]
        alone = {
            times: [run for pair in pairs for run in plain(pair, int(times * n_units), n_seeds)]
            for times in budgets
        }
        curve = [float(np.mean([run.error for run in alone[times]])) for times in budgets]
        for times in BUDGETS:
            ours = [
                run for pair in pairs for run in with_proxy(pair, times * n_units, n_seeds, n_pairs)
            ]
            theirs = alone[times]
            mine, bare = np.mean([r.error for r in ours]), np.mean([r.error for r in theirs])
            width = np.mean([r.half_width for r in ours]) / np.mean([r.half_width for r in theirs])
            print(
                f"| {name} | {times}n | {bare:.4g} | {mine:.4g} | {mine / bare:.2f} "
                f"| {saved(float(mine), times, budgets, curve)} "
                f"| {np.mean([r.coverage for r in theirs]):.3f} "
                f"| {np.mean([r.coverage for r in ours]):.3f} | {width:.2f} "
                f"| {np.mean([r.probability for r in ours]):.2f} |",
                flush=True,
            )


def saved(mine: float, times: float, budgets: Sequence[float], curve: Sequence[float]) -> str:
    """Return which share of odd_gp's calls is saved at its error `mine`, by interpolated logs."""
    # At how many calls the error falls below another one for good.
    falling = np.maximum.accumulate(curve[::-1])[::-1]
    if mine < falling[-1]:
        return f"> {1 - times / budgets[-1]:.0%}"
    needed = np.exp(np.interp(-np.log(mine), -np.log(falling), np.log(budgets)))
    return f"{1 - times / needed:.0%}"


def tables_of(pair: Pair, budget: int, n_seeds: int) -> Iterator[ScoreTable]:
    """Yield what the design of odd_gp buys, once a seed."""
    game = known_everywhere(pair.paid)
    for seed in range(n_seeds):
        yield table_of(game, as_sampler("odd_gp"), budget, seed)


def plain(pair: Pair, budget: int, n_seeds: int) -> list[Run]:
    """Return the runs without a proxy."""
    truth = known_everywhere(pair.paid).truth
    fits = OddGP().fit(list(tables_of(pair, budget, n_seeds)))
    return [run_of(fit, truth) for fit in fits]


def with_proxy(pair: Pair, budget: int, n_seeds: int, n_pairs: int | None) -> list[Run]:
    """Return the runs with it."""
    truth, runs = known_everywhere(pair.paid).truth, []
    for seed, table in enumerate(tables_of(pair, budget, n_seeds)):
        (fit,) = WithProxy(proxy_table(pair.proxy, table, n_pairs, seed)).fit([table])
        probability = float(fit.proxy_probability[0])
        runs.append(replace(run_of(fit, truth), probability=probability))
    return runs


def proxy_table(
    values: np.ndarray, table: ScoreTable, n_pairs: int | None, seed: int
) -> ScoreTable:
    """Return the proxy's scores of all coalitions, or of the table's and so many pairs a unit."""
    masks = all_masks(table.n_units)
    if n_pairs is not None:
        generator = torch.Generator().manual_seed(seed)
        budget = 2 * n_pairs * table.n_units + 2
        drawn = as_sampler("leverage").sample(PlayerCount(table.n_units), budget, generator)
        masks = np.unique(np.concatenate([table.masks, drawn.masks.numpy()]), axis=0)
    return ScoreTable(masks, values[masks @ (1 << np.arange(table.n_units))][:, None], ("proxy",))


def run_of(fit: Attribution, truth: np.ndarray) -> Run:
    """Return how far a fit is from the truth."""
    width = half_widths(fit, 0.95)[:, 0]
    covered = np.abs(fit.values[:, 0] - truth) <= width
    return Run(error(fit.values[:, 0], truth), float(covered.mean()), float(width.mean()))


if __name__ == "__main__":
    main()
