"""Coalitions drawn independently: Bernoulli masks, LIME's and GLIME's.

All draw with replacement: `Coalitions.counts` says how often each row was drawn, and a fit
weighted by the counts is the fit to all draws, at the price of the distinct ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget
from perturbx.coalitions.with_replacement import draw_pairs, draw_single
from perturbx.exceptions import ArgumentError
from perturbx.typing import Players


@dataclass(frozen=True)
class Uniform(BatchSampler):
    """Every unit is kept with probability p, independently: the masks of Banzhaf and ContextCite.

    Parameters
    ----------
    p : float, default 0.5
        The probability that a unit is kept; at 0.5 every coalition is equally likely.
    n_draws : int, optional
        The most draws. By default ten for each call of the budget; in either case draws end
        before the one that would need more distinct rows than the budget has.
    paired : bool, default False
        Draw each coalition with its complement, which counts as two draws; needs ``p=0.5``.

    Notes
    -----
    The full coalition is always the first row (with `paired`, the empty one and then it): added
    for the base, so its count is 0 unless it was drawn, too.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = Uniform().sample(PlayerCount(20), 6, torch.Generator().manual_seed(0))
    >>> coalitions.counts.tolist()
    [0, 1, 1, 1, 1, 1]
    """

    p: float = 0.5
    n_draws: int | None = None
    paired: bool = False
    name: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _check_draws(self.n_draws)
        if not (isinstance(self.p, Real) and 0.0 < self.p < 1.0):
            raise ArgumentError(f"p: expected a probability between 0 and 1, got {self.p!r}")
        if self.paired and self.p != 0.5:
            raise ArgumentError(
                f"paired: the complement of a mask with p={self.p!r} has another law; "
                f"use p=0.5 or paired=False"
            )

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs 2 calls, or 4 where it is paired."""
        n_units = players.n_units
        least = 4 if self.paired else 2
        budget = check_budget(budget, min(least, 1 << n_units), self.name, n_units)
        kept = torch.arange(n_units + 1, dtype=torch.float64)
        removed = n_units - kept
        logs = kept * math.log(self.p) + removed * math.log1p(-self.p)
        weights = _weights(_log_combinations(kept, removed) + logs)
        # Of no units there is one coalition, its own complement: there are no pairs.
        if self.paired and n_units > 0:
            return draw_pairs(
                weights,
                design=self.name,
                budget=budget,
                n_draws=self.n_draws,
                ends_count=0,
                generators=generators,
            )
        return draw_single(
            weights,
            design=self.name,
            budget=budget,
            n_draws=self.n_draws,
            full_count=0,
            generators=generators,
        )


@dataclass(frozen=True)
class LimeSizes(BatchSampler):
    """LIME's own draws: the full text, then 1 .. n units removed, each number equally likely.

    Parameters
    ----------
    n_draws : int, optional
        The most draws, lime's ``num_samples``: the full text, which is the first row, is one of
        them. By default ten for each call of the budget; in either case draws end before the
        one that would need more distinct rows than the budget has.

    Notes
    -----
    Ribeiro, Singh & Guestrin, KDD 2016; as ``lime.lime_text`` 0.2.0.1 draws. lime calls the
    model for every draw; here each distinct row is one call and `counts` has its draws.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = LimeSizes(n_draws=5000).sample(
    ...     PlayerCount(5), 32, torch.Generator().manual_seed(0)
    ... )
    >>> len(coalitions), int(coalitions.counts.sum())
    (32, 5000)
    """

    n_draws: int | None = None
    name: ClassVar[str] = "lime"

    def __post_init__(self) -> None:
        _check_draws(self.n_draws)

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs 2 calls."""
        n_units = players.n_units
        budget = check_budget(budget, min(2, 1 << n_units), self.name, n_units)
        weights = torch.ones(n_units + 1, dtype=torch.float64)
        weights[n_units] = 0.0 if n_units else 1.0
        return draw_single(
            weights,
            design=self.name,
            budget=budget,
            n_draws=self.n_draws,
            full_count=1,
            generators=generators,
        )


@dataclass(frozen=True)
class GlimeSizes(BatchSampler):
    """Every coalition is drawn in proportion to LIME's kernel, so the fit needs no weights.

    With r of n units removed the kernel is π(r) = exp(-D² / (2 kernel_width²)) with the cosine
    distance D = 100 (1 - √((n - r) / n)) of lime's text explainer; the number of units removed
    has weight C(n, r) π(r).

    Parameters
    ----------
    kernel_width : float, default 25.0
        The width of the kernel, in the units of D: lime's own is 25.
    n_draws : int, optional
        The most draws. By default ten for each call of the budget; in either case draws end
        before the one that would need more distinct rows than the budget has.

    Notes
    -----
    Tan, Tian & Li, "GLIME: General, Stable and Local LIME Explanation", NeurIPS 2023. The full
    coalition is always the first row: its count is 0 unless it was drawn, too.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = GlimeSizes().sample(PlayerCount(20), 6, torch.Generator().manual_seed(0))
    >>> len(coalitions), int(coalitions.counts[0])
    (6, 0)
    """

    kernel_width: float = 25.0
    n_draws: int | None = None
    name: ClassVar[str] = "glime"

    def __post_init__(self) -> None:
        _check_draws(self.n_draws)
        if not (isinstance(self.kernel_width, Real) and 0.0 < self.kernel_width < math.inf):
            raise ArgumentError(
                f"kernel_width: expected a positive number, got {self.kernel_width!r}"
            )

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs 2 calls."""
        n_units = players.n_units
        budget = check_budget(budget, min(2, 1 << n_units), self.name, n_units)
        kept = torch.arange(n_units + 1, dtype=torch.float64)
        distance = 100.0 * (1.0 - (kept / max(n_units, 1)).sqrt())
        log_kernel = -(distance**2) / (2.0 * self.kernel_width**2)
        weights = _weights(_log_combinations(kept, n_units - kept) + log_kernel)
        return draw_single(
            weights,
            design=self.name,
            budget=budget,
            n_draws=self.n_draws,
            full_count=0,
            generators=generators,
        )


def _log_combinations(kept: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """Return log C(n, kept), n = kept + removed."""
    return torch.lgamma(kept + removed + 1) - torch.lgamma(kept + 1) - torch.lgamma(removed + 1)


def _weights(logs: torch.Tensor) -> torch.Tensor:
    """Return weights in proportion to exp(logs), the largest 1."""
    return (logs - logs.max()).exp()


def _check_draws(n_draws: int | None) -> None:
    if n_draws is not None and not (isinstance(n_draws, Integral) and n_draws >= 2):
        raise ArgumentError(f"n_draws: expected at least 2 draws, or None, got {n_draws!r}")
