"""The measures of every group by fairlearn's `MetricFrame`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import scipy.sparse

from perturbx.exceptions import MissingExtraError
from perturbx.fairness.statistics.measures import Judged, Measure
from perturbx.typing import FloatArray, IntArray

_OF_SCORES: Final = frozenset(
    ("mean_score", "calibration", "brier_score", "mean_error", "mean_absolute_error")
)


PIECE: Final = 50_000
"""Rows that go through fairlearn at once: it takes half a kilobyte for each."""


def fairlearn_values(
    judged: Judged,
    groups: tuple[str, ...],
    members: scipy.sparse.csr_array,
    measures: tuple[Measure, ...],
) -> FloatArray:
    """Return the measures of every group by fairlearn's `MetricFrame`, ``(n_measures, n_groups)``.

    Rows of equal group, label and decision go through it as one, several times over; means of
    scores piece by piece, of which the mean is taken, weighted by rows.

    Raises
    ------
    MissingExtraError
        fairlearn is not installed (extra ``fairness``).
    """
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError as error:
        raise MissingExtraError("fairlearn", "fairness") from error

    functions = _functions()
    coo = members.tocoo()
    row, group = coo.coords
    values = np.full((len(measures), len(groups)), np.nan)
    for of_scores in (False, True):
        for of_labels in (False, True):
            some = [
                (number, measure)
                for number, measure in enumerate(measures)
                if measure.needs_labels == of_labels and (measure.name in _OF_SCORES) == of_scores
            ]
            if not some:
                continue
            wanted = {measure.name: functions[measure.name] for _, measure in some}
            total, count = np.zeros((len(some), len(groups))), np.zeros(len(groups))
            cells = _score_cells if of_scores or judged.decisions is None else _decision_cells
            for of_group, truth, said, weights in cells(judged, row, group, of_labels):
                with warnings.catch_warnings():
                    # Of groups without a positive or a negative: they have no value below.
                    warnings.simplefilter("ignore")
                    frame = MetricFrame(
                        metrics=wanted,
                        y_true=truth,
                        y_pred=said,
                        # By name: an array of a single row is no column for fairlearn.
                        sensitive_features={"group": of_group},
                        sample_params={name: {"sample_weight": weights} for name in wanted},
                    ).by_group
                here = np.bincount(of_group, weights=weights, minlength=len(groups))
                found = frame.index.to_numpy()
                for place, (_, measure) in enumerate(some):
                    total[place, found] += frame[measure.name].to_numpy(float) * here[found]
                count += here
            with np.errstate(invalid="ignore"):
                values[[number for number, _ in some]] = total / count
    for number, measure in enumerate(measures):
        below = members.T @ measure.of_rows(judged)[1]
        values[number, below == 0] = np.nan
    return values


_Cells = Iterator[tuple[IntArray, FloatArray, FloatArray, FloatArray]]
"""Groups, what is true, what was said, and how many rows each stands for."""


def _decision_cells(judged: Judged, row: Any, group: Any, of_labels: bool) -> _Cells:
    """Yield every combination of group, label and decision once."""
    assert judged.decisions is not None
    code = group.astype(np.int64) * 4 + (judged.decisions[row] == 1)
    if of_labels and judged.labels is not None:
        truth = judged.labels[row]
        code = (code + 2 * (truth == 1))[np.isfinite(truth)]
    counts = np.bincount(code)
    code = np.flatnonzero(counts)
    if len(code):
        one = (code // 2 % 2).astype(np.float64), (code % 2).astype(np.float64)
        yield code // 4, *one, counts[code].astype(np.float64)


def _score_cells(judged: Judged, row: Any, group: Any, of_labels: bool) -> _Cells:
    """Yield the rows as they are, some at a time."""
    truth = judged.scores if judged.labels is None else judged.labels
    for start in range(0, len(row), PIECE):
        at, own = row[start : start + PIECE], group[start : start + PIECE].astype(np.int64)
        if of_labels:
            known = np.isfinite(truth[at])
            at, own = at[known], own[known]
        if len(at):
            yield own, np.nan_to_num(truth[at]), judged.scores[at], np.ones(len(at))


def _functions() -> dict[str, Callable[..., float]]:
    """Return fairlearn's and scikit-learn's function for each measure."""
    from fairlearn import metrics as fairlearn
    from sklearn import metrics as sklearn

    def of_label(function: Callable[..., float], label: int) -> Callable[..., float]:
        def share(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
            if label not in y_true:
                return np.nan
            return float(function(y_true, y_pred, pos_label=1, sample_weight=sample_weight))

        return share

    def base_rate(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        return float(fairlearn.mean_prediction(y_pred, y_true, sample_weight=sample_weight))

    def mean_error(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        said = fairlearn.mean_prediction(y_true, y_pred, sample_weight=sample_weight)
        return float(said - base_rate(y_true, y_pred, sample_weight=sample_weight))

    def precision(y_true: Any, y_pred: Any, *, sample_weight: Any) -> float:
        return float(
            sklearn.precision_score(
                y_true, y_pred, sample_weight=sample_weight, zero_division=np.nan
            )
        )

    return {
        "selection_rate": fairlearn.selection_rate,
        "refusal_rate": fairlearn.selection_rate,
        "base_rate": base_rate,
        "tpr": of_label(fairlearn.true_positive_rate, 1),
        "fpr": of_label(fairlearn.false_positive_rate, 0),
        "fnr": of_label(fairlearn.false_negative_rate, 1),
        "precision": precision,
        "accuracy": sklearn.accuracy_score,
        "mean_score": fairlearn.mean_prediction,
        "calibration": mean_error,
        "mean_error": mean_error,
        "brier_score": sklearn.mean_squared_error,
        "mean_absolute_error": sklearn.mean_absolute_error,
    }
