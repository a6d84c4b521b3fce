"""Loads a text classifier by its path or its name on the Hugging Face hub."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from perturbx.exceptions import ArgumentError
from perturbx.scorers.classifier import TransformersClassifier
from perturbx.scorers.placement import best_device, checked_device, checked_dtype

DEFAULT_MODEL = Path(__file__).resolve().parents[1] / "default_model"
"""The small English sentiment classifier that the package ships."""


def load_classifier(
    path_or_name: str,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    output_names: Sequence[str] | None = None,
    name: str | None = None,
) -> TransformersClassifier:
    """Load a transformers text classifier with its tokenizer.

    Parameters
    ----------
    path_or_name : str
        A folder, or a name on the hub.
    device : str or torch.device, optional
        By default a GPU where there is one, else the CPU.
    dtype : str or torch.dtype, optional
        By default the checkpoint's on a CUDA device, else float32: half precision is slower than
        float32 on a CPU.
    output_names : sequence of str, optional
        A name per output, instead of the config's ``id2label``.
    name : str, optional
        A name for the record; `path_or_name` otherwise.

    Raises
    ------
    ArgumentError
        If it cannot be loaded, or if it has no trained classification head.
    """
    to_device, to_dtype = where_and_how(device, dtype)
    with quietly():
        model, tokenizer, untrained = _from_pretrained(path_or_name, to_dtype)
    check_vocabulary(tokenizer, path_or_name)
    check_weights(
        untrained,
        path_or_name,
        "classification head",
        "a model that was fine-tuned for classification",
    )
    return TransformersClassifier(
        model.to(to_device), tokenizer, output_names=output_names, name=name or path_or_name
    )


def where_and_how(
    device: str | torch.device | None, dtype: str | torch.dtype | None
) -> tuple[torch.device, Any]:
    """Return the device and the number format of a model that is loaded by its name."""
    to_device = best_device() if device is None else checked_device(device)
    if dtype is not None:
        return to_device, checked_dtype(dtype)
    return to_device, "auto" if to_device.type == "cuda" else torch.float32


def _from_pretrained(path_or_name: str, dtype: Any) -> tuple[Any, Any, set[str]]:
    """Return the model, its tokenizer, and the names of weights that no checkpoint gave."""
    import transformers

    try:
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            path_or_name, output_loading_info=True, **number_format(dtype)
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(path_or_name)
    except Exception as error:  # the libraries underneath raise whatever they like
        raise ArgumentError(
            f"model: cannot load {path_or_name!r} as a transformers text classifier "
            f"({one_line(error)}); give a folder with the model and its tokenizer, "
            f"or the name of one on the hub"
        ) from error
    return model, tokenizer, set(info["missing_keys"])


def number_format(dtype: Any) -> dict[str, Any]:
    """Return the number format as the argument that ``from_pretrained`` takes."""
    import transformers

    # the argument's name before transformers 5, which still takes it, with a warning
    major = int(transformers.__version__.split(".")[0])
    return {"dtype" if major >= 5 else "torch_dtype": dtype}


def check_vocabulary(tokenizer: Any, source: str) -> None:
    """Raise an `ArgumentError` for the empty tokenizer that is made where the files are missing."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise ArgumentError(
            f"model: {source!r} has no tokenizer beside it (no vocabulary was found); save it to "
            f"the same folder, or pass (model, tokenizer)"
        )


def check_weights(untrained: set[str], source: str, part: str, wanted: str) -> None:
    """Raise an `ArgumentError` if no checkpoint gave the weights of a part of the model."""
    if untrained:
        raise ArgumentError(
            f"model: {source!r} has no trained {part} (no weights for "
            f"{', '.join(sorted(untrained)[:3])}): its scores would be noise; give {wanted}"
        )


def one_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).strip() or repr(error)).splitlines()[0]}"


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the library's bars and notes off the screen; an error still tells all."""
    import transformers

    logging: Any = transformers.utils.logging
    verbosity, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable_progress_bar()
            yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            logging.enable_progress_bar()
