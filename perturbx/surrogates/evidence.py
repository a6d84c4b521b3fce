"""`Evidence`: odd_gp, and trees beside it as far as the table itself speaks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import softmax

from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.odd_gp import OddGP
from perturbx.surrogates.odd_gp.odd_part import check_pairs
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.surrogates.tree_proxy.boosting import is_installed
from perturbx.surrogates.tree_proxy.cross_fit import cross_fit
from perturbx.surrogates.tree_proxy.surrogate import control_variate, odd_squares
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

SHARES = (0.0, 0.5, 1.0)
"""The shares of the trees' predictions that are taken off before odd_gp is fitted."""

ROWS_PER_UNIT = 20
"""With fewer rows trees are not asked: at 10 they won a quarter on products of units and lost a
seventh on single trees."""

HANDICAP = 1.4
"""Trees must leave less than 1 / HANDICAP of what odd_gp alone leaves unexplained: smaller
differences tell nothing about the error of the values."""

LEAST_UNEXPLAINED = 0.05
"""Trees count as leaving at least this part of the game's odd part. They differ from fold to fold,
and where odd_gp leaves less, this noise cost more (up to a factor of two at 50 calls a unit) than
they explained."""

ROUNDING = 1e-15


@dataclass(frozen=True)
class Evidence(BatchSurrogate):
    """Shapley values by `OddGP`, with trees as a control variate where they are seen to help.

    For each text and output, a share γ of 0, ½ or 1 of what boosted trees predict out of fold is
    taken off the scores, `OddGP` is fitted to the rest, and the trees' own Shapley values are put
    back: γ = 0 is `OddGP`, γ = 1 is `TreeProxy`. The three are averaged, weighted by how well they
    predict pairs that were left out.

    Trees are asked where LightGBM is installed (the extra "trees") and the table has 20 rows a
    unit, and believed where more than noise of the scorer is left to predict; elsewhere the values
    are those of `OddGP`.

    Notes
    -----
    With P pairs and Q_γ the sum of the squared errors of pairs left out, γ weighs
    (h_γ Q_γ)^(-√P): h = 1 for γ = 0; for the others h = 1.4, and Q_γ is taken to be a twentieth
    of the odd part's squares at least. The covariance adds how much the three differ to the mean
    of theirs, as in model averaging (Hoeting et al. 1999). A likelihood would have the exponent
    -P/2, which all but chooses one γ on differences that say little of the values' errors.

    Leverage is not among those that are weighed. On the pairs that odd_gp takes it is worse than
    odd_gp wherever either knows something; see benchmarks/evidence.py.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]], bool)
    >>> scores = 1.0 + masks @ np.array([[2.0], [0.0], [-1.0]])
    >>> Evidence().fit([ScoreTable(masks, scores, ("y",))])[0].values.sum().round(6)
    np.float64(1.0)
    """

    name: ClassVar[str] = "evidence"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where an end is missing or there is no pair between."""
        check_pairs(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        asked = [
            index
            for index, table in enumerate(tables)
            if len(table) >= ROWS_PER_UNIT * table.n_units and not holds_all(table)
        ]
        fitted = OddGP().fit_alike(tables)
        if asked and is_installed():
            some = [tables[index] for index in asked]
            trees = [cross_fit(table) for table in some]
            by_share = [control_variate(some, trees, share=share) for share in SHARES[1:]]
            for index, table, *others in zip(asked, some, *by_share, strict=True):
                fits = [fitted[index], *others]
                # Where noise leaves too little to predict, nothing speaks for trees.
                if all(fit.r2_by_output is not None for fit in fits):
                    fitted[index] = _average(fits, table)
        return [replace(fit, method=self.name) for fit in fitted]


def _average(fits: Sequence[Attribution], table: ScoreTable) -> Attribution:
    """Return the average of the fits of all shares, weighted for each output by itself."""
    shares = [fit.r2_by_output for fit in fits]
    r2_by_output = np.stack([share for share in shares if share is not None])
    weights = _weights(1.0 - r2_by_output, n_pairs=len(table) // 2 - 1)
    values = np.stack([fit.values for fit in fits])
    mean = np.einsum("gk,gnk->nk", weights, values)
    off = values - mean
    variance = np.stack([np.square(fit.std_errors) for fit in fits]) + np.square(off)
    covariance = None
    if fits[0].covariance is not None:
        own = np.stack([fit.covariance for fit in fits if fit.covariance is not None])
        covariance = np.einsum("gk,gknm->knm", weights, own)
        covariance = covariance + np.einsum("gk,gnk,gmk->knm", weights, off, off)
    by_output = (weights * r2_by_output).sum(axis=0)
    squares = odd_squares(table)
    total = squares.sum()
    return replace(
        fits[0],
        values=mean,
        std_errors=np.sqrt(np.einsum("gk,gnk->nk", weights, variance)),
        covariance=covariance,
        r2_by_output=by_output,
        r2=float((squares * by_output).sum() / total) if total else fits[0].r2,
    )


def _weights(unexplained: FloatArray, n_pairs: int) -> FloatArray:
    """Return the weights ``(n_shares, n_outputs)`` from the parts left unexplained."""
    has_trees = np.array(SHARES)[:, None] > 0
    least = np.where(has_trees, LEAST_UNEXPLAINED, ROUNDING)
    logs = np.log(np.where(has_trees, HANDICAP, 1.0) * np.maximum(unexplained, least))
    weights: FloatArray = softmax(-np.sqrt(n_pairs) * logs, axis=0)
    return weights
