"""Pairs that were not asked for: where models of a game are compared, and how that is read out.

Which pairs these are depends on the table's pairs, but not on the order of its rows or the names of
its units. So units are put in an order of their own first: every coalition gets a code from its
distances to the others, every unit one from the coalitions that it is in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.gaussian.drawn_masks import drawn_masks
from perturbx.surrogates.gaussian.model_grid import by_distance, distances
from perturbx.surrogates.odd_gp.geometry import Geometry
from perturbx.surrogates.odd_gp.posterior import (
    isotropic_readout,
    prior_covariance,
    white_readout,
)

FEWEST, PER_PAIR, MOST = 300, 4, 1200
"""At least so many further pairs, and so many for each pair of the table as long as both together
are not more than the most; all there are where they are fewer."""

CELLS_AT_ONCE = 2**19
"""Distances that are looked at together."""

ROWS_AT_ONCE = 64
"""Of a covariance whose distances are looked up."""

RHO, NUGGET = 0.4, 0.01
"""Of the prior on differences of models."""


def order_of_units(masks: torch.Tensor) -> torch.Tensor:
    """Return the places ``(T, n)`` of each text's units in its own order.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    """
    n_texts, n_pairs = masks.shape[:2]
    at_once = max(1, CELLS_AT_ONCE // n_pairs**2)
    parts = [_codes(masks[start : start + at_once]) for start in range(0, n_texts, at_once)]
    return torch.cat(parts).argsort(dim=1, stable=True)


def _codes(masks: torch.Tensor) -> torch.Tensor:
    """Return one ``(T, n)`` of each unit, from the coalitions that it is in."""
    n_units = masks.shape[2]
    sizes = masks.sum(2)
    small = torch.where((2 * sizes > n_units)[:, :, None], ~masks, masks)
    # Sums of integers wrap around, so they do not depend on the order of what is added. Which of
    # two complements stands for the pair must not count either.
    codes = _hashes(n_units)[distances(small)].sum(2)
    codes = codes * (2 * sizes != n_units)
    return (codes[:, :, None] * small).sum(1)


@lru_cache(maxsize=64)
def _hashes(n_units: int) -> torch.Tensor:
    """Return a number for each distance, the same for d and n - d."""
    drawn = np.random.default_rng(n_units).integers(-(2**62), 2**62, n_units + 1)
    distance = np.arange(n_units + 1)
    return torch.from_numpy(drawn[np.minimum(distance, n_units - distance)])


def further_pairs(n_units: int, n_pairs: int) -> torch.Tensor:
    """Return one coalition of each further pair, ``(M, n)``, for a table of so many pairs.

    Examples
    --------
    >>> further_pairs(4, 5).sum(1).bincount().tolist()
    [0, 4, 3]
    """
    return _pairs(n_units, n_further(n_pairs))


def n_further(n_pairs: int) -> int:
    """Return how many further pairs a table of so many pairs gets, where there are so many."""
    return max(FEWEST, min(PER_PAIR * n_pairs, MOST - n_pairs))


def _pairs(n_units: int, n_wanted: int) -> torch.Tensor:
    """Return pairs ``(M, n)`` of coalitions of all sizes from 1 to n/2, equally frequent."""
    n_all = (1 << min(n_units - 1, 62)) - 1
    if n_all <= n_wanted:
        numbers = np.arange(1, n_all + 1)[:, None]
        half = torch.from_numpy((numbers >> np.arange(n_units) & 1).astype(bool))
        return torch.where(2 * half.sum(1, keepdim=True) > n_units, ~half, half)
    return drawn_masks(n_units, n_wanted, n_units // 2)


@dataclass(frozen=True, eq=False)
class Readout:
    """What the differences of two models at M further pairs say of their Shapley values.

    Parameters
    ----------
    weights : torch.Tensor, (n, M)
        Of the differences.
    covariance : torch.Tensor, (n, n)
        Of what they leave open, for differences of variance 1.
    lower : torch.Tensor, (M, M)
        The Cholesky factor of their covariance, given that they are 0 at the table's pairs.
    n_rows : int
        The number of pairs, the table's included.
    """

    weights: torch.Tensor
    covariance: torch.Tensor
    lower: torch.Tensor
    n_rows: int

    def scale(self, differences: torch.Tensor) -> torch.Tensor:
        """Return the likeliest variance of differences ``(b, M)``, ``(b,)``."""
        along = torch.linalg.solve_triangular(self.lower, differences.mT, upper=False)
        variances: torch.Tensor = along.square().sum(0) / self.n_rows
        return variances


@dataclass(frozen=True, eq=False)
class Compared:
    """Where the models of a table's P pairs are compared.

    Parameters
    ----------
    geometry : Geometry
        Of the table's pairs and M further ones.
    readout : Readout
        Of the further ones.
    """

    geometry: Geometry
    readout: Readout


def compared_pairs(masks: torch.Tensor) -> Compared:
    """Return where models are compared that were fitted to the pairs ``(P, n)`` of a table.

    The last few are kept: they depend on the pairs alone, and texts of one length have the same.
    """
    return _compared_pairs(masks.numpy().tobytes(), *masks.shape)


@lru_cache(maxsize=4)
def _compared_pairs(masks: bytes, n_pairs: int, n_units: int) -> Compared:
    own = torch.frombuffer(bytearray(masks), dtype=torch.bool).view(n_pairs, n_units)
    named = further_pairs(n_units, n_pairs)[:, order_of_units(own[None])[0].argsort()]
    between = distances(own, named)
    are_others = ((between > 0) & (between < n_units)).all(0)
    further = named[are_others]
    return Compared(Geometry.of_masks(own, further), readout_of_differences(own, further))


def readout_of_differences(masks: torch.Tensor, further: torch.Tensor) -> Readout:
    """Return it for the pairs of a table ``(P, n)`` and further ones ``(M, n)``.

    Models that agree about the pairs of the table differ by a game that is 0 there.
    """
    n_pairs, n_units = masks.shape
    both = torch.cat([masks, further])
    kernel, white = isotropic_kernel(n_units, RHO), white_kernel(n_units)
    matrix = _lower_half(torch.from_numpy(kernel.by_distance), both)
    matrix.diagonal().add_(NUGGET)
    lower = torch.linalg.cholesky(matrix)
    readout = isotropic_readout(kernel, both) + NUGGET * white_readout(white, both)
    moved = torch.linalg.solve_triangular(lower, readout, upper=False)
    prior = prior_covariance(kernel, n_units) + NUGGET * prior_covariance(white, n_units)
    own = lower[n_pairs:, n_pairs:].contiguous()
    return Readout(
        weights=torch.linalg.solve_triangular(own.mT, moved[n_pairs:], upper=True).mT,
        covariance=prior - moved.mT @ moved,
        lower=own,
        n_rows=len(both),
    )


def _lower_half(table: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return a covariance by distance of masks ``(m, n)``, ``(m, m)``; the upper half is not set.

    Rows after rows, as all distances at once are more numbers than the cache holds.
    """
    matrix = torch.empty((len(masks), len(masks)), dtype=torch.float64)
    for start in range(0, len(masks), ROWS_AT_ONCE):
        end = start + ROWS_AT_ONCE
        matrix[start:end, :end] = by_distance(table, distances(masks[start:end], masks[:end]))
    return matrix
