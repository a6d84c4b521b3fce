"""Statistics of different shapes made alike, so that the largest of many is no one kind's alone.

A rate of a small group jumps where others move smoothly: measured in standard errors its null
distribution has a long tail, and the maximum over all gaps would nearly always be its own. Each
null distribution is taken for a Pearson type III (a gamma, moved and scaled, of the same mean,
spread and skewness; Winkler et al. 2016, "Faster permutation inference in brain imaging"), and
every statistic is turned into the normal quantile that is as unlikely (Wilson & Hilferty 1931).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from perturbx.typing import FloatArray

_FLAT: Final = 1e-3
"""Below this skewness a distribution counts as normal."""

_MOST_SKEWED: Final = 6.0

_EQUAL: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Balance:
    """How statistics become normal quantiles where their null hypotheses hold.

    Parameters
    ----------
    mean, spread, skewness : numpy.ndarray, (n_hypotheses,)
        Of the null distributions.
    two_sided : numpy.ndarray of bool, (n_hypotheses,)
        False where only large values speak against the null hypothesis.
    """

    mean: FloatArray
    spread: FloatArray
    skewness: FloatArray
    two_sided: np.typing.NDArray[np.bool_]

    @classmethod
    def of(cls, null: FloatArray, two_sided: np.typing.NDArray[np.bool_]) -> Balance:
        """Return the balance of null distributions ``(n_hypotheses, n_draws)``; NaN is left out."""
        known = np.isfinite(null)
        count = np.maximum(known.sum(axis=1), 1)
        values = np.where(known, null, 0.0)
        mean = values.sum(axis=1) / count
        moved = np.where(known, values - mean[:, None], 0.0)
        spread = np.sqrt((moved**2).sum(axis=1) / count)
        # What rounding leaves of equal values is no spread: nothing can be tested by them.
        spread[spread <= _EQUAL * np.abs(values).max(axis=1, initial=0.0)] = 0.0
        scaled = np.divide(
            moved, spread[:, None], out=np.zeros_like(moved), where=spread[:, None] > 0
        )
        skewness = np.clip((scaled**3).sum(axis=1) / count, -_MOST_SKEWED, _MOST_SKEWED)
        return cls(mean, spread, skewness, two_sided)

    def sizes(self, statistics: FloatArray) -> FloatArray:
        """Return how unlikely statistics are, as sizes of normal quantiles.

        Parameters
        ----------
        statistics : numpy.ndarray, (n_hypotheses,) or (n_hypotheses, n)
            Their values.

        Returns
        -------
        numpy.ndarray
            Of the same shape; NaN where a null distribution is a single value.
        """
        shape = (-1,) + (1,) * (statistics.ndim - 1)
        mean, spread, skewness = (
            column.reshape(shape) for column in (self.mean, self.spread, self.skewness)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            x = np.where(spread > 0, (statistics - mean) / spread, np.nan)
            g = np.where(np.abs(skewness) < _FLAT, 1.0, skewness)
            inner = np.cbrt(np.maximum(g * x / 2 + 1, 0.0))
            curved = 6 / g * (inner - 1) + g / 6
        z = np.where(np.abs(skewness) < _FLAT, x, curved)
        return np.where(self.two_sided.reshape(shape), np.abs(z), np.maximum(z, 0.0))

    def of_size(self, size: float) -> FloatArray:
        """Return the statistics ``(n_hypotheses,)`` of a size; of two sides the farther one."""
        ends = []
        for z in (size, -size):
            g = np.where(np.abs(self.skewness) < _FLAT, 1.0, self.skewness)
            curved = 2 / g * (((z - g / 6) * g / 6 + 1) ** 3 - 1)
            # Beyond the end of a gamma there is nothing.
            curved = np.where(g > 0, np.maximum(curved, -2 / g), np.minimum(curved, -2 / g))
            x = np.where(np.abs(self.skewness) < _FLAT, z, curved)
            ends.append(np.abs(self.mean + self.spread * x))
        return np.where(self.two_sided, np.maximum(*ends), ends[0])
