"""What both processes share: readouts from tables by size, and the white part of the game."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from perturbx.surrogates.gaussian.mirrors import Mirrors
from perturbx.symmetric_kernels import SymmetricFunctional
from perturbx.typing import FloatArray

CONSTANT = 1e3
"""The prior variance of the game's constant, in parts of that of all orders above: it is not
known. The values are centred, so it may be finite; the larger it is, the less exact the algebra."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Values of T texts and k outputs, in units of each text's and output's own scale.

    Parameters
    ----------
    values : torch.Tensor, (T, k, n + 1)
        The posterior means: of the units, then of the base value.
    covariance : torch.Tensor, (T, k, n, n)
        The posterior covariance of the units' values.
    """

    values: torch.Tensor
    covariance: torch.Tensor

    def mirrored(self, mirrors: Mirrors) -> Posterior:
        """Return it of all outputs, from that of those that had to be fitted."""
        values = self.values[:, mirrors.source] * mirrors.sign[:, None]
        return Posterior(values, self.covariance[:, mirrors.source])

    def reordered(self, order: torch.Tensor) -> Posterior:
        """Return it with the units in another order ``(n,)``."""
        at = torch.cat([order, order.new_tensor([len(order)])])
        return Posterior(self.values[..., at], self.covariance[..., order, :][..., order])


def by_size(tables: FloatArray | torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return ``(..., R, n + 1)``: a number for each mask and unit, and for each mask and the base.

    Parameters
    ----------
    tables : array or torch.Tensor, (3, n + 1)
        By the size of the mask: for units in it, for units not in it, for the base.
    masks : torch.Tensor of bool, (..., R, n)
        The masks.
    """
    kept, removed, base = torch.as_tensor(tables)
    sizes = masks.sum(-1, keepdim=True)
    units = torch.where(masks, kept[sizes], removed[sizes])
    return torch.cat([units, base[sizes]], dim=-1)


def white_readout(functional: SymmetricFunctional, masks: torch.Tensor) -> torch.Tensor:
    """Return the weight of each mask in each value and in the base, ``(..., R, n + 1)``."""
    weights = (functional.kept_alone, functional.removed_alone, functional.level_alone)
    return by_size(np.stack(weights), masks)


def alike(variance: torch.Tensor, covariance: torch.Tensor, n_units: int) -> torch.Tensor:
    """Return matrices ``(..., n, n)`` with the one on the diagonal and the other elsewhere."""
    eye = torch.eye(n_units, dtype=torch.float64)
    return covariance[..., None, None] + (variance - covariance)[..., None, None] * eye


def signal_of_nugget(
    nugget: torch.Tensor, noise: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Return how much of the nugget is a white part of the game: what noise does not explain.

    Parameters
    ----------
    nugget : torch.Tensor
        In units of `scale`.
    noise : torch.Tensor
        The variance that is noise of the scorer, 0 for a deterministic one.
    scale : torch.Tensor
        The variance of the process.
    """
    return (nugget - noise / scale).clamp_min(0.0)
