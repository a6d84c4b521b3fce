"""Section 4: how much LIME's coefficients change from one seed to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import comb
from typing import Any, TypeAlias

import numpy as np
from games import KnownSentence
from workload import POSITIVE, all_masks, note, print_table

import perturbx as px
from perturbx.maskers import Replace

Coefficients: TypeAlias = np.ndarray
Run: TypeAlias = Callable[[KnownSentence, int], tuple[int, int, Coefficients]]
"""From a sentence and a seed to calls, distinct calls and a coefficient per word."""

LIME_SAMPLES = 5_000
KERNEL_WIDTH = 25.0


def run(sentences: Sequence[KnownSentence], *, quick: bool) -> None:
    """Compare the spread over seeds at each tool's own number of calls, and at 300.

    The sentences are plain, so that the words of lime (taken one by one, not as a bag) are those
    of perturbx.
    """
    n_seeds = 3 if quick else 10
    methods: dict[str, Run] = {
        f"lime, {LIME_SAMPLES:,} samples (its default)": partial(_lime, LIME_SAMPLES),
        "lime, 300 samples": partial(_lime, 300),
        "perturbx method='lime_text' (5,000 draws)": partial(_perturbx, {"method": "lime_text"}),
        "perturbx method='lime'": partial(_perturbx, {}),
        "perturbx method='glime'": partial(_perturbx, {"method": "glime"}),
        "perturbx method='lime', budget 300": partial(_perturbx, {"budget": 300}),
        "perturbx method='glime', budget 300": partial(
            _perturbx, {"method": "glime", "budget": 300}
        ),
    }
    limits = [lime_limit(known.probabilities) for known in sentences]
    rows = []
    for name, method in methods.items():
        note(f"LIME across seeds: {name}")
        calls, distinct, spread, distance = [], [], [], []
        for known, limit in zip(sentences, limits, strict=True):
            runs = [method(known, seed) for seed in range(n_seeds)]
            calls.append(np.mean([own[0] for own in runs]))
            distinct.append(np.mean([own[1] for own in runs]))
            found = np.stack([own[2] for own in runs])
            size = np.sqrt(np.square(limit).sum())
            spread.append(np.sqrt(found.var(axis=0, ddof=1).sum()) / size)
            distance.append(np.sqrt(np.square(found - limit).sum(axis=1).mean()) / size)
        rows.append([name, *(float(np.mean(part)) for part in (calls, distinct, spread, distance))])
    print_table(
        f"LIME: {len(sentences)} sentences of {sentences[0].units.n_units} words, {n_seeds} "
        f"seeds, all features, probability of POSITIVE, in parts of the coefficients' size",
        ["", "calls", "distinct", "spread over seeds", "distance to infinitely many samples"],
        rows,
    )


def lime_limit(values: np.ndarray) -> Coefficients:
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


def _lime(n_samples: int, known: KnownSentence, seed: int) -> tuple[int, int, Coefficients]:
    from lime.lime_text import LimeTextExplainer

    model = known.as_function(known.probabilities)
    asked: list[str] = []

    def predict(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        positive = model(texts)
        return np.column_stack([1 - positive, positive])

    explainer = LimeTextExplainer(bow=False, mask_string="[MASK]", random_state=seed)
    explanation = explainer.explain_instance(
        known.units.text,
        predict,
        labels=(POSITIVE,),
        num_features=known.units.n_units,
        num_samples=n_samples,
    )
    coefficients = np.zeros(known.units.n_units)
    for word, coefficient in explanation.as_map()[POSITIVE]:
        coefficients[word] = coefficient
    return len(asked), len(set(asked)), coefficients


def _perturbx(
    options: dict[str, Any], known: KnownSentence, seed: int
) -> tuple[int, int, Coefficients]:
    explainer = px.LimeExplainer(
        known.as_function(known.probabilities),
        masker=Replace("[MASK]"),
        n_features=known.units.n_units if options.get("method") == "lime_text" else None,
        random_state=seed,
        progress=False,
        **options,
    )
    (explanation,) = explainer.explain([known.units])
    n_calls = explanation.n_calls
    return n_calls, n_calls, explanation.values[:, 0]
