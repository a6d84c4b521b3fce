"""Shapley values from leverage-sampled coalitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import (
    check_inclusion,
    holds_all,
    log_binomial,
    log_inclusion,
    unseen_share,
)
from perturbx.surrogates.shapley_regression import check_regression, fit_shapley
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class LeverageShapley(BatchSurrogate):
    """Shapley values by regression on coalitions drawn by chance, made for the sampler "leverage".

    The weight of a row is the Shapley kernel over the probability p_S that the design asks about
    it: 1 / [s(n-s) C(n,s) p_S]. Where the table knows no probabilities, the share of each size
    that is there stands in for them, which is right for a sample that treats units alike. Tables
    that are none (leave-one-out, walks, trees, groups of units) are refused, as errors would be too
    small or 0; `OddGP` takes any pairs. The values add up to v(N) - v(∅) exactly; with all
    ``2 ** n`` rows they are the exact Shapley values.

    Below some 4n rows plain least squares gets worse before it gets better. A ridge on the
    deviations from an equal split, chosen by marginal likelihood, takes that away; it vanishes
    where the rows show no noise (an additive game is exact as soon as the rows determine it) and
    as the table comes to hold all coalitions.

    Notes
    -----
    Musco & Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling",
    ICLR 2025. `r2` leaves out each pair of complements in turn, at the same penalty. Errors:
    see `perturbx.surrogates.shapley_regression.fit_shapley`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]], bool)
    >>> scores = 1.0 + masks @ np.array([[2.0], [0.0], [-1.0]])
    >>> LeverageShapley().fit([ScoreTable(masks, scores, ("y",))])[0].values.round(6).ravel() + 0.0
    array([ 2.,  0., -1.])
    """

    name: ClassVar[str] = "leverage"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where the table lacks an end, or a sample of what is between."""
        check_regression(table, self.name)
        check_sample(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return fit_shapley(tables, importance_weights, _likeliest, self.name)


def check_sample(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where `importance_weights` or the errors of the fit are wrong.

    Rows of a walk hang together: taken for independent, they gave intervals that held 82% of the
    values of games with 40 units.
    """
    check_inclusion(table, name)
    has_walks = table.walks is not None and len(table.walks) > 0
    # Of a run that was cut short rows are left of walks that are not whole.
    if (has_walks or table.design == "permutation") and not holds_all(table):
        raise SurrogateError(
            f"{name} needs coalitions drawn independently, and those of the design "
            f"{table.design!r} follow each other in walks; use 'permutation' or 'odd_gp'"
        )


def importance_weights(table: ScoreTable) -> tuple[FloatArray, FloatArray]:
    """Return the log of the Shapley kernel over the inclusion probability, and 1 - p."""
    sizes = table.masks.sum(axis=1)
    inner = np.maximum(sizes * (table.n_units - sizes), 1)
    log_kernel = -np.log(inner) - log_binomial(table.n_units, sizes)
    return log_kernel - log_inclusion(table), unseen_share(table)


def _likeliest(regression: ls.Regression, likeliest: torch.Tensor) -> torch.Tensor:
    return torch.maximum(likeliest, ls.no_penalty(regression))
