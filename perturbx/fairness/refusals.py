"""`Refusals`: the texts that a model does not answer, which an audit leaves out and counts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from perturbx.exceptions import AnswersWarning
from perturbx.fairness.grouping import Attribute
from perturbx.fairness.statistics.measures import Judged
from perturbx.typing import IntArray


@dataclass(frozen=True, eq=False)
class Refusals:
    """Which rows of a source have no answer; all else in an audit is about the others.

    Parameters
    ----------
    are_refused : numpy.ndarray of bool, (n_rows,)
        Which ones.
    attributes : tuple of Attribute
        The groups of all rows.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        The clusters of all rows.
    example : (int, str)
        The first row that was refused, and why.
    """

    are_refused: NDArray[np.bool_]
    attributes: tuple[Attribute, ...]
    clusters: IntArray | None
    example: tuple[int, str]

    @cached_property
    def answered(self) -> IntArray:
        """The rows with an answer."""
        return np.flatnonzero(~self.are_refused)

    @property
    def judged(self) -> Judged:
        """The refusals as decisions on all rows."""
        decisions = self.are_refused.astype(np.float64)
        return Judged(decisions, decisions, are_refusals=True)

    def __len__(self) -> int:
        return int(self.are_refused.sum())

    def __str__(self) -> str:
        row, why = self.example
        return (
            f"the model refused {len(self):,} of {len(self.are_refused):,} texts; what it refuses "
            f"is left out (the first is text {row}: {why:.200}); all figures but the refusal rate "
            f"are of texts that it answers"
        )


@contextmanager
def gathered_warnings() -> Iterator[list[str]]:
    """Gather what explainers warn of where variants are refused: a report has a place for it."""
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", AnswersWarning)
        show = warnings.showwarning

        def hear(message: Warning | str, category: type[Warning], *about: Any) -> None:
            if issubclass(category, AnswersWarning):
                told.append(f"words: {message}")
            else:
                show(message, category, *about)

        warnings.showwarning = cast("Any", hear)
        yield told
