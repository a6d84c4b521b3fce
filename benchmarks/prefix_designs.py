"""Error at equal tokens: pairs priced in tokens beside pairs chosen for their calls.

    python benchmarks/prefix_designs.py                        # smooth games of 16 units
    python benchmarks/prefix_designs.py --model ./llm          # and answers of a language model

Everything a decoder reads is counted: the nodes of the trie of all rows, and each row's end. Every
design is fitted by `odd_gp`; its budget is the tokens that leverage pairs need for so many calls.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np
import torch
from context_pairs import Game, read_questions
from workload import all_masks, print_surroundings, print_table

from perturbx.coalitions import Leverage, OddPairs, PlayerCount, PrefixPairs
from perturbx.explainers.design import shapley_design
from perturbx.explainers.prompt_design import priced_in_tokens
from perturbx.score_table import ScoreTable
from perturbx.surrogates import OddGP
from perturbx.typing import Sampler

CALLS_A_UNIT = (2, 3, 5, 10)
SEEDS = 2


@dataclass(frozen=True)
class PricedGame:
    """A game whose Shapley values are known, and what its rows cost."""

    score: Callable[[np.ndarray], np.ndarray]
    values: np.ndarray
    unit_tokens: tuple[int, ...]
    tail: float

    def tokens(self, masks: np.ndarray) -> float:
        """Return what a decoder reads for these rows."""
        return trie_tokens(masks, self.unit_tokens, self.tail)


def trie_tokens(masks: np.ndarray, unit_tokens: Sequence[int], tail: float) -> float:
    """Return the tokens of the trie of all rows, each row's end included."""
    spent = np.pad(np.cumsum(masks * np.array(unit_tokens), axis=1), ((0, 0), (1, 0)))
    total, before = 0.0, None
    for row in np.lexsort(masks.T[::-1]):
        shared = 0
        if before is not None:
            differs = np.flatnonzero(masks[row] != masks[before])
            shared = differs[0] if len(differs) else masks.shape[1]
        total += spent[row, -1] - spent[row, shared] + tail
        before = row
    return float(total)


def shapley_values(scores: np.ndarray) -> np.ndarray:
    """Return the Shapley values of a game given on all masks in the order of `all_masks`."""
    n = int(np.log2(len(scores)))
    sizes = all_masks(n).sum(axis=1)
    numbers = np.arange(len(scores))
    values = np.zeros(n)
    for unit in range(n):
        without = numbers[numbers >> unit & 1 == 0]
        weights = 1.0 / (n * np.array([comb(n - 1, size) for size in sizes[without]]))
        values[unit] = weights @ (scores[without | 1 << unit] - scores[without])
    return values


def smooth_game(seed: int, n_units: int = 16) -> PricedGame:
    """Return a small network of 20 to 100 tokens a unit, with some units that matter alone."""
    draw = np.random.default_rng(seed)
    weights = draw.normal(size=(n_units, 6)) * 2.5 / np.sqrt(n_units)
    bias, top = 0.7 * draw.normal(size=6), draw.normal(size=6)
    alone = 0.3 * draw.normal(size=n_units) * (draw.random(n_units) < 0.4)

    def score(masks: np.ndarray) -> np.ndarray:
        return np.tanh(masks @ weights + bias) @ top + masks @ alone

    tokens = tuple(draw.integers(20, 100, n_units).tolist())
    return PricedGame(score, shapley_values(score(all_masks(n_units))), tokens, 25.0)


def answer_game(model: Any, number: int) -> PricedGame:
    """Return the log-probability of an answer, enumerated over the sentences of its context."""
    question = read_questions()[number]
    own = next(d for d in question.documents if question.sources[0] in d)
    game = Game(model, replace(question, documents=(own,)), number)
    game.explainer.set_params(link="log_prob")
    masks = all_masks(game.units.n_units)
    scores = game.log_prob(masks)
    design = shapley_design("odd_gp", "auto", game.units.n_units)
    priced = priced_in_tokens(design, game.encoding, game.scorer.language_model.head_price)
    place = 1 << np.arange(game.units.n_units)
    return PricedGame(
        lambda rows: scores[rows @ place],
        shapley_values(scores),
        priced.sampler.unit_tokens,
        priced.sampler.tail,
    )


def errors(game: PricedGame, calls_a_unit: int, seed: int) -> list[float]:
    """Return the relative squared error of each design at the tokens of the first one."""
    n = len(game.values)
    leverage = _drawn(Leverage(), n, calls_a_unit * n, seed)
    budget = game.tokens(leverage)
    priced = PrefixPairs(game.unit_tokens, game.tail)
    rows = [leverage, *(_within(s, game, budget, seed) for s in (OddPairs(), priced))]
    return [*(_error(game, own) for own in rows), *(float(len(own)) for own in rows)]


def _drawn(sampler: Sampler, n_units: int, calls: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return sampler.sample(PlayerCount(n_units), calls, generator).masks.numpy()


def _within(sampler: Sampler, game: PricedGame, budget: float, seed: int) -> np.ndarray:
    """Return as many rows of a nested design as the tokens allow."""
    n = len(game.values)
    rows = _drawn(sampler, n, min(2**n - 2, 30 * n), seed)
    counts = [k for k in range(n + 2 + n % 2, len(rows) + 1, 2) if game.tokens(rows[:k]) <= budget]
    return rows[: max(counts, default=n + 2 + n % 2)]


def _error(game: PricedGame, masks: np.ndarray) -> float:
    table = ScoreTable(masks, game.score(masks)[:, None], ("y",), design="odd_gp", paired=True)
    (fit,) = OddGP().fit([table])
    off = fit.values[:, 0] - game.values
    return float(off @ off / (game.values @ game.values))


def print_errors(title: str, games: Sequence[PricedGame]) -> None:
    """Print the mean error of each design, and its mean number of calls."""
    rows = []
    for calls in CALLS_A_UNIT:
        found = [errors(game, calls, seed) for game in games for seed in range(SEEDS)]
        mean = np.mean(found, axis=0)
        rows.append([f"{calls}n", *(f"{own:.4f}" for own in mean[:3]), *map(round, mean[3:])])
    print_table(
        title,
        ["tokens of", "leverage", "OddPairs", "PrefixPairs", "calls", "calls", "calls"],
        rows,
    )


def main() -> None:
    """Run the families asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=12)
    parser.add_argument("--model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_surroundings()
    print_errors("smooth games of 16 units", [smooth_game(seed) for seed in range(options.games)])
    if options.model:
        from perturbx.scorers.language_models import as_language_model

        model = as_language_model(options.model)
        games = [answer_game(model, number) for number in range(0, 2 * options.games, 4)]
        print_errors("answers from contexts of 7 to 9 sentences, log-probability", games)


if __name__ == "__main__":
    main()
