"""`Votes`: answers that are sampled and counted, where there are no log-probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perturbx.exceptions import AnswersWarning, CapabilityError, ScoringError
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.readings.naming import LabelNames
from perturbx.scorers.api.readings.reading import LONGER, Reading
from perturbx.typing import FloatArray, ScoreKind, TextInput

MOST_TOKENS = 16
"""Tokens of a sampled answer, at most, by default: enough for a label."""


FIRST = 8
"""Answers of which one at least must name a label before more are bought."""

FEW = 3
"""So many of which none names a label are told of, too."""

WARNED = 0.2
"""The part of answers without a label from which on it is told; then again where it doubles."""


@dataclass
class Tally:
    """Sampled answers so far, and how many of them named a label.

    Parameters
    ----------
    n_answers, n_named : int
        All answers, and those that named a label.
    n_cut : int
        Of those that did not, how many came to the most tokens allowed.
    example : str
        What one of them says.
    told : float
        The part without a label that was warned of.
    """

    n_answers: int = 0
    n_named: int = 0
    n_cut: int = 0
    example: str = ""
    told: float = 0.0

    def add(self, answer: Answer, *, names_one: bool) -> None:
        """Count an answer."""
        self.n_answers += 1
        self.n_named += names_one
        if not names_one:
            self.n_cut += answer.is_cut
            self.example = answer.text

    def check(self, who: str) -> None:
        """Raise a `CapabilityError` where none of the first answers names a label."""
        if self.n_answers >= FIRST and not self.n_named:
            raise CapabilityError(
                f"{who}: none of the first {self.n_answers} answers names a label ({self._said}); "
                f"{self._advice}"
            )

    def warn(self, who: str) -> None:
        """Warn where many answers name no label, and say how many."""
        share = 1.0 - self.n_named / max(self.n_answers, 1)
        is_sure = self.n_answers >= (FIRST if self.n_named else FEW)
        if is_sure and share >= max(WARNED, 2.0 * self.told):
            self.told = share
            warnings.warn(
                f"{who}: {share:.0%} of the answers name no label, and count for none "
                f"({self._said}); {self._advice}",
                AnswersWarning,
                stacklevel=2,
            )

    @property
    def _said(self) -> str:
        cut = f"; {self.n_cut} are cut off" if self.n_cut else ""
        return f"one says {self.example[:60]!r}{cut}"

    @property
    def _advice(self) -> str:
        template = "give a prompt_template that asks for the label alone"
        return f"{LONGER}, or {template.removeprefix('give ')}" if self.n_cut else template


class Votes(Reading):
    """The share of sampled answers that name each label.

    An answer counts for the label that it begins with, or else for the only one that stands in it
    (see `LabelNames`). Others count for none, so the shares may add up to less than 1.

    Parameters
    ----------
    provider, template
        See `Reading`.
    labels : mapping of str to str
        What each is called, and how it reads; in any case.
    n_samples : int
        Answers for a variant.
    temperature : float
        1 is the model's own distribution.
    seed : int, optional
        Of the first sample, for services that know of seeds; further ones count on from it.
    max_new_tokens : int
        The most tokens of an answer. Models that think first need hundreds.

    Raises
    ------
    ArgumentError
        If labels cannot be told apart in an answer.
    """

    name = "votes"
    kind: ScoreKind = "probability"

    def __init__(
        self,
        provider: Provider,
        template: PromptTemplate,
        labels: Mapping[str, str],
        *,
        n_samples: int,
        temperature: float = 1.0,
        seed: int | None = None,
        max_new_tokens: int = MOST_TOKENS,
    ) -> None:
        super().__init__(provider, template)
        self.output_names = tuple(labels)
        self.labels = tuple(labels.values())
        self._names = LabelNames(self.labels)
        self.tally = Tally()
        self.most_tokens = max_new_tokens
        self.n_samples = n_samples
        self.temperature = temperature
        self.seed = seed

    def questions(self, text: TextInput) -> list[Question]:
        """Return a question per sample."""
        return [self.sample(text, number) for number in range(self.n_samples)]

    def sample(self, text: TextInput, number: int) -> Question:
        """Return the question of one sample."""
        return self.provider.question(
            self.template.prompt(text, is_chat=self.provider.is_chat),
            max_tokens=self.most_tokens,
            temperature=self.temperature,
            sample=number,
            seed=None if self.seed is None else self.seed + number,
        )

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the shares, and the variance of each by Laplace's rule: never 0.

        With k of r votes, p = (k + 1) / (r + 2) and the variance is p (1 - p) / r.
        """
        votes = np.array([self.vote(answer) for answer in answers], dtype=np.float64)
        for answer, vote in zip(answers, votes, strict=True):
            self.tally.add(answer, names_one=bool(vote.any()))
        if not len(votes):
            raise ScoringError("n_samples: expected at least one answer for a variant")
        smooth = (votes.sum(axis=0) + 1.0) / (len(votes) + 2.0)
        return votes.mean(axis=0), smooth * (1.0 - smooth) / len(votes)

    def vote(self, answer: Answer) -> list[bool]:
        """Return which label an answer names."""
        named = self._names.named(answer.text)
        return [number == named for number in range(len(self.labels))]
