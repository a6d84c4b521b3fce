"""ContextCite's surrogate: a lasso on standardised masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from sklearn.linear_model import lasso_path as sklearn_lasso_path

from perturbx.exceptions import ArgumentError
from perturbx.surrogates.fit_quality import ROUNDING, Fit, fold_of_group
from perturbx.surrogates.mask_regression import held_out_groups
from perturbx.surrogates.refitting import RefittedSurrogate
from perturbx.surrogates.ridge import check_positive
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

PRECISION = 1e-9
"""The duality gap, in scatters of the scores, at which the descent stops."""

MOST_SWEEPS = 100_000

LEAST_PENALTY = 1e-12
"""In scatters of the scores: below it the duality gap is rounding, and no descent ever stops."""


@dataclass(frozen=True)
class Lasso(RefittedSurrogate):
    """A sparse line: most units get exactly 0.

    Columns are standardised, rows weighted by their counts, and
    Σ (y - ŷ)² / (2m) + alpha Σ |β| is minimised, as scikit-learn writes it; the slopes are then
    put back on the scale of the masks.

    Parameters
    ----------
    alpha : float or "cv", default=0.01
        The penalty, in units of the score (of the response over `response_scale`). "cv" takes the
        one that predicts held-out rows best, for each output; it is chosen once, on all rows, and
        held in the refits behind errors and `r2`.
    response_scale : float or tuple of float (n_outputs,), default=1.0
        The scores are divided by it before the fit and the values multiplied by it. ContextCite
        takes the number of tokens of the response, or of the part of it that is explained, so that
        its alpha suits any length.

    Notes
    -----
    Cohen-Wang, Shah, Georgiev & Madry, "ContextCite: Attributing Model Generation to Context",
    NeurIPS 2024: masks of the sampler "uniform", alpha = 0.01. Errors, `r2`, and what
    simultaneous intervals are worth here (less than they say): see
    `perturbx.surrogates.refitting.RefittedSurrogate`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [4.0], [0.0], [4.0]]), ("y",))
    >>> Lasso(alpha=0.01).fit([table])[0].values.round(3).ravel() + 0.0
    array([3.98, 0.  ])
    """

    alpha: float | Literal["cv"] = 0.01
    response_scale: float | tuple[float, ...] = 1.0
    name: ClassVar[str] = "lasso"
    has_scale: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for scale in np.atleast_1d(np.array(self.response_scale, dtype=object)):
            check_positive(scale, "response_scale")
        if isinstance(self.alpha, str):
            if self.alpha != "cv":
                raise ArgumentError(f"alpha: expected 'cv' or a number; got {self.alpha!r}")
        else:
            check_positive(self.alpha, "alpha")

    def fitter(self, table: ScoreTable) -> Fit:
        """Return the function from rows of the table to values and base values."""
        n_outputs = table.n_outputs
        if isinstance(self.alpha, str):
            alphas = np.array([_best_alpha(table, output) for output in range(n_outputs)])
        else:
            scales = np.atleast_1d(self.response_scale)
            if len(scales) not in (1, n_outputs):
                raise ArgumentError(
                    f"response_scale: expected one number, or one for each of {n_outputs} outputs; "
                    f"got {len(scales)}"
                )
            alphas = self.alpha * np.broadcast_to(scales, n_outputs)

        def fit(rows: IntArray) -> tuple[FloatArray, FloatArray]:
            values, bases = np.zeros((table.n_units, n_outputs)), np.zeros(n_outputs)
            masks, counts = table.masks[rows].astype(float), table.counts[rows].astype(float)
            for output, alpha in enumerate(alphas):
                slopes, intercepts = _lasso(
                    masks, table.scores[rows, output], counts, np.array([alpha])
                )
                values[:, output], bases[output] = slopes[:, 0], intercepts[0]
            return values, bases

        return fit


def _lasso(
    masks: FloatArray, target: FloatArray, counts: FloatArray, alphas: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return slopes ``(n_units, n_alphas)`` and intercepts, on the scale of the masks.

    A constant column has scale 1, as in scikit-learn's ``StandardScaler``.
    """
    means = np.average(masks, axis=0, weights=counts)
    spread = np.sqrt(np.average(np.square(masks - means), axis=0, weights=counts))
    scales = np.where(spread > 0, spread, 1.0)
    mean = float(np.average(target, weights=counts))
    scale = _scatter(target, counts)
    if scale == 0.0:
        return np.zeros((masks.shape[1], len(alphas))), np.full(len(alphas), mean)
    roots = np.sqrt(counts / counts.mean())
    columns = (masks - means) / scales * roots[:, None]
    response = (target - mean) / scale * roots
    _, path, _ = sklearn_lasso_path(
        columns,
        response,
        alphas=np.maximum(alphas / scale, LEAST_PENALTY),
        precompute=columns.T @ columns,
        Xy=columns.T @ response,
        tol=PRECISION,
        max_iter=MOST_SWEEPS,
    )
    slopes: FloatArray = scale * path / scales[:, None]
    return slopes, mean - means @ slopes


def _best_alpha(table: ScoreTable, output: int) -> float:
    """Return the penalty with the least error on held-out rows, pairs held out together."""
    groups = held_out_groups(table)
    folds = fold_of_group(len(groups))
    masks, counts = table.masks.astype(float), table.counts.astype(float)
    target = table.scores[:, output]
    # On standardised data every slope is 0 from a penalty of 1 on.
    alphas = np.logspace(0.0, -3.0, 30) * (_scatter(target, counts) or 1.0)
    errors = np.zeros(len(alphas))
    for fold in range(folds.max() + 1 if len(groups) > 1 else 0):
        held = groups[folds == fold].ravel()
        held = held[held >= 0]
        rest = np.setdiff1d(np.arange(len(table)), held)
        slopes, intercepts = _lasso(masks[rest], target[rest], counts[rest], alphas)
        misses = target[held, None] - intercepts - masks[held] @ slopes
        errors += counts[held] @ np.square(misses)
    return float(alphas[np.argmin(errors)])


def _scatter(target: FloatArray, counts: FloatArray) -> float:
    """Return the standard deviation, 0 where it is no more than the rounding of a constant."""
    mean = np.average(target, weights=counts)
    scatter = float(np.sqrt(np.average(np.square(target - mean), weights=counts)))
    return scatter if scatter > ROUNDING * float(np.abs(target).max()) else 0.0
