"""Banzhaf values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import (
    check_inclusion,
    holds_all,
    log_inclusion,
    spread_of_draws,
    unseen_share,
)
from perturbx.surrogates.mask_regression import check_rows, fit_on_masks
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

FAIR = 4.0
"""Coins are taken for fair where the share of kept units is within so many standard errors of ½."""


@dataclass(frozen=True)
class Banzhaf(BatchSurrogate):
    """Banzhaf values: the mean of v(S∪i) - v(S) over all S, each equally likely.

    They are the slopes of the least-squares line through all coalitions (Hammer & Holzman 1992).
    Masks of the sampler "uniform" with p = ½ are weighted by their counts; rows of other designs
    by the reciprocal of their inclusion probability. Tables in which coalitions of a size were not
    equally likely (leave-one-out, trees, groups of units) are refused: `BanzhafGP` takes any. A
    ridge chosen by marginal likelihood keeps small tables steady; it vanishes where the rows show
    no noise and as the table comes to hold all coalitions, where the values are exact and there is
    no `r2`.

    `base_values` is the line at the empty coalition, which is not v(∅). Errors and `r2`: see
    `perturbx.surrogates.mask_regression.fit_on_masks`.

    Notes
    -----
    Banzhaf, "Weighted Voting Doesn't Work", 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [7.0]]), ("y",))
    >>> Banzhaf().fit([table])[0].values.round(6).ravel()
    array([3., 4.])
    """

    name: ClassVar[str] = "banzhaf"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where there are less than two drawn rows between the ends."""
        check_rows(table, self.name)
        if not _drawn_by_coins(table):
            check_inclusion(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        fits = fit_on_masks(tables, _uniform_weights, _likeliest, self.name)
        return [
            replace(fit, r2=None, r2_by_output=None) if holds_all(table) else fit
            for fit, table in zip(fits, tables, strict=True)
        ]


def _uniform_weights(table: ScoreTable) -> tuple[FloatArray, FloatArray]:
    """Return weights under which every coalition is equally likely, and sampling factors."""
    if holds_all(table):
        return np.ones(len(table)), np.zeros(len(table))
    if _drawn_by_coins(table):
        return table.counts.astype(float), spread_of_draws(table)
    log_weights = -log_inclusion(table)
    return np.exp(np.maximum(log_weights - log_weights.max(), -700.0)), unseen_share(table)


def _drawn_by_coins(table: ScoreTable) -> bool:
    """Say whether the rows look like draws with p = ½: the table does not say which p it was."""
    if table.design != "uniform" or table.probabilities is not None:
        return False
    flips = float(table.counts.sum()) * table.n_units
    kept = float((table.counts * table.masks.sum(axis=1)).sum())
    return flips > 0 and abs(kept / flips - 0.5) <= FAIR * 0.5 / np.sqrt(flips)


def _likeliest(regression: ls.Regression, likeliest: torch.Tensor) -> torch.Tensor:
    return torch.maximum(likeliest, ls.no_penalty(regression))
