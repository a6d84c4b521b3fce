"""Where the pairs lie: their signs, and in how many units each two of them agree."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch

from perturbx.surrogates.gaussian.relevances import inner
from perturbx.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Geometry:
    """Pairs and others (mostly the same), with x = -1 for units kept and +1 for units removed.

    Parameters
    ----------
    signs, others : torch.Tensor, (P, n) and (Q, n), or (b, P, n) and (b, Q, n)
        x and x', the same for all problems, or each problem's own.
    agreement : torch.Tensor, (P, Q) or (b, P, Q)
        xᵀx'.
    """

    signs: torch.Tensor
    others: torch.Tensor
    agreement: torch.Tensor

    @classmethod
    def of_masks(cls, masks: torch.Tensor, others: torch.Tensor | None = None) -> Geometry:
        """Return it of masks ``(..., P, n)`` and others ``(..., Q, n)``, or of masks alone.

        Examples
        --------
        >>> Geometry.of_masks(torch.tensor([[True, True], [False, True]])).agreement
        tensor([[2., 0.],
                [0., 2.]], dtype=torch.float64)
        """
        signs = signs_of(masks)
        theirs = signs if others is None else signs_of(others)
        return cls(signs, theirs, signs @ theirs.mT)

    @property
    def n_units(self) -> int:
        """The number of units."""
        return self.signs.shape[-1]

    def of(self, problems: torch.Tensor) -> Geometry:
        """Return that of some of the problems."""
        if self.signs.dim() == 2:
            return self
        return Geometry(self.signs[problems], self.others[problems], self.agreement[problems])

    def exponents(self, relevances: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return E = Σ_i b_i x_i x_i' of relevances ``(b, n)``, ``(b, P, Q)``, written to `out`."""
        return torch.matmul(self.signs * relevances[:, None], self.others.mT, out=out)

    def slopes(self, weights: torch.Tensor) -> FloatArray:
        """Return Σ_jk weights_jk x_ij x_ik of matrices ``(b, P, P)`` of pairs alone, ``(b, n)``."""
        sums: FloatArray = (weights @ self.signs).mul_(self.signs).sum(1).numpy()
        return sums

    def inner(self, weights: torch.Tensor) -> FloatArray:
        """Return the sums ``(b,)`` of the products of matrices ``(b, P, Q)`` and the agreement."""
        if self.agreement.dim() == 2:
            sums: FloatArray = (weights.flatten(1) @ self.agreement.flatten()).numpy()
            return sums
        return inner(weights, self.agreement)


@dataclass(frozen=True, eq=False)
class Room:
    """Memory for a few matrices of any shape, written again and again.

    Parameters
    ----------
    blocks : torch.Tensor, (`BLOCKS`, cells)
        One for each matrix.
    """

    blocks: torch.Tensor

    BLOCKS: ClassVar[int] = 4

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
    exponent : torch.Tensor, (b, P, P)
        E.
    growing, falling, slopes : torch.Tensor, (b, 2, P, P)
        Exponentials, of the relevances and of the isotropic part, and what is made of them.
    lower, inverse : torch.Tensor, (b, P, P)
        A Cholesky factor and the inverse, as LAPACK stores them: column after column.
    """

    exponent: torch.Tensor
    growing: torch.Tensor
    falling: torch.Tensor
    slopes: torch.Tensor
    lower: torch.Tensor
    inverse: torch.Tensor

    @classmethod
    def of_size(cls, n_problems: int, n_pairs: int) -> Scratch:
        """Return it for at most so many problems."""
        one = torch.empty((3, n_problems, n_pairs, n_pairs), dtype=torch.float64)
        both = torch.empty((3, n_problems, 2, n_pairs, n_pairs), dtype=torch.float64)
        return cls(one[0], both[0], both[1], both[2], one[1].mT, one[2].mT)

    def of(self, n_problems: int) -> Scratch:
        """Return its first part."""
        if n_problems == len(self.exponent):
            return self
        return Scratch(*(each[:n_problems] for each in vars(self).values()))


def signs_of(masks: torch.Tensor) -> torch.Tensor:
    """Return -1 where a unit is kept, +1 where it is removed."""
    return 1.0 - 2.0 * masks.to(torch.float64)
