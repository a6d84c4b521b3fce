"""Drawing with replacement: a size from a given law, then a uniform subset of that size."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.packing import distinct_rows, words
from perturbx.coalitions.sampler import covers_all
from perturbx.coalitions.subsets import random_subsets

DRAWS_PER_CALL = 10
"""Where no number of draws is given, they end after this many for each call of the budget."""

ROUNDS = 10
"""The draws come in at most this many rounds, each of at least as many as the budget."""


def draw_single(
    size_weights: torch.Tensor,
    *,
    design: str,
    budget: int,
    n_draws: int | None,
    full_count: int,
    generators: Sequence[torch.Generator],
) -> list[Coalitions]:
    """Draw coalitions one by one, after the full one.

    Parameters
    ----------
    size_weights : torch.Tensor of float64, (n_units + 1,)
        How likely each number of kept units is, up to a factor.
    design : str
        The name of the sampler.
    budget : int
        The most distinct rows: draws end before the one that would need another.
    n_draws : int, optional
        The most draws; by default `DRAWS_PER_CALL` for each call of the budget.
    full_count : int
        How many draws the full coalition, the first row, counts for beforehand.
    generators : sequence of torch.Generator
        One per text.

    Returns
    -------
    list of Coalitions
        One per text; `counts` say how often each row was drawn.
    """
    n_units = len(size_weights) - 1
    draws = _Draws(torch.ones(n_units, dtype=torch.bool), full_count, len(generators))
    n_draws = DRAWS_PER_CALL * budget if n_draws is None else n_draws - full_count
    draws.extend(size_weights, budget, n_draws, generators, one_of_each_pair=False)
    return [_coalitions(rows, counts, design, paired=False) for rows, counts in draws.by_text()]


def draw_pairs(
    size_weights: torch.Tensor,
    *,
    design: str,
    budget: int,
    n_draws: int | None,
    ends_count: int,
    generators: Sequence[torch.Generator],
) -> list[Coalitions]:
    """Draw coalitions with their complements, after the empty and the full one.

    The parameters are those of `draw_single`; `ends_count` is how many draws the empty and the
    full coalition, the first two rows, count for beforehand. A pair counts as two draws.
    """
    n_units = len(size_weights) - 1
    draws = _Draws(torch.zeros(n_units, dtype=torch.bool), ends_count, len(generators))
    n_draws = DRAWS_PER_CALL * budget if n_draws is None else n_draws
    draws.extend(size_weights, budget // 2, n_draws // 2, generators, one_of_each_pair=True)
    return [
        _coalitions(
            torch.stack([rows, ~rows], dim=1).flatten(0, 1),
            counts.repeat_interleave(2),
            design,
            paired=True,
        )
        for rows, counts in draws.by_text()
    ]


class _Draws:
    """The distinct rows drawn so far for each text, with their counts, text by text."""

    def __init__(self, first_row: torch.Tensor, first_count: int, n_texts: int) -> None:
        self.n_texts = n_texts
        self.rows = first_row.repeat(n_texts, 1)
        self.counts = torch.full((n_texts,), first_count)
        self.owners = torch.arange(n_texts)

    def extend(
        self,
        size_weights: torch.Tensor,
        limit: int,
        n_draws: int,
        generators: Sequence[torch.Generator],
        *,
        one_of_each_pair: bool,
    ) -> None:
        """Draw `n_draws` rows for each text, or until one would be the row past `limit`."""
        active = list(range(self.n_texts))
        a_round = max(limit, -(-n_draws // ROUNDS))
        while active and n_draws > 0:
            share = min(a_round, n_draws)
            n_draws -= share
            rows = _draw(size_weights, share, [generators[text] for text in active])
            if one_of_each_pair:
                rows = rows ^ rows[:, -1:]
            owners = torch.tensor(active).repeat_interleave(share)
            full = self._add(rows, owners, limit)
            active = [text for text in active if not full[text]]

    def _add(self, rows: torch.Tensor, owners: torch.Tensor, limit: int) -> list[bool]:
        """Count the new rows in, as far as the limit allows; say which texts have reached it."""
        rows = torch.cat([self.rows, rows])
        counts = torch.cat([self.counts, torch.ones(len(owners), dtype=torch.int64)])
        owners = torch.cat([self.owners, owners])

        order = torch.argsort(owners, stable=True)
        owners = owners[order]
        first, inverse = distinct_rows(torch.cat([words(rows)[order], owners[:, None]], dim=1))
        is_new = torch.zeros(len(owners), dtype=torch.int64)
        is_new[first] = 1
        found = is_new.cumsum(0)
        starts = torch.searchsorted(owners, torch.arange(self.n_texts))
        fits = found - (found - is_new)[starts][owners] <= limit

        n_drawn = torch.zeros(len(first), dtype=torch.int64)
        n_drawn.index_add_(0, inverse, counts[order] * fits)
        kept = fits[first]
        self.rows = rows[order[first[kept]]]
        self.counts = n_drawn[kept]
        self.owners = owners[first[kept]]
        return (torch.bincount(owners[~fits], minlength=self.n_texts) > 0).tolist()

    def by_text(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the rows and counts of each text."""
        lengths = torch.bincount(self.owners, minlength=self.n_texts).tolist()
        return list(zip(self.rows.split(lengths), self.counts.split(lengths), strict=True))


def _draw(
    size_weights: torch.Tensor, share: int, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw `share` rows for each generator, text by text."""
    reached = size_weights.cumsum(0)
    uniforms = [torch.rand(share, generator=g, dtype=torch.float64) for g in generators]
    # The last step is exactly 1 and every draw below it, so a size of weight 0 never comes.
    sizes = torch.searchsorted(reached / reached[-1], torch.cat(uniforms), right=True)
    return random_subsets(len(size_weights) - 1, sizes, [share] * len(generators), generators)


def _coalitions(
    rows: torch.Tensor, counts: torch.Tensor, design: str, *, paired: bool
) -> Coalitions:
    exhaustive = covers_all(*rows.shape)
    return Coalitions(
        masks=rows,
        counts=counts,
        design=design,
        paired=paired or exhaustive,
        exhaustive=exhaustive,
    )
