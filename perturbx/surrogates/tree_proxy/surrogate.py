"""`TreeProxy`: the Shapley values of boosted trees, corrected by `OddGP` on what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.exact import ExactShapley
from perturbx.surrogates.fit_quality import interior
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.odd_gp import OddGP
from perturbx.surrogates.odd_gp.odd_part import check_pairs
from perturbx.surrogates.stacks import complement_pairs
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.surrogates.tree_proxy.cross_fit import CrossFit, all_trees, cross_fit
from perturbx.surrogates.tree_proxy.trees import Spectrum, walsh_spectrum
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class TreeProxy(BatchSurrogate):
    """Shapley values by boosted trees as a control variate for `OddGP`.

    Trees are fitted to the scores, their Shapley values are read off in closed form, and what
    they leave of each score, predicted by trees that did not see it, is given to `OddGP`::

        φ = φ(trees) + φ_odd_gp(v - trees, out of fold)

    Residuals of the rows that the trees were fitted to would be too small, and the correction with
    them. A table of all coalitions gives the exact values.

    Where many groups of units act as one, the trees' share of the work can lower the error, from
    some 20 calls a unit on; elsewhere `OddGP` alone is better. `Evidence` weighs the two.

    Notes
    -----
    The trees take LightGBM (the extra "trees"), 20 models an output and some 0.3 s. The covariance
    is that of `OddGP` on the residuals, plus that of the trees' values over the four cuts into
    folds, plus the square of what `OddGP` makes of the difference between each row's own trees and
    all of them: residuals by different trees are no game's, which no number of rows mends. Degrees
    of freedom are those of `OddGP`, and so is `r2`, as a share of the game's own odd part.

    Witter et al., "Regression-adjusted Monte Carlo estimators for Shapley values" (2025); Butler
    et al., "ProxySPEX" (2025).

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> half = np.array([[s >> unit & 1 for unit in range(5)] for s in range(14)], bool)
    >>> masks = np.concatenate([half, ~half])
    >>> scores = np.where(masks[:, :1], masks[:, 1:2], masks[:, 2:3]) + 0.0
    >>> TreeProxy().fit([ScoreTable(masks, scores, ("y",))])[0].values.sum().round(6)
    np.float64(1.0)
    """

    name: ClassVar[str] = "tree_proxy"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where an end is missing or there is no pair between."""
        check_pairs(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs.

        Raises
        ------
        MissingExtraError
            LightGBM is not installed.
        """
        incomplete = [table for table in tables if not holds_all(table)]
        trees = [cross_fit(table) for table in incomplete]
        corrected = iter(control_variate(incomplete, trees, share=1.0))
        return [
            replace(
                ExactShapley().fit_alike([table])[0] if holds_all(table) else next(corrected),
                method=self.name,
            )
            for table in tables
        ]

    def spectrum(self, table: ScoreTable, output: int = 0) -> Spectrum:
        """Return the Walsh spectrum of trees fitted to all rows: which units act together.

        It names candidates; its numbers are those of the trees and not corrected. See
        `perturbx.surrogates.tree_proxy.trees.shapley_interactions` for interactions.

        Parameters
        ----------
        table : ScoreTable
            Any rows.
        output : int, default=0
            The column of the scores.

        Returns
        -------
        dict of frozenset of int to float
            From sets of units T to β_T, for χ_T(S) = (-1)^|S ∩ T|.
        """
        trees, slopes, constant = all_trees(table.masks, table.scores[:, output])
        found = walsh_spectrum(trees)
        found[frozenset()] = found.get(frozenset(), 0.0) + constant
        for unit, slope in enumerate(slopes):
            key = frozenset({unit})
            found[key] = found.get(key, 0.0) + float(slope)
        return found


def control_variate(
    tables: Sequence[ScoreTable], trees: Sequence[CrossFit], *, share: float
) -> list[Attribution]:
    """Return the values of tables with a share of the trees' predictions taken off and put back.

    Parameters
    ----------
    tables : sequence of ScoreTable
        Of the same numbers of units (>= 2) and outputs.
    trees : sequence of CrossFit
        What trees say of each.
    share : float
        0 for `OddGP` as it is, 1 for all of the trees.
    """
    rest = [
        replace(table, scores=table.scores - share * proxy.predictions, summands=None)
        for table, proxy in zip(tables, trees, strict=True)
    ]
    if not share:
        return OddGP().fit_alike(rest)
    mismatch = [
        replace(table, scores=proxy.mismatch, summands=None)
        for table, proxy in zip(tables, trees, strict=True)
    ]
    return [
        _put_back(fit, of_mismatch.values, left, table, proxy, share)
        for fit, of_mismatch, left, table, proxy in zip(
            OddGP().fit_alike(rest), OddGP().fit_alike(mismatch), rest, tables, trees, strict=True
        )
    ]


def _put_back(
    fit: Attribution,
    mismatch: FloatArray,
    left: ScoreTable,
    table: ScoreTable,
    proxy: CrossFit,
    share: float,
) -> Attribution:
    of_trees = proxy.covariance + mismatch.T[:, :, None] * mismatch.T[:, None]
    variances = np.diagonal(of_trees, axis1=1, axis2=2).T
    covariance = fit.covariance
    fit = replace(
        fit,
        values=fit.values + share * proxy.values,
        std_errors=np.sqrt(np.square(fit.std_errors) + share**2 * variances),
        covariance=None if covariance is None else covariance + share**2 * of_trees,
        base_values=fit.base_values + share * proxy.predictions[table.row_of(kept=False)],
    )
    if fit.r2_by_output is None:
        return fit
    before, after = odd_squares(table), odd_squares(left)
    unexplained = (1.0 - fit.r2_by_output) * after
    return replace(
        fit,
        r2_by_output=1.0 - unexplained / np.where(before > 0, before, 1.0),
        r2=float(1.0 - unexplained.sum() / (before.sum() or 1.0)),
    )


def odd_squares(table: ScoreTable) -> FloatArray:
    """Return the sum ``(n_outputs,)`` of the squares of ½[v(S) - v(N∖S)] over the inner pairs."""
    first, second = complement_pairs(table.masks).T
    whole = (second >= 0) & interior(table.masks)[first]
    odd = (table.scores[first[whole]] - table.scores[second[whole]]) / 2.0
    squares: FloatArray = np.square(odd).sum(axis=0)
    return squares
