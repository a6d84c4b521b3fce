"""What the processes expect of masks that were never asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.game_gp.mixture import SHARE_OF_RELEVANCE
from perturbx.surrogates.game_gp.posterior import CONSTANT
from perturbx.surrogates.game_gp.relevance import fit_parameters, relevance_covariance
from perturbx.surrogates.game_gp.whole_game import some_rows, whole_game
from perturbx.surrogates.gaussian.model_grid import (
    MOST_DECOMPOSED,
    RHOS,
    distances,
    likely_models,
)
from perturbx.symmetric_kernels import falling_shares, krawtchouk
from perturbx.typing import FloatArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


def predict_scores(table: ScoreTable, masks: MaskMatrix) -> FloatArray:
    """Return the scores that the rows of a table let expect of other masks.

    The posterior mean of the two processes behind `GameGP`: unlike a line, it knows interactions.
    At masks of the table it is near their scores, though not equal to them where the processes
    hold a part of a score to be noise.

    Parameters
    ----------
    table : ScoreTable
        The rows paid for, on the scale that is wanted.
    masks : numpy.ndarray of bool, (m, n_units)
        True = kept.

    Returns
    -------
    numpy.ndarray, (m, n_outputs)

    Raises
    ------
    SurrogateError
        If the table has fewer than four rows, or the masks are of other units.

    Examples
    --------
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[s >> unit & 1 for unit in range(4)] for s in range(14)], bool)
    >>> table = ScoreTable(masks, masks @ [[2.0], [1.0], [0.0], [0.0]], ("y",))
    >>> predict_scores(table, np.ones((1, 4), bool)).round(1)
    array([[3.]])
    """
    if len(table) < 4:
        raise SurrogateError(f"table: has {len(table)} rows; a prediction takes at least 4")
    if masks.ndim != 2 or masks.shape[1] != table.n_units or masks.dtype != np.bool_:
        raise SurrogateError(
            f"masks: expected booleans of shape (m, {table.n_units}), got {masks.dtype} of shape "
            f"{masks.shape}"
        )
    game = whole_game(table)
    both = torch.from_numpy(np.concatenate([masks, game.masks]))
    values = torch.from_numpy(game.values)
    mean = torch.lerp(
        _isotropic(both, values), _relevance(both, values), SHARE_OF_RELEVANCE
    ).numpy()
    predicted: FloatArray = game.centre + mean * game.scale
    return predicted


def _relevance(both: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean ``(m, k)`` of the process that learns relevances, output by output."""
    n_new = len(both) - len(values)
    own = fit_parameters(both[None, n_new:], values[None])
    matrix = relevance_covariance(own, both[None].expand(values.shape[1], -1, -1))
    known = matrix[:, n_new:, n_new:]
    weights = torch.linalg.solve(known, values.T[:, :, None])
    mean: torch.Tensor = (matrix[:, :n_new, n_new:] @ weights).squeeze(2).T
    return mean


def _isotropic(both: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return the mean ``(m, k)`` of the isotropic processes, by their likelihoods."""
    n_rows, n_units = len(values), both.shape[1]
    n_new = len(both) - n_rows
    distance = distances(both)
    orders = krawtchouk(n_units)
    tables = [
        torch.from_numpy(falling_shares(len(orders), rho) @ orders + CONSTANT) for rho in RHOS
    ]
    rows = some_rows(n_rows, MOST_DECOMPOSED)
    mean = torch.zeros((n_new, values.shape[1]), dtype=torch.float64)
    for model in likely_models(distance[n_new:, n_new:], values, tables, rows):
        covariance = tables[RHOS.index(model.rho)][distance]
        known = covariance[n_new:, n_new:] + model.nugget * torch.eye(n_rows)
        weights = torch.linalg.solve(known, values)
        mean += model.weights * (covariance[:n_new, n_new:] @ weights)
    return mean
