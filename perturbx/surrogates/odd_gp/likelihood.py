"""How likely values are under the covariance of a model with relevances, and how likely these are.

The marginal likelihood of Gaussian processes and its derivative: Rasmussen & Williams 2006, 5.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from perturbx.surrogates.gaussian.relevances import (
    SPREAD_OF_FALL_OFF,
    SPREAD_OF_LOGITS,
    SPREAD_OF_MEAN,
    SPREAD_OF_NUGGET,
)
from perturbx.surrogates.odd_gp.geometry import Scratch
from perturbx.typing import FloatArray

# How far the relevances lie apart is asked of few pairs more cautiously than of many.
LEAST_SPREAD, MOST_SPREAD, PAIRS_FOR_SPREAD = 1.0, 1.5, 1.5

SPREAD_OF_SCALE = 2.0
"""Of log σ² around the variance that noise leaves, where there is noise."""

SQUARES_OF_OTHERS = np.square(
    [SPREAD_OF_NUGGET, *[SPREAD_OF_LOGITS] * 3, SPREAD_OF_FALL_OFF, SPREAD_OF_SCALE]
)


def spread_of_relevances(n_units: int, n_pairs: int) -> float:
    """Return the standard deviation of log b_i around their mean, a priori."""
    return min(max(n_pairs / (PAIRS_FOR_SPREAD * n_units), LEAST_SPREAD), MOST_SPREAD)


@dataclass(frozen=True, eq=False)
class Conditioned:
    """How likely values are under a covariance.

    Parameters
    ----------
    nll : numpy.ndarray, (b,)
        Minus the logarithm of their likelihood, infinite where K is not positive definite.
    lower : torch.Tensor, (b, P, P)
        The Cholesky factor of K, or with noise of σ²K + D.
    values : torch.Tensor, (b, P)
        The values.
    explained : numpy.ndarray, (b,)
        Their squares, whitened and added up.
    scratch : Scratch
        Where the slope is written.
    scale, noise : torch.Tensor, (b,) and (b, P), optional
        σ² and D; None where σ² is profiled out.
    """

    nll: FloatArray
    lower: torch.Tensor
    values: torch.Tensor
    explained: FloatArray
    scratch: Scratch
    scale: torch.Tensor | None
    noise: torch.Tensor | None

    def slope(self) -> tuple[torch.Tensor, FloatArray]:
        """Return the derivatives of `nll` with respect to K's entries ``(b, P, P)``, and a sum.

        That is the derivative ``(b,)`` with respect to the logarithm of a factor of K; 0 where such
        a one is profiled out.
        """
        n_pairs = self.values.shape[1]
        # It is symmetric, so its columns are its rows.
        inverse = torch.cholesky_inverse(self.lower, out=self.scratch.inverse).mT
        divided = inverse @ self.values[:, :, None]
        if self.scale is None or self.noise is None:
            across = divided.mT * torch.from_numpy(n_pairs / self.explained)[:, None, None]
            slope = inverse.baddbmm_(divided, across, beta=0.5, alpha=-0.5)
            return slope, np.zeros_like(self.nll)
        slope = inverse.baddbmm_(divided, divided.mT, beta=0.5, alpha=-0.5)
        of_noise = np.einsum("bii,bi->b", slope.numpy(), self.noise.numpy())
        by_scale = 0.5 * (n_pairs - self.explained) - of_noise
        return slope.mul_(self.scale[:, None, None]), by_scale


def condition(
    matrix: torch.Tensor,
    values: torch.Tensor,
    scratch: Scratch,
    scale: torch.Tensor | None = None,
    noise: torch.Tensor | None = None,
) -> Conditioned:
    """Return how likely values ``(b, P)`` are under K ``(b, P, P)``, or with noise under σ²K + D.

    Parameters
    ----------
    matrix, values : torch.Tensor
        K, which is lost, and the values.
    scratch : Scratch
        Of b problems.
    scale, noise : torch.Tensor, (b,) and (b, P), optional
        σ² and D. None: the likeliest σ², and no noise.
    """
    n_pairs = values.shape[1]
    if scale is not None and noise is not None:
        matrix.mul_(scale[:, None, None]).diagonal(dim1=1, dim2=2).add_(noise)
    flags = torch.empty(len(values), dtype=torch.int32)
    lower, failed = torch.linalg.cholesky_ex(matrix, out=(scratch.lower, flags))
    broken = failed.numpy() > 0
    if broken.any():
        lower[failed > 0] = torch.eye(n_pairs, dtype=lower.dtype)
    along = torch.linalg.solve_triangular(lower, values[:, :, None], upper=False)
    explained: FloatArray = np.square(along.numpy()).sum((1, 2))
    nll: FloatArray = np.log(lower.numpy().diagonal(axis1=1, axis2=2)).sum(1)
    if scale is None or noise is None:
        nll += 0.5 * n_pairs * np.log(explained / n_pairs)
    else:
        nll += 0.5 * explained
    nll[broken] = np.inf
    return Conditioned(nll, lower, values, explained, scratch, scale, noise)


def prior_penalty(
    point: torch.Tensor, n_units: int, n_pairs: int, centre: torch.Tensor
) -> tuple[FloatArray, FloatArray]:
    """Return minus the logarithm of the prior around the means of the priors, and its gradient."""
    spread = spread_of_relevances(n_units, n_pairs)
    off = point.numpy() - centre.numpy()
    gradient = off @ _precision(n_units, spread)[: off.shape[1], : off.shape[1]]
    return 0.5 * (off * gradient).sum(1), gradient


@lru_cache(maxsize=64)
def _precision(n_units: int, spread_of_b: float) -> FloatArray:
    """Return the inverse of the prior's covariance, ``(n + 6, n + 6)``.

    Of log b_i around their mean, which has a prior of its own.
    """
    around, of_mean = spread_of_b**-2.0, SPREAD_OF_MEAN**-2.0
    diagonal = np.concatenate([np.full(n_units, around), 1.0 / SQUARES_OF_OTHERS])
    precision = np.diag(diagonal)
    precision[:n_units, :n_units] += (of_mean / n_units - around) / n_units
    return precision
