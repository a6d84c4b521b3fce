"""LIME's surrogate: a weighted ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch

from perturbx.exceptions import ArgumentError
from perturbx.surrogates import least_squares as ls
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.inclusion import check_chance, spread_of_draws
from perturbx.surrogates.mask_regression import check_rows, fit_on_masks
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.typing import FloatArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

WEIGHTS = ("lime", "uniform")


@dataclass(frozen=True)
class RidgeSurrogate(BatchSurrogate):
    """A ridge regression of the scores on the masks, near the whole text: what LIME fits.

    Parameters
    ----------
    alpha : float, default=1.0
        The penalty on the squared values; the intercept is free, as in scikit-learn's ``Ridge``.
    kernel_width : float, default=25.0
        The width of LIME's kernel, see `lime_kernel`.
    weights : {"lime", "uniform"}, default="lime"
        What a row's count is multiplied by: LIME's kernel, or nothing. Masks that were drawn from
        the kernel themselves (design "glime", Tan et al. 2023) are never multiplied by it again.

    Notes
    -----
    The target is the limit of many draws, where the penalty no longer matters: errors count what
    it takes from a small table, by the distance from a line that it takes next to nothing from.
    `base_values` is the intercept, the line at the empty coalition.
    A text of one unit is not regressed: its value is v(N) - v(∅).

    Ribeiro, Singh & Guestrin, "Why Should I Trust You?", KDD 2016. Errors and `r2`: see
    `perturbx.surrogates.mask_regression.fit_on_masks`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [1.0], [2.0], [3.0]]), ("y",))
    >>> RidgeSurrogate(alpha=0.0, weights="uniform").fit([table])[0].values.round(6).ravel()
    array([1., 2.])
    """

    alpha: float = 1.0
    kernel_width: float = 25.0
    weights: Literal["lime", "uniform"] = "lime"
    name: ClassVar[str] = "ridge"

    def __post_init__(self) -> None:
        check_positive(self.kernel_width, "kernel_width")
        if not (isinstance(self.alpha, Real) and 0.0 <= self.alpha < np.inf):
            raise ArgumentError(f"alpha: expected a number of at least 0; got {self.alpha!r}")
        if self.weights not in WEIGHTS:
            raise ArgumentError(f"weights: expected one of {WEIGHTS}; got {self.weights!r}")

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where there are less than two drawn rows between the ends."""
        check_rows(table, self.name)
        check_chance(table, self.name)

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return fit_on_masks(tables, self._weights, self._penalty, self.name)

    def _weights(self, table: ScoreTable) -> tuple[FloatArray, FloatArray]:
        weights = table.counts.astype(float)
        if self.weights == "lime" and table.design != "glime":
            weights = weights * lime_kernel(table.masks, self.kernel_width)
        return weights, spread_of_draws(table)

    def _penalty(self, regression: ls.Regression, likeliest: torch.Tensor) -> torch.Tensor:
        least = ls.no_penalty(regression)
        return torch.full_like(likeliest, self.alpha) if self.alpha else least


def lime_kernel(masks: MaskMatrix, kernel_width: float) -> FloatArray:
    """Return LIME's weight ``(n_masks,)`` of each mask.

    exp(-D² / (2 kernel_width²)) with D = 100 (1 - √(s/n)), a hundred times the cosine distance
    between the mask, with s of n units kept, and the whole text. (lime writes
    √exp(-D² / kernel_width²), which is the same.)
    """
    kept = masks.mean(axis=1) if masks.shape[1] else np.ones(len(masks))
    distance = 100.0 * (1.0 - np.sqrt(kept))
    weights: FloatArray = np.exp(-np.square(distance) / (2.0 * kernel_width**2))
    return weights


def check_positive(value: float, name: str) -> None:
    """Raise an `ArgumentError` where an argument is no positive number."""
    if not (isinstance(value, Real) and 0.0 < value < np.inf):
        raise ArgumentError(f"{name}: expected a positive number; got {value!r}")
