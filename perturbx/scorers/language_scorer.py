"""`LanguageScorer`: what all scorers that ask a language model share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from perturbx.exceptions import ScoringError
from perturbx.scorers.continuations import Continued, LanguageModel
from perturbx.scorers.scores import Scores, joined
from perturbx.scorers.token_rows import tokenized
from perturbx.typing import FloatArray, InputKind, IntArray, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants


class LanguageScorer(ABC):
    """Reads the numbers it wants out of the log-probabilities of continuations.

    Parameters
    ----------
    language_model : LanguageModel
        The model.
    """

    accepts: tuple[InputKind, ...] = ("tokens", "text")
    kind: ScoreKind = "log_prob"
    exclusive = False
    output_names: tuple[str, ...] | None = None

    def __init__(self, language_model: LanguageModel) -> None:
        self.language_model = language_model
        self.tokenizer = language_model.tokenizer
        self.max_tokens = language_model.max_tokens
        self.model_id = language_model.model_id

    @property
    def device(self) -> Any:
        """Return where the model is."""
        return self.language_model.device

    @abstractmethod
    def _continuations(self, row: IntArray, segments: IntArray) -> tuple[IntArray, ...]:
        """Return what is asked about behind the prompt of one row of tokens."""

    @abstractmethod
    def _numbers(self, answers: Sequence[FloatArray]) -> FloatArray:
        """Return the numbers of one variant from its continuations' log-probabilities."""

    def score(self, variants: Variants) -> Scores:
        """Return the numbers of each variant, in their order.

        Raises
        ------
        ScoringError
            If a prompt with its continuation is longer than the model's window.
        """
        parts = list(self.score_parts(variants))
        if not parts:
            return self._scores(np.empty((0, len(self.output_names or ()))))
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        return self._scores(joined([scores.values for _, scores in parts])[order])

    def score_parts(
        self, variants: Variants, batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[tuple[IntArray, Scores]]:
        """Yield the rows that are scored and their numbers, in whatever order is the fastest.

        Parameters
        ----------
        variants : Variants
            Rows that share beginnings are read at less than their own cost.
        batch_tokens : int or "auto"
            Most tokens in one pass of the model.
        """
        questions = self._questions(variants)
        for part in self.language_model.log_probs(questions, batch_tokens):
            values = joined([self._numbers(answers)[None] for _, answers in part])
            yield np.array([i for i, _ in part], dtype=np.int64), self._scores(values)

    def _scores(self, values: FloatArray) -> Scores:
        return Scores(values, kind=self.kind, exclusive=self.exclusive)

    def _questions(self, variants: Variants) -> list[Continued]:
        if not len(variants):
            return []
        if variants.texts is not None:
            rows, _ = tokenized(variants.texts, self.tokenizer, self.max_tokens)
            ids, lengths, extras = rows.ids, rows.lengths, rows.extras
        else:
            assert variants.token_ids is not None
            assert variants.lengths is not None
            ids, lengths, extras = variants.token_ids, variants.lengths, variants.extras
        if "token_type_ids" not in extras:
            raise ScoringError(
                f"{self.model_id}: the tokens do not say which of them are the prompt's; encode "
                f"the text with this scorer's own tokenizer"
            )
        return [
            self._question(row[:length], segments[:length])
            for row, segments, length in zip(
                _numpy(ids), _numpy(extras["token_type_ids"]), lengths.tolist(), strict=True
            )
        ]

    def _question(self, row: IntArray, segments: IntArray) -> Continued:
        return Continued(row[segments == 0], self._continuations(row, segments))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_id!r}, device='{self.device}')"


def _numpy(ids: torch.Tensor) -> IntArray:
    array: IntArray = ids.cpu().numpy()
    return array
