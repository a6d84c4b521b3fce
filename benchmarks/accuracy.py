"""Section 2: how far the estimates are from the truth, at equal numbers of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from known_sentences import Game, KnownSentence, exact_owen, exact_shapley, relative_error
from peers import shap_partition, shapley_estimators
from workload import Workload, note, print_table

import perturbx as px
from perturbx.maskers import Replace
from perturbx.units.tree import Tree

N_UNITS = 12
CALLS = 10 * N_UNITS


def known_sentences(workload: Workload, n_sentences: int) -> list[KnownSentence]:
    """Ask about all coalitions of so many sentences of 12 words, the plain ones first."""
    found = sorted(
        workload.with_words(N_UNITS, N_UNITS), key=lambda units: not workload.is_plain(units)
    )[:n_sentences]
    sentences = []
    for number, units in enumerate(found, start=1):
        note(f"all {2**N_UNITS:,} coalitions of sentence {number} of {n_sentences}")
        sentences.append(KnownSentence.ask(units, workload))
    return sentences


def run(sentences: Sequence[KnownSentence], *, quick: bool) -> None:
    """Compare the estimators of Shapley values, then those of Owen values."""
    _compare_shapley([known.log_odds for known in sentences], n_seeds=2 if quick else 8)
    _compare_owen(sentences, n_seeds=2 if quick else 8)


def _compare_shapley(games: Sequence[np.ndarray], n_seeds: int) -> None:
    truths = [exact_shapley(values) for values in games]
    measured = {}
    for name, estimator in shapley_estimators().items():
        note(f"accuracy: {name}")
        runs = [
            _measure(estimator, values, truth, CALLS, seed)
            for number, (values, truth) in enumerate(zip(games, truths, strict=True))
            for seed in range(1_000 * number, 1_000 * number + n_seeds)
        ]
        measured[name] = np.array(runs)
    reference = measured["perturbx leverage"][:, 2].mean()
    rows = [
        [
            name,
            float(runs[:, 0].mean()),
            float(runs[:, 1].mean()),
            float(runs[:, 2].mean()),
            float(runs[:, 2].std(ddof=1) / np.sqrt(len(runs))),
            float(runs[:, 2].mean() / reference),
        ]
        for name, runs in sorted(measured.items(), key=lambda item: item[1][:, 2].mean())
    ]
    print_table(
        f"Shapley values of {N_UNITS} words at {CALLS} calls: mean relative squared error against "
        f"the exact ones, {len(games)} sentences x {n_seeds} seeds, log-odds",
        ["", "calls", "distinct", "error", "± (standard error)", "x perturbx leverage"],
        rows,
    )


def _compare_owen(sentences: Sequence[KnownSentence], n_seeds: int) -> None:
    note("accuracy: Owen values")
    tree = Tree.balanced(N_UNITS)
    rows = []
    for calls in (60, CALLS, 500):
        ours, theirs = [], []
        for number, known in enumerate(sentences):
            values = known.log_odds
            truth = exact_owen(values, tree)
            seeds = range(1_000 * number, 1_000 * number + n_seeds)
            ours += [_measure_partition(known, tree, calls, seed, truth) for seed in seeds]
            theirs += [_measure(shap_partition, values, truth, calls, tree)]
        for name, runs in (("perturbx", np.array(ours)), ("shap", np.array(theirs))):
            rows.append(
                [f"{name} PartitionExplainer, budget {calls}", *map(float, runs.mean(axis=0))]
            )
    print_table(
        f"Owen values of {N_UNITS} words on the balanced tree: mean relative squared error "
        f"against enumeration (shap's default budget is 500)",
        ["", "calls", "distinct", "error"],
        rows,
    )


def _measure(
    estimate: Callable[..., np.ndarray], values: np.ndarray, truth: np.ndarray, *arguments: Any
) -> tuple[int, int, float]:
    """Return calls, distinct calls and the relative squared error of one run."""
    game = Game(values)
    error = relative_error(estimate(game, *arguments), truth)
    return game.calls, len(game.asked), error


def _measure_partition(
    known: KnownSentence, tree: Tree, calls: int, seed: int, truth: np.ndarray
) -> tuple[int, int, float]:
    """Explain the sentence itself, by a model that looks the masked texts up."""
    explainer = px.PartitionExplainer(
        known.as_function(known.log_odds),
        tree=tree,
        masker=Replace("[MASK]"),
        budget=calls,
        random_state=seed,
        progress=False,
    )
    (explanation,) = explainer.explain([known.units])
    n_calls = explanation.n_calls
    return n_calls, n_calls, relative_error(explanation.values[:, 0], truth)
