"""What the processes expect of masks that were never asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.summand_limits import MOST_NUMBERS_OF_GAMES
from perturbx.surrogates.extreme_scores import divided, exponents
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
from perturbx.surrogates.gaussian.summands import with_summands
from perturbx.symmetric_kernels import falling_shares, krawtchouk
from perturbx.typing import FloatArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

AT_ONCE, OUTPUTS_AT_ONCE = 1_000, 8
"""Masks whose covariances with the rows are held in memory together, and for how many outputs."""

_Mean: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""From masks ``(m, n)`` to what is expected of them, ``(m, k)``."""


def predict_scores(table: ScoreTable, masks: MaskMatrix) -> FloatArray:
    """Return the scores that the rows of a table let expect of other masks.

    The posterior mean of the two processes behind `GameGP`: unlike a line, it knows interactions.
    At masks of the table it is near their scores, though not equal to them where the processes
    hold a part of a score to be noise. Of scores that are sums it is the mean of what is expected
    of them and of their summands.

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
    table, owners = with_summands(table, MOST_NUMBERS_OF_GAMES)
    powers = exponents(table)
    game = whole_game(divided(table, powers))
    # Copies, as torch takes neither reversed nor read-only arrays.
    known, new = torch.from_numpy(np.array(game.masks)), torch.from_numpy(np.array(masks))
    values = torch.from_numpy(game.values)
    isotropic = _isotropic(known, values)
    relevances = [_relevance(known, some) for some in torch.split(values, OUTPUTS_AT_ONCE, 1)]
    parts = [
        torch.lerp(
            isotropic(part), torch.cat([own(part) for own in relevances], 1), SHARE_OF_RELEVANCE
        )
        for part in torch.split(new, AT_ONCE)
    ]
    predicted = np.ldexp(game.centre + torch.cat(parts).numpy() * game.scale, powers)
    n_outputs = table.n_outputs - len(owners)
    for output in np.unique(owners).tolist():
        own = predicted[:, n_outputs:][:, owners == output].sum(axis=1)
        predicted[:, output] = 0.5 * (predicted[:, output] + own)
    whole: FloatArray = predicted[:, :n_outputs]
    return whole


def _relevance(known: torch.Tensor, values: torch.Tensor) -> _Mean:
    """Return the mean of the process that learns relevances, output by output."""
    own = fit_parameters(known[None], values[None])
    theirs = known.expand(values.shape[1], -1, -1)
    weights = torch.linalg.solve(relevance_covariance(own, theirs), values.T[:, :, None])

    def mean(masks: torch.Tensor) -> torch.Tensor:
        new = masks.expand(values.shape[1], -1, -1)
        expected: torch.Tensor = relevance_covariance(own, new, theirs) @ weights
        return expected.squeeze(2).T

    return mean


def _isotropic(known: torch.Tensor, values: torch.Tensor) -> _Mean:
    """Return the mean of the isotropic processes, by their likelihoods."""
    n_rows = len(values)
    distance = distances(known)
    orders = krawtchouk(known.shape[1])
    tables = [
        torch.from_numpy(falling_shares(len(orders), rho) @ orders + CONSTANT) for rho in RHOS
    ]
    weighted = []
    for model in likely_models(distance, values, tables, some_rows(n_rows, MOST_DECOMPOSED)):
        table = tables[RHOS.index(model.rho)]
        matrix = table[distance] + model.nugget * torch.eye(n_rows)
        weighted.append((table, model.weights * torch.linalg.solve(matrix, values)))

    def mean(masks: torch.Tensor) -> torch.Tensor:
        apart = distances(masks, known)
        return torch.stack([table[apart] @ weights for table, weights in weighted]).sum(0)

    return mean
