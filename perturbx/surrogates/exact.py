"""Exact Shapley values from all coalitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.surrogate import BatchSurrogate, ends
from perturbx.typing import FloatArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class ExactShapley(BatchSurrogate):
    """Shapley values from a table of all ``2 ** n_units`` coalitions, in any order.

    φ_i = Σ_{S∌i} |S|! (n-|S|-1)! / n! · [v(S∪i) - v(S)]. Errors are 0, or what the variances of a
    noisy model come to (those are taken for known, so intervals are normal); there is no `r2`, for
    nothing is left to predict.

    Notes
    -----
    Shapley, "A Value for n-Person Games", 1953.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [7.0]]), ("y",))
    >>> ExactShapley().fit([table])[0].values.ravel()
    array([3., 4.])
    """

    name: ClassVar[str] = "exact"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where a coalition is missing."""
        if not holds_all(table):
            n_units = table.n_units
            wanted = str(1 << n_units) if n_units <= 40 else f"2**{n_units}"
            raise SurrogateError(
                f"exact needs all {wanted} coalitions of {n_units} units, and the table has "
                f"{len(table)}; draw them with the sampler 'exhaustive', or use 'leverage'"
            )

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return [self._fit(table) for table in tables]

    def _fit(self, table: ScoreTable) -> Attribution:
        _, empty = ends(table, self.name)
        weights = shapley_weights(table.masks)
        covariance = np.zeros((table.n_outputs, table.n_units, table.n_units))
        if table.variances is not None:
            for output, variance in enumerate(table.variances.T):
                covariance[output] = weights.T @ (variance[:, None] * weights)
        return Attribution(
            # The values do not depend on the base, and are more precise without it.
            values=weights.T @ (table.scores - table.scores[empty]),
            base_values=table.scores[empty].copy(),
            std_errors=np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).T),
            method=self.name,
            n_calls=table.n_calls,
            covariance=covariance,
        )


def shapley_weights(masks: MaskMatrix) -> FloatArray:
    """Return what each coalition's score contributes to each unit: ``(n_masks, n_units)``.

    (s-1)! (n-s)! / n! for units that are kept, -s! (n-s-1)! / n! for the others.
    """
    n_units = masks.shape[1]
    # s! (n-1-s)! / n! is the weight of s others, for s = 0 .. n-1.
    weight = [1.0 / (n_units * comb(n_units - 1, size)) for size in range(n_units)]
    kept, removed = np.array([0.0, *weight]), np.array([*weight, 0.0])
    own = masks.sum(axis=1)
    weights: FloatArray = np.where(masks, kept[own][:, None], -removed[own][:, None])
    return weights
