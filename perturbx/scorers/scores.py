"""`Scores`: what the model said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.typing import IntArray, ScoreKind, ScoreMatrix


@dataclass(frozen=True, eq=False)
class Scores:
    """A row of numbers per variant.

    Parameters
    ----------
    values : numpy.ndarray of float64, (n_variants, n_outputs)
        The scorer's own numbers.
    variances : numpy.ndarray of float64, (n_variants, n_outputs), optional
        The variance of each number, where the model itself is noisy.
    kind : {"logit", "probability", "log_prob", "similarity", "value"}
        What the numbers are.
    exclusive : bool
        The outputs are classes of which exactly one holds: logits go through a softmax, and
        through a sigmoid where False.
    samples : numpy.ndarray of int64, (n_variants,), optional
        Where the numbers are shares of sampled answers: of how many.
    """

    values: ScoreMatrix
    variances: ScoreMatrix | None = None
    kind: ScoreKind = "value"
    exclusive: bool = True
    samples: IntArray | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float64:
            raise ScoringError(
                f"values: expected float64 of shape (n_variants, n_outputs), got "
                f"{self.values.dtype} of shape {self.values.shape}"
            )

    def __len__(self) -> int:
        return int(self.values.shape[0])


def widened(values: ScoreMatrix, width: int) -> ScoreMatrix:
    """Return rows of numbers with zeros behind them, ``(n, width)``.

    So are responses of different lengths told as one matrix, a column for each of their tokens.

    Examples
    --------
    >>> widened(np.ones((1, 2)), 3)
    array([[1., 1., 0.]])
    """
    missing = width - values.shape[1]
    # A ledger of many rows is widened at every batch: mostly it is as wide as it has to be.
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def joined(parts: Sequence[ScoreMatrix]) -> ScoreMatrix:
    """Return parts as one matrix, as wide as the widest.

    Examples
    --------
    >>> joined([np.ones((1, 1)), np.ones((1, 2))])
    array([[1., 0.],
           [1., 1.]])
    """
    width = max(own.shape[1] for own in parts)
    return np.concatenate([widened(own, width) for own in parts])
