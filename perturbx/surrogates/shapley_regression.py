"""The Shapley value as a regression: the constrained least squares behind leverage and kernel.

Of all additive games that agree with v on the empty and on the full coalition, the Shapley value
is the one closest to v under the weights of Shapley's kernel (Charnes et al. 1988; Lundberg & Lee
2017). With P = I - 11ᵀ/n, s = |S| and Δ = v(N) - v(∅)::

    φ = Δ/n + argmin_β Σ_S w_S [v(S) - v(∅) - sΔ/n - (P z_S)·β]²

For a coalition and its complement the rows P z are opposite, so the two are one equation: the
regression sees only the odd part of the game, ½[v(S) - v(N∖S)], as the Shapley value does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.fit_quality import LEAST_GROUPS, NO_QUALITY, interior, quality_of
from perturbx.surrogates.inclusion import Weighting, come_in_pairs, holds_all
from perturbx.surrogates.intervals import freedom_of_regression
from perturbx.surrogates.stacks import complement_pairs, row_or_zero, stack
from perturbx.surrogates.surrogate import MOST_UNITS_WITH_COVARIANCE, ends
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

EVEN_EVIDENCE = 0.1
"""The even part of a game takes no part in the fit, but it tells how noisy the game is: its
scatter counts as this many observations a unit. A few are enough to tell, near as many pairs as
units, whether an interpolating fit can be trusted; more would take interactions of even order,
which the Shapley value does not see, for noise."""


@dataclass(frozen=True)
class Pairing:
    """One table as equations, one for each pair of complements (or single row): ``P`` of them.

    Parameters
    ----------
    rows : numpy.ndarray of int, (P, 2)
        The rows of the table; -1 where the complement is missing.
    columns : numpy.ndarray, (P, n_units)
        P z of the first row.
    targets : numpy.ndarray, (P, n_outputs)
        The weighted mean of both rows' targets, the second with its sign turned.
    weights : numpy.ndarray, (P,)
        The sum of both rows' weights.
    row_targets : numpy.ndarray, (P, 2, n_outputs)
        Each row's own target, the second with its sign turned; both equal where one is missing.
    shares : numpy.ndarray, (P, 2)
        Each row's part of the weight.
    spread : numpy.ndarray, (P, 2)
        Each row's sampling factor.
    as_one : bool
        A coalition and its complement were drawn as one, so an equation is one observation.
    """

    rows: IntArray
    columns: FloatArray
    targets: FloatArray
    weights: FloatArray
    row_targets: FloatArray
    shares: FloatArray
    spread: FloatArray
    as_one: bool

    @property
    def even_scatter(self) -> tuple[float, FloatArray]:
        """Return the observations that the even part counts for, and their mean square (k,)."""
        whole = self.rows[:, 1] >= 0
        if whole.sum() < 2:
            return 0.0, np.zeros(self.targets.shape[1])
        difference = (self.row_targets[:, 0] - self.row_targets[:, 1])[whole]
        weights = (self.weights * self.shares.prod(axis=1))[whole, None]
        centred = difference - (weights * difference).sum(axis=0) / weights.sum()
        square = (weights * centred**2).sum(axis=0) / (whole.sum() - 1)
        return EVEN_EVIDENCE * self.columns.shape[1], square


def check_regression(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where the table has not both ends and a row between them."""
    ends(table, name)
    if not interior(table.masks).any():
        raise SurrogateError(
            f"{name} needs coalitions between the empty and the full one, and the table has none; "
            f"draw some with the sampler 'leverage'"
        )


def fit_shapley(
    tables: Sequence[ScoreTable], weighting: Weighting, penalty: ls.Penalty, name: str
) -> list[Attribution]:
    """Return the attributions of tables of the same numbers of units and outputs.

    Parameters
    ----------
    tables : sequence of ScoreTable
        Each with both ends and at least one row between them.
    weighting : callable
        The weights and sampling factors of a table's rows.
    penalty : callable
        From a regression and its likeliest penalties to those that are applied.
    name : str
        The surrogate.

    Notes
    -----
    The error of β is a sum over equations of (sensitivity x residual), independent of each other.
    Its covariance is the sum of the squares, with the residuals of the fit without the equation
    itself (HC3, MacKinnon & White 1985) and the sampling factor: nothing is uncertain about rows
    that had to be there. Directions that the penalty shrinks, or that no row sees, add what the
    prior behind the penalty says about them, and the distance from values that are hardly shrunk
    (`perturbx.surrogates.least_squares.shortfall`). Degrees of freedom: see
    `perturbx.surrogates.intervals.freedom_of_regression`, a pair being one observation. A table of
    all coalitions has no `r2`: its values are exact, however little a line predicts.
    """
    pairings = [_pair(table, weighting, name) for table in tables]
    regression = ls.through_origin(
        stack([p.columns for p in pairings]),
        stack([p.targets for p in pairings]),
        stack([p.weights for p in pairings]),
    )
    unseen = torch.tensor([_mean_unseen(p) for p in pairings], dtype=torch.float64)[:, None]
    likeliest, variance, noise = ls.likeliest_prior(regression, _evidence(pairings))
    chosen = penalty(regression, ls.for_unseen(regression, likeliest, unseen))
    # The values deviate from an equal split by coefficients that add up to 0.
    space = torch.eye(tables[0].n_units, dtype=torch.float64) - 1.0 / tables[0].n_units
    # What the penalty takes is counted whole: a share by `unseen`, which the penalty has already,
    # left out a tenth of the true values in games without any structure.
    prior = torch.where(unseen > 0, variance, 0.0)
    unsettled = ls.shrinkage_covariance(regression, chosen, prior, space)
    short = ls.shortfall(regression, chosen, noise)
    unsettled += torch.einsum("bnk,bmk->bknm", short, short)
    solution = ls.coefficients(regression, chosen).numpy()
    residuals = ls.left_out_residuals(regression, chosen, group_size=1).numpy()
    sensitivity = ls.sensitivity(regression, chosen).numpy()
    return [
        _attribution(
            table, pairing, solution[i], residuals[i], sensitivity[i], unsettled[i].numpy(), name
        )
        for i, (table, pairing) in enumerate(zip(tables, pairings, strict=True))
    ]


def _pair(table: ScoreTable, weighting: Weighting, name: str) -> Pairing:
    full, empty = ends(table, name)
    n_units = table.n_units
    within = interior(table.masks)
    pairs = complement_pairs(table.masks)
    pairs = pairs[within[pairs[:, 0]]]
    log_weights, spread = weighting(table)
    weights = np.exp(np.maximum(log_weights - log_weights[within].max(), -700.0))
    sizes = table.masks.sum(axis=1)
    change = table.scores[full] - table.scores[empty]
    targets = table.scores - table.scores[empty] - sizes[:, None] * change / n_units
    first, second = pairs[:, 0], pairs[:, 1]
    single = second < 0
    both = np.stack([weights[first], row_or_zero(weights, second)], axis=1)
    shares = both / both.sum(axis=1, keepdims=True)
    turned = np.where(single[:, None], targets[first], -row_or_zero(targets, second))
    row_targets = np.stack([targets[first], turned], axis=1)
    return Pairing(
        rows=pairs,
        columns=table.masks[first] - (sizes[first] / n_units)[:, None],
        targets=(shares[:, :, None] * row_targets).sum(axis=1),
        weights=both.sum(axis=1),
        row_targets=row_targets,
        shares=shares,
        spread=np.stack([spread[first], np.where(single, spread[first], spread[second])], axis=1),
        as_one=come_in_pairs(table, pairs),
    )


def _evidence(pairings: Sequence[Pairing]) -> ls.Evidence:
    scatter = [pairing.even_scatter for pairing in pairings]
    return ls.Evidence(
        n_rows=torch.tensor([float(len(p.rows)) for p in pairings], dtype=torch.float64),
        spare_rows=torch.tensor([rows for rows, _ in scatter], dtype=torch.float64),
        spare_square=torch.from_numpy(np.stack([square for _, square in scatter])),
    )


def _mean_unseen(pairing: Pairing) -> float:
    """Return the mean sampling factor, by weight: 0 where all coalitions are in the table."""
    weights = pairing.weights[:, None] * pairing.shares
    return float((weights * pairing.spread).sum() / weights.sum())


def _attribution(
    table: ScoreTable,
    pairing: Pairing,
    solution: FloatArray,
    residuals: FloatArray,
    sensitivity: FloatArray,
    unsettled: FloatArray,
    name: str,
) -> Attribution:
    full, empty = ends(table, name)
    n_pairs = len(pairing.rows)
    residuals, sensitivity = residuals[:n_pairs], sensitivity[:, :n_pairs]
    # What each row adds to its equation's residual, which is their mean by weight.
    offsets = pairing.row_targets - pairing.targets[:, None]
    by_row = offsets + residuals[:, None]
    if pairing.as_one:
        squares = np.square(residuals) * pairing.spread.mean(axis=1, keepdims=True)
    else:
        factors = np.square(pairing.shares) * pairing.spread
        squares = (factors[:, :, None] * np.square(by_row)).sum(axis=1)
    squares = squares + _noise_of_equations(table, pairing)
    moved = sensitivity * np.sqrt(squares).T[:, :, None]
    covariance = moved.transpose(0, 2, 1) @ moved + unsettled
    covariance = covariance + _noise_of_ends(table, pairing, sensitivity, full, empty)
    signs = np.array([1.0, -1.0])[None, :, None]
    there = pairing.rows >= 0
    quality = NO_QUALITY
    if n_pairs >= LEAST_GROUPS and not holds_all(table):
        quality = quality_of((signs * by_row)[there], table.scores[pairing.rows[there]])
    centred = solution - solution.mean(axis=0)
    dof, band_dof, band_inflation = freedom_of_regression(n_pairs, table.n_units)
    return Attribution(
        values=(table.scores[full] - table.scores[empty]) / table.n_units + centred,
        base_values=table.scores[empty].copy(),
        std_errors=np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2).T, 0.0)),
        method=name,
        n_calls=table.n_calls,
        covariance=covariance if table.n_units <= MOST_UNITS_WITH_COVARIANCE else None,
        r2_by_output=quality.r2_by_output,
        r2=quality.r2,
        dof=dof,
        band_dof=band_dof,
        band_inflation=band_inflation,
    )


def _noise_of_equations(table: ScoreTable, pairing: Pairing) -> FloatArray:
    """Return the variance ``(P, k)`` that a noisy model adds to what the residuals show of it."""
    if table.variances is None:
        return np.zeros_like(pairing.targets)
    own = np.stack([row_or_zero(table.variances, rows) for rows in pairing.rows.T], axis=1)
    hidden = np.square(pairing.shares) * (1.0 - pairing.spread)
    noise: FloatArray = (hidden[:, :, None] * own).sum(axis=1)
    return noise


def _noise_of_ends(
    table: ScoreTable, pairing: Pairing, sensitivity: FloatArray, full: int, empty: int
) -> FloatArray:
    """Return the covariance ``(k, n, n)`` from the noise of v(N) and v(∅), in every equation."""
    n_units = table.n_units
    if table.variances is None:
        return np.zeros((table.n_outputs, n_units, n_units))
    kept = table.masks[pairing.rows[:, 0]].mean(axis=1)
    own, other = pairing.shares.T
    by_full = 1.0 / n_units - np.einsum("kpn,p->kn", sensitivity, own * kept - other * (1 - kept))
    by_empty = -1.0 / n_units - np.einsum("kpn,p->kn", sensitivity, own * (1 - kept) - other * kept)
    covariance: FloatArray = np.einsum(
        "kn,k,km->knm", by_full, table.variances[full], by_full
    ) + np.einsum("kn,k,km->knm", by_empty, table.variances[empty], by_empty)
    return covariance
