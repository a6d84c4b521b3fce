"""What each model returns, and what its kernel says of the Shapley values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from perturbx.odd_kernels import IsotropicKernel, WhiteKernel
from perturbx.surrogates.gaussian.mirrors import Mirrors


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

    def like(self) -> Posterior:
        """Return an empty posterior of the same shape, to be filled by `put`."""
        parts = (self.values, self.covariance, self.residuals, self.surprise)
        return Posterior(*(torch.empty_like(part) for part in parts))

    def of(self, at: tuple[torch.Tensor, ...]) -> Posterior:
        """Return b of the texts' outputs, at indices ``(b,), (b,)``, as texts with one output."""
        texts, outputs = at
        return Posterior(
            self.values[texts, outputs][:, None],
            self.covariance[texts, outputs][:, None],
            self.residuals[texts, :, outputs][:, :, None],
            self.surprise[texts, outputs][:, None],
        )

    def put(self, at: tuple[torch.Tensor, ...], other: Posterior) -> None:
        """Take over what `other` says, b texts with one output: the reverse of `of`."""
        texts, outputs = at
        self.values[texts, outputs] = other.values[:, 0]
        self.covariance[texts, outputs] = other.covariance[:, 0]
        self.residuals[texts, :, outputs] = other.residuals[:, :, 0]
        self.surprise[texts, outputs] = other.surprise[:, 0]

    def mirrored(self, mirrors: Mirrors) -> Posterior:
        """Return it of all outputs, from that of those that had to be fitted."""
        source, sign = mirrors.source, mirrors.sign
        return Posterior(
            self.values[:, source] * sign[:, None],
            self.covariance[:, source],
            self.residuals[..., source] * sign,
            self.surprise[:, source],
        )

    def reordered(self, order: torch.Tensor) -> Posterior:
        """Return it with each text's units at these places ``(T, n)``."""
        n_outputs = self.values.shape[1]
        places = order[:, None].expand(-1, n_outputs, -1)
        by_row = places[..., None].expand_as(self.covariance)
        return replace(
            self,
            values=self.values.gather(2, places),
            covariance=self.covariance.gather(2, by_row).gather(3, by_row.mT),
        )


def prior_covariance(kernel: IsotropicKernel | WhiteKernel, n_units: int) -> torch.Tensor:
    """Return the covariance ``(n, n)`` of the Shapley values before any pair is known."""
    matrix = torch.full((n_units, n_units), kernel.covariance, dtype=torch.float64)
    matrix.diagonal().fill_(kernel.variance)
    return matrix


def isotropic_readout(kernel: IsotropicKernel, masks: torch.Tensor) -> torch.Tensor:
    """Return the covariance ``(..., P, n)`` of each pair's value and each Shapley value."""
    others = masks.sum(-1, keepdim=True) - masks.to(torch.int64)
    readout = torch.from_numpy(2.0 * kernel.readout)[others]
    return torch.where(masks, readout, -readout)


def white_readout(kernel: WhiteKernel, masks: torch.Tensor) -> torch.Tensor:
    """Return the covariance ``(..., P, n)`` of each pair's value and each Shapley value."""
    sizes = masks.sum(-1, keepdim=True)
    kept, removed = torch.from_numpy(kernel.kept), torch.from_numpy(kernel.removed)
    return torch.where(masks, kept[sizes], removed[sizes])
