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

LEAST_ROUND = 8
"""Draws of the first round where few rows are left to find; it doubles from round to round."""


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
        self.texts = torch.arange(n_texts)

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
        left = [n_draws] * self.n_texts
        a_round = LEAST_ROUND
        while any(left):
            found = torch.bincount(self.texts, minlength=self.n_texts).tolist()
            # One more than there is room for: if all are new, the last one ends the draws.
            shares = [
                min(most, max(limit - rows + 1, a_round))
                for most, rows in zip(left, found, strict=True)
            ]
            texts = torch.arange(self.n_texts).repeat_interleave(torch.tensor(shares))
            full = self._add(
                _draw(size_weights, shares, generators, one_of_each_pair), texts, limit
            )
            left = [
                0 if done else most - share
                for most, share, done in zip(left, shares, full, strict=True)
            ]
            a_round *= 2

    def _add(self, rows: torch.Tensor, texts: torch.Tensor, limit: int) -> list[bool]:
        """Count the new rows in, as far as the limit allows; say which texts have reached it."""
        rows = torch.cat([self.rows, rows])
        counts = torch.cat([self.counts, torch.ones(len(texts), dtype=torch.int64)])
        texts = torch.cat([self.texts, texts])

        order = torch.argsort(texts, stable=True)
        texts = texts[order]
        first, inverse = distinct_rows(torch.cat([words(rows)[order], texts[:, None]], dim=1))
        is_new = torch.zeros(len(texts), dtype=torch.int64)
        is_new[first] = 1
        found = is_new.cumsum(0)
        starts = torch.searchsorted(texts, torch.arange(self.n_texts))
        fits = found - (found - is_new)[starts][texts] <= limit

        n_drawn = torch.zeros(len(first), dtype=torch.int64)
        n_drawn.index_add_(0, inverse, counts[order] * fits)
        kept = fits[first]
        self.rows = rows[order[first[kept]]]
        self.counts = n_drawn[kept]
        self.texts = texts[first[kept]]
        return (torch.bincount(texts[~fits], minlength=self.n_texts) > 0).tolist()

    def by_text(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the rows and counts of each text."""
        lengths = torch.bincount(self.texts, minlength=self.n_texts).tolist()
        return list(
            zip(torch.split(self.rows, lengths), torch.split(self.counts, lengths), strict=True)
        )


def _draw(
    size_weights: torch.Tensor,
    shares: Sequence[int],
    generators: Sequence[torch.Generator],
    one_of_each_pair: bool,
) -> torch.Tensor:
    """Draw each text's share of rows, text by text; of pairs, the one without the last unit."""
    reached = size_weights.cumsum(0)
    uniforms = [
        torch.rand(share, generator=generator, dtype=torch.float64)
        for share, generator in zip(shares, generators, strict=True)
    ]
    # The last step is exactly 1 and every draw below it, so a size of weight 0 never comes.
    sizes = torch.searchsorted(reached / reached[-1], torch.cat(uniforms), right=True)
    rows = random_subsets(len(size_weights) - 1, sizes, shares, generators)
    return rows ^ rows[:, -1:] if one_of_each_pair else rows


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
