"""Choosing a few units, as lime does: forward selection, highest weights, lasso path.

All work on the weighted normal equations, so a row of weight w counts like w rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from sklearn.linear_model import lars_path

from perturbx.typing import FloatArray, IntArray

Selection: TypeAlias = Literal["auto", "forward_selection", "highest_weights", "lasso_path", "none"]

SELECTIONS: tuple[Selection, ...] = (
    "auto",
    "forward_selection",
    "highest_weights",
    "lasso_path",
    "none",
)

FORWARD_UP_TO = 6
"""With "auto", more units than this are chosen by their weights: lime's own rule."""

HIGHEST_WEIGHTS_ALPHA = 0.01
"""The penalty of the ridge whose weights are compared: lime's own."""

TIE = 1e-12
"""Gains that differ by less than this part of the total scatter are equal; the first unit wins."""


def select(
    columns: FloatArray,
    target: FloatArray,
    weights: FloatArray,
    n_features: int,
    selection: Selection,
) -> IntArray:
    """Return the chosen columns, the best first.

    Parameters
    ----------
    columns : numpy.ndarray, (n_rows, n_columns)
        The masks as numbers.
    target : numpy.ndarray, (n_rows,)
        The scores of one output.
    weights : numpy.ndarray, (n_rows,)
        The weights of the rows.
    n_features : int
        How many to choose at most.
    selection : str
        One of `SELECTIONS`. "auto" is forward selection up to six units, else highest weights.
    """
    if selection == "auto":
        selection = "forward_selection" if n_features <= FORWARD_UP_TO else "highest_weights"
    if selection == "none":
        return np.arange(columns.shape[1])
    rule: dict[str, Callable[..., IntArray]] = {
        "forward_selection": forward_selection,
        "highest_weights": highest_weights,
        "lasso_path": lasso_path,
    }
    return rule[selection](columns, target, weights, n_features)


def forward_selection(
    columns: FloatArray, target: FloatArray, weights: FloatArray, n_features: int
) -> IntArray:
    """Return the columns that, one after the other, raise the weighted R² most.

    Instead of refitting for every candidate, the normal equations are kept orthogonal to the
    columns chosen so far: adding column j then lowers the residual sum of squares by c_j² / g_jj.
    """
    gram, moments, scatter = _normal_equations(columns, target, weights)
    own = gram.diagonal().copy()
    chosen: list[int] = []
    for _ in range(min(n_features, columns.shape[1])):
        left = gram.diagonal()
        independent = left > 1e-10 * np.maximum(own, np.finfo(float).tiny)
        gains = np.where(independent, moments**2 / np.where(independent, left, 1.0), 0.0)
        gains[chosen] = -np.inf
        best = int(np.argmax(gains >= gains.max() - TIE * scatter))
        chosen.append(best)
        if independent[best]:
            step = gram[best] / gram[best, best]
            moments = moments - step * moments[best]
            gram = gram - np.outer(gram[:, best], step)
    return np.array(chosen, dtype=np.int64)


def highest_weights(
    columns: FloatArray, target: FloatArray, weights: FloatArray, n_features: int
) -> IntArray:
    """Return the columns with the largest weights in a ridge on all columns."""
    slopes, _ = weighted_ridge(columns, target, weights, HIGHEST_WEIGHTS_ALPHA)
    return np.argsort(-np.abs(slopes), kind="stable")[:n_features]


def lasso_path(
    columns: FloatArray, target: FloatArray, weights: FloatArray, n_features: int
) -> IntArray:
    """Return the columns at the last point of the lasso path with at most `n_features` of them."""
    roots = np.sqrt(weights)
    centred = (columns - np.average(columns, axis=0, weights=weights)) * roots[:, None]
    residual = (target - np.average(target, weights=weights)) * roots
    _, _, path = lars_path(centred, residual, method="lasso")
    nonzero: IntArray = np.arange(columns.shape[1])
    for step in range(path.shape[1] - 1, 0, -1):
        nonzero = np.flatnonzero(path[:, step])
        if len(nonzero) <= n_features:
            break
    return nonzero


def weighted_ridge(
    columns: FloatArray, target: FloatArray, weights: FloatArray, alpha: float
) -> tuple[FloatArray, float]:
    """Return the slopes and the intercept of a ridge whose penalty spares the intercept.

    The same as scikit-learn's ``Ridge(alpha).fit(columns, target, sample_weight=weights)``.
    """
    gram, moments, _ = _normal_equations(columns, target, weights)
    penalised = gram + alpha * np.eye(len(gram))
    slopes: FloatArray = np.linalg.pinv(penalised, hermitian=True) @ moments
    means = np.average(columns, axis=0, weights=weights)
    return slopes, float(np.average(target, weights=weights) - means @ slopes)


def _normal_equations(
    columns: FloatArray, target: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return XᵀWX, XᵀWy and yᵀWy of centred columns and target."""
    centred = columns - np.average(columns, axis=0, weights=weights)
    residual = target - np.average(target, weights=weights)
    weighted = centred * weights[:, None]
    return weighted.T @ centred, weighted.T @ residual, float(weights @ residual**2)
