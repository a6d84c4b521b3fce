"""Which of many features deserve a variance of their own: forward selection by evidence.

Tipping & Faul 2003: with C = K + ηI, residuals y and a feature f, let s = fᵀC⁻¹f and
q² = (fᵀC⁻¹y)² / σ². A variance a of its own raises the log marginal likelihood by at most
½[q²/s - 1 - log(q²/s)], at a = (q² - s) / s², where q² > s.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch

MOST_TERMS_PER_ROW = 0.25


@dataclass(frozen=True, eq=False)
class Conditioned:
    """A Gaussian process on rows with an unknown mean.

    Parameters
    ----------
    inverse : torch.Tensor, (P, P)
        (K + ηI)⁻¹ without the direction of the mean.
    targets : torch.Tensor, (P,)
        The values.
    """

    inverse: torch.Tensor
    targets: torch.Tensor

    @classmethod
    def of(
        cls, kernel: torch.Tensor, nugget: float, targets: torch.Tensor, *, has_mean: bool
    ) -> Conditioned:
        """Return that of a kernel ``(P, P)`` and a nugget, with or without an unknown mean."""
        matrix = kernel.clone()
        matrix.diagonal().add_(nugget)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
        if has_mean:
            along = inverse.sum(1)
            inverse = inverse - torch.outer(along, along) / along.sum()
        return cls(inverse, targets)


def strong_terms(process: Conditioned, features: torch.Tensor) -> list[tuple[int, float]]:
    """Return the features with a variance of their own, and that variance in units of σ².

    One after the other, the one with the largest gain, as long as it is more than the logarithm
    of the number of features: the odds against a feature that was picked out of so many.

    Parameters
    ----------
    process : Conditioned
        The process without them.
    features : torch.Tensor, (P, m)
        The candidates.
    """
    n_rows, n_features = features.shape
    inverse, targets = process.inverse, process.targets
    chosen: dict[int, float] = {}
    while n_features and len(chosen) < int(MOST_TERMS_PER_ROW * n_rows):
        solved = inverse @ features
        scale = float(targets @ inverse @ targets) / n_rows
        if scale <= 0.0:
            break
        own = (features * solved).sum(0).clamp_min(1e-12)
        along = (solved.mT @ targets).square() / scale
        ratio = (along / own).clamp_min(1.0)
        gain = 0.5 * (ratio - 1.0 - ratio.log())
        gain[list(chosen)] = 0.0
        best = int(gain.argmax())
        if float(gain[best]) <= log(n_features) + 1.0:
            break
        variance = float((along[best] - own[best]) / own[best].square())
        chosen[best] = variance
        direction = solved[:, best]
        inverse = inverse - torch.outer(direction, direction) / (1.0 / variance + own[best])
    return list(chosen.items())
