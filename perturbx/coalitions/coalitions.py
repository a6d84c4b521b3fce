"""`Coalitions`: which units stay, row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from perturbx.coalitions.packing import pack, unpack
from perturbx.exceptions import MaskingError


@dataclass(frozen=True, eq=False)
class Coalitions:
    """Distinct coalitions and what their design promises.

    Parameters
    ----------
    masks : torch.Tensor of bool, (n_masks, n_units)
        True = kept. The rows are distinct; drawn on the CPU, so a seed gives the same rows
        everywhere.
    counts : torch.Tensor of int64, (n_masks,)
        How often each row was drawn: 1 in designs without replacement, 0 for a row that was
        added and not drawn.
    probabilities : torch.Tensor of float64, (n_masks,), optional
        The probability that the design includes the row at all; 1 for rows taken for certain.
    walks : torch.Tensor of int64, (n_walks, n_units + 1), optional
        For designs made of chains: the rows visited from the empty coalition to the full one,
        one unit more at every step. Walks ``2j`` and ``2j + 1`` are each other's reversal.
    design : str
        The name of the sampler.
    paired : bool
        Every row's complement is a row, too.
    exhaustive : bool
        All ``2 ** n_units`` coalitions are there.
    samples : torch.Tensor of int64, (n_masks,), optional
        How many answers of a model that is sampled each row is worth.
    """

    masks: torch.Tensor
    counts: torch.Tensor
    probabilities: torch.Tensor | None = None
    walks: torch.Tensor | None = None
    design: str = "custom"
    paired: bool = False
    exhaustive: bool = False
    samples: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.masks.dtype != torch.bool or self.masks.ndim != 2:
            raise MaskingError(
                f"masks: expected a boolean matrix (n_masks, n_units), got {self.masks.dtype} of "
                f"shape {tuple(self.masks.shape)}"
            )

    def __len__(self) -> int:
        return int(self.masks.shape[0])

    @property
    def n_units(self) -> int:
        """Return the number of units."""
        return int(self.masks.shape[1])

    def to(self, device: torch.device | str) -> Coalitions:
        """Return the coalitions on `device`; the masks travel as bits, eight units a byte."""
        if torch.device(device) == self.masks.device:
            return self
        return replace(
            self,
            masks=unpack(pack(self.masks).to(device), self.n_units),
            counts=self.counts.to(device),
            probabilities=None if self.probabilities is None else self.probabilities.to(device),
            walks=None if self.walks is None else self.walks.to(device),
            samples=None if self.samples is None else self.samples.to(device),
        )
