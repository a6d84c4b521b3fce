"""Pairs without replacement, sizes uniform: the design of LeverageSHAP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.exhaustive import all_coalitions
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import BatchSampler, check_budget, covers_all
from perturbx.coalitions.subsets import random_subsets, ranked_subsets
from perturbx.typing import Players

LISTED = 4
"""Sizes with at most this many coalitions for each one wanted are listed and picked from; of
larger ones coalitions are drawn, and drawn again where they repeat."""


@dataclass(frozen=True)
class Leverage(BatchSampler):
    """The empty and the full coalition, then distinct pairs of a coalition and its complement.

    All sizes 1 .. n-1 are equally frequent, as the leverage scores 1 / C(n, s) of the Shapley
    regression ask, until a size is used up: with c solving Σ_s min(c, C(n, s)) = budget - 2, a
    coalition of s units is included with probability p = min(1, c / C(n, s)), exactly. Small
    sizes are taken whole. An odd budget is rounded down to whole pairs; one of ``2 ** n`` or
    more gives all coalitions.

    Rows 0 and 1 are the empty and the full coalition; rows 2j and 2j + 1 are complements, the
    pairs in random order, so any first part of the rows is a fair sample.

    Notes
    -----
    Musco & Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling",
    ICLR 2025. The number of pairs of each size is c rounded up or down at random with mean c
    (systematic sampling), so that the total is the budget. Above some 1,000 units the
    probabilities of the middle sizes are below the least normal float64 and returned as 0.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = Leverage().sample(PlayerCount(4), 10, torch.Generator().manual_seed(0))
    >>> len(coalitions), coalitions.paired
    (10, True)
    >>> bool((coalitions.masks[0::2] ^ coalitions.masks[1::2]).all())
    True
    """

    name: ClassVar[str] = "leverage"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``min(n + 2, 2 ** n)`` calls."""
        n_units = players.n_units
        budget = check_budget(budget, min(n_units + 2, 1 << n_units), self.name, n_units)
        if covers_all(budget, n_units):
            return [all_coalitions(n_units, self.name)] * len(generators)
        n_pairs = budget // 2 - 1
        plan = _Plan.solve(n_units, n_pairs)
        halves, sizes = _draw_halves(plan, generators)
        return [_coalitions(plan, *text, self.name) for text in zip(halves, sizes, strict=True)]


@dataclass(frozen=True)
class _Plan:
    """How many pairs of each smaller size s = 1 .. n // 2, before rounding.

    ``c = ticks / spread`` rows of every size that is not taken whole, in whole numbers, so that
    the rounding is exact.
    """

    n_units: int
    combinations: list[int]
    n_whole: int
    ticks: int
    spread: int

    @classmethod
    def solve(cls, n_units: int, n_pairs: int) -> _Plan:
        """Solve Σ_s min(c, C(n, s)) = 2 n_pairs over the sizes 1 .. n-1."""
        combinations = list(_combinations(n_units))
        ticks, spread, n_whole = 2 * n_pairs, n_units - 1, 0
        for size, of_size in enumerate(combinations, start=1):
            if of_size * spread > ticks:
                break
            sides = 1 if 2 * size == n_units else 2
            ticks, spread, n_whole = ticks - sides * of_size, spread - sides, n_whole + 1
        return cls(n_units, combinations, n_whole, ticks, spread)

    @property
    def capacities(self) -> list[int]:
        """The number of pairs of each size; at half of the units both of a pair have it."""
        return [
            of_size // 2 if 2 * size == self.n_units else of_size
            for size, of_size in enumerate(self.combinations, start=1)
        ]

    @property
    def n_listed(self) -> int:
        """The number of sizes, the smallest first, whose pairs are few enough to be listed."""
        return sum(of_size * self.spread <= LISTED * self.ticks for of_size in self.combinations)

    def pair_counts(self, offsets: torch.Tensor) -> torch.Tensor:
        """Return the pairs of each size ``(n_texts, n_sizes)`` for random offsets < spread."""
        steps = torch.full((len(self.combinations) - self.n_whole,), self.ticks)
        if self.n_units % 2 == 0:
            steps[-1] //= 2
        whole = torch.tensor(self.capacities[: self.n_whole], dtype=torch.int64)
        ends = (steps.cumsum(0) + offsets[:, None]) // self.spread
        rounded = torch.diff(ends, dim=1, prepend=torch.zeros_like(ends[:, :1]))
        return torch.cat([whole.expand(len(offsets), -1), rounded], dim=1)

    def probabilities(self) -> torch.Tensor:
        """Return the inclusion probability for each number of kept units, ``(n_units + 1,)``."""
        by_size = torch.ones(self.n_units + 1, dtype=torch.float64)
        for size, of_size in enumerate(self.combinations, start=1):
            if size > self.n_whole:
                by_size[[size, self.n_units - size]] = self.ticks / (self.spread * of_size)
        # Below the least normal number digits are lost: 0 says that there is none to be had.
        by_size[by_size < torch.finfo(torch.float64).tiny] = 0.0
        return by_size


def _combinations(n_units: int) -> Iterator[int]:
    """Yield C(n, s) for s = 1 .. n // 2."""
    of_size = 1
    for size in range(1, n_units // 2 + 1):
        of_size = of_size * (n_units - size + 1) // size
        yield of_size


def _coalitions(plan: _Plan, half: torch.Tensor, sizes: torch.Tensor, design: str) -> Coalitions:
    """Return the empty and full coalition and each row of `half` with its complement."""
    masks = torch.empty((2 * len(half) + 2, plan.n_units), dtype=torch.bool)
    masks[0], masks[1] = False, True
    masks[2::2] = half
    torch.logical_not(half, out=masks[3::2])
    probabilities = torch.ones(len(masks), dtype=torch.float64)
    # Sizes s and n - s share their probability, as a pair shares its fate.
    probabilities[2:] = plan.probabilities()[sizes].repeat_interleave(2)
    return Coalitions(
        masks=masks,
        counts=torch.ones(len(masks), dtype=torch.int64),
        probabilities=probabilities,
        design=design,
        paired=True,
    )


def _draw_halves(
    plan: _Plan, generators: Sequence[torch.Generator]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one coalition of each pair, in random order, and their sizes.

    The shapes are ``(n_texts, n_pairs, n_units)`` and ``(n_texts, n_pairs)``.
    """
    offsets = torch.cat([torch.randint(plan.spread, (1,), generator=g) for g in generators])
    pair_counts = plan.pair_counts(offsets)
    n_texts, n_sizes = pair_counts.shape
    # The text and the size of every row: text by text, and size by size in each.
    texts = torch.arange(n_texts).repeat_interleave(pair_counts.sum(1))
    sizes = torch.arange(1, n_sizes + 1).repeat(n_texts).repeat_interleave(pair_counts.flatten())

    rows = torch.empty((len(sizes), plan.n_units), dtype=torch.bool)
    listed = sizes <= plan.n_listed
    ranks = _pick_ranks(plan, pair_counts[:, : plan.n_listed], generators)
    rows[listed] = ranked_subsets(plan.n_units, sizes[listed], ranks)
    rows[~listed] = _draw_distinct(plan.n_units, sizes[~listed], texts[~listed], generators)

    n_pairs = len(sizes) // n_texts
    shuffles = torch.stack([torch.randperm(n_pairs, generator=g) for g in generators])
    order = shuffles + n_pairs * torch.arange(n_texts)[:, None]
    return rows[order], sizes[order]


def _pick_ranks(
    plan: _Plan, pair_counts: torch.Tensor, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Pick pairs of the small sizes by random keys: the k least keys are a uniform k-subset.

    Ranks below half of C(n, n/2) are the subsets without the last unit: one of each pair.
    """
    capacities = plan.capacities[: pair_counts.shape[1]]
    drawn = [torch.rand(sum(capacities), generator=g, dtype=torch.float64) for g in generators]
    texts, ranks = [torch.empty(0, dtype=torch.int64)], [torch.empty(0, dtype=torch.int64)]
    for index, keys in enumerate(torch.split(torch.stack(drawn), capacities, dim=1)):
        wanted = torch.arange(keys.shape[1]) < pair_counts[:, index, None]
        text, place = torch.nonzero(wanted, as_tuple=True)
        texts.append(text)
        ranks.append(torch.argsort(keys, dim=1, stable=True)[text, place])
    return torch.cat(ranks)[torch.argsort(torch.cat(texts), stable=True)]


def _draw_distinct(
    n_units: int, sizes: torch.Tensor, texts: torch.Tensor, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw pairs of the large sizes, and again those that repeat, until all are distinct.

    The law of what is kept is the same for all coalitions of a size, so it stays uniform.
    """
    rows = _one_of_each_pair(n_units, sizes, texts, generators)
    keys = torch.cat([words(rows), texts[:, None]], dim=1)
    repeated = _repeats(keys)
    while len(repeated):
        again = _one_of_each_pair(n_units, sizes[repeated], texts[repeated], generators)
        rows[repeated] = again
        keys[repeated, :-1] = words(again)
        # Only rows of the sizes drawn again can repeat now.
        drawn_again = torch.bincount(sizes[repeated], minlength=n_units) > 0
        open_rows = torch.nonzero(drawn_again[sizes]).flatten()
        repeated = open_rows[_repeats(keys[open_rows])]
    return rows


def _one_of_each_pair(
    n_units: int, sizes: torch.Tensor, texts: torch.Tensor, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw uniform subsets, for half of the units the one of the pair without the last unit."""
    shares = torch.bincount(texts, minlength=len(generators)).tolist()
    rows = random_subsets(n_units, sizes, shares, generators)
    even = torch.nonzero(2 * sizes == n_units).flatten()
    rows[even] ^= rows[even, -1:]
    return rows


def _repeats(keys: torch.Tensor) -> torch.Tensor:
    """Return the indices of the rows that an earlier row equals."""
    repeats = torch.ones(len(keys), dtype=torch.bool)
    repeats[distinct_rows(keys)[0]] = False
    return torch.nonzero(repeats).flatten()
