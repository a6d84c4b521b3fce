"""lime's own surrogate, feature selection included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.feature_selection import SELECTIONS, Selection, select, weighted_ridge
from perturbx.surrogates.fit_quality import Fit
from perturbx.surrogates.refitting import RefittedSurrogate
from perturbx.surrogates.ridge import check_positive, lime_kernel
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

ALPHA = 1.0
"""The penalty of the last ridge: lime's own."""


@dataclass(frozen=True)
class LimeText(RefittedSurrogate):
    """What ``lime.lime_text`` 0.2.0.1 fits to its samples, to the letter.

    Rows are weighted by count times LIME's kernel; for each output by itself units are chosen,
    and a ridge with penalty 1 is fitted to those. The others get 0.

    Parameters
    ----------
    n_features : int or None, default=None
        How many units to choose (lime's ``num_features``); None: all.
    feature_selection : str, default="auto"
        "forward_selection" (by weighted R² of least squares), "highest_weights" (of a ridge with
        penalty 0.01), "lasso_path", "none" (all units, whatever `n_features` says), or "auto":
        forward selection up to six units, else highest weights.
    kernel_width : float, default=25.0
        The width of LIME's kernel.

    Notes
    -----
    Ribeiro, Singh & Guestrin, KDD 2016. `base_values` is the intercept. Here, too, a text of one
    unit is regressed, so its value is shrunk. Errors and `r2`: see
    `perturbx.surrogates.refitting.RefittedSurrogate`; every refit chooses its own units.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    >>> scores = np.array([[3.0], [3.0], [0.0], [0.0]])
    >>> table = ScoreTable(masks, scores, ("y",), counts=np.array([1, 600, 600, 600]))
    >>> LimeText(n_features=1).fit([table])[0].values.round(1).ravel()
    array([3., 0.])
    """

    n_features: int | None = None
    feature_selection: Selection = "auto"
    kernel_width: float = 25.0
    name: ClassVar[str] = "lime_text"

    def __post_init__(self) -> None:
        check_positive(self.kernel_width, "kernel_width")
        check_n_features(self.n_features)
        if self.feature_selection not in SELECTIONS:
            raise ArgumentError(
                f"feature_selection: expected one of {SELECTIONS}; got {self.feature_selection!r}"
            )

    def fit_single_unit(self, table: ScoreTable) -> Attribution:
        """Return the ridge on the only unit, as lime does."""
        return self.fit_one(table)

    def fitter(self, table: ScoreTable) -> Fit:
        """Return the function from rows of the table to values and base values."""
        weights = table.counts * lime_kernel(table.masks, self.kernel_width)
        return SelectedRidge(
            table.masks.astype(float),
            table.scores,
            weights,
            n_features=self.n_features,
            selection=self.feature_selection,
            alpha=ALPHA,
        )


@dataclass(frozen=True, eq=False)
class SelectedRidge:
    """A ridge on chosen columns: from rows to values ``(n, k)`` and base values ``(k,)``.

    Parameters
    ----------
    columns, scores, weights : numpy.ndarray, (m, n), (m, k) and (m,)
        All rows.
    n_features : int or None
        How many columns to choose; None: all.
    selection : str
        How, see `perturbx.surrogates.feature_selection.select`.
    alpha : float
        The penalty.
    """

    columns: FloatArray
    scores: FloatArray
    weights: FloatArray
    n_features: int | None
    selection: Selection
    alpha: float

    def __call__(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the values and base values of the fit to some rows."""
        columns, weights = self.columns[rows], self.weights[rows]
        n_units, n_outputs = columns.shape[1], self.scores.shape[1]
        wanted = n_units if self.n_features is None else self.n_features
        values, bases = np.zeros((n_units, n_outputs)), np.zeros(n_outputs)
        for output, target in enumerate(self.scores[rows].T):
            chosen = select(columns, target, weights, wanted, self.selection)
            values[chosen, output], bases[output] = weighted_ridge(
                columns[:, chosen], target, weights, self.alpha
            )
        return values, bases


def check_n_features(n_features: int | None) -> None:
    """Raise an `ArgumentError` where `n_features` is no positive int."""
    whole = isinstance(n_features, (int, np.integer)) and not isinstance(n_features, bool)
    if n_features is not None and (not whole or n_features < 1):
        raise ArgumentError(f"n_features: expected a positive int or None; got {n_features!r}")
