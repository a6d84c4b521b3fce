"""Section 1: what an explanation costs on top of the forward passes that it needs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

from workload import Cost, Cut, Recorder, Row, Workload, note, print_table, timed

import perturbx as px

BARS = {60: 1.15, 500: 1.05}
"""Calls a text, and the most that the whole may cost in bare forward passes."""

CUTS = [
    *(Cut(size, "rows") for size in (16, 32, 64, 128, 256)),
    *(Cut(size) for size in (512, 1_024, 2_048, 4_096, 8_192, 16_384)),
    *(Cut(size, alike=True) for size in (512, 1_024, 2_048, 4_096)),
]

GPU_CUTS = [*CUTS, *(Cut(size) for size in (32_768, 65_536, 131_072))]

FINALISTS = 2
"""Batch sizes that are measured in full at the smaller budget; the larger takes the winner."""


def run(workload: Workload, *, quick: bool) -> None:
    """Time `ShapleyExplainer.explain` against the model alone on the same distinct variants."""
    # A sentence of fewer than 12 words has no 500 coalitions.
    sentences = workload.with_words(12, 14)[:4] if quick else workload.with_words(12, 1_000)[:20]
    texts = [units.text for units in sentences]
    repeats = {60: 3, 500: 1} if quick else {60: 5, 500: 2}
    shown = {}
    for budget in BARS:
        note(f"overhead: which variants {budget} calls a text ask about")
        with Recorder(workload.model) as recorder:
            _explainer(workload, budget).explain(texts)
        shown[budget] = recorder.distinct
    cuts = _fastest_cuts(workload, shown[500], n_rows=150 if quick else 200)
    lines = []
    for budget, bar in BARS.items():
        rows = shown[budget]
        ours, bare = _alternate(workload, budget, texts, rows, cuts, repeats[budget])
        cut = min(bare, key=lambda cut: min(cost.wall for cost in bare[cut]))
        lines.append(
            [f"{budget} calls a text", len(rows), str(cut), *_ratios(ours, bare[cut]), bar]
        )
        cuts = [cut]
    print_table(
        f"Overhead: {len(texts)} sentences, ShapleyExplainer(estimator='odd_gp'), its default",
        [
            "",
            "distinct variants",
            "bare batch",
            "bare s",
            "perturbx s",
            "x bare (least)",
            "x bare (median)",
            "x bare (CPU time)",
            "bar",
        ],
        lines,
    )


def _explainer(workload: Workload, budget: int) -> px.ShapleyExplainer:
    return px.ShapleyExplainer(
        (workload.model, workload.tokenizer),
        estimator="odd_gp",
        budget=budget,
        random_state=0,
        progress=False,
    )


def _alternate(
    workload: Workload,
    budget: int,
    texts: Sequence[str],
    rows: Sequence[Row],
    cuts: Sequence[Cut],
    repeats: int,
) -> tuple[list[Cost], dict[Cut, list[Cost]]]:
    """Return the costs of explaining and, for each batch size, of the bare forward, in turns."""
    batches = {cut: cut.batches(rows, workload.model.device) for cut in cuts}
    ours: list[Cost] = []
    bare: dict[Cut, list[Cost]] = {cut: [] for cut in cuts}
    for repeat in range(repeats):
        note(f"overhead: {budget} calls, repeat {repeat + 1} of {repeats}")
        ours.append(timed(partial(_explainer(workload, budget).explain, texts))[1])
        for cut in cuts:
            bare[cut].append(timed(partial(workload.logits, batches[cut]))[1])
    return ours, bare


def _ratios(ours: Sequence[Cost], bare: Sequence[Cost]) -> list[float]:
    """Return the least seconds of both, and the quotients: least, median, least CPU time."""
    least_ours, least_bare = min(cost.wall for cost in ours), min(cost.wall for cost in bare)
    pairs = zip(ours, bare, strict=True)
    return [
        least_bare,
        least_ours,
        least_ours / least_bare,
        statistics.median(own.wall / other.wall for own, other in pairs),
        min(cost.cpu for cost in ours) / min(cost.cpu for cost in bare),
    ]


def _fastest_cuts(workload: Workload, rows: Sequence[Row], n_rows: int) -> list[Cut]:
    """Return the batch sizes at which the model is fastest on some rows of all lengths."""
    sample = sorted(rows, key=len)[:: max(1, len(rows) // n_rows)]
    tried = CUTS if workload.model.device.type == "cpu" else GPU_CUTS
    seconds: dict[Cut, list[float]] = {cut: [] for cut in tried}
    for repeat in range(2):
        note(f"overhead: {len(tried)} batch sizes, round {repeat + 1} of 2")
        for cut, own in seconds.items():
            batches = cut.batches(sample, workload.model.device)
            own.append(timed(partial(workload.logits, batches))[1].wall)
    ranked = sorted(tried, key=lambda cut: min(seconds[cut]))
    print_table(
        f"Bare forward over {len(sample)} of these variants by batch size",
        ["batch", "s"],
        [[str(cut), min(seconds[cut])] for cut in ranked],
    )
    return ranked[:FINALISTS]
