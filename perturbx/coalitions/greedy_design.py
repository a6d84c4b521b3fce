"""The greedy A-optimal sequence of pairs: each pair is the one that tells most about all values.

Under a prior on the odd part of the game (isotropic with ρ = .4 plus a white part ω = .1, see
`perturbx.odd_kernels`), what a set of pairs leaves uncertain of the Shapley values does not depend
on the game. So there is one sequence for each number of units: given the pairs so far,
the next is the candidate S that lowers Σ_i Var(φ_i) most, by Σ_i C_i(S)² / V(S) with C_i(S) the
posterior covariance of φ_i and g(S), and V(S) the posterior variance of g(S).
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import torch

from perturbx.coalitions.design_cache import load_pairs, save_pairs
from perturbx.coalitions.exhaustive import all_coalitions
from perturbx.coalitions.greedy_search import greedy_rows, prior_by_distance
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import PlayerCount
from perturbx.coalitions.shipped_designs import shipped_pairs
from perturbx.odd_kernels import isotropic_kernel, white_kernel

RHO, WHITE = 0.4, 0.1

CANDIDATES = 3000

MOST_PAIRS = 1500
MOST_CELLS = 2**32
"""Numbers read for a sequence of the longest kind, some seconds: up to a few hundred units that
allows `MOST_PAIRS`, of 1,000 units 860."""

SHORTEST = 128
"""Sequences are computed this long or 1.5, 1.5², ... times as long, whatever is asked for."""

SEED = 1


def most_greedy_pairs(n_units: int) -> int:
    """Return the length of the longest sequence for so many units (at least 3)."""
    by_work = isqrt(n_units**2 + 2 * MOST_CELLS // CANDIDATES) - n_units
    return min(MOST_PAIRS, by_work, (1 << min(n_units - 1, 62)) - 1, CANDIDATES)


def greedy_pairs(n_units: int, n_pairs: int) -> torch.Tensor:
    """Return the first pairs of the sequence, the smaller coalition of each.

    Parameters
    ----------
    n_units : int
        Number of units, at least 3.
    n_pairs : int
        At most `most_greedy_pairs`. More pairs begin with those of fewer.

    Returns
    -------
    torch.Tensor of bool, (n_pairs, n_units)
        True = kept. All rows and their complements are distinct, none is empty or full.

    Examples
    --------
    >>> greedy_pairs(5, 3).sum(1).tolist()
    [1, 1, 1]
    """
    shipped = shipped_pairs(n_units)
    if n_pairs <= len(shipped):
        return shipped[:n_pairs]
    length = SHORTEST
    while length < n_pairs:
        length += length // 2
    return _sequence(n_units, min(length, most_greedy_pairs(n_units)))[:n_pairs]


@lru_cache(maxsize=128)
def _sequence(n_units: int, length: int) -> torch.Tensor:
    pairs = load_pairs(n_units, length)
    if pairs is None:
        pairs = search(n_units, length, begun=shipped_pairs(n_units))
        save_pairs(pairs)
    return pairs


def _candidates(n_units: int) -> torch.Tensor:
    """Return one coalition of each pair: all of them, or distinct ones of uniform sizes."""
    generator = torch.Generator().manual_seed(SEED)
    n_all = (1 << min(n_units - 1, 62)) - 1
    if n_all <= CANDIDATES:
        half = all_coalitions(n_units, "").masks[1 : n_all + 1]
        half = torch.where(2 * half.sum(1, keepdim=True) > n_units, ~half, half)
    else:
        half = Leverage().sample(PlayerCount(n_units), 2 * CANDIDATES + 2, generator).masks[2::2]
    return half[torch.randperm(len(half), generator=generator)]


def search(n_units: int, length: int, *, begun: torch.Tensor) -> torch.Tensor:
    """Return the sequence ``(length, n_units)``, each pair the best after those before it.

    Parameters
    ----------
    n_units : int
        Number of units, at least 3.
    length : int
        How many pairs.
    begun : torch.Tensor of bool, (b, n_units)
        The first pairs, at most `length`, which are kept: the search goes on after them.
    """
    candidates = _without(_candidates(n_units), begun)
    isotropic, white = isotropic_kernel(n_units, RHO), white_kernel(n_units)
    # The pair of the full and the empty coalition is always there.
    masks = torch.cat([torch.ones((1, n_units), dtype=torch.bool), begun, candidates])
    sizes = masks.sum(1, keepdim=True)
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    readout = torch.from_numpy(isotropic.readout)
    kept, removed = torch.from_numpy(white.kept), torch.from_numpy(white.removed)
    with_values = -2.0 * signs * readout[sizes - masks.to(torch.int64)]
    with_values += WHITE * torch.where(masks, kept[sizes], removed[sizes])
    by_distance = torch.from_numpy(isotropic.by_distance)
    prior = prior_by_distance(masks, by_distance, with_values, white=WHITE)
    n_begun = len(begun)
    further = greedy_rows([prior], length - n_begun, taken=range(n_begun + 1))
    return torch.cat([begun, masks[further]])


def _without(candidates: torch.Tensor, begun: torch.Tensor) -> torch.Tensor:
    """Return the candidates that are neither among the pairs begun with nor their complements."""
    both = torch.cat([begun, candidates])
    first, _ = distinct_rows(words(both ^ both[:, :1]))
    return both[first[first >= len(begun)]]
