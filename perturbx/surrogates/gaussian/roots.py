"""Factorized covariances: how to divide by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class CholeskyRoot:
    """A covariance K = LLᵀ of R rows."""

    lower: torch.Tensor

    def whiten(self, columns: torch.Tensor) -> torch.Tensor:
        """Return L⁻¹ times columns ``(..., R, m)``."""
        if columns.dim() == 2:
            own: torch.Tensor = torch.linalg.solve_triangular(self.lower, columns, upper=False)
            return own
        # All columns side by side, as the root is the same.
        beside = columns.movedim(-2, 0)
        return self.whiten(beside.flatten(1)).view(beside.shape).movedim(0, -2)

    def left_out_residuals(self, targets: torch.Tensor) -> torch.Tensor:
        """Return each target minus its prediction from the others, ``(R, m)``."""
        return self.left_out(targets)[0]

    def left_out(self, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return these residuals ``(R, m)``, and the variances of the predictions, ``(R,)``.

        (K⁻¹y)_j / (K⁻¹)_jj and 1 / (K⁻¹)_jj (Rasmussen & Williams 2006, 5.12).
        """
        inverse = torch.cholesky_inverse(self.lower)
        variances = 1.0 / inverse.diagonal()
        return (inverse @ targets) * variances[:, None], variances
