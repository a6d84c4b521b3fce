"""`Seq2SeqLM`: an encoder with a decoder, asked for the probabilities of continuations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

from perturbx.batch_budget import BatchBudget
from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.causal_lm.agreement import ROUNDINGS, root_mean_square, rounded_otherwise
from perturbx.scorers.causal_lm.log_probs import token_log_probs
from perturbx.scorers.causal_lm.prompt_tokenizer import PromptTokenizer
from perturbx.scorers.continuations import (
    Continued,
    Scored,
    check_tokens,
    prompt_rows,
    with_opening,
)
from perturbx.scorers.generation import generate
from perturbx.scorers.inference import asking, evaluating, window_of
from perturbx.scorers.placement import placed
from perturbx.scorers.row_batches import LARGEST_BATCH, LOGITS_AT_ONCE, in_batches, row_budget
from perturbx.typing import FloatArray, IntArray

FOLLOWS = 0.05
"""How far log-probabilities may be from those beside further tokens, whatever the rounding."""


class Seq2SeqLM:
    """An encoder-decoder of transformers: log-probabilities of what its decoder may say.

    The encoder reads each distinct prompt once, whatever is asked about behind it. A continuation
    is a text of its own behind the tokens that the decoder begins with. Prompts are read in padded
    batches: an encoder that attends otherwise the wider a batch is (BigBird's "block_sparse") is to
    be loaded so that it does not ("original_full").

    Parameters
    ----------
    model : transformers model
        For sequence-to-sequence language modelling (T5, BART, ...).
    tokenizer : transformers tokenizer
        Its own. A prompt gets the closing token that the encoder expects.
    device : str or torch.device, optional
        Where it works; by default where it is.
    dtype : str or torch.dtype, optional
        The precision it works in; by default its own.
    name : str, optional
        A name for the record.

    Raises
    ------
    ArgumentError
        If the model has no encoder, or does not say what its decoder begins with.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        name: str | None = None,
    ) -> None:
        config = getattr(model, "config", None)
        if not getattr(config, "is_encoder_decoder", False):
            raise ArgumentError(
                f"model: expected an encoder-decoder of transformers, got {type(model).__name__}"
            )
        self._opening = _decoder_opening(model)
        bare = tokenizer.wrapped if isinstance(tokenizer, PromptTokenizer) else tokenizer
        self._window = window_of(model, bare)
        self.tokenizer = PromptTokenizer(bare, closes=True, most_each=self._window)
        self.model = placed(model, device, dtype)
        self._budgets: dict[int | str, BatchBudget] = {}
        self._is_causal = False
        self.model_id = name or getattr(config, "_name_or_path", "") or type(model).__name__

    @property
    def max_tokens(self) -> None:
        """Return None: a prompt and what follows it have a window each."""

    @property
    def _encoder(self) -> Any:
        return self.model.get_encoder()  # type: ignore[operator]

    @property
    def _n_vocabulary(self) -> int:
        return int(self.model.config.get_text_config().vocab_size)  # type: ignore[operator, union-attr]

    @property
    def device(self) -> torch.device:
        """Return where the model is."""
        return next(self.model.parameters()).device

    def log_probs(
        self, questions: Sequence[Continued], batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[Scored]:
        """Yield the log-probability of every token of every continuation, part by part.

        Parameters, yields and errors are those of `CausalLM.log_probs`; ``batch_tokens`` are
        those of the encoder, padding included.
        """
        questions = [with_opening(own, self.tokenizer, self.model_id) for own in questions]
        if questions and not self._is_causal:
            self._check_causal()
        check_tokens(questions, self.model, self.model_id)
        asked: dict[bytes, list[int]] = {}
        for number, question in enumerate(questions):
            asked.setdefault(question.prompt.tobytes(), []).append(number)
        groups = list(asked.values())
        lengths = [len(questions[own[0]].prompt) for own in groups]
        self._check_length("a prompt", max(lengths, default=0))
        longest = max((len(one) for own in questions for one in own.continuations), default=0)
        self._check_length("a response", longest + len(self._opening) - 1)
        if batch_tokens not in self._budgets:
            self._budgets[batch_tokens] = row_budget(batch_tokens, self.device)

        def run(batch: Sequence[int]) -> Scored:
            answers = self._batch([[questions[i] for i in groups[row]] for row in batch])
            return list(zip([i for row in batch for i in groups[row]], answers, strict=True))

        yield from asking(self.model, in_batches(lengths, self._budgets[batch_tokens], run))

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[str]:
        """Return what the model says to each prompt; see `CausalLM.generate`."""
        rows = prompt_rows(self.tokenizer, prompts, self.model, self.model_id)
        with torch.inference_mode(), evaluating(self.model):
            return generate(self.model, self.tokenizer, rows, max_new_tokens, stop)

    def _check_causal(self) -> None:
        """Raise an `ArgumentError` if what follows a token changes what is said in its place."""
        draw = np.random.default_rng(0)
        prompt, said = (draw.integers(0, self._n_vocabulary, n) for n in (5, 6))

        def asked(stop: int) -> FloatArray:
            question = Continued(prompt, (said[:stop],))
            return next(asking(self.model, (self._batch(own)[0][0] for own in [[[question]]])))

        def rounding() -> float:
            with rounded_otherwise(self._encoder):
                return root_mean_square(asked(3) - short)

        short = asked(3)
        apart = root_mean_square(asked(6)[:3] - short)
        # What is no number is told where the scores are read.
        if np.isfinite(apart) and not (apart <= FOLLOWS or apart <= ROUNDINGS * rounding()):
            raise ArgumentError(
                f"model: the decoder of {type(self.model).__name__} reads what follows a token, "
                f"too, so it cannot say how probable a continuation is; give another model"
            )
        self._is_causal = True

    def _batch(self, groups: Sequence[Sequence[Continued]]) -> list[list[FloatArray]]:
        """Return the answers to all questions of some distinct prompts, in order."""
        ids, is_token = self._stacked([own[0].prompt for own in groups])
        encoded = self._encoder(input_ids=ids, attention_mask=is_token)
        owners = [
            i for i, own in enumerate(groups) for question in own for _ in question.continuations
        ]
        targets = [
            target for own in groups for question in own for target in question.continuations
        ]
        # Models read more of it than the states by name, which None stands for.
        log_p = self._decoded(encoded[0], type(encoded), is_token, owners, targets)
        answers = iter(log_p)
        return [
            [next(answers) for _ in question.continuations] for own in groups for question in own
        ]

    def _decoded(
        self,
        hidden: torch.Tensor,
        output_class: Callable[..., Any],
        is_token: torch.Tensor,
        owners: Sequence[int],
        targets: Sequence[IntArray],
    ) -> list[FloatArray]:
        longest = max(map(len, targets))
        # Every continuation gets its own copy of what the encoder says: a row as wide as that.
        rows_at_once = min(
            LOGITS_AT_ONCE // ((longest + len(self._opening)) * self._n_vocabulary),
            LARGEST_BATCH // hidden.shape[1],
        )
        at_once = max(1, rows_at_once)
        found: list[FloatArray] = []
        for begin in range(0, len(targets), at_once):
            own = targets[begin : begin + at_once]
            rows = torch.tensor(owners[begin : begin + at_once], device=self.device)
            read = [np.concatenate([self._opening, target[:-1]]) for target in own]
            decoder_ids, _ = self._stacked(read)
            logits = self.model(
                encoder_outputs=output_class(last_hidden_state=hidden[rows]),
                attention_mask=is_token[rows],
                decoder_input_ids=decoder_ids,
                use_cache=False,
            ).logits
            width, first = logits.shape[1], len(self._opening) - 1
            places = np.concatenate(
                [i * width + first + np.arange(len(target)) for i, target in enumerate(own)]
            )
            log_p = token_log_probs(
                logits.flatten(0, 1),
                torch.from_numpy(places).to(self.device),
                torch.from_numpy(np.concatenate(own)).to(self.device),
            )
            ends = np.cumsum([len(target) for target in own])
            found += np.split(log_p.cpu().numpy(), ends[:-1])
        return found

    def _stacked(self, rows: Sequence[IntArray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rows of tokens filled up on the right, and 1 where a token is."""
        width = max(1, *(len(row) for row in rows))
        ids = np.zeros((len(rows), width), dtype=np.int64)
        is_token = np.zeros((len(rows), width), dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            is_token[i, : len(row)] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(is_token).to(self.device)

    def _check_length(self, what: str, length: int) -> None:
        if self._window is not None and length > self._window:
            raise ScoringError(
                f"{self.model_id}: {what} has {length} tokens and the model reads "
                f"{self._window}; shorten it, or give fewer documents"
            )

    def __repr__(self) -> str:
        return f"Seq2SeqLM({self.model_id!r}, device='{self.device}')"


def _decoder_opening(model: Any) -> list[int]:
    """Return the tokens that the decoder begins with, as it does when it generates."""
    found = []
    for name in ("decoder_start_token_id", "forced_bos_token_id"):
        places = (getattr(model, "generation_config", None), model.config)
        values = [getattr(place, name, None) for place in places]
        found.append(next((int(value) for value in values if value is not None), None))
    if found[0] is None:
        raise ArgumentError(
            f"model: the config of {type(model).__name__} has no decoder_start_token_id; set it"
        )
    return [token for token in found if token is not None]
