"""`Votes`: answers that are sampled and counted, where there are no log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.readings.reading import Reading
from perturbx.typing import FloatArray, ScoreKind, TextInput

MOST_TOKENS = 16
"""Tokens of a sampled answer, at most: enough for a label."""


class Votes(Reading):
    """The share of sampled answers that name each label.

    An answer that names none of them, or more than one, counts for none, so the shares may add up
    to less than 1.

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
    """

    name = "votes"
    kind: ScoreKind = "probability"
    most_tokens = MOST_TOKENS

    def __init__(
        self,
        provider: Provider,
        template: PromptTemplate,
        labels: Mapping[str, str],
        *,
        n_samples: int,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(provider, template)
        self.output_names = tuple(labels)
        self.labels = tuple(labels.values())
        self.n_samples = self.calls_per_variant = n_samples
        self.temperature = temperature
        self.seed = seed

    def questions(self, text: TextInput) -> list[Question]:
        """Return a question per sample."""
        return [self.sample(text, number) for number in range(self.n_samples)]

    def sample(self, text: TextInput, number: int) -> Question:
        """Return the question of one sample."""
        return self.provider.question(
            self.template.prompt(text, is_chat=self.provider.is_chat),
            max_tokens=MOST_TOKENS,
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
        if not len(votes):
            raise ScoringError("n_samples: expected at least one answer for a variant")
        smooth = (votes.sum(axis=0) + 1.0) / (len(votes) + 2.0)
        return votes.mean(axis=0), smooth * (1.0 - smooth) / len(votes)

    def vote(self, answer: Answer) -> list[bool]:
        """Return which label an answer names: the one that it begins with, or that stands in it."""
        said = _plain(answer.text)
        begins = [_begins(said, _plain(label)) for label in self.labels]
        if sum(begins) > 1:  # of "good" and "good enough", the longer one
            longest = max(len(label) for label, own in zip(self.labels, begins, strict=True) if own)
            begins = [
                own and len(label) == longest
                for label, own in zip(self.labels, begins, strict=True)
            ]
        if any(begins):
            return begins
        inside = [f" {_plain(label)} " in f" {said} " for label in self.labels]
        return inside if sum(inside) == 1 else [False] * len(self.labels)


def _plain(text: str) -> str:
    """Return a text without case, punctuation and more than one space between words."""
    kept = (char if char.isalnum() or not char.isascii() else " " for char in text.casefold())
    return " ".join("".join(kept).split())


def _begins(said: str, label: str) -> bool:
    behind = said[len(label) : len(label) + 1]
    return said.startswith(label) and not (behind.isalnum() and behind.isascii())
