"""Turns what the user has into a language model: a pair, a pipeline, a path, a hub name."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.scorers.causal_lm.model import CausalLM
from perturbx.scorers.continuations import LanguageModel
from perturbx.scorers.loading import (
    check_vocabulary,
    check_weights,
    number_format,
    one_line,
    quietly,
    where_and_how,
)
from perturbx.scorers.seq2seq import Seq2SeqLM

GGUF = ".gguf"

FORMS = (
    "a pair (model, tokenizer) of transformers, a text-generation pipeline, the path or hub name "
    "of a language model, the path of a .gguf file, or a LanguageModel"
)


def as_language_model(
    model: Any,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> LanguageModel:
    """Return a language model for a model of any supported form.

    Parameters
    ----------
    model : object
        A pair ``(model, tokenizer)`` of transformers, a pipeline for text generation, the path or
        hub name of a decoder or of an encoder with a decoder (with or without ``"hf:"`` in
        front), the path of a ``.gguf`` file (extra ``gguf``), or a `LanguageModel`, which is
        returned as it is.
    device : str or torch.device, optional
        Where it works: by default where it is, and for one loaded by its name a GPU where there
        is one.
    dtype : str or torch.dtype, optional
        Its number format: by default its own, and for one loaded by its name the checkpoint's on
        a CUDA device, else float32.

    Raises
    ------
    ArgumentError
        If the model has none of these forms, or cannot be loaded.
    """
    if isinstance(model, LanguageModel):
        if device is not None or dtype is not None:
            raise ArgumentError("device, dtype: a LanguageModel has its own; leave them out")
        return model
    if isinstance(model, str | os.PathLike):
        return _loaded(os.path.expanduser(os.fspath(model).removeprefix("hf:")), device, dtype)
    if all(hasattr(model, name) for name in ("task", "model", "tokenizer")):
        model = (model.model, model.tokenizer)
    if isinstance(model, tuple | list) and len(model) == 2:
        return _of_pair(*model, device=device, dtype=dtype)
    if isinstance(model, torch.nn.Module):
        raise ArgumentError(
            f"model: {type(model).__name__} came without its tokenizer; pass (model, tokenizer)"
        )
    raise ArgumentError(f"model: expected {FORMS}; got {model!r:.200}")


def _of_pair(model: Any, tokenizer: Any, **options: Any) -> LanguageModel:
    config = getattr(model, "config", None)
    if not callable(tokenizer) or not hasattr(tokenizer, "convert_ids_to_tokens"):
        raise ArgumentError(
            f"model: expected the transformers tokenizer of the model beside it, got "
            f"{type(tokenizer).__name__}; pass (model, tokenizer)"
        )
    _refuse_classifier(type(model).__name__)
    if getattr(config, "is_encoder_decoder", False):
        return Seq2SeqLM(model, tokenizer, **options)
    return CausalLM(model, tokenizer, **options)


def _refuse_classifier(architecture: str) -> None:
    if architecture.endswith("ForSequenceClassification"):
        raise ArgumentError(
            f"model: {architecture} is a classifier; explain it with ShapleyExplainer"
        )


def _loaded(
    source: str, device: str | torch.device | None, dtype: str | torch.dtype | None
) -> LanguageModel:
    if source == "default" and not os.path.exists(source):
        raise ArgumentError("model: 'default' is a classifier, which ShapleyExplainer explains")
    is_local = source.startswith((".", os.sep)) or source.endswith(GGUF)
    if is_local and not os.path.exists(source):
        raise ArgumentError(f"model: there is no file or folder {source!r}")
    to_device, to_dtype = where_and_how(device, dtype)
    # the bar of a .gguf file that is being read heeds no setting of the library
    with quietly(), redirect_stderr(io.StringIO()):
        model, tokenizer, untrained = _from_pretrained(source, to_dtype)
    check_vocabulary(tokenizer, source)
    check_weights(untrained, source, "head over the vocabulary", "a language model")
    return _of_pair(model.to(to_device), tokenizer, name=source)


def _from_pretrained(source: str, dtype: Any) -> tuple[Any, Any, set[str]]:
    import transformers

    where, gguf = source, {}
    if source.endswith(GGUF):
        _check_gguf()
        where, gguf = str(Path(source).parent), {"gguf_file": Path(source).name}
    try:
        config = transformers.AutoConfig.from_pretrained(where, **gguf)
        for architecture in config.architectures or ():
            _refuse_classifier(architecture)
        kind: Any = (
            transformers.AutoModelForSeq2SeqLM
            if config.is_encoder_decoder
            else transformers.AutoModelForCausalLM
        )
        model, info = kind.from_pretrained(
            where, output_loading_info=True, **number_format(dtype), **gguf
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **gguf)
    except ArgumentError:
        raise
    except Exception as error:  # the libraries underneath raise whatever they like
        raise ArgumentError(
            f"model: cannot load {source!r} as a language model ({one_line(error)}); give a "
            f"folder with the model and its tokenizer, the name of one on the hub, or a .gguf file"
        ) from error
    return model, tokenizer, set(info["missing_keys"])


def _check_gguf() -> None:
    try:
        import accelerate  # noqa: F401
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("gguf with accelerate", "gguf") from error
