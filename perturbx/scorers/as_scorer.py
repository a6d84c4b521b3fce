"""Turns what the user has into a scorer."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Sequence
from typing import Any

import torch

from perturbx.exceptions import ArgumentError
from perturbx.scorers.api_names import names_api_model
from perturbx.scorers.callable import CallableScorer
from perturbx.scorers.classifier import TransformersClassifier
from perturbx.scorers.loading import DEFAULT_MODEL, load_classifier
from perturbx.scorers.sklearn import METHODS, SklearnScorer
from perturbx.typing import Scorer

FORMS = (
    "a function of a list of str, a fitted scikit-learn estimator, a transformers "
    "text-classification pipeline, a pair (model, tokenizer), the path or hub name of a "
    "transformers classifier, 'default', 'openai:NAME' or another name of a model behind an API, "
    "or a Scorer (such as ApiScorer)"
)

_NO_EFFECT = {"padding", "pad_to_multiple_of", "return_tensors", "return_all_scores", "verbose"}
"""What a pipeline may hand to its tokenizer without any effect on a score."""


def as_scorer(
    model: Any,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    output_names: Sequence[str] | None = None,
) -> Scorer:
    """Return a scorer for a model of any supported form.

    Parameters
    ----------
    model : object
        One of

        - a function of a list of str that returns ``(m,)`` or ``(m, n_outputs)`` numbers;
        - a fitted scikit-learn estimator or pipeline that takes texts, or anything else with
          ``predict_proba``, ``decision_function`` or ``predict``;
        - a transformers ``text-classification`` pipeline, whose own ``max_length`` and
          ``function_to_apply`` count, or a pair ``(model, tokenizer)``;
        - a string: the path or hub name of a transformers classifier, with or without ``"hf:"``
          in front, or ``"default"`` for the small sentiment classifier that the package ships;
        - ``"openai:NAME"``, ``"anthropic:NAME"`` or another model behind an API, whose labels are
          the `output_names`; `ApiScorer` has all the choices;
        - a `Scorer`, which is returned as it is.
    device : str or torch.device, optional
        Where a transformers model works: by default where it is, and for one loaded by its name
        a GPU where there is one.
    dtype : str or torch.dtype, optional
        The number format of a transformers model; its own by default.
    output_names : sequence of str, optional
        A name per output, instead of the model's own.

    Raises
    ------
    ArgumentError
        If the model has none of these forms, cannot be loaded, or is not fitted; or if an option
        means nothing for it.

    Examples
    --------
    >>> as_scorer(lambda texts: [len(text) for text in texts], output_names=["length"])
    CallableScorer(<lambda>)
    """
    if inspect.isclass(model):
        raise ArgumentError(f"model: expected an instance, got the class {model.__qualname__}")
    if isinstance(model, Scorer):
        _refuse("a Scorer", device=device, dtype=dtype, output_names=output_names)
        return model
    if isinstance(model, str | os.PathLike):
        text = model if isinstance(model, str) else os.path.abspath(model)
        return _from_string(text, device, dtype, output_names)
    if isinstance(model, tuple | list):
        if len(model) != 2:
            raise ArgumentError(
                f"model: expected a pair (model, tokenizer), got {len(model)} items"
            )
        return TransformersClassifier(*model, device=device, dtype=dtype, output_names=output_names)
    if _is_transformers_pipeline(model):
        if model.task not in ("text-classification", "sentiment-analysis"):
            raise ArgumentError(
                f"model: expected a pipeline for 'text-classification', got one for "
                f"{model.task!r}; wrap it in a function of a list of str that returns numbers"
            )
        return _from_pipeline(model, device, dtype, output_names)
    if isinstance(model, torch.nn.Module) and hasattr(getattr(model, "config", 0), "id2label"):
        raise ArgumentError(
            f"model: {type(model).__name__} came without its tokenizer; pass (model, tokenizer)"
        )
    if any(callable(getattr(model, method, None)) for method in METHODS) or hasattr(model, "fit"):
        _refuse("an estimator", device=device, dtype=dtype)
        return SklearnScorer(model, output_names=output_names)
    if callable(model):
        _refuse("a function", device=device, dtype=dtype)
        return CallableScorer(model, output_names=output_names)
    raise ArgumentError(f"model: expected {FORMS}; got {model!r}")


def _from_string(
    text: str,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    output_names: Sequence[str] | None,
) -> Scorer:
    if names_api_model(text):
        return _from_api(text, device, dtype, output_names)
    name, source = None, text
    prefix = re.match(r"([A-Za-z][\w.+-]+):", text)  # one letter is a drive of Windows
    if text == "default":
        if not (DEFAULT_MODEL / "config.json").is_file():
            raise ArgumentError(
                "model: 'default' is missing from this installation; give the path or hub name "
                "of a transformers classifier"
            )
        name, source = text, str(DEFAULT_MODEL)
    elif prefix and not os.path.exists(text):
        if prefix[1] != "hf":
            raise ArgumentError(f"model: {prefix[0]!r} is not a known prefix; expected {FORMS}")
        source = text.removeprefix("hf:")
    source = os.path.expanduser(source)
    if source.startswith((".", os.sep)) and not os.path.exists(source):
        raise ArgumentError(f"model: there is no folder {source!r}")
    if not source.strip():
        raise ArgumentError(f"model: {text!r} names no model; expected {FORMS}")
    return load_classifier(source, device=device, dtype=dtype, output_names=output_names, name=name)


def _from_api(
    text: str,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    output_names: Sequence[str] | None,
) -> Scorer:
    _refuse("a model behind an API", device=device, dtype=dtype)
    if output_names is None:
        raise ArgumentError(
            f"model: {text!r} answers in text; say what its labels are (output_names=[...]), or "
            f"make an ApiScorer, which has all the choices"
        )
    # Its libraries take a while to import.
    from perturbx.scorers.api.scorer import ApiScorer

    return ApiScorer(text, labels=output_names)


def _from_pipeline(
    pipeline: Any,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    output_names: Sequence[str] | None,
) -> Scorer:
    """Return a scorer that reads texts and logits as a text-classification pipeline does."""
    reading = dict(getattr(pipeline, "_preprocess_params", {}))
    window = reading.pop("max_length", None)
    # Beside padding a length is that of the rows, unless texts are cut as well.
    is_cut = reading.pop("truncation", not reading.get("padding"))
    other = [name for name in reading if name not in _NO_EFFECT]
    if other:
        raise ArgumentError(
            f"model: the pipeline hands {other[0]}={reading[other[0]]!r} to its tokenizer, which "
            f"is not heeded here; make it without, or wrap it in a function of a list of str that "
            f"returns numbers"
        )
    scorer = TransformersClassifier(
        pipeline.model, pipeline.tokenizer, device=device, dtype=dtype, output_names=output_names
    )
    if window is not None and is_cut not in (False, "do_not_truncate"):
        scorer.max_tokens = min(window, scorer.max_tokens or window)
    function = getattr(pipeline, "_postprocess_params", {}).get("function_to_apply")
    if function is not None and function.value in ("sigmoid", "softmax"):
        scorer.kind, scorer.exclusive = "logit", function.value == "softmax"
    return scorer


def _is_transformers_pipeline(model: Any) -> bool:
    # by its shape: importing transformers to ask would cost a second
    return all(hasattr(model, name) for name in ("task", "model", "tokenizer", "postprocess"))


def _refuse(form: str, **options: Any) -> None:
    for option, value in options.items():
        if value is not None:
            raise ArgumentError(
                f"{option}: {form} has its own; {option}={value!r} has no effect on it, leave it "
                f"out"
            )
