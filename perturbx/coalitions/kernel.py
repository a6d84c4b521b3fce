"""Pairs with replacement from the Shapley kernel: the design of KernelSHAP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.exhaustive import all_coalitions
from perturbx.coalitions.sampler import BatchSampler, check_budget, covers_all
from perturbx.coalitions.with_replacement import draw_pairs
from perturbx.typing import Players


@dataclass(frozen=True)
class Kernel(BatchSampler):
    """The empty and the full coalition, then pairs drawn with replacement from Shapley's kernel.

    The number s of kept units has weight (n - 1) / (s (n - s)), and every coalition of a size
    is equally likely, so a coalition is drawn in proportion to its weight in the Shapley
    regression: weighted by `counts` (and held to the values at both ends, whose count is 1),
    the plain least-squares line is KernelSHAP's. `probabilities` is None.

    Pairs are drawn until the next would not fit into the budget, or ten draws a call are done:
    where 2 ** n is little above the budget, some of it may be left over. A budget of ``2 ** n``
    or more gives all coalitions, each once, with probabilities 1. Rows 2j and 2j + 1 are
    complements.

    Notes
    -----
    Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017;
    pairs: Covert & Lee, AISTATS 2021. The implementation in shap also enumerates small sizes;
    this design leaves all of them to chance, and `Leverage` is the better one.

    Examples
    --------
    >>> from perturbx.coalitions import PlayerCount
    >>> coalitions = Kernel().sample(PlayerCount(8), 20, torch.Generator().manual_seed(0))
    >>> len(coalitions), coalitions.counts[:2].tolist()
    (20, [1, 1])
    """

    name: ClassVar[str] = "kernel"

    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return a design for each generator; needs ``min(n + 2, 2 ** n)`` calls."""
        n_units = players.n_units
        budget = check_budget(budget, min(n_units + 2, 1 << n_units), self.name, n_units)
        if covers_all(budget, n_units):
            return [all_coalitions(n_units, self.name)] * len(generators)
        kept = torch.arange(n_units + 1, dtype=torch.float64)
        weights = torch.zeros(n_units + 1, dtype=torch.float64)
        weights[1:-1] = ((n_units - 1) / (kept * (n_units - kept)))[1:-1]
        return draw_pairs(
            weights,
            design=self.name,
            budget=budget,
            n_draws=None,
            ends_count=1,
            generators=generators,
        )
