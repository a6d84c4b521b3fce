"""The time of a fit, beside the numpy reference on the same tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
import torch
from game_runs import best_of_three
from workload import print_table

from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.score_table import ScoreTable
from perturbx.surrogates import OddGP

SOME = 20
"""Of many texts, the reference fits so many, one by one."""


@dataclass(frozen=True)
class Speed:
    """Milliseconds a text, the best of three.

    Parameters
    ----------
    n_units, calls, n_texts : int
        The tables: so many texts in one call of ours.
    ours, reference : float
        Milliseconds; NaN where there is no reference.
    """

    n_units: int
    calls: int
    n_texts: int
    ours: float
    reference: float


def measure(reference: ModuleType | None, *, quick: bool) -> list[Speed]:
    """Time one text of 14 units, one of 60, and many of 20."""
    found = []
    for n_units, calls, n_texts in (
        (14, 280, 1),
        (60, 1_200, 1),
        (20, 100, 50 if quick else 1_000),
    ):
        tables = [_table(n_units, calls, seed) for seed in range(n_texts)]
        ours = best_of_three(partial(OddGP().fit, tables)) / n_texts
        theirs = float("nan")
        if reference is not None:
            some = tables[:SOME]
            theirs = best_of_three(partial(_one_by_one, reference, some)) / len(some)
        found.append(Speed(n_units, calls, n_texts, 1e3 * ours, 1e3 * theirs))
    return found


def print_speeds(speeds: list[Speed]) -> None:
    """Print them beside each other."""
    print_table(
        "The time of a fit, ms a text, best of three, one thread",
        ["texts at once", "n", "calls", "odd_gp", "numpy reference", "reference / odd_gp"],
        [
            [f"{s.n_texts:,}", s.n_units, s.calls, s.ours, s.reference, s.reference / s.ours]
            for s in speeds
        ],
    )


def _table(n_units: int, calls: int, seed: int) -> ScoreTable:
    drawn = as_sampler("odd_gp").sample(
        PlayerCount(n_units), calls, torch.Generator().manual_seed(seed)
    )
    masks = drawn.masks.numpy()
    weights = np.random.default_rng(seed).normal(size=n_units)
    scores = np.tanh(masks @ weights) + 0.3 * masks[:, :3].all(axis=1)
    return ScoreTable(masks, scores[:, None], ("value",), paired=True)


def _one_by_one(reference: ModuleType, tables: list[ScoreTable]) -> None:
    for table in tables:
        reference.estimate(table.masks, table.scores[:, 0], table.n_units)
