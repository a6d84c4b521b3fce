"""`Confidence`: the number that a model says when it is asked how sure it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.scorers.api.calibration import Calibration
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.readings.reading import Reading
from perturbx.typing import FloatArray, ScoreKind, TextInput

NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)\s*([%％])?")

MOST_TOKENS = 16


class Confidence(Reading):
    """Verbalised confidence, from 0 to 100, in parts of 1; a call for each label.

    What a model says of its own sureness is no probability: the outputs are named "uncalibrated"
    until a calibration on labelled texts is given.

    Parameters
    ----------
    provider : Provider
    templates : mapping of str to PromptTemplate
        For each label the prompt that asks for its number.
    calibrations : mapping of str to Calibration, optional
        For each label what makes probabilities of the numbers said.
    """

    name = "confidence"
    exclusive = False
    kind: ScoreKind = "value"
    most_tokens = MOST_TOKENS

    def __init__(
        self,
        provider: Provider,
        templates: Mapping[str, PromptTemplate],
        calibrations: Mapping[str, Calibration] | None = None,
    ) -> None:
        super().__init__(provider, next(iter(templates.values())))
        self.templates = tuple(templates.values())
        self.labels = tuple(templates)
        self.calls_per_variant = len(templates)
        self.calibrations = calibrations
        if calibrations is not None:
            self.kind = "probability"
        self.output_names = (
            self.labels
            if calibrations is not None
            else tuple(f"{label} (uncalibrated)" for label in self.labels)
        )

    def questions(self, text: TextInput) -> list[Question]:
        """Return a question per label."""
        return [
            self.provider.question(
                template.prompt(text, is_chat=self.provider.is_chat), max_tokens=MOST_TOKENS
            )
            for template in self.templates
        ]

    def missing(self, answer: Answer) -> str | None:
        """Say if there is no number from 0 to 100 in an answer."""
        if self._said(answer) is None:
            return f"an answer without a number from 0 to 100: {answer.text[:80]!r}"
        return None

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the numbers said, calibrated where that was learned."""
        said = [self._said(answer) for answer in answers]
        if any(number is None for number in said):
            raise ScoringError(f"an answer holds no number: {[a.text[:40] for a in answers]}")
        values = np.array(said, dtype=np.float64)
        if self.calibrations is not None:
            pairs = zip(self.labels, values, strict=True)
            values = np.array(
                [self.calibrations[label](np.array([own]))[0] for label, own in pairs]
            )
        return values, None

    def _said(self, answer: Answer) -> float | None:
        found = NUMBER.search(answer.text)
        if found is None:
            return None
        number = float(found[1].replace(",", "."))
        # "0.7" is a share; "7" and "0.7%" are of a hundred.
        is_share = number <= 1.0 and "." in found[1].replace(",", ".") and not found[2]
        share = number if is_share else number / 100.0
        return share if 0.0 <= share <= 1.0 else None
