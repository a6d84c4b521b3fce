"""Section 4: how far LIME's coefficients are from their limit, and from one seed to the next.

    python benchmarks/classifier.py --only lime     # sentences of 12 words
    python benchmarks/lime_stability.py [--quick]   # of 10 to 14, then of 20 to 30: half an hour

The tables go to standard output in Markdown, what is being done to standard error.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from known_sentences import KnownSentence
from workload import POSITIVE, Cut, Workload, all_masks, note, print_surroundings, print_table

import perturbx as px
from perturbx.maskers import Replace
from perturbx.units.units import Units

LIME_SAMPLES = 5_000
KERNEL_WIDTH = 25.0

LENGTHS = (10, 11, 12, 13, 14)
LONG = (20, 30)
"""Words of sentences that cannot be enumerated: there the reference is the mean of lime's runs."""

Ask: TypeAlias = Callable[[Sequence[str]], np.ndarray]
"""From masked texts to the probability of POSITIVE."""


@dataclass(frozen=True)
class Found:
    """What one run of one tool found.

    Parameters
    ----------
    calls, distinct : int
        What it asked, and how many different texts that was.
    coefficients : numpy.ndarray, (n_words,)
        One per word.
    low, high : numpy.ndarray, (n_words,), optional
        95% intervals.
    """

    calls: int
    distinct: int
    coefficients: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


class Tool(Protocol):
    """Explains a sentence, from a seed."""

    def __call__(self, units: Units, ask: Ask, seed: int) -> Found:
        """Return what it finds."""


def tools(*, budgets: Sequence[int] = (300,)) -> dict[str, Tool]:
    """Return every tool by name: lime, and perturbx's methods at their own budget and at others."""
    found: dict[str, Tool] = {
        f"lime, {LIME_SAMPLES:,} samples (its default)": partial(_lime, LIME_SAMPLES),
        "lime, 300 samples": partial(_lime, 300),
        "perturbx method='lime_text' (5,000 draws)": partial(_perturbx, {"method": "lime_text"}),
        "perturbx method='limit' (its default)": partial(_perturbx, {}),
    }
    for method in ("limit", "lime", "glime"):
        for budget in budgets:
            options = {"method": method, "budget": budget}
            found[f"perturbx method={method!r}, budget {budget}"] = partial(_perturbx, options)
    return found


def run(sentences: Sequence[KnownSentence], *, quick: bool) -> None:
    """Compare the tools at their own number of calls, and at 300.

    The sentences are plain, so that the words of lime (taken one by one, not as a bag) are those
    of perturbx.
    """
    n_seeds = 3 if quick else 10
    limits = [lime_limit(known.probabilities) for known in sentences]
    asks = [known.as_function(known.probabilities) for known in sentences]
    rows = []
    for name, tool in tools().items():
        note(f"LIME across seeds: {name}")
        rows.append(
            [
                name,
                *_summary(
                    [
                        ([tool(known.units, ask, seed) for seed in range(n_seeds)], limit)
                        for known, ask, limit in zip(sentences, asks, limits, strict=True)
                    ]
                ),
            ]
        )
    _print(f"{len(sentences)} sentences of {_lengths(sentences)} words, {n_seeds} seeds", rows)


def run_long(workload: Workload, *, quick: bool) -> None:
    """Compare lime and the limit on sentences too long to be enumerated."""
    n_seeds, n_sentences = (3, 1) if quick else (5, 4)
    plain = [units for units in workload.with_words(*LONG) if workload.is_plain(units)]
    sentences = sorted(plain, key=lambda units: -units.n_units)[:n_sentences]
    results: dict[str, list[tuple[list[Found], np.ndarray]]] = {}
    every = tools(budgets=(300, 600, 1_200))
    wanted = [name for name in every if name.startswith("lime") or "'limit'" in name]
    for number, units in enumerate(sentences):
        ask = partial(_positive, workload)
        reference: np.ndarray | None = None
        for name in wanted:
            note(f"LIME across seeds: sentence {number}, {name}")
            runs = [every[name](units, ask, seed) for seed in range(n_seeds)]
            if reference is None:
                reference = np.mean([own.coefficients for own in runs], axis=0)
            results.setdefault(name, []).append((runs, reference))
    _print(
        f"{len(sentences)} sentences of {sentences[-1].n_units} to {sentences[0].n_units} words, "
        f"{n_seeds} seeds, the limit taken from the mean of lime's runs (which makes its own "
        f"distance look smaller than it is)",
        [[name, *_summary(own)] for name, own in results.items()],
    )


def _positive(workload: Workload, texts: Sequence[str]) -> np.ndarray:
    """Return the probability of POSITIVE of texts of one length, 64 at once."""
    rows = [tuple(row) for row in workload.tokenizer(list(texts))["input_ids"]]
    logits = workload.logits(Cut(64, by="rows", alike=True).batches(rows)).double()
    positive: np.ndarray = logits.softmax(dim=1)[:, POSITIVE].numpy()
    return positive


def _summary(results: Sequence[tuple[Sequence[Found], np.ndarray]]) -> list[float]:
    """Return the means over sentences of calls, distinct calls, spread, distance and coverage."""
    rows = []
    for runs, limit in results:
        found = np.stack([own.coefficients for own in runs])
        size = np.sqrt(np.square(limit).sum())
        covered = [
            np.mean((own.low <= limit) & (limit <= own.high))
            for own in runs
            if own.low is not None and own.high is not None
        ]
        rows.append(
            [
                np.mean([own.calls for own in runs]),
                np.mean([own.distinct for own in runs]),
                np.sqrt(found.var(axis=0, ddof=1).sum()) / size,
                np.sqrt(np.square(found - limit).sum(axis=1).mean()) / size,
                np.mean(covered) if covered else np.nan,
            ]
        )
    return [float(column) for column in np.mean(rows, axis=0)]


def _print(sentences: str, rows: Sequence[Sequence[object]]) -> None:
    print_table(
        f"LIME: {sentences}, all features, probability of POSITIVE, in parts of the "
        f"coefficients' size",
        [
            "",
            "calls",
            "distinct",
            "spread over seeds",
            "distance to infinitely many samples",
            "95% intervals cover",
        ],
        rows,
    )


def _lengths(sentences: Sequence[KnownSentence]) -> str:
    lengths = {known.units.n_units for known in sentences}
    return str(min(lengths)) if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"


def lime_limit(values: np.ndarray) -> np.ndarray:
    """Return the coefficients that lime's approach as its samples grow in number.

    Each number of removed words is as likely as any other, and so is each choice of them; the
    weight is lime's kernel of the cosine distance to the whole text.
    """
    n_units = len(values).bit_length() - 1
    masks = all_masks(n_units)
    removed = n_units - masks.sum(axis=1)
    drawn = np.array([0.0] + [1.0 / (n_units * comb(n_units, r)) for r in range(1, n_units + 1)])
    distance = 100 * (1 - np.sqrt(1 - removed / n_units))
    roots = np.sqrt(drawn[removed] * np.exp(-(distance**2) / (2 * KERNEL_WIDTH**2)))
    columns = np.column_stack([np.ones(len(masks)), masks])
    solution = np.linalg.lstsq(columns * roots[:, None], values * roots, rcond=None)[0]
    return solution[1:]


def _lime(n_samples: int, units: Units, ask: Ask, seed: int) -> Found:
    from lime.lime_text import LimeTextExplainer

    asked: list[str] = []

    def predict(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        positive = ask(texts)
        return np.column_stack([1 - positive, positive])

    explainer = LimeTextExplainer(bow=False, mask_string="[MASK]", random_state=seed)
    explanation = explainer.explain_instance(
        units.text,
        predict,
        labels=(POSITIVE,),
        num_features=units.n_units,
        num_samples=n_samples,
    )
    coefficients = np.zeros(units.n_units)
    for word, coefficient in explanation.as_map()[POSITIVE]:
        coefficients[word] = coefficient
    return Found(len(asked), len(set(asked)), coefficients)


def _perturbx(options: dict[str, Any], units: Units, ask: Ask, seed: int) -> Found:
    explainer = px.LimeExplainer(
        ask,
        masker=Replace("[MASK]"),
        n_features=units.n_units if options.get("method") == "lime_text" else None,
        random_state=seed,
        progress=False,
        **options,
    )
    (explanation,) = explainer.explain([units])
    interval = explanation.confidence_interval(0.95)
    n_calls, values = explanation.n_calls, explanation.values[:, 0]
    return Found(n_calls, n_calls, values, interval.low, interval.high)


def main() -> None:
    """Enumerate sentences of 10 to 14 words, then ask the model about longer ones."""
    shared = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).parents[2] / "shared"))
    warnings.simplefilter("ignore")
    quick = "--quick" in sys.argv[1:]
    workload = Workload.load(shared)
    print_surroundings()
    known = []
    for length in LENGTHS:
        plain = [units for units in workload.with_words(length, length) if workload.is_plain(units)]
        for units in plain[: 1 if quick else 2]:
            note(f"enumerate {length} words")
            known.append(KnownSentence.ask(units, workload))
    run(known, quick=quick)
    run_long(workload, quick=quick)


if __name__ == "__main__":
    main()
