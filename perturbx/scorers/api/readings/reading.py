"""`Reading`: what is asked about a variant, and how the answers become a row of numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.typing import FloatArray, ScoreKind, TextInput

LONGER = "give a larger max_new_tokens (models that think first need hundreds)"
"""What to do where answers are cut off."""

NO_NUMBERS = "an answer with log-probabilities that are no numbers"
"""What `Reading.missing` says of one text's scores; all else that it says is about the service."""


class Reading(ABC):
    """A way to get numbers.

    Parameters
    ----------
    provider : Provider
        Makes the questions.
    template : PromptTemplate
        Makes the prompts.
    """

    name: ClassVar[str]
    kind: ScoreKind
    exclusive: ClassVar[bool] = True
    output_names: tuple[str, ...]

    calls_per_variant: int = 1
    """Questions about a variant."""

    most_tokens: int = 1
    """Tokens of an answer, at most."""

    may_follow_up: bool = False
    """Whether `follow_ups` may say something."""

    def __init__(self, provider: Provider, template: PromptTemplate) -> None:
        self.provider = provider
        self.template = template

    @abstractmethod
    def questions(self, text: TextInput) -> list[Question]:
        """Return what is asked about a variant first."""

    def follow_ups(self, text: TextInput, answers: Sequence[Answer]) -> list[Question]:
        """Return what must be asked behind that, given the answers so far; mostly nothing."""
        return []

    def missing(self, answer: Answer) -> str | None:
        """Say what an answer lacks that was asked for, None where nothing is."""
        return None

    @abstractmethod
    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the numbers ``(n_outputs,)`` of a variant, and their variances if they are noisy.

        Parameters
        ----------
        text : str or (str, str)
            The variant.
        answers : sequence of Answer
            To its questions and then its follow-ups, in their order.

        Raises
        ------
        ScoringError
            If the answers hold no such numbers.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider!r}, outputs={list(self.output_names)})"
