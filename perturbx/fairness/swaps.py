"""Counterfactual fairness: what the model says when only the identity terms of a text change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import beta
from scipy.stats import t as student_t

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.sampling import Sample, shared_out
from perturbx.fairness.statistics.measures import Judged
from perturbx.lexicons import Lexicon
from perturbx.lexicons.counterfactuals import Counterfactual, counterfactuals
from perturbx.typing import FloatArray, IntArray

SYMMETRIC: Final = "symmetric"
ASYMMETRIC: Final = "asymmetric"


@dataclass(frozen=True, eq=False)
class Swaps:
    """Swapped texts.

    Parameters
    ----------
    made : tuple of Counterfactual
        The swaps.
    texts : tuple of str
        What each was made of.
    rows : numpy.ndarray of int64, (n,)
        Which rows those are.
    weights : numpy.ndarray, (n,)
        For how many rows each speaks.
    """

    made: tuple[Counterfactual, ...]
    texts: tuple[str, ...]
    rows: IntArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.made)

    def at(self, places: IntArray) -> Swaps:
        """Return some of them."""
        return Swaps(
            tuple(self.made[place] for place in places),
            tuple(self.texts[place] for place in places),
            self.rows[places],
            self.weights[places],
        )


def make_swaps(
    texts: Sequence[str],
    sample: Sample,
    lexicons: Sequence[Lexicon],
    most: int,
    rng: np.random.Generator,
) -> Swaps:
    """Return the swaps of some texts: every group that is mentioned for every other one.

    Parameters
    ----------
    texts : sequence of str
        The texts of the sample.
    sample : Sample
        Which rows they are.
    lexicons : sequence of Lexicon
        The terms.
    most : int
        Swaps at most; of more, as many of each attribute, and within it of each pair of groups, as
        there are of others.
    rng : numpy.random.Generator
        Draws them.
    """
    made: list[tuple[int, Counterfactual]] = []
    for place, text in enumerate(texts):
        for lexicon in lexicons:
            made += [(place, swap) for swap in counterfactuals(text, lexicon)]
    weights = np.ones(len(made))
    if len(made) > most:
        chosen, weights = _some([swap for _, swap in made], most, rng)
        made = [made[i] for i in chosen]
    places = np.array([place for place, _ in made], dtype=np.int64)
    return Swaps(
        tuple(swap for _, swap in made),
        tuple(texts[place] for place in places),
        sample.rows[places],
        sample.weights[places] * weights,
    )


def _some(
    swaps: Sequence[Counterfactual], most: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return which swaps are made, and for how many each speaks.

    As many of each attribute as of others, and of its pairs of groups as many as of other pairs.
    """
    of_attribute, of_pair = (
        np.unique(["\0".join(name(swap)) for swap in swaps], return_inverse=True)[1].ravel()
        for name in (
            lambda swap: (swap.attribute,),
            lambda swap: (swap.attribute, swap.source, swap.target),
        )
    )
    quota = shared_out(np.bincount(of_attribute), most)
    turn = _turns(of_pair, rng)
    chosen = np.sort(
        np.concatenate(
            [
                own[np.argsort(turn[own], kind="stable")[:size]]
                for number, size in enumerate(quota)
                for own in (np.flatnonzero(of_attribute == number),)
            ]
        )
    )
    held, drawn = np.bincount(of_pair), np.bincount(of_pair[chosen], minlength=of_pair.max() + 1)
    return chosen, (held / np.maximum(drawn, 1))[of_pair[chosen]]


def _turns(kind: IntArray, rng: np.random.Generator) -> FloatArray:
    """Return a number per entry by which all kinds take turns, each in a random order."""
    order = np.lexsort((rng.random(len(kind)), kind))
    sizes = np.bincount(kind)
    place = np.empty(len(kind))
    place[order] = np.arange(len(kind)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place + rng.random(len(kind)) / 2


def swap_tables(
    swaps: Swaps,
    outcomes: Sequence[Outcome],
    before: Sequence[Judged],
    after: Sequence[Judged],
    clusters: IntArray | None,
    *,
    level: float,
    n_worst: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the tables of flip rates and shifts, and of the worst cases.

    Parameters
    ----------
    swaps : Swaps
        The swapped texts.
    outcomes : sequence of Outcome
        What is audited.
    before, after : sequence of Judged
        For each outcome what was said of the texts, and of the texts after the swap.
    clusters : numpy.ndarray of int64, (n_swaps,), optional
        The clusters of the rows; else the swaps of one text are a cluster.
    level : float
        Of the intervals.
    n_worst : int
        Worst cases of each attribute and outcome.

    Notes
    -----
    Intervals of shifts are cluster-robust with Student's t. A flip rate has Jeffreys' interval for
    as many independent texts as would have the same cluster-robust variance.
    """
    cluster = swaps.rows if clusters is None else clusters
    table: list[dict[str, Any]] = []
    worst: list[dict[str, Any]] = []
    for number, outcome in enumerate(outcomes):
        shift = after[number].scores - before[number].scores
        decided = before[number].decisions, after[number].decisions
        flipped = None
        if decided[0] is not None and decided[1] is not None:
            flipped = (decided[0] != decided[1]).astype(np.float64)
        cells = _cells(swaps)
        for about, at in cells.items():
            places = np.array(at, dtype=np.int64)
            table.append(
                dict(zip(_KEYS, about, strict=True))
                | {"outcome": outcome.name, "n": len(places)}
                | _numbers(
                    shift[places],
                    None if flipped is None else flipped[places],
                    swaps.weights[places],
                    cluster[places],
                    level,
                )
            )
        worst += _worst(swaps, outcome, before[number], after[number], shift, flipped, n_worst)
    order = {SYMMETRIC: 0, ASYMMETRIC: 1}
    table.sort(
        key=lambda row: (
            row["attribute"],
            row["outcome"],
            order[row["kind"]],
            row["group_a"] != EVERYONE,
            row["term"] != EVERYONE,
            -abs(row["mean_shift"]),
        )
    )
    return table, worst


_KEYS: Final = ("attribute", "kind", "group_a", "group_b", "term", "replacement")


def _kind(swap: Counterfactual) -> str:
    return SYMMETRIC if swap.is_symmetric else ASYMMETRIC


def _cells(swaps: Swaps) -> Mapping[tuple[str, ...], list[int]]:
    """Return the swaps of every pair of terms, of every pair of groups, and of all groups."""
    cells: dict[tuple[str, ...], list[int]] = {}
    for place, swap in enumerate(swaps.made):
        kind = _kind(swap)
        pair = (swap.source, swap.target)
        keys: Iterable[tuple[str, ...]] = (
            (swap.attribute, kind, EVERYONE, EVERYONE, EVERYONE, EVERYONE),
            (swap.attribute, kind, *pair, EVERYONE, EVERYONE),
            (swap.attribute, kind, *pair, swap.term.casefold(), swap.replacement.casefold()),
        )
        for key in keys:
            cells.setdefault(key, []).append(place)
    return cells


def _numbers(
    shift: FloatArray,
    flipped: FloatArray | None,
    weights: FloatArray,
    clusters: IntArray,
    level: float,
) -> dict[str, float]:
    cluster = np.unique(clusters, return_inverse=True)[1].ravel()
    n_clusters = int(cluster.max()) + 1
    share = weights / weights.sum()
    mean = float(share @ shift)
    error = _cluster_error(shift - mean, share, cluster, n_clusters)
    half = (
        float(student_t.ppf((1 + level) / 2, n_clusters - 1)) * error if n_clusters > 1 else np.nan
    )
    flips = {"flip_rate": np.nan, "flip_low": np.nan, "flip_high": np.nan}
    if flipped is not None:
        # All or none, exactly: a rounding error beside 1 would have a variance below 0.
        rate = float(flipped[0] if np.ptp(flipped) == 0 else share @ flipped)
        # With so many independent texts a share would have the same variance.
        spread = _cluster_error(flipped - rate, share, cluster, n_clusters)
        size = float(1 / np.sum(np.square(np.bincount(cluster, weights=share))))
        if spread > 0:
            size = min(rate * (1 - rate) / spread**2, float(len(shift)))
        tails = ((1 - level) / 2, (1 + level) / 2)
        ends = [float(beta.ppf(p, rate * size + 0.5, (1 - rate) * size + 0.5)) for p in tails]
        flips = {
            "flip_rate": rate,
            "flip_low": 0.0 if rate == 0 else min(ends[0], rate),
            "flip_high": 1.0 if rate == 1 else max(ends[1], rate),
        }
    return flips | {
        "mean_shift": mean,
        "low": mean - half,
        "high": mean + half,
        "mean_absolute_shift": float(share @ np.abs(shift)),
    }


def _cluster_error(
    centred: FloatArray, share: FloatArray, cluster: IntArray, n_clusters: int
) -> float:
    if n_clusters < 2:
        return 0.0
    sums = np.bincount(cluster, weights=share * centred, minlength=n_clusters)
    return float(np.sqrt(n_clusters / (n_clusters - 1) * np.sum(sums**2)))


def _worst(
    swaps: Swaps,
    outcome: Outcome,
    before: Judged,
    after: Judged,
    shift: FloatArray,
    flipped: FloatArray | None,
    n_worst: int,
) -> list[dict[str, Any]]:
    """Return the swaps that move the score most, one of each text and attribute."""
    rows: list[dict[str, Any]] = []
    taken: dict[str, set[int]] = {}
    symmetric = np.array([swap.is_symmetric for swap in swaps.made], dtype=bool)
    for place in np.lexsort((-np.abs(shift), ~symmetric)):
        swap, row = swaps.made[place], int(swaps.rows[place])
        own = taken.setdefault(swap.attribute, set())
        if row in own or len(own) >= n_worst or shift[place] == 0:
            continue
        own.add(row)
        rows.append(
            {
                "attribute": swap.attribute,
                "outcome": outcome.name,
                "group_a": swap.source,
                "group_b": swap.target,
                "term": swap.term,
                "replacement": swap.replacement,
                "kind": _kind(swap),
                "text": swaps.texts[place],
                "swapped_text": swap.text,
                "score": float(before.scores[place]),
                "swapped_score": float(after.scores[place]),
                "shift": float(shift[place]),
                "flipped": False if flipped is None else bool(flipped[place]),
                "row": row,
            }
        )
    return rows
