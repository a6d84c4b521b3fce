"""Variants on their way to numbers: what is asked about each, and which are answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from perturbx.exceptions import BudgetExceeded, RefusedError
from perturbx.scorers.api.model import ApiModel
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.readings import Reading, Votes
from perturbx.scorers.scores import Scores, joined
from perturbx.typing import IntArray, TextInput


@dataclass
class Row:
    """One variant on its way to a number.

    Parameters
    ----------
    number : int
        Its place among the variants.
    text : str or (str, str)
        The variant.
    pending : list of Question
        What is asked about it next.
    answers : list of Answer
        To what was asked before.
    """

    number: int
    text: TextInput
    pending: list[Question]
    answers: list[Answer] = field(default_factory=list)


def answered(
    rows: Sequence[Row], model: ApiModel, reading: Reading, n_scored: int
) -> Iterator[list[Row]]:
    """Yield the rows of which all pending questions are answered, as that happens.

    Raises
    ------
    RefusedError
        Some are not, by their texts; all others have been yielded, and of sampled answers the rows
        that have fewer of them.
    BudgetExceeded
        So it is where a limit is reached; what was refused until then is told by texts, too.
    """
    owners: dict[str, list[Row]] = {}
    left: dict[int, int] = {}
    answers: dict[str, Answer] = {}
    for row in rows:
        keys = {question.key for question in row.pending}
        left[row.number] = len(keys)
        for key in keys:
            owners.setdefault(key, []).append(row)
    questions = [question for row in rows for question in row.pending]
    try:
        for part in model.ask(questions, reading.missing, n_scored=n_scored):
            done = []
            for question, answer in part:
                answers[question.key] = answer
                for row in owners.pop(question.key, ()):
                    left[row.number] -= 1
                    if not left[row.number]:
                        row.answers += [answers[own.key] for own in row.pending]
                        done.append(row)
            if done:
                yield done
    except (RefusedError, BudgetExceeded) as error:
        error.refused = {
            row.text: error.refused[own.key]
            for row in rows
            for own in row.pending
            if own.key in error.refused
        }
        if isinstance(reading, Votes):
            fewer = [row for row in rows if left[row.number]]
            for row in fewer:
                row.answers += [answers[own.key] for own in row.pending if own.key in answers]
            if any(row.answers for row in fewer):
                yield [row for row in fewer if row.answers]
        if isinstance(error, BudgetExceeded):
            raise
        text, why = next(iter(error.refused.items()))
        raise RefusedError(
            f"{model.model_id}: no answer of use about {len(error.refused)} of {len(rows)} texts; "
            f"about {text!r:.80}: {why}; what the others were answered is kept; leave such texts "
            f"out, or what they share",
            refused=error.refused,
            ends_run=error.ends_run,
        ) from error


def scores_of(rows: Sequence[Row], reading: Reading) -> tuple[IntArray, Scores]:
    """Return the places of rows that are answered, and their numbers."""
    numbers = [reading.numbers(row.text, row.answers) for row in rows]
    variances = [own for _, own in numbers if own is not None]
    samples = np.array([len(row.answers) for row in rows], dtype=np.int64)
    return np.array([row.number for row in rows], dtype=np.int64), Scores(
        joined([values[None] for values, _ in numbers]),
        np.stack(variances) if variances else None,
        kind=reading.kind,
        exclusive=reading.exclusive,
        samples=samples if isinstance(reading, Votes) else None,
    )


def in_order(parts: Sequence[tuple[IntArray, Scores]], n_outputs: int) -> Scores:
    """Return parts that came in any order as one, in the order of their rows."""
    if not parts:
        return Scores(np.empty((0, n_outputs)))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    variances = [own.variances for _, own in parts if own.variances is not None]
    samples = [own.samples for _, own in parts if own.samples is not None]
    return replace(
        parts[0][1],
        values=joined([own.values for _, own in parts])[order],
        variances=np.concatenate(variances)[order] if variances else None,
        samples=np.concatenate(samples)[order] if samples else None,
    )
