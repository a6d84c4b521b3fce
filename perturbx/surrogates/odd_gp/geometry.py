"""Where the pairs lie: their signs, and in how many units each two of them differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import ClassVar

import torch

from perturbx.surrogates.gaussian.model_grid import distances
from perturbx.typing import FloatArray

MOST_PAIRS_KEPT = 600
"""The distances of more pairs take more memory (3 MB) than time to find them again."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Pairs and others (mostly the same), with x = -1 for units kept and +1 for units removed.

    Parameters
    ----------
    signs, others : torch.Tensor, (P, n) and (Q, n), or (b, P, n) and (b, Q, n)
        x and x', the same for all problems, or each problem's own.
    distance : torch.Tensor of int, (P, Q) or (b, P, Q)
        In how many units they differ.
    """

    signs: torch.Tensor
    others: torch.Tensor
    distance: torch.Tensor

    @classmethod
    def of_masks(cls, masks: torch.Tensor, others: torch.Tensor | None = None) -> Geometry:
        """Return it of masks ``(..., P, n)`` and others ``(..., Q, n)``, or of masks alone.

        Examples
        --------
        >>> Geometry.of_masks(torch.tensor([[True, True], [False, True]])).distance
        tensor([[0, 1],
                [1, 0]])
        """
        signs = signs_of(masks)
        theirs = signs if others is None else signs_of(others)
        return cls(signs, theirs, distances(masks, others))

    @classmethod
    def of_design(cls, masks: torch.Tensor) -> Geometry:
        """Return it of masks ``(P, n)``; that of the last few is kept, as texts share designs."""
        if len(masks) > MOST_PAIRS_KEPT:
            return cls.of_masks(masks)
        return _of_design(masks.numpy().tobytes(), *masks.shape)

    @property
    def n_units(self) -> int:
        """The number of units."""
        return self.signs.shape[-1]

    def of(self, problems: torch.Tensor) -> Geometry:
        """Return that of some of the problems."""
        if self.signs.dim() == 2:
            return self
        return Geometry(self.signs[problems], self.others[problems], self.distance[problems])

    def exponents(self, relevances: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return E = Σ_i b_i x_i x_i' of relevances ``(b, n)``, ``(b, P, Q)``, written to `out`."""
        return torch.matmul(self.signs * relevances[:, None], self.others.mT, out=out)

    def slopes(self, weights: torch.Tensor) -> FloatArray:
        """Return Σ_jk weights_jk x_ij x_ik of matrices ``(b, P, P)`` of pairs alone, ``(b, n)``."""
        sums: FloatArray = (weights @ self.signs).mul_(self.signs).sum(1).numpy()
        return sums

    def look_up(self, tables: FloatArray, out: torch.Tensor) -> torch.Tensor:
        """Return the entries of tables by distance ``(b, n + 1)``, ``(b, P, Q)``, in `out`.

        A function of the distance has n + 1 values: to look them up takes less time than to
        calculate them P Q times.
        """
        if self.distance.dim() == 2:
            tables.take(self.distance.numpy(), axis=1, mode="clip", out=out.numpy())
            return out
        places = self.distance.flatten(1)
        torch.gather(torch.from_numpy(tables), 1, places, out=out.view(places.shape))
        return out


@lru_cache(maxsize=8)
def _of_design(masks: bytes, n_pairs: int, n_units: int) -> Geometry:
    own = torch.frombuffer(bytearray(masks), dtype=torch.bool).view(n_pairs, n_units)
    return Geometry.of_masks(own)


@dataclass(frozen=True, eq=False)
class Room:
    """Memory for a few matrices of any shape, written again and again.

    Parameters
    ----------
    blocks : torch.Tensor, (`BLOCKS`, cells)
        One for each matrix.
    """

    blocks: torch.Tensor

    BLOCKS: ClassVar[int] = 3

    @classmethod
    def of_size(cls, cells: int) -> Room:
        """Return it for matrices ``(b, P, Q)`` of at most so many numbers."""
        return cls(torch.empty((cls.BLOCKS, cells), dtype=torch.float64))

    def matrices(self, *shape: int) -> tuple[torch.Tensor, ...]:
        """Return `BLOCKS` matrices of a shape."""
        return tuple(block[: prod(shape)].view(shape) for block in self.blocks)


@dataclass(frozen=True, eq=False)
class Scratch:
    """Where matrices of pairs are written, evaluation after evaluation.

    New memory for each of them takes more time than what is calculated.

    Parameters
    ----------
    exponent, growing, falling, difference, scaled, isotropic : torch.Tensor, (b, P, P)
        E, exponentials of it and of -E, what is made of them, and what depends on distances alone.
    lower, inverse : torch.Tensor, (b, P, P)
        A Cholesky factor and the inverse, as LAPACK stores them: column after column.
    """

    exponent: torch.Tensor
    growing: torch.Tensor
    falling: torch.Tensor
    difference: torch.Tensor
    scaled: torch.Tensor
    isotropic: torch.Tensor
    lower: torch.Tensor
    inverse: torch.Tensor

    @classmethod
    def of_size(cls, n_problems: int, n_pairs: int) -> Scratch:
        """Return it for at most so many problems."""
        blocks = torch.empty((8, n_problems, n_pairs, n_pairs), dtype=torch.float64)
        a, b, c, d, e, f, lower, inverse = blocks.unbind()
        return cls(a, b, c, d, e, f, lower.mT, inverse.mT)

    def of(self, n_problems: int) -> Scratch:
        """Return its first part."""
        if n_problems == len(self.exponent):
            return self
        return Scratch(*(each[:n_problems] for each in vars(self).values()))


def signs_of(masks: torch.Tensor) -> torch.Tensor:
    """Return -1 where a unit is kept, +1 where it is removed."""
    return 1.0 - 2.0 * masks.to(torch.float64)
