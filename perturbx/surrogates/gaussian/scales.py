"""Scales for scores between two bounds: u = log(x + a) - log(1 + b - x) of x in parts of a range.

A process on u has mean scores that are no link of its mean: u is normal, and a logistic curve of it
is averaged by the normal distribution function that is closest to it (MacKay 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch

LEAST_ODDS = 8.0
"""The logarithm of the odds, against the straight scale, of a bent one that is worth its time."""


@dataclass(frozen=True, eq=False)
class Scales:
    """A scale for each of c columns of values.

    Parameters
    ----------
    low, high : torch.Tensor, (c,)
        The ends of the scores.
    below, above : torch.Tensor, (c,)
        How far the bounds are beyond the ends, in parts of the range.
    """

    low: torch.Tensor
    high: torch.Tensor
    below: torch.Tensor
    above: torch.Tensor

    def bend(self, scores: torch.Tensor) -> torch.Tensor:
        """Return u of scores ``(..., c)``."""
        part = (scores - self.low) / (self.high - self.low)
        return (part + self.below).log() - (1.0 + self.above - part).log()

    def straighten(self, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Return the mean scores ``(..., c)`` where u is normal."""
        part = self._width * (mean / _narrowing(variance)).sigmoid() - self.below
        return self.low + (self.high - self.low) * part

    def slope(self, scores: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Return by how much mean scores ``(..., c)`` rise with the mean of u."""
        width = self._width
        part = ((scores - self.low) / (self.high - self.low) + self.below) / width
        steepest = (self.high - self.low) * width / _narrowing(variance)
        return steepest * part * (1.0 - part)

    def of(self, columns: torch.Tensor) -> Scales:
        """Return the scales of some of the columns."""
        return Scales(
            self.low[columns], self.high[columns], self.below[columns], self.above[columns]
        )

    @property
    def _width(self) -> torch.Tensor:
        return 1.0 + self.below + self.above


def _narrowing(variance: torch.Tensor) -> torch.Tensor:
    return (1.0 + variance * (pi / 8.0)).sqrt()
