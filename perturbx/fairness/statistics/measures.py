"""What is measured in a group: every measure but the AUCs is a quotient of two sums over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from perturbx.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model said of some rows and what is true of them, for one outcome.

    Parameters
    ----------
    scores : numpy.ndarray, (n_rows,)
        The score of the outcome.
    decisions : numpy.ndarray, (n_rows,), optional
        1.0 where the model decides for the outcome, else 0.0; None for a regression.
    labels : numpy.ndarray, (n_rows,), optional
        1.0 or 0.0, or a number for a regression; NaN where the row has no label.
    is_probability : bool
        The scores are probabilities, so they can be compared with shares.
    are_refusals : bool
        The decisions are those not to answer, and nothing else is measured.
    """

    scores: FloatArray
    decisions: FloatArray | None = None
    labels: FloatArray | None = None
    is_probability: bool = False
    are_refusals: bool = False

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, at: Any) -> Judged:
        """Return some of the rows."""
        return replace(
            self,
            scores=self.scores[at],
            decisions=None if self.decisions is None else self.decisions[at],
            labels=None if self.labels is None else self.labels[at],
        )

    @property
    def is_binary(self) -> bool:
        """Whether there are labels, and they say yes or no."""
        return self.labels is not None and self.decisions is not None


Terms: TypeAlias = Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""(scores, decisions, labels) to what each row adds above and below the line."""


@dataclass(frozen=True)
class Measure:
    """A quotient of two sums over the rows of a group.

    Parameters
    ----------
    name : str
        Its name.
    terms : callable
        What each row adds to the two sums; rows without a label come with the label NaN.
    is_share : bool
        It counts rows among rows: then it lies in [0, 1].
    needs_labels, needs_decisions : bool
        What it cannot do without.
    needs_probability : bool
        It compares scores with shares.
    given_labels : bool
        It looks at rows of one label only, so a difference in how often that label occurs is
        none in the measure.
    """

    name: str
    terms: Terms
    is_share: bool = True
    needs_labels: bool = True
    needs_decisions: bool = True
    needs_probability: bool = False
    given_labels: bool = False

    def of_rows(self, judged: Judged) -> tuple[FloatArray, FloatArray]:
        """Return what each row adds above and below the line, ``(n_rows,)`` each."""
        nothing = np.full(len(judged), np.nan)
        labels = nothing if judged.labels is None else judged.labels
        decisions = nothing if judged.decisions is None else judged.decisions
        above, below = self.terms(judged.scores, decisions, labels)
        known = np.isfinite(above) & np.isfinite(below)
        return np.where(known, above, 0.0), np.where(known, below, 0.0)


def _among(share: FloatArray, of: FloatArray) -> tuple[FloatArray, FloatArray]:
    return share * of, of


def _mean(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    return values, np.ones_like(values) + 0.0 * values


CLASSIFICATION: Final = (
    Measure("selection_rate", lambda s, p, y: _mean(p), needs_labels=False),
    Measure("base_rate", lambda s, p, y: _mean(y)),
    Measure("tpr", lambda s, p, y: _among(p, y), given_labels=True),
    Measure("fpr", lambda s, p, y: _among(p, 1 - y), given_labels=True),
    Measure("fnr", lambda s, p, y: _among(1 - p, y), given_labels=True),
    Measure("precision", lambda s, p, y: _among(y, p)),
    Measure("accuracy", lambda s, p, y: _mean(p * y + (1 - p) * (1 - y))),
)
"""The measures of decisions."""

SCORES: Final = (
    Measure(
        "mean_score",
        lambda s, p, y: _mean(s),
        is_share=False,
        needs_labels=False,
        needs_decisions=False,
    ),
    Measure(
        "calibration",
        lambda s, p, y: _mean(s - y),
        is_share=False,
        needs_probability=True,
    ),
    Measure(
        "brier_score",
        lambda s, p, y: _mean((s - y) ** 2),
        is_share=False,
        needs_probability=True,
    ),
)
"""The measures of scores: their mean, the mean less the share of positives, the squared error."""

REGRESSION: Final = (
    SCORES[0],
    Measure("mean_error", lambda s, p, y: _mean(s - y), is_share=False, needs_decisions=False),
    Measure(
        "mean_absolute_error",
        lambda s, p, y: _mean(np.abs(s - y)),
        is_share=False,
        needs_decisions=False,
    ),
)
"""The measures of predicted numbers."""

REFUSALS: Final = (Measure("refusal_rate", lambda s, p, y: _mean(p), needs_labels=False),)
"""What is measured of texts that a model refuses, among all."""


def measures_of(judged: Judged) -> tuple[Measure, ...]:
    """Return the measures that these rows allow.

    Examples
    --------
    >>> [m.name for m in measures_of(Judged(np.array([0.2, 0.9]), np.array([0.0, 1.0])))]
    ['selection_rate', 'mean_score']
    """
    every: Sequence[Measure] = (*CLASSIFICATION, *SCORES)
    if judged.decisions is None or judged.are_refusals:
        every = REFUSALS if judged.are_refusals else REGRESSION
    return tuple(
        measure
        for measure in every
        if not (measure.needs_labels and judged.labels is None)
        and not (measure.needs_probability and not judged.is_probability)
    )
