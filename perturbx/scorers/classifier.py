"""A transformers text classifier with its tokenizer, as a scorer."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from perturbx.exceptions import ArgumentError, ScoringError, TruncationWarning
from perturbx.scorers.inference import evaluating, window_of
from perturbx.scorers.outputs import checked, checked_names
from perturbx.scorers.placement import placed
from perturbx.scorers.scores import Scores
from perturbx.scorers.token_rows import TokenRows, tokenized
from perturbx.typing import InputKind, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants

ABSENT = -1
"""No token has this id: the padding id of a model that is never shown padding."""


class TransformersClassifier:
    """A model for sequence classification or regression, and its tokenizer.

    Its numbers are the raw logits (``kind="logit"``), or the predictions of a regression head
    (``kind="value"``: ``problem_type="regression"``, or a single label and no problem type).

    The model that is given is left as it was: it is in evaluation mode while it scores and in its
    own mode afterwards, and another `device` or `dtype` works on a copy.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A ``...ForSequenceClassification``.
    tokenizer : transformers.PreTrainedTokenizerBase
        Fast or slow.
    device : str or torch.device, optional
        The model's own by default.
    dtype : str or torch.dtype, optional
        The model's own by default; for example "bfloat16".
    output_names : sequence of str, optional
        A name per output, instead of the config's ``id2label``; needed where that has one name
        for several.
    name : str, optional
        A name for the record; the name the model was loaded by otherwise.

    Attributes
    ----------
    kind : {"logit", "value"}
        What the numbers are.
    exclusive : bool
        False for ``problem_type="multi_label_classification"``.
    max_tokens : int or None
        The window: the most tokens, special ones included, that a text may have.
    pad_id : int
        The id that rows of unequal length are filled up with. A model whose config has no
        padding id never sees it: its rows are scored in groups of equal length.
    n_truncated : int
        Number of text variants so far that were cut to the window.
    """

    accepts: tuple[InputKind, ...] = ("tokens", "text")

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        output_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        _check_model(model)
        _check_tokenizer(tokenizer)
        self._inputs = _input_names(model)
        config = model.config
        labels = tuple(str(config.id2label[index]) for index in sorted(config.id2label))
        if output_names is None and len(set(labels)) < len(labels):
            raise ArgumentError(
                f"output_names: the config's id2label has one name for several outputs, "
                f"{list(labels)}; give a name per output"
            )
        self.model = placed(model, device, dtype)
        self.tokenizer = tokenizer
        self.model_id = name or getattr(config, "_name_or_path", "") or type(model).__name__
        self.output_names = checked_names(output_names, len(labels)) or labels
        self.kind: ScoreKind = "value" if _is_regression(config) else "logit"
        self.exclusive = config.problem_type != "multi_label_classification"
        self.max_tokens = window_of(model, tokenizer)
        self.n_truncated = 0
        padding = getattr(config.get_text_config(), "pad_token_id", None)
        # XLNet reads the last column, padding or not
        self._pads = padding is not None and getattr(config, "summary_type", None) != "last"
        # encoders with decoders read the classes off their last end token, and of all rows of a
        # batch only if each has as many; a text can hold some, too ("</s>" is markup)
        has_decoder = getattr(config, "is_encoder_decoder", False)
        self._ends = getattr(config, "eos_token_id", None) if has_decoder else None
        self.pad_id: int = next(
            (index for index in (padding, tokenizer.pad_token_id) if index is not None), 0
        )
        self._called = self.model if padding is not None else _with_padding_id(self.model, ABSENT)

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return next(self.model.parameters()).device

    def score(self, variants: Variants) -> Scores:
        """Return the logits of each variant.

        Raises
        ------
        ScoringError
            If the model returns no row per variant, or if a row of tokens is longer than
            its window.

        Warns
        -----
        TruncationWarning
            Once, at the first text variant that is longer than the window.
        """
        if len(variants) == 0:
            return self._scores(np.empty((0, len(self.output_names))))
        if variants.texts is not None:
            rows, n_cut = tokenized(variants.texts, self.tokenizer, self.max_tokens)
            self._count_truncated(n_cut)
        else:
            assert variants.token_ids is not None
            assert variants.lengths is not None
            rows = TokenRows(variants.token_ids, variants.lengths, variants.extras)
        rows = rows.to(self.device)
        if bool((rows.lengths == 0).any()):
            rows = rows.with_empty_as(self._stand_in())
        with torch.inference_mode(), evaluating(self._called):
            logits = self._logits_of_groups(rows)
        values = checked(
            logits,
            len(variants),
            len(self.output_names),
            source=self.model_id,
        )
        return self._scores(values)

    def _scores(self, values: np.ndarray) -> Scores:
        return Scores(values, kind=self.kind, exclusive=self.exclusive)

    def _logits_of_groups(self, rows: TokenRows) -> torch.Tensor:
        """Return the logits of rows that go through the model with such as it takes beside them."""
        alike = torch.zeros_like(rows.lengths)
        if not self._pads:
            alike += rows.lengths
        if self._ends is not None:
            width = rows.ids.shape[1]
            is_token = torch.arange(width, device=self.device) < rows.lengths[:, None]
            is_end = torch.isin(rows.ids, torch.as_tensor(self._ends, device=self.device))
            alike += (is_end & is_token).sum(1) * (width + 1)
        elif self._pads:
            return self._logits(rows)
        logits = torch.empty(len(rows), len(self.output_names), device=self.device)
        for kind in set(alike.tolist()):
            chosen = (alike == kind).nonzero().flatten()
            logits[chosen] = self._logits(rows.take(chosen))
        return logits

    def _logits(self, rows: TokenRows) -> torch.Tensor:
        """Return the float32 logits ``(m, n_outputs)`` of one forward pass."""
        width = int(rows.lengths.max())
        if self.max_tokens is not None and width > self.max_tokens:
            raise ScoringError(
                f"{self.model_id}: a variant has {width} tokens and the model's window is "
                f"{self.max_tokens}; encode the text with max_tokens={self.max_tokens}"
            )
        columns = torch.arange(width, device=self.device)
        is_token = columns < rows.lengths[:, None]
        # Whatever the rows were filled with: RoBERTa counts positions, and decoders find the
        # last token, by their own padding id.
        inputs = {"input_ids": rows.ids[:, :width].masked_fill(~is_token, self.pad_id)}
        inputs["attention_mask"] = is_token.long()
        inputs |= {name: extra[:, :width] for name, extra in rows.extras.items()}
        output = self._called(**{name: inputs[name] for name in inputs if name in self._inputs})
        logits: torch.Tensor = output.logits if hasattr(output, "logits") else output[0]
        if logits.shape != (len(rows), len(self.output_names)):
            raise ScoringError(
                f"{self.model_id}: expected logits of shape ({len(rows)}, "
                f"{len(self.output_names)}), a row per text and a column per label, got "
                f"{tuple(logits.shape)}; {type(self.model).__name__} may be no model for sequence "
                f"classification"
            )
        return logits.float()

    def _stand_in(self) -> int:
        """Return the token that is shown where no token is left, as no model takes nothing."""
        for role in ("bos", "cls", "eos", "sep", "unk", "mask", "pad"):
            index = getattr(self.tokenizer, f"{role}_token_id", None)
            if index is not None:
                return int(index)
        raise ScoringError(
            f"{self.model_id}: a variant has no tokens at all and the tokenizer has no special "
            f"token to stand for the empty text; mask by replacing instead of deleting"
        )

    def _count_truncated(self, n_cut: int) -> None:
        if n_cut and not self.n_truncated:
            warnings.warn(
                f"{self.model_id}: a text was cut to the model's window of {self.max_tokens} "
                f"tokens; what lies beyond has no part in its score",
                TruncationWarning,
                stacklevel=3,
            )
        self.n_truncated += n_cut

    def __repr__(self) -> str:
        return (
            f"TransformersClassifier({self.model_id!r}, n_outputs={len(self.output_names)}, "
            f"device='{self.device}')"
        )


def _check_model(model: Any) -> None:
    if not isinstance(model, torch.nn.Module) or not hasattr(
        getattr(model, "config", None), "id2label"
    ):
        raise ArgumentError(
            f"model: expected a transformers model for sequence classification, got "
            f"{type(model).__name__}"
        )
    head: Any = getattr(model, "get_output_embeddings", lambda: None)
    if head() is not None:
        raise ArgumentError(
            f"model: {type(model).__name__} has a head over the vocabulary and none over classes; "
            f"a language model is explained with PromptExplainer or ContextExplainer"
        )


def _check_tokenizer(tokenizer: Any) -> None:
    if not callable(tokenizer) or not hasattr(tokenizer, "pad_token_id"):
        raise ArgumentError(
            f"tokenizer: expected the transformers tokenizer of the model, got "
            f"{type(tokenizer).__name__}; pass (model, tokenizer)"
        )


def _is_regression(config: Any) -> bool:
    if config.problem_type is None:
        return len(config.id2label) == 1
    return bool(config.problem_type == "regression")


def _with_padding_id(model: Any, pad_id: int) -> Any:
    """Return a model of the same weights whose config says which id is padding.

    Decoders refuse several rows at once otherwise; the user's own config is not to be changed.
    """
    twin = copy.copy(model)
    twin.config = copy.deepcopy(twin.config)
    twin.config.get_text_config().pad_token_id = pad_id
    return twin


def _input_names(model: Any) -> frozenset[str]:
    """Return the inputs that the model's forward names."""
    # a compiled model and an adapter (peft) take anything and hand it on
    bare = getattr(model, "_orig_mod", model)
    bare = bare.get_base_model() if hasattr(bare, "get_base_model") else bare
    names = frozenset(inspect.signature(bare.forward).parameters)
    if "input_ids" not in names:
        raise ArgumentError(
            f"model: expected a model for texts, and {type(bare).__name__} takes no input_ids"
        )
    return names
