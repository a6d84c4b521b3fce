"""Factorized covariances: the two ways to divide by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class Root(Protocol):
    """A covariance K of R rows, factorized: W with WᵀW = K⁻¹."""

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., R, m)``."""

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(R, m)``.

        (K⁻¹y)_j / (K⁻¹)_jj (Rasmussen & Williams 2006, 5.12).
        """

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, 1 / (K⁻¹)_jj, ``(R,)``."""


@dataclass(frozen=True, eq=False)
class SpectralRoot:
    """K = V diag(squares) Vᵀ: one decomposition serves every nugget."""

    squares: torch.Tensor
    vectors: torch.Tensor

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., R, m)``."""
        return (self.vectors.mT @ columns) / self.squares.sqrt()[:, None]

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(R, m)``."""
        divided = self.vectors @ ((self.vectors.mT @ targets) / self.squares[:, None])
        return divided * self.left_out_variances()[:, None]

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, ``(R,)``."""
        return 1.0 / (self.vectors.square() @ (1.0 / self.squares))


@dataclass(frozen=True, eq=False)
class CholeskyRoot:
    """K = LLᵀ: three times as fast as a decomposition, for one nugget."""

    lower: torch.Tensor

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return W times columns ``(..., R, m)``."""
        whitened: torch.Tensor = torch.linalg.solve_triangular(self.lower, columns, upper=False)
        return whitened

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(R, m)``."""
        return torch.cholesky_solve(targets, self.lower) * self.left_out_variances()[:, None]

    def left_out_variances(self) -> torch.Tensor:
        """Return the variances of these predictions, ``(R,)``."""
        return 1.0 / torch.cholesky_inverse(self.lower).diagonal()
