"""`ResponseScorer`: how probable a given response is, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.scorers.language_scorer import LanguageScorer
from perturbx.typing import FloatArray, IntArray


class ResponseScorer(LanguageScorer):
    """Log-probabilities of the tokens of each text's own response.

    A variant is a prompt (segment 0) with its response (segment 1) and, where two answers are
    compared, the other one (segment 2): each is asked about behind the prompt. One pass of the
    model gives all tokens.

    Its numbers are a column per token, in the order of the segments, and zeros behind the last
    one where texts of one stream have responses of different lengths; an encoding of responses
    reads the outputs out of them.

    Parameters
    ----------
    language_model : LanguageModel
        The model.
    """

    def _continuations(self, row: IntArray, segments: IntArray) -> tuple[IntArray, ...]:
        found = tuple(row[segments == i] for i in range(1, int(segments.max(initial=0)) + 1))
        if not found or not all(map(len, found)):
            raise ScoringError(
                f"{self.model_id}: a variant has no response behind its prompt; give one, or ask "
                f"for labels"
            )
        return found

    def _numbers(self, answers: Sequence[FloatArray]) -> FloatArray:
        return np.concatenate(answers)
