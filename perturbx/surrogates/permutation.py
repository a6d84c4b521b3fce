"""Shapley values from random orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from scipy.special import gammaln

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.surrogate import BatchSurrogate, ends
from perturbx.surrogates.walks import average_walks

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class PermutationShapley(BatchSurrogate):
    """Shapley values as mean marginal contributions along the walks of a table.

    Unbiased, without any assumption on the game; the values of every walk, and so their mean, add
    up to v(N) - v(∅). Made for the sampler "permutation". Errors: see
    `perturbx.surrogates.walks.average_walks`. `r2` predicts, tenth by tenth, the rows that only
    the held-out walks visit.

    Notes
    -----
    Castro, Gómez & Tejada, 2009; walks with their reversals: Mitchell, Cooper, Frank & Holmes,
    JMLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> scores = np.array([[0.0], [1.0], [2.0], [7.0]])
    >>> table = ScoreTable(masks, scores, ("y",), walks=np.array([[0, 1, 3], [0, 2, 3]]))
    >>> PermutationShapley().fit([table])[0].values.ravel()
    array([3., 4.])
    """

    name: ClassVar[str] = "permutation"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where the table has no walks."""
        ends(table, self.name)
        if table.walks is None or len(table.walks) < 2:
            raise SurrogateError(
                f"{self.name} needs walks from the empty to the full coalition, each with its "
                f"reversal, and the table (design {table.design!r}) has "
                f"{0 if table.walks is None else len(table.walks)}; draw it with the sampler "
                f"'permutation', or use 'odd_gp', which takes any pairs of complements"
            )
        if table.design == "owen":
            raise SurrogateError(
                f"{self.name} needs walks in uniformly random order, and those of the design "
                f"'owen' keep groups together; use the surrogate 'owen'"
            )

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return [
            average_walks(table, table.walks, float(gammaln(table.n_units + 1)), self.name)
            for table in tables
            if table.walks is not None
        ]
