"""Out-of-fold predictions: each score is predicted by trees that saw neither it nor its pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx.surrogates.fit_quality import LEAST_GROUPS, ROUNDING, interior
from perturbx.surrogates.stacks import complement_pairs
from perturbx.surrogates.tree_proxy.boosting import boost
from perturbx.surrogates.tree_proxy.trees import Leaves, Tree, scaled
from perturbx.typing import FloatArray, IntArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

N_FOLDS = 5

N_REPEATS = 4
"""How often the pairs are cut into folds anew: the models of different folds are different games,
and the mean over several cuts takes most of this difference out of the residuals."""

RIDGE = 2.0
"""The penalty on the additive part that the trees are spared: as much as one pair tells."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What trees say of a table.

    Parameters
    ----------
    predictions : numpy.ndarray, (n_masks, n_outputs)
        The mean of the models that did not see the row; at both ends, that of all models.
    values : numpy.ndarray, (n_units, n_outputs)
        The Shapley values of the mean of all models.
    covariance : numpy.ndarray, (n_outputs, n_units, n_units)
        How much these depend on how the pairs were cut into folds.
    mismatch : numpy.ndarray, (n_masks, n_outputs)
        By how much `predictions` are not those of the mean of all models: what is left of the
        scores is no game's, but for this.
    """

    predictions: FloatArray
    values: FloatArray
    covariance: FloatArray
    mismatch: FloatArray


def cross_fit(table: ScoreTable) -> CrossFit:
    """Fit trees to all but a fifth of the pairs, for each fifth of four cuts into fifths.

    The additive part of a game is left out of what the trees learn: they need many splits for it,
    and the surrogate of the residuals finds it with the fewest rows.

    Raises
    ------
    MissingExtraError
        LightGBM is not installed.
    """
    inner = interior(table.masks)
    pairs = complement_pairs(table.masks)
    pairs = pairs[inner[pairs[:, 0]]]
    predictions, of_all = np.zeros_like(table.scores), np.zeros_like(table.scores)
    values = np.zeros((N_REPEATS, table.n_units, table.n_outputs))
    if len(pairs) < LEAST_GROUPS:
        return _of_repeats(predictions, values, of_all)
    for repeat in range(N_REPEATS):
        for held in _held_out(pairs, repeat):
            seen = np.ones(len(table), dtype=bool)
            seen[held] = False
            for output in range(table.n_outputs):
                leaves = _model(table.masks[seen], table.scores[seen, output])
                everywhere = leaves.predict(table.masks)
                predictions[held, output] += everywhere[held] / N_REPEATS
                of_all[:, output] += everywhere / (N_FOLDS * N_REPEATS)
                values[repeat, :, output] += leaves.shapley_values / N_FOLDS
    predictions[~inner] = of_all[~inner]
    return _of_repeats(predictions, values, of_all)


def _of_repeats(predictions: FloatArray, values: FloatArray, of_all: FloatArray) -> CrossFit:
    """Return the mean over repeats ``(R, n, k)``, and its covariance."""
    mean: FloatArray = values.mean(axis=0)
    # The sum of the attribution is known, whatever the trees say.
    centred = values - values.mean(axis=1, keepdims=True)
    off = centred - centred.mean(axis=0)
    covariance = np.einsum("rnk,rmk->knm", off, off) / (N_REPEATS * (N_REPEATS - 1))
    return CrossFit(predictions, mean, covariance, predictions - of_all)


def all_trees(masks: MaskMatrix, scores: FloatArray) -> tuple[list[Tree], FloatArray, float]:
    """Return trees, slopes ``(n_units,)`` and a constant whose sum is fitted to the scores.

    The slopes are those of χ_i, -1 for a unit that is kept.
    """
    signs = 1.0 - 2.0 * masks
    constant = float(scores.mean())
    targets = scores - constant
    square = signs.T @ signs + RIDGE * np.eye(masks.shape[1])
    slopes = np.asarray(np.linalg.solve(square, signs.T @ targets), dtype=np.float64)
    rest: FloatArray = targets - signs @ slopes
    scale = float(rest.std())
    if scale <= ROUNDING * np.abs(scores).max(initial=0.0):
        return [], slopes, constant
    return [scaled(tree, scale) for tree in boost(masks, rest / scale)], slopes, constant


def _model(masks: MaskMatrix, scores: FloatArray) -> Leaves:
    return Leaves.of(all_trees(masks, scores)[0], masks.shape[1])


def _held_out(pairs: IntArray, repeat: int) -> list[IntArray]:
    """Return the rows of each fold; a coalition and its complement are in the same one."""
    order = np.random.default_rng(repeat).permutation(len(pairs))
    folds = [pairs[order[fold::N_FOLDS]].ravel() for fold in range(N_FOLDS)]
    return [rows[rows >= 0] for rows in folds]
