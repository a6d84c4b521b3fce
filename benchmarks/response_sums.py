"""What a response's tokens add to its values: every mask of short contexts known, equal calls.

    python benchmarks/response_sums.py --model gemma.gguf     # some minutes on two cores

The model: any decoder that `perturbx` loads, see `benchmarks/context.py`. It sums up contexts of
eight sentences in `--tokens` tokens. Errors are relative squared ones against all 256 masks, of a
fit to the whole response and of one that knows its tokens; beside them the share of values that
their 95% intervals hold, and the mean half-width in parts of the largest value.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from context_pairs import read_questions
from workload import print_surroundings

import perturbx as px
from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.score_table import ScoreTable
from perturbx.scorers.language_models import as_language_model
from perturbx.surrogates import BanzhafGP, OddGP
from perturbx.surrogates.intervals import half_widths
from perturbx.units import as_segmenter

N_SENTENCES = 8
CALLS = (18, 26, 40, 64)
QUERY = "Summarize what the text says in one sentence."
Row = tuple[float, float, float]


def known_tables(model: Any, n_contexts: int, n_tokens: int) -> list[ScoreTable]:
    """Return the tables of all masks of contexts, with what the model says to them."""
    explainer = px.ContextExplainer(
        model,
        link="log_prob",
        estimator="exact",
        max_new_tokens=n_tokens,
        progress=False,
        random_state=0,
    )
    contexts = []
    for question in read_questions():
        document = max(question.documents, key=lambda d: question.sources[0] in d)
        sentences = as_segmenter("sentences")(document).pieces
        if len(sentences) >= N_SENTENCES:
            contexts.append("".join(sentences[:N_SENTENCES]).strip())
    chosen = contexts[:: max(1, len(contexts) // n_contexts)][:n_contexts]
    return [explainer.explain([[text]], QUERY)[0].table for text in chosen]


def errors(surrogate: Any, table: ScoreTable, n_calls: int, seed: int) -> tuple[Row, Row]:
    """Return error, share held and half-width of a fit to the whole, and to the sum."""
    truth = surrogate.fit([table])[0].values
    generator = torch.Generator().manual_seed(seed)
    masks = OddPairs().sample(PlayerCount(table.n_units), n_calls, generator).masks.numpy()
    place = {mask.tobytes(): row for row, mask in enumerate(np.ascontiguousarray(table.masks))}
    few = replace(table.rows([place[mask.tobytes()] for mask in masks]), paired=True)
    found = []
    for own in surrogate.fit([replace(few, summands=None), few]):
        off, half = np.abs(own.values - truth), half_widths(own, 0.95)
        error = float(np.square(off).sum() / np.square(truth).sum())
        found.append((error, float((off <= half).mean()), float(half.mean() / np.abs(truth).max())))
    return found[0], found[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--contexts", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    print_surroundings()
    model = as_language_model(options.model)
    tables = [
        table.linked("log_prob") for table in known_tables(model, options.contexts, options.tokens)
    ]
    print(f"{len(tables)} contexts of {N_SENTENCES} sentences, {options.seeds} designs each")
    for surrogate in (OddGP(), BanzhafGP()):
        for n_calls in CALLS:
            rows = [
                errors(surrogate, table, n_calls, seed)
                for table in tables
                for seed in range(options.seeds)
            ]
            whole, summed = np.mean(rows, axis=0)
            print(
                f"{surrogate.name}, {n_calls} calls: whole {whole[0]:.5f} (held {whole[1]:.3f}, "
                f"half-width {whole[2]:.3f}); tokens {summed[0]:.5f} (held {summed[1]:.3f}, "
                f"half-width {summed[2]:.3f}): {summed[0] / whole[0]:.2f} of the error",
                flush=True,
            )


if __name__ == "__main__":
    main()
