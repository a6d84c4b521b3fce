"""Answers that are at hand, and those that a service holds back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, TypeAlias

from perturbx.exceptions import RefusedError, ScoringError
from perturbx.scorers.api.cache import AnswerCache
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question

Check: TypeAlias = Callable[[Answer], str | None]
"""What is missing in an answer that was asked for; None where nothing is."""

Reason: TypeAlias = Literal["filtered", "incomplete"]

WITHHELD = "withheld"
"""What stands in the place of an answer that did not come, or not with what was asked for."""

MANY = 8
"""From so many on, variants without an answer may be too many to go on."""

MOST = 0.25
"""They are if they are more than this part of all that came back, by more than chance: a filter of
two words together refuses just this part of the masks, and should not end one run of two."""


class IncompleteError(RefusedError):
    """A service answers, time and again, without what was asked for."""


def withheld(why: str, reason: Reason) -> Answer:
    """Return what is kept in the place of an answer."""
    raw = {WITHHELD: why, "reason": reason}
    return Answer("", None, None, None, "", "", raw, ended=reason, refusal=why)


def are_too_many(n_withheld: Fraction, n_answered: Fraction) -> bool:
    """Say whether so many variants without an answer are no exception any more."""
    n_asked = n_withheld + n_answered
    # The root is more than two standard deviations.
    return n_withheld >= MANY and n_withheld > MOST * n_asked + n_asked**0.5


def reasons(answers: Mapping[str, Answer]) -> dict[str, str]:
    """Return why answers are held back, by the keys of their questions."""
    return {key: answer.refusal or "" for key, answer in answers.items()}


def error_of(
    who: str, answers: Mapping[str, Answer], n_asked: int, *, ends_run: bool = False
) -> RefusedError:
    """Return the error for answers that are held back, by the keys of their questions."""
    refused = reasons(answers)
    is_incomplete = all(answer.ended == "incomplete" for answer in answers.values())
    kind = IncompleteError if is_incomplete else RefusedError
    return kind(
        f"{who}: no answer of use to {len(refused)} of {n_asked} questions: "
        f"{next(iter(refused.values()))}",
        refused=refused,
        ends_run=ends_run,
    )


def known_answers(
    provider: Provider,
    cache: AnswerCache,
    questions: Sequence[Question],
    check: Check | None,
    *,
    given_up: Mapping[str, Answer] | None = None,
) -> dict[str, Answer]:
    """Return the answers in a cache that have what is asked for now, by key.

    Refusals are among them. What another run did not get is not: a filter may be another one now.

    Parameters
    ----------
    provider, cache, questions, check
        Whose they are, where they are, and what is wanted of them.
    given_up : mapping of str to Answer, optional
        What stands in the place of those that need not be asked again, although no answer came;
        None: all.

    Raises
    ------
    ScoringError
        If an answer cannot be read.
    """
    kept = cache.get(questions)
    answers: dict[str, Answer] = {}
    for question in questions:
        if question.key not in kept:
            continue
        raw = kept[question.key]
        if WITHHELD not in raw:
            try:
                answer = provider.read(raw)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise ScoringError(
                    f"cache: the answer {question.key} is not one of {provider.name!r} ({error!r})"
                ) from error
            if answer.refusal is not None or check is None or check(answer) is None:
                answers[question.key] = answer
                continue
        elif given_up is None:
            answers[question.key] = withheld(raw[WITHHELD], raw["reason"])
            continue
        if given_up is not None and question.key in given_up:
            answers[question.key] = given_up[question.key]
    return answers
