"""The time that users wait today, and the time to the same error with perturbx.

    python benchmarks/equal_error.py             # about ten minutes on two quiet cores
    python benchmarks/equal_error.py --quick     # one sentence, small references: two minutes

One model, one set of sentences in which every word is one token, one process. Every tool removes a
word by putting ``[MASK]`` in its place and explains the probability of POSITIVE, so that all play
the same game. The tables go to standard output in Markdown, what is being done to standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from in_use import Task
from known_sentences import relative_error
from workload import POSITIVE, Workload, note, print_surroundings, print_table

import perturbx as px
from perturbx.coalitions.design_cache import cache_folder
from perturbx.maskers import Replace

TIMES = (2, 3, 4, 5, 7, 10, 12, 15, 20)
"""Budgets of perturbx, in calls a word."""

REFERENCE_SEED = 12_345
LIME_SAMPLES = 5_000


@dataclass(frozen=True)
class Tried:
    """What a tool came to, a number for each sentence and seed.

    Parameters
    ----------
    errors : list of float
        Relative squared error against the reference.
    seconds : list of float
        On the clock, building the explainer included, loading the model not.
    """

    errors: list[float]
    seconds: list[float]

    @property
    def error(self) -> float:
        """The mean error."""
        return float(np.mean(self.errors))

    @property
    def wait(self) -> float:
        """The mean seconds."""
        return float(np.mean(self.seconds))


Tool = Callable[[Task, int], np.ndarray]
"""From a task and a seed to a value per word."""


def main() -> None:
    """Print a table for Shapley values and one for LIME."""
    asked = _parser().parse_args()
    warnings.simplefilter("ignore")
    shared = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).parents[2] / "shared"))
    workload = Workload.load(shared)
    print_surroundings()
    lines = (shared / "data" / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()
    # The test set has no plain sentence of 25 words.
    workload = replace(workload, sentences=tuple(line.rpartition("\t")[0] for line in lines))
    plain = [u for u in workload.with_words(asked.words, asked.words) if workload.is_plain(u)]
    tasks = [Task(workload, units) for units in plain[: asked.sentences]]
    print(f"\n{len(tasks)} sentences of {asked.words} words:\n")
    for task in tasks:
        print(f"- {task.text}")
    _warm_up(tasks[0])
    if "shapley" in asked.only:
        _shapley(tasks, asked)
    if "lime" in asked.only:
        _lime(tasks, asked)


def _shapley(tasks: Sequence[Task], asked: argparse.Namespace) -> None:
    references = [
        _cached("shapley", task, asked, partial(_reference_shapley, asked.reference))
        for task in tasks
    ]
    pipes = {task.text: task.pipeline() for task in tasks}
    shap = _try(
        "shap", tasks, references, lambda task, seed: _shap(pipes[task.text], task, "auto"), 1
    )
    permutation = _try(
        "shap, permutation",
        tasks,
        references,
        lambda task, seed: _shap(pipes[task.text], task, "permutation"),
        1,
    )
    ours = {
        times: _try(
            f"perturbx, {times}n",
            tasks,
            references,
            lambda task, seed, times=times: _perturbx(
                px.ShapleyExplainer, pipes[task.text], task, times * task.n_units, seed
            ),
            asked.seeds,
        )
        for times in TIMES
    }
    print_table(
        f"Time to equal error, Shapley values through a transformers pipeline: against "
        f"perturbx leverage with {asked.reference:,} calls and a seed of its own",
        ["", "mean error", "s a sentence", "times faster than shap", "than its permutation"],
        [
            ["shap.Explainer(pipeline), its defaults", shap.error, shap.wait, 1.0, float("nan")],
            [
                'the same, algorithm="permutation"',
                permutation.error,
                permutation.wait,
                shap.wait / permutation.wait,
                1.0,
            ],
            *(
                [
                    f"perturbx ShapleyExplainer(pipeline), {times}n calls",
                    own.error,
                    own.wait,
                    shap.wait / own.wait,
                    permutation.wait / own.wait,
                ]
                for times, own in ours.items()
            ),
        ],
    )
    _verdict(ours, shap, "shap.Explainer(pipeline)", 20)
    _verdict(ours, permutation, 'shap.Explainer(pipeline, algorithm="permutation")', 20)


def _lime(tasks: Sequence[Task], asked: argparse.Namespace) -> None:
    references = [
        _cached("lime", task, asked, partial(_reference_lime, asked.reference)) for task in tasks
    ]
    functions = {task.text: task.probabilities for task in tasks}
    pipes = {task.text: task.pipeline() for task in tasks}
    seeds = asked.lime_seeds
    rows: list[list[object]] = []
    through: dict[str, tuple[Tried, dict[int, Tried]]] = {}
    found: dict[str, list[np.ndarray]] = {task.text: [] for task in tasks}
    for way, models, n_seeds in (("function", functions, seeds), ("pipeline", pipes, 1)):

        def lime(
            task: Task, seed: int, way: str = way, models: dict[str, Any] = models
        ) -> np.ndarray:
            values = _lime_text(_as_function(way, models[task.text]), task, seed)
            if way == "function":
                found[task.text].append(values)
            return values

        theirs = _try(f"lime, {way}", tasks, references, lime, n_seeds)
        ours = {
            times: _try(
                f"perturbx limit, {times}n, {way}",
                tasks,
                references,
                lambda task, seed, times=times, models=models: _perturbx(
                    px.LimeExplainer, models[task.text], task, times * task.n_units, seed
                ),
                max(seeds, asked.seeds),
            )
            for times in TIMES
        }
        through[way] = (theirs, ours)
        rows.append([f"lime, its defaults, {way}", theirs.error, theirs.wait, 1.0])
        rows += [
            [f"perturbx limit, {times}n calls, {way}", own.error, own.wait, theirs.wait / own.wait]
            for times, own in ours.items()
        ]
    spread = [
        np.var(found[task.text], axis=0, ddof=1).sum() / np.square(reference).sum()
        for task, reference in zip(tasks, references, strict=True)
        if seeds > 1
    ]
    across = f"; lime's variance over {seeds} seeds, in the same parts, {np.mean(spread):.2g}"
    print_table(
        f"Time to equal error, LIME: {LIME_SAMPLES:,} samples of lime, all features, against the "
        f"limit from {asked.reference:,} calls{across if spread else ''}",
        ["", "mean error", "s a sentence", "times faster than lime"],
        rows,
    )
    # What its error is does not depend on the way in which the same model is asked.
    error_of_lime = through["function"][0].errors
    for way, target in (("function", 15), ("pipeline", 30)):
        theirs, ours = through[way]
        _verdict(ours, Tried(error_of_lime, theirs.seconds), f"lime through a {way}", target)


def _verdict(ours: dict[int, Tried], theirs: Tried, name: str, target: int) -> None:
    enough = [times for times, own in ours.items() if own.error <= theirs.error]
    if not enough:
        print(f"\nperturbx does not reach the error of {name} ({theirs.error:.2g}).")
        return
    own = ours[enough[0]]
    print(
        f"\n{name}: error {theirs.error:.2g} in {theirs.wait:.1f} s; perturbx reaches "
        f"{own.error:.2g} with {enough[0]}n calls in {own.wait:.2f} s: "
        f"{theirs.wait / own.wait:.0f} times faster (target {target})."
    )


def _try(
    name: str, tasks: Sequence[Task], references: Sequence[np.ndarray], tool: Tool, n_seeds: int
) -> Tried:
    note(f"equal error: {name}")
    errors, seconds = [], []
    for task, reference in zip(tasks, references, strict=True):
        for seed in range(n_seeds):
            began = time.perf_counter()
            values = tool(task, seed)
            seconds.append(time.perf_counter() - began)
            errors.append(relative_error(values, reference))
    return Tried(errors, seconds)


def _shap(pipe: Any, task: Task, algorithm: str) -> np.ndarray:
    import shap

    explanation = shap.Explainer(pipe, algorithm=algorithm)([task.text], silent=True)
    # [CLS] and [SEP] stand at both ends, and are never masked.
    return np.asarray(explanation.values[0])[1:-1, POSITIVE]


def _perturbx(
    explainer: Callable[..., Any], model: Any, task: Task, budget: int, seed: int
) -> np.ndarray:
    is_function = not hasattr(model, "tokenizer")
    options = {"masker": Replace("[MASK]"), "output_names": ["NEGATIVE", "POSITIVE"]}
    asked = explainer(
        model,
        budget=budget,
        outputs=["POSITIVE"],
        link="identity" if is_function else "probability",
        random_state=seed,
        progress=False,
        **(options if is_function else {}),
    )
    return np.asarray(asked.explain([task.text])[0].values[:, 0])


def _lime_text(predict: Callable[[Sequence[str]], np.ndarray], task: Task, seed: int) -> np.ndarray:
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(bow=False, mask_string="[MASK]", random_state=seed)
    explanation = explainer.explain_instance(
        task.text,
        predict,
        labels=(POSITIVE,),
        num_features=task.n_units,
        num_samples=LIME_SAMPLES,
    )
    values = np.zeros(task.n_units)
    for word, coefficient in explanation.as_map()[POSITIVE]:
        values[word] = coefficient
    return values


def _as_function(way: str, model: Any) -> Callable[[Sequence[str]], np.ndarray]:
    if way == "function":
        return model

    def predict(texts: Sequence[str]) -> np.ndarray:
        answers = model([str(text) for text in texts])
        by_name = [sorted(answer, key=lambda label: label["label"]) for answer in answers]
        return np.array([[label["score"] for label in answer] for answer in by_name])

    return predict


def _reference_shapley(calls: int, task: Task) -> np.ndarray:
    explainer = px.ShapleyExplainer(
        (task.workload.model, task.workload.tokenizer),
        estimator="leverage",
        budget=calls,
        outputs=["POSITIVE"],
        link="probability",
        random_state=REFERENCE_SEED,
        progress=False,
    )
    explanation = explainer.explain([task.text])[0]
    return np.stack([explanation.values[:, 0], explanation.std_errors[:, 0]])


def _reference_lime(calls: int, task: Task) -> np.ndarray:
    explainer = px.LimeExplainer(
        (task.workload.model, task.workload.tokenizer),
        budget=calls,
        outputs=["POSITIVE"],
        link="probability",
        random_state=REFERENCE_SEED,
        progress=False,
    )
    explanation = explainer.explain([task.text])[0]
    return np.stack([explanation.values[:, 0], explanation.std_errors[:, 0]])


def _cached(
    kind: str, task: Task, asked: argparse.Namespace, compute: Callable[[Task], np.ndarray]
) -> np.ndarray:
    """Return reference values, from the cache where they are there; print their own error."""
    digest = hashlib.blake2b(task.text.encode(), digest_size=8).hexdigest()
    path = None
    if asked.cache is not None:
        path = asked.cache / f"reference-{kind}-{asked.reference}-{digest}.npy"
    if path is not None and path.is_file():
        values, errors = np.load(path)
    else:
        note(f"equal error: {kind} reference, {asked.reference:,} calls")
        values, errors = compute(task)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.stack([values, errors]))
    own = np.square(errors).sum() / np.square(values).sum()
    print(f"\nReference ({kind}) of {task.text[:30]!r}...: its own error is about {own:.1e}.")
    return np.asarray(values)


def _warm_up(task: Task) -> None:
    """Let all tools load and compile what they do at their first use."""
    import shap

    note("equal error: first uses")
    pipe = task.pipeline()
    shap.Explainer(pipe)(["a good film"], max_evals=20, silent=True)
    for explainer in (px.ShapleyExplainer, px.LimeExplainer):
        _perturbx(explainer, pipe, task, 2 * task.n_units, 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action=_Quick, nargs=0, help="one sentence, one seed, 2,000 calls")
    add("--only", nargs="+", default=["shapley", "lime"], choices=["shapley", "lime"])
    add("--words", type=int, default=25)
    add("--sentences", type=int, default=3)
    add("--seeds", type=int, default=4, help="of perturbx")
    add("--lime-seeds", type=int, default=3, help="of lime through a function; once by pipeline")
    add("--reference", type=int, default=10_000, help="calls of the reference values")
    folder = cache_folder()
    add(
        "--cache",
        type=Path,
        default=None if folder is None else folder / "benchmarks",
        help="folder of the reference values",
    )
    return parser


class _Quick(argparse.Action):
    """Other defaults, which later options may change again."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        namespace.sentences, namespace.seeds, namespace.lime_seeds = 1, 1, 1
        namespace.reference = 2_000


if __name__ == "__main__":
    main()
