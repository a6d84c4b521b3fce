"""How far the estimators are from one that is told the size of every interaction.

    python benchmarks/floor.py                        # 12 sentences of 12 words: five minutes
    python benchmarks/floor.py --words 16 --sentences 1 --calls 200   # 65,536 calls of the model

All maskings of a sentence are scored, so the coefficient of every set of units in the game's
Walsh-Hadamard basis is known. The linear estimator of the least expected error under a prior whose
variances are the true squares of these coefficients, and which does not know their signs, is given
the very rows that perturbx buys. Nobody knows so much: where perturbx is near to it, only other
rows or more of them would help.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from known_sentences import KnownSentence
from workload import Workload, note, print_surroundings, print_table

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.score_table import ScoreTable
from perturbx.surrogates import LimeLimit, OddGP

SEEDS = 8
LEAST = 1e-9
"""Added to every variance, in parts of their mean."""


def hadamard(values: np.ndarray) -> np.ndarray:
    """Return the sums of values ``(2 ** n,)`` times (-1) ** |S & x|, for every S."""
    values = values.astype(float)
    step = 1
    while step < len(values):
        low, high = np.moveaxis(values.reshape(-1, 2, step), 1, 0)
        values = np.stack([low + high, low - high], axis=1).ravel()
        step *= 2
    return values


def told(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return what the best linear estimator expects of the game everywhere, given some rows.

    Parameters
    ----------
    values : numpy.ndarray, (2 ** n,)
        The game, of mean 0.
    rows : numpy.ndarray of int, (m,)
        The coalitions that are asked.
    """
    variances = np.square(hadamard(values) / len(values))
    kernel = hadamard(variances + LEAST * variances.mean())
    covariance = kernel[rows[:, None] ^ rows]
    covariance[np.diag_indices(len(rows))] *= 1 + 1e-10
    weights = np.zeros(len(values))
    np.add.at(weights, rows, np.linalg.solve(covariance, values[rows]))
    # Covariances depend on which units two coalitions differ in: a convolution.
    return hadamard(hadamard(weights) * hadamard(kernel)) / len(values)


def shapley_of(values: np.ndarray) -> np.ndarray:
    """Return the Shapley values of a game."""
    n_units = len(values).bit_length() - 1
    codes = np.arange(len(values))
    kept = codes[:, None] >> np.arange(n_units) & 1
    size = kept.sum(axis=1)
    coefficients = hadamard(values) / len(values)
    odd = size % 2 == 1
    return -2 * (kept[odd].T @ (coefficients[odd] / size[odd]))


def line_of(values: np.ndarray) -> np.ndarray:
    """Return the coefficients of LIME's line in the limit."""
    n_units = len(values).bit_length() - 1
    functional = LimeLimit().functional(n_units)
    kept = np.arange(len(values))[:, None] >> np.arange(n_units) & 1
    size = kept.sum(axis=1)
    weights = np.where(
        kept == 1, functional.kept_alone[size][:, None], functional.removed_alone[size][:, None]
    )
    return weights.T @ values


def compare(games: Sequence[np.ndarray], calls: Sequence[int], target: str) -> list[list[object]]:
    """Return, for each budget, perturbx's error and that of the one who is told."""
    surrogate, read = {"shapley": (OddGP(), shapley_of), "lime": (LimeLimit(), line_of)}[target]
    rows: list[list[object]] = []
    for budget in calls:
        errors: dict[str, list[float]] = {"perturbx": [], "told": []}
        for values in games:
            n_units = len(values).bit_length() - 1
            mean, truth = values.mean(), read(values - values.mean())
            for seed in range(SEEDS if n_units <= 12 else 2):
                generator = torch.Generator().manual_seed(seed)
                masks = OddPairs().sample(PlayerCount(n_units), budget, generator).masks.numpy()
                asked = masks @ (1 << np.arange(n_units))
                table = ScoreTable(masks, values[asked][:, None], ("y",))
                found = surrogate.fit([table])[0].values[:, 0]
                for name, own in (("perturbx", found), ("told", read(told(values - mean, asked)))):
                    errors[name].append(np.square(own - truth).sum() / np.square(truth).sum())
        means = [float(np.mean(own)) for own in errors.values()]
        rows.append([budget, *means, *np.sqrt(means), means[0] / means[1]])
        note(f"{target}, {budget} calls")
    return rows


def main() -> None:
    """Print a table for Shapley values of log-odds and one for LIME's line of probabilities."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=12)
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--calls", type=int, nargs="+", default=[24, 36, 60, 120])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    shared = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).parents[2] / "shared"))
    workload = Workload.load(shared)
    print_surroundings()
    sentences = sorted(
        workload.with_words(options.words, options.words),
        key=lambda units: not workload.is_plain(units),
    )[: options.sentences]
    games = []
    for units in sentences:
        note(f"all {2**units.n_units:,} maskings of {units.text!r}")
        games.append(KnownSentence.ask(units, workload).log_odds)
    headers = ["calls", "perturbx", "told", "root of it", "root of it (told)", "quotient"]
    title = f"{len(games)} sentences of {options.words} words, mean relative squared error"
    print_table(
        f"Shapley values of log-odds: {title}", headers, compare(games, options.calls, "shapley")
    )
    chances = [1 / (1 + np.exp(-own)) for own in games]
    print_table(
        f"LIME's line of probabilities: {title}", headers, compare(chances, options.calls, "lime")
    )


if __name__ == "__main__":
    main()
