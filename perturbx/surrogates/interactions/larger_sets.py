"""Sets of three and four units that do something together: a sparse search over Walsh terms."""

from __future__ import annotations

from itertools import combinations, product

import torch

from perturbx.odd_kernels import isotropic_kernel
from perturbx.surrogates.gaussian.model_grid import distances
from perturbx.surrogates.interactions.even_process import STEPS_TO_NOISE
from perturbx.surrogates.interactions.interactions import Term
from perturbx.surrogates.interactions.sparse_terms import Conditioned, strong_terms

MOST_UNITS_IN_SETS = 10
"""Sets are sought among so many units that matter most: all of 120 triples, 210 quadruples."""

RHOS = (0.02, 0.25, 0.65)
NUGGETS = (1e-6, 1e-3, 1e-2, 0.1, 0.5)
MAIN_EFFECTS = (0.5, 0.9, 0.99)
LEAST_RELEVANCE = 0.2


def candidates(strength: torch.Tensor, order: int) -> list[tuple[int, ...]]:
    """Return all sets of `order` units among those of the largest strength ``(n,)``."""
    n_units = min(len(strength), MOST_UNITS_IN_SETS)
    chosen = sorted(strength.topk(n_units).indices.tolist())
    return list(combinations(chosen, order))


def products(masks: torch.Tensor, sets: list[tuple[int, ...]]) -> torch.Tensor:
    """Return the Walsh characters ``(P, m)`` of sets at coalitions ``(P, n)``."""
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    return torch.stack([signs[:, list(units)].prod(1) for units in sets], dim=1)


def terms_of_sets(
    kernel: torch.Tensor,
    nugget: float,
    values: torch.Tensor,
    masks: torch.Tensor,
    sets: list[tuple[int, ...]],
    *,
    scale: float,
    has_mean: bool,
) -> list[Term]:
    """Return the sets that deserve a variance of their own, beside a process on the rest.

    Parameters
    ----------
    kernel : torch.Tensor, (P, P)
        The covariance of everything else.
    nugget : float
        Its nugget.
    values : torch.Tensor, (P,)
        The odd or the even half of the game, in units of `scale`.
    masks : torch.Tensor of bool, (P, n)
        The coalitions.
    sets : list of tuple of int
        The candidates, all of one order.
    scale : float
        What the values were divided by.
    has_mean : bool
        Whether the values have an unknown mean: the even half has.
    """
    if not sets:
        return []
    features = products(masks, sets)
    chosen = strong_terms(Conditioned.of(kernel, nugget, values, has_mean=has_mean), features)
    if not chosen:
        return []
    own = torch.tensor([variance for _, variance in chosen], dtype=torch.float64)
    columns = features[:, [index for index, _ in chosen]]
    whole = kernel + (columns * own) @ columns.mT
    inverse = Conditioned.of(whole, nugget, values, has_mean=has_mean).inverse
    solved = inverse @ values
    noise = float(values @ solved) / max(len(values) - 1, 1)
    coefficients = own * (columns.mT @ solved)
    left = own - own.square() * (columns * (inverse @ columns)).sum(0)
    errors = (noise * left.clamp_min(0.0)).sqrt()
    factor = (-2.0) ** len(sets[0]) * scale
    return [
        Term(sets[index], factor * float(coefficient), abs(factor) * float(error))
        for (index, _), coefficient, error in zip(chosen, coefficients, errors, strict=True)
    ]


def odd_process(
    masks: torch.Tensor, values: torch.Tensor, relevances: torch.Tensor, noise: float
) -> tuple[torch.Tensor, float]:
    """Return kernel and nugget of the likeliest process of main effects and isotropic orders.

    Parameters
    ----------
    masks : torch.Tensor of bool, (P, n)
        The coalitions.
    values : torch.Tensor, (P,)
        The odd half of the game.
    relevances : torch.Tensor, (n,)
        Absolute Shapley values.
    noise : float
        The variance of the values that is noise; a nugget holds it at least.
    """
    n_units = masks.shape[1]
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    distance = distances(masks)
    # Units whose value is 0 in all may have a main effect that larger sets make up for.
    weights = (relevances + LEAST_RELEVANCE * relevances.square().mean().sqrt()).square() + 1e-300
    main = (signs * (weights / weights.sum())) @ signs.mT
    best: tuple[float, torch.Tensor, float] | None = None
    for rho, share in product(RHOS, MAIN_EFFECTS):
        table = torch.from_numpy(isotropic_kernel(n_units, rho).by_distance)
        kernel = share * main + (1.0 - share) * table[distance]
        squares, vectors = torch.linalg.eigh(kernel)
        along = (vectors.mT @ values).square()
        for nugget in NUGGETS:
            scale = torch.tensor(torch.inf)
            for _ in range(STEPS_TO_NOISE if noise else 1):
                nugget = max(nugget, noise / float(scale))
                shifted = squares.clamp_min(0.0) + nugget
                scale = (along / shifted).mean()
            nll = float(0.5 * (len(values) * scale.log() + shifted.log().sum()))
            if best is None or nll < best[0]:
                best = nll, kernel, nugget
    assert best is not None
    return best[1], best[2]
