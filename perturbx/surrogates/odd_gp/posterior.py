"""Gaussian conditioning: what each model returns, and the two ways to divide by a covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from perturbx.odd_kernels import IsotropicKernel, WhiteKernel


@dataclass(frozen=True, eq=False)
class Posterior:
    """Values of T texts and k outputs, in units of each text's and output's own scale.

    Parameters
    ----------
    values : torch.Tensor, (T, k, n)
        The posterior means of the Shapley values.
    covariance : torch.Tensor, (T, k, n, n)
        Their posterior covariance.
    residuals : torch.Tensor, (T, P, k)
        Each pair's value minus its prediction from the other pairs.
    surprise : torch.Tensor, (T, k)
        The mean of the squared residuals, each over the variance that was forecast for it, all
        pairs but the ends: 1 where the errors are as large as the model says.
    """

    values: torch.Tensor
    covariance: torch.Tensor
    residuals: torch.Tensor
    surprise: torch.Tensor


class Root(Protocol):
    """A covariance K of P pairs, factorized: W with WᵀW = K⁻¹."""

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., P, m)``."""

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(P, m)``.

        (K⁻¹y)_j / (K⁻¹)_jj (Rasmussen & Williams 2006, 5.12).
        """

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, 1 / (K⁻¹)_jj, ``(P,)``."""


@dataclass(frozen=True, eq=False)
class SpectralRoot:
    """K = V diag(squares) Vᵀ: one decomposition serves every nugget."""

    squares: torch.Tensor
    vectors: torch.Tensor

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., P, m)``."""
        return (self.vectors.mT @ columns) / self.squares.sqrt()[:, None]

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(P, m)``."""
        divided = self.vectors @ ((self.vectors.mT @ targets) / self.squares[:, None])
        return divided * self.left_out_variances()[:, None]

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, ``(P,)``."""
        return 1.0 / (self.vectors.square() @ (1.0 / self.squares))


@dataclass(frozen=True, eq=False)
class CholeskyRoot:
    """K = LLᵀ: three times as fast as a decomposition, for one nugget."""

    lower: torch.Tensor

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., P, m)``."""
        whitened: torch.Tensor = torch.linalg.solve_triangular(self.lower, columns, upper=False)
        return whitened

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(P, m)``."""
        return torch.cholesky_solve(targets, self.lower) * self.left_out_variances()[:, None]

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, ``(P,)``."""
        return 1.0 / torch.cholesky_inverse(self.lower).diagonal()


def prior_covariance(kernel: IsotropicKernel | WhiteKernel, n_units: int) -> torch.Tensor:
    """Return the covariance ``(n, n)`` of the Shapley values before any pair is known."""
    matrix = torch.full((n_units, n_units), kernel.covariance, dtype=torch.float64)
    matrix.diagonal().fill_(kernel.variance)
    return matrix


def isotropic_readout(kernel: IsotropicKernel, masks: torch.Tensor) -> torch.Tensor:
    """Return the covariance ``(..., P, n)`` of each pair's value and each Shapley value."""
    others = masks.sum(-1, keepdim=True) - masks.to(torch.int64)
    sign = 2.0 * masks.to(torch.float64) - 1.0
    return 2.0 * sign * torch.from_numpy(kernel.readout)[others]


def white_readout(kernel: WhiteKernel, masks: torch.Tensor) -> torch.Tensor:
    """Return the covariance ``(..., P, n)`` of each pair's value and each Shapley value."""
    sizes = masks.sum(-1, keepdim=True)
    kept, removed = torch.from_numpy(kernel.kept), torch.from_numpy(kernel.removed)
    return torch.where(masks, kept[sizes], removed[sizes])
