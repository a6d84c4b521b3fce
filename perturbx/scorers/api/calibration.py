"""`Calibration`: from what a model says of its own sureness to a probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from perturbx.exceptions import ArgumentError
from perturbx.typing import FloatArray

EDGE = 0.005
"""Numbers are kept this far from 0 and 1: models say "0" and "100" freely."""

WEAK = 1e3
"""The inverse of the penalty: enough for classes that are told apart without a mistake."""


@dataclass(frozen=True)
class Calibration:
    """A line on the scale of log-odds (Platt scaling; Platt 1999).

    Parameters
    ----------
    slope, intercept : float
        Of the line; 1 and 0 change nothing.

    Examples
    --------
    >>> float(Calibration(1.0, 0.0)(np.array([0.7]))[0].round(3))
    0.7
    """

    slope: float
    intercept: float

    @classmethod
    def fit(cls, said: FloatArray, holds: FloatArray) -> Calibration:
        """Return the line that fits what was said to what holds.

        Parameters
        ----------
        said : numpy.ndarray, (m,)
            Numbers from 0 to 1.
        holds : numpy.ndarray of bool, (m,)
            Whether the label is right.

        Raises
        ------
        ArgumentError
            If all of them hold, or none does.
        """
        if len(set(holds.tolist())) < 2:
            raise ArgumentError(
                "y: a label holds for all of the texts or for none; give texts of both kinds"
            )
        from sklearn.linear_model import LogisticRegression

        line = LogisticRegression(C=WEAK).fit(_log_odds(said)[:, None], holds)
        return cls(float(line.coef_[0, 0]), float(line.intercept_[0]))

    def __call__(self, said: FloatArray) -> FloatArray:
        """Return probabilities, ``(m,)``."""
        probabilities: FloatArray = expit(self.slope * _log_odds(said) + self.intercept)
        return probabilities


def _log_odds(said: FloatArray) -> FloatArray:
    odds: FloatArray = logit(np.clip(said, EDGE, 1.0 - EDGE))
    return odds
