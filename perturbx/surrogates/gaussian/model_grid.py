"""Priors that depend on distances alone: a grid of fall-offs ρ and nuggets η, weighed by evidence.

With y the values of R rows and K their covariance by the number of units in which they differ::

    σ² = yᵀ(K + ηI)⁻¹y / R           nll = ½[R log σ² + log|K + ηI|]

and weights exp(-nll). Texts with the same design but for the names of the units share one
decomposition for each ρ, which also serves all outputs and nuggets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from perturbx.surrogates.gaussian.roots import CholeskyRoot, Root, SpectralRoot
from perturbx.typing import IntArray

RHOS = (0.02, 0.1, 0.25, 0.45, 0.65, 0.85)
NUGGETS = (1e-6, 1e-3, 1e-2, 5e-2, 0.2, 0.5)

MOST_DECOMPOSED = 300
"""With more rows the weights come from so many of them, and the best models are fitted to all."""

BEST_MODELS = 4
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class GridModel:
    """One ρ and η, with its weight ``(c,)`` for each column of values."""

    rho: float
    nugget: float
    root: Root
    weights: torch.Tensor
    is_likeliest: torch.Tensor


def distances(masks: torch.Tensor) -> torch.Tensor:
    """Return in how many units each two of the masks ``(..., R, n)`` differ, ``(..., R, R)``."""
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    return ((masks.shape[-1] - signs @ signs.mT) / 2.0).round().to(torch.int64)


def same_distances(masks: torch.Tensor) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield distances ``(R, R)`` of rows, and which of the texts ``(T, R, n)`` have them."""
    found: dict[bytes, tuple[torch.Tensor, list[int]]] = {}
    for text, own in enumerate(masks):
        distance = distances(own).to(torch.int32)
        key = hashlib.blake2b(distance.numpy().tobytes()).digest()
        found.setdefault(key, (distance, []))[1].append(text)
    yield from found.values()


def likely_models(
    distance: torch.Tensor,
    columns: torch.Tensor,
    tables: Sequence[torch.Tensor],
    rows: slice | IntArray,
) -> Iterator[GridModel]:
    """Yield the models that count for any of the columns; their weights add up to 1 for each.

    Parameters
    ----------
    distance : torch.Tensor of int, (R, R)
        In how many units the rows differ.
    columns : torch.Tensor, (R, c)
        Their values.
    tables : sequence of torch.Tensor, (n + 1,)
        For each of `RHOS`, the covariance by distance.
    rows : slice or numpy.ndarray of int
        At most `MOST_DECOMPOSED` of the rows, which give the weights.
    """
    n_rows = len(distance)
    few = distance[rows][:, rows]
    squares, vectors = torch.linalg.eigh(torch.stack([table[few] for table in tables]))
    nuggets = torch.tensor(NUGGETS, dtype=torch.float64)
    # (rhos, nuggets, rows) and (rhos, rows, columns)
    shifted = squares.clamp_min(0.0)[:, None] + nuggets[:, None]
    along = (vectors.mT @ columns[rows]).square()
    scale = (1.0 / shifted) @ along / len(few)
    nll = 0.5 * (len(few) * scale.log() + shifted.log().sum(2, keepdim=True))
    weights = torch.softmax(-nll.flatten(0, 1), dim=0)
    likeliest = weights.argmax(0)
    weights = _those_that_count(weights, decomposed=len(few) == n_rows)
    for index in torch.nonzero(weights.any(1)).flatten().tolist():
        by_rho, by_nugget = divmod(index, len(NUGGETS))
        root: Root
        if len(few) == n_rows:
            root = SpectralRoot(shifted[by_rho, by_nugget], vectors[by_rho])
        else:
            matrix = tables[by_rho][distance]
            matrix.diagonal().add_(NUGGETS[by_nugget])
            root = CholeskyRoot(torch.linalg.cholesky(matrix))
        is_likeliest = likeliest == index
        yield GridModel(RHOS[by_rho], NUGGETS[by_nugget], root, weights[index], is_likeliest)


def _those_that_count(weights: torch.Tensor, *, decomposed: bool) -> torch.Tensor:
    """Return the weights ``(models, columns)`` without those of models not worth their time."""
    if decomposed:
        kept = weights > LEAST_WEIGHT
    else:
        kept = weights >= weights.topk(BEST_MODELS, dim=0).values[-1]
    weights = torch.where(kept, weights, 0.0)
    return weights / weights.sum(0)
