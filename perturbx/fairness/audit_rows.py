"""`AuditRows`: every row scored, in few bytes; the texts themselves are not kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from perturbx.exceptions import ArgumentError, RefusedError
from perturbx.fairness.grouping import (
    Attribute,
    attribute,
    attributes_in_texts,
    check_names,
    intersections,
    joined,
)
from perturbx.fairness.outcomes import Outcome, distinct_labels, is_missing, plain
from perturbx.fairness.refusals import Refusals
from perturbx.fairness.scoring import TextScores, are_answered
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.text_source import TextSource
from perturbx.lexicons import Lexicon
from perturbx.typing import IntArray, ScoreKind, ScoreMatrix


@dataclass(frozen=True, eq=False)
class AuditRows:
    """What is known of every row that the model answers.

    Parameters
    ----------
    raw : numpy.ndarray, (n_rows, n_outputs)
        The scorer's own numbers.
    kind, exclusive
        What they are; see `Scores`.
    output_names : tuple of str
        The model's outputs.
    labels : list, optional
        The label of each row; None where it has none.
    attributes : tuple of Attribute
        The groups.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        What rows stand or fall together with, 0, 1, ...
    distinct_labels : list
        The labels that occur, in rows that are refused, too.
    refusals : Refusals, optional
        What is known of all rows where the model refuses some.
    """

    raw: ScoreMatrix
    kind: ScoreKind
    exclusive: bool
    output_names: tuple[str, ...]
    labels: list[Any] | None
    attributes: tuple[Attribute, ...]
    clusters: IntArray | None
    distinct_labels: list[Any]
    refusals: Refusals | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def in_source(self, rows: IntArray) -> IntArray:
        """Return the numbers that some rows have among all of the source."""
        return rows if self.refusals is None else self.refusals.answered[rows]

    def judge(self, outcome: Outcome) -> Judged:
        """Return scores, decisions and labels for one outcome."""
        return outcome.judge(self.raw, self.kind, self.exclusive, self.labels)


def collect_rows(
    source: TextSource,
    scores: TextScores,
    *,
    lexicons: Sequence[Lexicon],
    depth: int,
    check: Callable[[list[Any], Sequence[Attribute]], None] = lambda labels, found: None,
) -> AuditRows:
    """Find the groups of every row of a source, and score it, piece by piece.

    Parameters
    ----------
    source : TextSource
        The rows.
    scores : TextScores
        The model, and what it said before.
    lexicons : sequence of Lexicon
        By which groups are found in the texts.
    depth : int
        Attributes are crossed so many at a time; 1: they are not.
    check : callable
        Takes distinct labels and attributes, and raises where they are not what is asked for; the
        model is asked after that.

    Raises
    ------
    ArgumentError
        There is no row, or no group, or labels and columns that are none.
    ScoringError, Interrupted
        The model failed, or refuses all; what it said is kept in `scores`.
    """
    n_rows = 0
    labels: list[Any] = []
    parts: dict[str, list[Attribute]] = {}
    clusters = _Numbers()
    is_labelled = False
    for piece in source.pieces():
        n_rows += len(piece.texts)
        own = [attribute(name, values) for name, values in piece.columns.items()]
        taken = [a.name for a in own]
        for found in attributes_in_texts(piece.texts, lexicons):
            name = f"{found.name} (in the text)" if found.name in taken else found.name
            own.append(Attribute(name, found.groups, found.members, found.origin))
        check_names(own)
        for found in own:
            parts.setdefault(found.name, []).append(found)
        if piece.labels is not None:
            is_labelled = True
            labels += [None if is_missing(label) else label for label in piece.labels]
        if piece.clusters is not None:
            clusters.add(piece.clusters)
    if not n_rows:
        raise ArgumentError("texts: expected at least one text, got none")
    attributes = [_without_empty(joined(found)) for found in parts.values()]
    attributes = [found for found in attributes if found.groups]
    if not attributes:
        raise ArgumentError(
            "groups: no row belongs to any group; give sensitive_features, or name lexicons by "
            "which groups are found in the texts (groups='gender')"
        )
    if depth > 1:
        attributes += intersections(tuple(attributes), depth)
        check_names(attributes)
    known = as_numbers(labels) if is_labelled else None
    distinct = distinct_labels(known)
    check(distinct, attributes)
    # The source is read again: what is wrong with any column is said before the model is asked.
    raw = [scores.of(piece.texts) for piece in source.pieces()]
    of_piece = [are_answered(own) for own in raw]
    answered = np.concatenate(of_piece)
    refusals = None
    numbers = clusters.numbers()
    if not answered.all():
        refusals = Refusals(
            ~answered, tuple(attributes), numbers, _first_refused(source, scores, answered)
        )
        raw = [own[kept] for own, kept in zip(raw, of_piece, strict=True) if kept.any()]
        at = refusals.answered
        attributes = [own.rows(at) for own in attributes]
        known = known if known is None else [known[row] for row in at]
        if numbers is not None:
            left = _Numbers()
            left.add(numbers[at].tolist())
            numbers = left.numbers()
    return AuditRows(
        np.concatenate(raw),
        scores.kind,
        scores.exclusive,
        scores.output_names,
        known,
        tuple(attributes),
        numbers,
        distinct,
        refusals,
    )


def _first_refused(source: TextSource, scores: TextScores, answered: Any) -> tuple[int, str]:
    """Return the first row that the model refuses, and why.

    Raises
    ------
    RefusedError
        It refuses every row.
    """
    row = int(np.argmin(answered))
    (text,) = source.texts_at(np.array([row]))
    why = str(scores.why_refused(text))
    if not answered.any():
        raise RefusedError(
            f"texts: the model answers none of {len(answered)}; about {text!r:.80}: {why}; there "
            f"is nothing to audit: give it another prompt, or audit texts that it answers",
            refused={text: why},
            ends_run=True,
        )
    return row, why


def _without_empty(found: Attribute) -> Attribute:
    """Return an attribute without the groups of no row."""
    kept = np.flatnonzero(found.sizes)
    if len(kept) == len(found.groups):
        return found
    members = scipy.sparse.csr_array(found.members[:, kept])
    return Attribute(found.name, tuple(found.groups[i] for i in kept), members, found.origin)


def as_numbers(labels: list[Any]) -> list[Any]:
    """Return labels as numbers where all of them are written as such, else as they are.

    Among numbers "NaN", as pandas may write what is missing, is no label.

    Examples
    --------
    >>> as_numbers(["1", "0", "nan", None]), as_numbers(["1", "x"])
    ([1, 0, None, None], ['1', 'x'])
    """
    read: dict[str, Any] = {}
    for label in labels:
        if label is None or label in read:
            continue
        if not isinstance(label, str):
            return labels
        try:
            number = float(label)
        except ValueError:
            return labels
        if np.isinf(number):
            return labels
        read[label] = None if np.isnan(number) else plain(number)
    if not any(value is not None for value in read.values()):
        return labels
    return [None if label is None else read[label] for label in labels]


class _Numbers:
    """Numbers clusters in the order in which they come."""

    def __init__(self) -> None:
        self._place: dict[Hashable, int] = {}
        self._parts: list[IntArray] = []

    def add(self, clusters: Sequence[Any]) -> None:
        """Give numbers to some rows; a row without a cluster is one of its own."""
        found = np.empty(len(clusters), dtype=np.int64)
        for row, name in enumerate(clusters):
            key = ("", len(self._place)) if is_missing(name) or name == "" else name
            try:
                found[row] = self._place.setdefault(key, len(self._place))
            except TypeError:
                raise ArgumentError(
                    f"clusters: expected strings or numbers; got {type(name).__name__}"
                ) from None
        self._parts.append(found)

    def numbers(self) -> IntArray | None:
        """Return the numbers of all rows, None where no clusters were given."""
        return np.concatenate(self._parts) if self._parts else None
