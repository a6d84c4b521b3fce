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
from perturbx.scorers.api.readings.reading import LONGER, Reading
from perturbx.typing import FloatArray, ScoreKind, TextInput

MOST_TOKENS = 16
"""Tokens of an answer, at most, by default: enough for a number."""

_DIGITS = r"\d+(?:[.,]\d+)?"

SCALE = re.compile(r"(?<![\d.,])0\s*%?\s*(?:-|–|to|and|bis|à|至|到)\s*100(?![\d.,]*\d)\s*[%％]?")
"""The scale itself, said once more."""

RANGE = re.compile(rf"{_DIGITS}\s*[%％]?\s*(?:-|–|~|to|or|至|到|或)\s*{_DIGITS}")

SHARE = re.compile(
    rf"(?<![\w.,/-])({_DIGITS})\s*(?:/|out of|of(?=\s*100?\b))\s*({_DIGITS})(?![\d/])"
)

"""Such as "7 out of 10"; with "of" of 10 or 100 only."""

NUMBER = re.compile(rf"(?<![\w.,/+-])({_DIGITS})(?![/\w])\s*([%％])?")

ENUMERATED = re.compile(r"\d+[.)]\s*\d")
"""The first of a list, of which the number says nothing."""


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
    max_new_tokens : int
        The most tokens of an answer. Models that think first need hundreds.
    """

    name = "confidence"
    exclusive = False
    kind: ScoreKind = "value"

    def __init__(
        self,
        provider: Provider,
        templates: Mapping[str, PromptTemplate],
        calibrations: Mapping[str, Calibration] | None = None,
        *,
        max_new_tokens: int = MOST_TOKENS,
    ) -> None:
        super().__init__(provider, next(iter(templates.values())))
        self.most_tokens = max_new_tokens
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
                template.prompt(text, is_chat=self.provider.is_chat),
                parts=self.calls_per_variant,
                max_tokens=self.most_tokens,
            )
            for template in self.templates
        ]

    def missing(self, answer: Answer) -> str | None:
        """Say if there is no number from 0 to 100 in an answer, or more than one."""
        if share_said(answer.text) is None:
            advice = f"; {LONGER}" if answer.is_cut else ""
            return f"an answer without one number from 0 to 100: {answer.text[:80]!r}{advice}"
        return None

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the numbers said, calibrated where that was learned."""
        said = [share_said(answer.text) for answer in answers]
        if any(number is None for number in said):
            raise ScoringError(f"an answer holds no number: {[a.text[:40] for a in answers]}")
        values = np.array(said, dtype=np.float64)
        if self.calibrations is not None:
            pairs = zip(self.labels, values, strict=True)
            values = np.array(
                [self.calibrations[label](np.array([own]))[0] for label, own in pairs]
            )
        return values, None


def share_said(text: str) -> float | None:
    """Return the number from 0 to 100 that a text says, in parts of 1; None where it says none.

    A number below 1 with a point is a share, and so is "7 out of 10". Of several numbers it is the
    one that the text begins with, unless that begins a range; or else the only one from 0 to 100.

    Examples
    --------
    >>> [share_said(text) for text in ("85", "0.7", "7%", "**7 out of 10**", "95-100", "-5")]
    [0.85, 0.7, 0.07, 0.7, None, None]
    >>> [share_said(text) for text in ("On a scale from 0 to 100: 85", "As of 2024, 60", "5 or 6")]
    [0.85, 0.6, None]
    """
    text = SCALE.sub(" ", text)
    share = SHARE.search(text)
    if share is not None:
        part, whole = (_number(own) for own in share.groups())
        return part / whole if 0.0 <= part <= whole and whole > 0.0 else None
    text = text.lstrip().lstrip("*_`\"'(~≈")
    first = NUMBER.match(text)
    if first is not None and RANGE.match(text) is None and ENUMERATED.match(text) is None:
        return _share(first[1], bool(first[2]))
    if RANGE.search(text) is not None:
        return None
    found = [_share(own[1], bool(own[2])) for own in NUMBER.finditer(text)]
    possible = {own for own in found if own is not None}
    return possible.pop() if len(possible) == 1 else None


def _number(digits: str) -> float:
    return float(digits.replace(",", "."))


def _share(digits: str, is_percent: bool) -> float | None:
    number = _number(digits)
    if re.fullmatch(r"\d+,\d{3}", digits) and digits[0] != "0":  # a thousand
        return None
    # "0.7" is a share; "7" and "0.7%" are of a hundred.
    is_share = number <= 1.0 and not digits.isdigit() and not is_percent
    share = number if is_share else number / 100.0
    return share if 0.0 <= share <= 1.0 else None
