"""`AnswerSimilarity`: how much the answer to a variant is like the original one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.readings.reading import LONGER, Reading
from perturbx.scorers.continuations import until_stop
from perturbx.typing import FloatArray, ScoreKind, TextInput

MOST_TOKENS = 64
"""Tokens of an answer, at most, by default."""


class AnswerSimilarity(Reading):
    """Similarities of the model's likeliest answer and the original one, by each scalarizer.

    Parameters
    ----------
    provider, template
        See `Reading`.
    scalarizers : sequence of Scalarizer
        An output each; see `perturbx.scorers.generated`.
    reference : str, optional
        The original answer; without it, variants are pairs (prompt, answer).
    max_new_tokens : int
        Where an answer is cut off.
    stop : sequence of str
        It ends before the first of these.
    """

    name = "similarity"
    exclusive = False
    kind: ScoreKind = "similarity"

    def __init__(
        self,
        provider: Provider,
        template: PromptTemplate,
        scalarizers: Sequence[Any],
        *,
        reference: str | None,
        max_new_tokens: int = MOST_TOKENS,
        stop: Sequence[str],
    ) -> None:
        super().__init__(provider, template)
        self.scalarizers = tuple(scalarizers)
        self.output_names = tuple(scalarizer.name for scalarizer in self.scalarizers)
        self.reference = reference
        self.max_new_tokens = self.most_tokens = max_new_tokens
        self.stop = tuple(stop)

    def questions(self, text: TextInput) -> list[Question]:
        """Return one question."""
        prompt, _ = self._split(text)
        return [self.answering(prompt)]

    def answering(self, prompt: TextInput) -> Question:
        """Return the question that lets the model answer a prompt."""
        return self.provider.question(
            self.template.prompt(prompt, is_chat=self.provider.is_chat),
            max_tokens=self.max_new_tokens,
            stop=self.stop,
        )

    def missing(self, answer: Answer) -> str | None:
        """Say if an answer ended before its first word: a model may have thought until then."""
        if answer.is_cut and not answer.text:
            return f"an answer that was cut off before its first word; {LONGER}"
        return None

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return a similarity per scalarizer."""
        _, reference = self._split(text)
        # A service may know no stop sequences of white space, or none at all.
        said = [until_stop(answers[0].text, self.stop)]
        columns = [scalarizer(reference, said) for scalarizer in self.scalarizers]
        return np.array([float(np.asarray(column)[0]) for column in columns]), None

    def _split(self, text: TextInput) -> tuple[TextInput, str]:
        if self.reference is not None:
            return text, self.reference
        if isinstance(text, str) or len(text) != 2:
            raise ScoringError(
                "reference: the original answer is not known; give `reference`, or explain with "
                "PromptExplainer, which lets the model answer first"
            )
        return text[0], text[1]
