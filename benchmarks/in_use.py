"""Section 3: every tool as its users run it, on one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from known_sentences import relative_error
from workload import (
    POSITIVE,
    Cut,
    Recorder,
    Workload,
    cheapest,
    is_installed,
    note,
    print_table,
    timed,
)

import perturbx as px
from perturbx.units.units import Units

Values: TypeAlias = "np.ndarray | None"
"""A value per word where they are Shapley values or close to them, else None."""

PATIENCE = 8.0
"""A tool that takes fewer seconds is run three times, and its best time counts."""

CUTS = (Cut(512), Cut(1_024), Cut(2_048), Cut(2_048, alike=True), Cut(16_384, alike=True))


@dataclass(frozen=True)
class Task:
    """One sentence whose words are its tokens, so that all tools see the same game."""

    workload: Workload
    units: Units

    @property
    def text(self) -> str:
        """The sentence."""
        return self.units.text

    @property
    def n_units(self) -> int:
        """The number of words."""
        return self.units.n_units

    def pipeline(self) -> Any:
        """Return the model as a transformers pipeline that returns every label's score."""
        from transformers import pipeline

        return pipeline(
            "text-classification",
            model=self.workload.model,
            tokenizer=self.workload.tokenizer,
            top_k=None,
        )

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probabilities ``(m, 2)`` of texts, in padded batches of 64."""
        parts = []
        for start in range(0, len(texts), 64):
            batch = [str(text) for text in texts[start : start + 64]]
            inputs = self.workload.tokenizer(batch, padding=True, return_tensors="pt")
            inputs = inputs.to(self.workload.model.device)
            with torch.inference_mode():
                parts.append(self.workload.model(**inputs).logits.softmax(dim=1))
        return torch.cat(parts).cpu().numpy()

    def positive_of_masks(self, masks: Any) -> torch.Tensor:
        """Return P(POSITIVE) of rows of zeros and ones, all in one batch."""
        kept = torch.as_tensor(np.asarray(masks)) > 0.5
        whole = self.workload.tokenizer(self.text, return_tensors="pt")["input_ids"]
        ids = whole.repeat(len(kept), 1)
        ids[:, 1:-1][~kept] = self.workload.tokenizer.mask_token_id
        with torch.inference_mode():
            logits = self.workload.model(input_ids=ids.to(self.workload.model.device)).logits
        return logits.softmax(dim=1)[:, POSITIVE].cpu()


def run(workload: Workload, *, quick: bool) -> None:
    """Run every tool once and compare calls, time and, for Shapley values, the error."""
    plain = [u for u in workload.with_words(12, 20 if quick else 30) if workload.is_plain(u)]
    task = Task(workload, max(plain, key=lambda units: units.n_units))
    reference = _reference(task, calls=400 if quick else 3_000)
    n_rows = 64 if quick else 256
    _warm_up(task)
    note("in use: the bare forward")
    price = _bare_seconds_a_row(task, n_rows)
    measured = []
    for name, tool in _tools(task, quick=quick).items():
        note(f"in use: {name}")
        with Recorder(workload.model) as recorder:
            values, cost = timed(tool)
        seconds = cost.wall
        if not quick and seconds < PATIENCE:
            seconds = min(seconds, cheapest(tool, repeats=2).wall)
        error = float("nan") if values is None else relative_error(values, reference)
        measured.append((name, len(recorder.rows), len(recorder.distinct), seconds, error))
    # The neighbours of this process may have been quieter at the other end.
    price = min(price, _bare_seconds_a_row(task, n_rows))
    print_table(
        f"As users run them: one sentence of {task.n_units} words, probability of POSITIVE. "
        f"Bare: the model alone on as many distinct variants, best batch size. "
        f"Error: relative squared, against Shapley values",
        ["", "calls", "distinct", "s", "bare s", "x bare", "error"],
        [
            [name, calls, distinct, seconds, price * distinct, seconds / (price * distinct), error]
            for name, calls, distinct, seconds, error in measured
        ],
    )
    print("\n† Owen values on a tree of the tool's own: another target than the Shapley values.")


def _tools(task: Task, *, quick: bool) -> dict[str, Callable[[], Values]]:
    """Return what to time: everything but loading the model and wrapping it."""
    pipe = task.pipeline()
    lime_samples = 200 if quick else 5_000
    shap_evaluations = 150 if quick else 500
    tools: dict[str, Callable[[], Values]] = {
        f"lime, {lime_samples:,} samples, pipeline": partial(
            _lime, task, partial(_ask_pipeline, pipe), lime_samples
        ),
        f"lime, {lime_samples:,} samples, batched function": partial(
            _lime, task, task.probabilities, lime_samples
        ),
        f"shap Partition, {shap_evaluations} evaluations, pipeline †": partial(
            _shap_pipeline, task, pipe, shap_evaluations
        ),
        f"shap Partition, {shap_evaluations} evaluations, function in batches of 64 †": partial(
            _shap_function, task, "partition", shap_evaluations
        ),
        f"shap Permutation, {shap_evaluations} evaluations, function in batches of 64": partial(
            _shap_function, task, "permutation", shap_evaluations
        ),
    }
    if is_installed("captum"):
        samples = 5 if quick else 25
        tools["captum FeatureAblation"] = partial(_captum_ablation, task)
        tools[f"captum ShapleyValueSampling, {samples} samples"] = partial(
            _captum_sampling, task, samples
        )
    if is_installed("shapiq"):
        tools[f"shapiq KernelSHAP, budget {shap_evaluations}"] = partial(
            _shapiq, task, shap_evaluations
        )
    for name, budget in (("auto", "auto"), (str(shap_evaluations), shap_evaluations)):
        tools[f"perturbx Shapley, budget {name}"] = partial(
            _perturbx, task, "shapley", budget=budget
        )
    tools["perturbx Partition, budget auto †"] = partial(_perturbx, task, "partition")
    tools["perturbx LIME, budget auto"] = partial(_perturbx_lime, task)
    return tools


def _reference(task: Task, calls: int) -> np.ndarray:
    """Return Shapley values from so many calls, drawn apart from all that is compared."""
    note(f"in use: reference values from {calls:,} calls")
    (explanation,) = _explain(task, "shapley", budget=calls, random_state=12_345)
    values = explanation.values[:, 0]
    own = float(np.square(explanation.std_errors).sum() / np.square(values).sum())
    print(
        f"\nReference of the next table: perturbx leverage with {calls:,} calls and another seed; "
        f"its own relative squared error is about {own:.1e}."
    )
    return values


def _warm_up(task: Task) -> None:
    """Let shap load and compile what it does at its first use, so that no row pays for it."""
    import shap

    note("in use: shap's first use")
    shap.Explainer(task.pipeline())(["a good film"], max_evals=20, silent=True)


def _bare_seconds_a_row(task: Task, n_rows: int) -> float:
    """Return the seconds of the bare forward for one variant: all of them are of one length."""
    keep = np.random.default_rng(0).random((n_rows, task.n_units)) < 0.5
    whole = task.workload.tokenizer(task.text)["input_ids"]
    ids = np.tile(whole, (n_rows, 1))
    ids[:, 1:-1][~keep] = task.workload.tokenizer.mask_token_id
    rows = [tuple(row) for row in ids.tolist()]
    model = task.workload
    batches = [cut.batches(rows, model.model.device) for cut in CUTS]
    return min(cheapest(partial(model.logits, own), repeats=2).wall for own in batches) / n_rows


def _ask_pipeline(pipe: Any, texts: Sequence[str]) -> np.ndarray:
    """Return the probabilities ``(m, 2)`` as users take them from a pipeline."""
    return np.array(
        [
            [label["score"] for label in sorted(answer, key=lambda label: label["label"])]
            for answer in pipe([str(text) for text in texts])
        ]
    )


def _lime(task: Task, predict: Callable[[Sequence[str]], np.ndarray], n_samples: int) -> Values:
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(bow=False, mask_string="[MASK]", random_state=0)
    explainer.explain_instance(
        task.text,
        predict,
        labels=(POSITIVE,),
        num_features=task.n_units,
        num_samples=n_samples,
    )
    return None


def _shap_pipeline(task: Task, pipe: Any, max_evals: int) -> Values:
    import shap

    explanation = shap.Explainer(pipe)([task.text], max_evals=max_evals, silent=True)
    return _of_words(explanation)


def _shap_function(task: Task, algorithm: str, max_evals: int) -> Values:
    import shap

    masker = shap.maskers.Text(task.workload.tokenizer)
    explainer = shap.Explainer(task.probabilities, masker, algorithm=algorithm, seed=0)
    explanation = explainer([task.text], max_evals=max_evals, batch_size=64, silent=True)
    return _of_words(explanation)


def _of_words(explanation: Any) -> np.ndarray:
    """Return the values of POSITIVE without those of the special tokens at both ends."""
    return np.asarray(explanation.values[0])[1:-1, POSITIVE]


def _captum_ablation(task: Task) -> Values:
    from captum.attr import FeatureAblation

    FeatureAblation(task.positive_of_masks).attribute(torch.ones(1, task.n_units))
    return None


def _captum_sampling(task: Task, n_samples: int) -> Values:
    from captum.attr import ShapleyValueSampling

    torch.manual_seed(0)
    sampling = ShapleyValueSampling(task.positive_of_masks)
    return sampling.attribute(torch.ones(1, task.n_units), n_samples=n_samples).numpy()[0]


def _shapiq(task: Task, budget: int) -> Values:
    from shapiq.approximator import KernelSHAP

    def game(masks: np.ndarray) -> np.ndarray:
        return task.positive_of_masks(masks).double().numpy()

    approximator = KernelSHAP(task.n_units, random_state=0)
    return approximator.approximate(budget, game).get_n_order_values(1)


def _explain(task: Task, explainer: str, **options: Any) -> px.Explanations:
    return px.explain(
        (task.workload.model, task.workload.tokenizer),
        [task.text],
        explainer=explainer,
        outputs=["POSITIVE"],
        link="probability",
        progress=False,
        **{"random_state": 0, **options},
    )


def _perturbx(task: Task, explainer: str, **options: Any) -> Values:
    return _explain(task, explainer, **options)[0].values[:, 0]


def _perturbx_lime(task: Task) -> Values:
    _explain(task, "lime")
    return None
