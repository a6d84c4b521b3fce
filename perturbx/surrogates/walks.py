"""Mean marginal contributions along walks: behind the permutation and the Owen estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.fit_quality import (
    LEAST_GROUPS,
    NO_QUALITY,
    ROUNDING,
    Quality,
    fold_of_group,
    interior,
    quality_of,
)
from perturbx.surrogates.surrogate import ends
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


SHARED_WEIGHT, WALKS_WEIGHT = 4.0, 0.5
"""The mean variance over the units counts like so many observations of a unit's own variance. Few
walks often show none of the variance of a unit that rarely matters. The second is the weight of
what single walks vary by, over all units: where opposite walks nearly cancel, few pairs show less
than there is. With these weights the intervals of exactly known games hold what they promise."""


MOST_BAND_DOF, BAND_INFLATION = 6.0, 2.0
"""In joint statements the unit whose error is underestimated most decides. Marginal contributions
have long tails, so that stays so with many walks: degrees of freedom at most, and variances are
multiplied by 1 + BAND_INFLATION / observations."""


def units_in_order(table: ScoreTable, walks: IntArray) -> IntArray:
    """Return the unit ``(n_walks, n_units)`` that each step of each walk adds.

    Raises
    ------
    SurrogateError
        A step does not add exactly one unit.
    """
    before, after = table.masks[walks[:, :-1]], table.masks[walks[:, 1:]]
    if (before & ~after).any() or not ((after & ~before).sum(axis=2) == 1).all():
        raise SurrogateError(
            "walks: every step must add exactly one unit to the row before; the walks of this "
            "table do not"
        )
    units: IntArray = np.argmax(after & ~before, axis=2)
    return units


def average_walks(
    table: ScoreTable, walks: IntArray, log_n_orders: float, name: str
) -> Attribution:
    """Return the mean marginal contributions along the walks, with their errors.

    A walk and its reversal are one observation, and observations are independent; the error is
    their standard deviation over the root of their number (of a single pair, that of its two
    walks). Few of them know it badly, so variances are drawn towards what all units share.
    Pairs that were drawn again count once: distinct walks are a sample without replacement of all
    orders, so the variance has the factor 1 - (walks / orders), and of all orders the values are
    exact. Fewer than four pairs that agree in every unit tell nothing of the
    other orders (a label often flips at the same word twice): the errors are unknown, infinite.
    The two walks of a single pair nearly agree wherever the game is smooth, so there the variance
    is at least that of the contributions over the units: one pair hardly ever tells which units
    are the largest.

    Parameters
    ----------
    table : ScoreTable
        The table.
    walks : numpy.ndarray of int, (n_walks, n_units + 1)
        Chains of rows; ``2j`` and ``2j + 1`` are each other's reversal.
    log_n_orders : float
        The logarithm of the number of walks there are.
    name : str
        The surrogate.
    """
    _, empty = ends(table, name)
    own = _distinct(units_in_order(table, walks))
    walks, units = walks[own], units_in_order(table, walks[own])
    steps = np.diff(table.scores[walks], axis=1)
    contributions = np.empty_like(steps)
    np.put_along_axis(contributions, units[:, :, None], steps, axis=1)
    group_size = 2 if len(walks) % 2 == 0 and len(walks) > 2 else 1
    observations = contributions.reshape(-1, group_size, *steps.shape[1:]).mean(axis=1)
    n_distinct = len(np.unique(units, axis=0))
    unseen = max(0.0, -float(np.expm1(np.log(n_distinct) - log_n_orders)))
    unseen = 0.0 if unseen < 1e-9 else unseen
    own_dof = len(observations) - 1.0
    spread = observations.var(axis=0, ddof=1)
    if unseen and n_distinct < 2 * LEAST_GROUPS:
        rounding = ROUNDING * np.abs(table.scores).max(axis=0)
        spread[:, spread.max(axis=0) <= np.square(rounding)] = np.inf
    walked = contributions.var(axis=0, ddof=1).mean(axis=0) / group_size
    steadied = _steadied(spread, own_dof, walked)
    if len(walks) == 2:
        steadied = np.maximum(steadied, observations.mean(axis=0).var(axis=0))
    variance = unseen * steadied / len(observations)
    if table.variances is not None:
        variance = variance + _noise(table.variances, walks, units, group_size, unseen)
    quality = _quality(table, walks.reshape(len(observations), -1), observations)
    return Attribution(
        values=observations.mean(axis=0),
        base_values=table.scores[empty].copy(),
        std_errors=np.sqrt(variance),
        method=name,
        n_calls=table.n_calls,
        r2_by_output=quality.r2_by_output,
        r2=quality.r2,
        dof=own_dof + 1.0,
        band_dof=min(max(own_dof, 2.0), MOST_BAND_DOF),
        band_inflation=1.0 + BAND_INFLATION / len(observations),
    )


def _distinct(units: IntArray) -> IntArray:
    """Return the places of walks without the pairs that are there already; two at least."""
    _, order = np.unique(units, axis=0, return_inverse=True)
    group_size = 2 if len(units) % 2 == 0 else 1
    pairs = np.sort(order.reshape(-1, group_size), axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    places: IntArray = (np.sort(first)[:, None] * group_size + np.arange(group_size)).ravel()
    return places if len(places) > 1 else np.arange(2)


def _steadied(variances: FloatArray, own_dof: float, walked: FloatArray) -> FloatArray:
    """Return variances ``(n_units, n_outputs)`` drawn towards what all units share.

    That is their mean over the units, and what it would be if opposite walks were independent,
    ``(n_outputs,)``.
    """
    shared = SHARED_WEIGHT * variances.mean(axis=0) + WALKS_WEIGHT * walked
    steadied: FloatArray = own_dof * variances + shared
    return steadied / (own_dof + SHARED_WEIGHT + WALKS_WEIGHT)


def _quality(table: ScoreTable, rows: IntArray, observations: FloatArray) -> Quality:
    """Predict the rows that only held-out walks visit from the mean of the other walks."""
    n_observations = len(observations)
    if n_observations < LEAST_GROUPS:
        return NO_QUALITY
    folds = fold_of_group(n_observations)
    visits = np.zeros((folds.max() + 1, len(table)), dtype=bool)
    visits[folds[:, None], rows] = True
    unshared = interior(table.masks) & (visits.sum(axis=0) == 1)
    base = table.scores[table.row_of(kept=False)]
    residuals, held = [], []
    for fold, visited in enumerate(visits):
        tested = np.flatnonzero(visited & unshared)
        values = observations[folds != fold].mean(axis=0)
        residuals.append(table.scores[tested] - base - table.masks[tested] @ values)
        held.append(tested)
    tested = np.concatenate(held)
    if len(tested) < LEAST_GROUPS:
        return NO_QUALITY
    return quality_of(np.concatenate(residuals), table.scores[tested])


def _noise(
    variances: FloatArray, walks: IntArray, units: IntArray, group_size: int, unseen: float
) -> FloatArray:
    """Return the variance ``(n_units, n_outputs)`` from noisy scores that the spread hides.

    A value is a sum over rows of c_r v_r, so its noise is Σ c_r² var_r; of that, the spread
    between observations shows Σ_o c_ro² var_r (c_ro: observation o's part of c_r). What walks
    share, the ends above all, moves them together and does not show.
    """
    n_rows = len(variances)
    n_walks, n_units = units.shape
    cells = units * n_rows
    plus, minus = cells + walks[:, 1:], cells + walks[:, :-1]
    keys = np.concatenate([plus, minus], axis=1)
    signs = np.repeat([1.0 / n_walks, -1.0 / n_walks], n_units)[None].repeat(n_walks, axis=0)
    owner = np.arange(n_walks)[:, None] // group_size
    everything = _squared_sums(keys, signs)
    own = _squared_sums(keys + owner * (n_units * n_rows), signs)
    total = np.zeros((n_units, variances.shape[1]))
    for (cell, square), part in ((everything, 1.0), (own, -unseen)):
        unit, row = np.divmod(cell % (n_units * n_rows), n_rows)
        np.add.at(total, unit, part * square[:, None] * variances[row])
    return np.maximum(total, 0.0)


def _squared_sums(keys: IntArray, amounts: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the distinct keys and the square of the sum of the amounts of each."""
    cells, owner = np.unique(keys.ravel(), return_inverse=True)
    return cells, np.square(np.bincount(owner.ravel(), weights=amounts.ravel()))
