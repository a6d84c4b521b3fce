"""Priors that depend on distances alone: a grid of fall-offs ρ and nuggets η, weighed by evidence.

With y the values of R rows and K their covariance by the number of units in which they differ::

    σ² = yᵀ(K + ηI)⁻¹y / R           nll = ½[R log σ² + log|K + ηI|]

and weights exp(-nll). Texts with the same design but for the names of the units share the factors,
which also serve all outputs. A Cholesky factor for each nugget takes less time than one spectral
decomposition for all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import torch

from perturbx.surrogates.gaussian.roots import CholeskyRoot
from perturbx.typing import IntArray

RHOS = (0.02, 0.1, 0.25, 0.45, 0.65, 0.85)
NUGGETS = (1e-6, 1e-3, 1e-2, 5e-2, 0.2, 0.5)

MOST_DECOMPOSED = 300
"""With more rows the weights come from so many of them, and the best models are fitted to all."""

HOPELESS = 12.0
"""Where all likelihoods of a ρ are smaller by this, those of a ρ beyond are not looked at."""

BEST_MODELS = 4
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class GridModel:
    """One ρ and η, with its weight ``(c,)`` for each column of values."""

    rho: float
    nugget: float
    root: CholeskyRoot
    weights: torch.Tensor
    is_likeliest: torch.Tensor


def distances(masks: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
    """Return in how many units masks ``(..., R, n)`` and others differ, ``(..., R, Q)``.

    The others are the masks themselves, if none are given.
    """
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    theirs = signs if others is None else 1.0 - 2.0 * others.to(torch.float64)
    # Whole numbers, and small ones: nothing is rounded.
    return (signs @ theirs.mT).neg_().add_(masks.shape[-1]).mul_(0.5).to(torch.int64)


def by_distance(table: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
    """Return the entries of a table ``(n + 1,)`` at distances of any shape.

    numpy looks them up in a third of torch's time.
    """
    return torch.from_numpy(table.numpy().take(distance.numpy(), mode="clip"))


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
    few = distance[rows][:, rows]
    is_whole = len(few) == len(distance)
    logs = torch.full((len(tables), len(NUGGETS), columns.shape[1]), -torch.inf).double()
    factors: dict[tuple[int, int], torch.Tensor] = {}
    for index, own, lower in evidence_by_table(few, columns[rows], tables, hopeless=HOPELESS):
        logs[index] = own
        if is_whole:
            could_count = (own > logs.amax((0, 1)) + log(LEAST_WEIGHT)).any(1)
            for nugget in could_count.nonzero().flatten().tolist():
                factors[index, nugget] = lower[nugget].clone()
    weights = torch.softmax(logs.flatten(0, 1), dim=0)
    likeliest = weights.argmax(0)
    weights = _those_that_count(weights, best_only=not is_whole)
    for index in torch.nonzero(weights.any(1)).flatten().tolist():
        by_rho, by_nugget = divmod(index, len(NUGGETS))
        if is_whole:
            factor = factors[by_rho, by_nugget]
        else:
            matrix = by_distance(tables[by_rho], distance)
            matrix.diagonal().add_(NUGGETS[by_nugget])
            factor = torch.linalg.cholesky(matrix)
        root = CholeskyRoot(factor)
        yield GridModel(RHOS[by_rho], NUGGETS[by_nugget], root, weights[index], likeliest == index)


def evidence_by_table(
    distance: torch.Tensor,
    columns: torch.Tensor,
    tables: Sequence[torch.Tensor],
    *,
    hopeless: float = torch.inf,
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Yield the indices of tables, -nll ``(nuggets, c)`` of columns ``(R, c)``, and the factors.

    From the middle on to both ends, until a table's likelihoods are all smaller than the largest by
    a factor of exp(hopeless). Nuggets that are so at one table, and their neighbours, too, are left
    out at the next: -nll is minus infinity there. The factors ``(nuggets, R, R)`` are lost at the
    next table.
    """
    n_rows, n_columns = columns.shape
    nuggets = torch.tensor(NUGGETS, dtype=torch.float64)[:, None]
    # Memory is the same for all tables, as new one takes longer than what is calculated. LAPACK
    # stores column after column.
    matrices, lower = torch.empty((2, len(NUGGETS), n_rows, n_rows), dtype=torch.float64)
    lower, flags = lower.mT, torch.empty(len(NUGGETS), dtype=torch.int32)
    largest = torch.full((n_columns,), -torch.inf).double()
    middle, of_middle = len(tables) // 2, slice(0, len(NUGGETS))
    for path in (range(middle, len(tables)), range(middle - 1, -1, -1)):
        some = of_middle
        for index in path:
            own, factors = matrices[some], lower[some]
            own.copy_(by_distance(tables[index], distance))
            own.diagonal(dim1=1, dim2=2).add_(nuggets[some])
            torch.linalg.cholesky_ex(own, check_errors=True, out=(factors, flags[some]))
            beside = columns.expand(len(own), -1, -1)
            along = torch.linalg.solve_triangular(factors, beside, upper=False)
            scale = (along.square().sum(1) / n_rows).clamp_min(torch.finfo(columns.dtype).tiny)
            determinants = factors.diagonal(dim1=1, dim2=2).log().sum(1)
            logs = torch.full((len(NUGGETS), n_columns), -torch.inf).double()
            logs[some] = -0.5 * n_rows * scale.log() - determinants[:, None]
            yield index, logs, lower
            largest = torch.maximum(largest, logs.amax(0))
            promising = (logs >= largest - hopeless).any(1).nonzero()
            if not len(promising):
                break
            some = slice(max(int(promising[0]) - 1, 0), int(promising[-1]) + 2)
            if index == middle:
                of_middle = some


def _those_that_count(weights: torch.Tensor, *, best_only: bool) -> torch.Tensor:
    """Return the weights ``(models, columns)`` without those of models not worth their time."""
    kept = weights > LEAST_WEIGHT
    if best_only:
        kept &= weights >= weights.topk(BEST_MODELS, dim=0).values[-1]
    weights = torch.where(kept, weights, 0.0)
    return weights / weights.sum(0)
