"""`CostEstimate`: what an explanation will cost, before the model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.coalitions import GroupedLeverage
from perturbx.coalitions.coalitions import Coalitions
from perturbx.coalitions.grouped_leverage import grouped_pairs
from perturbx.explainers.design import Design
from perturbx.explainers.draws import draws_of
from perturbx.explainers.preparation import draw_coalitions
from perturbx.explainers.repeats import VoteSplit, split_votes, with_samples
from perturbx.explainers.variant_keys import variant_keys
from perturbx.typing import Encoding, IntArray, PaidScorer, Scorer
from perturbx.units.units import Units

if TYPE_CHECKING:
    from perturbx.scorers.api.estimate import Bill


@dataclass(frozen=True)
class TextCost:
    """What one text costs.

    Parameters
    ----------
    n_units : int
        Its units.
    least_calls, most_calls : int
        Distinct variants, or sampled answers, after the first round, and after the last.
    least_size, most_size : int
        Their tokens (characters) added up.
    """

    n_units: int
    least_calls: int
    most_calls: int
    least_size: int
    most_size: int


@dataclass(frozen=True)
class CostEstimate:
    """What explaining some texts costs at least and at most; print it to read it.

    Parameters
    ----------
    texts : tuple of TextCost
        Each text by itself.
    least_calls, most_calls : int
        Distinct variants in all: what several texts ask about counts once. Where answers are
        sampled, their number.
    least_size, most_size : int
        Their tokens or characters added up.
    size_unit : str
        "tokens", or "characters" for a model that takes strings.
    least_bill, most_bill : Bill, optional
        Requests, tokens and money, roughly, of a model behind an API.

    Examples
    --------
    >>> from perturbx import ShapleyExplainer
    >>> explainer = ShapleyExplainer(lambda texts: [len(text) for text in texts], random_state=0)
    >>> print(explainer.estimate_cost(["one two three"]))
    1 text, 3 units: 8 calls, 52 characters
    """

    texts: tuple[TextCost, ...]
    least_calls: int
    most_calls: int
    least_size: int
    most_size: int
    size_unit: str
    least_bill: Bill | None = None
    most_bill: Bill | None = None

    def __str__(self) -> str:
        n_units = sum(text.n_units for text in self.texts)
        calls = _range(self.least_calls, self.most_calls)
        sizes = _range(self.least_size, self.most_size)
        many = "text" if len(self.texts) == 1 else "texts"
        said = f"{len(self.texts)} {many}, {n_units} units: {calls} calls, {sizes} {self.size_unit}"
        if self.least_bill is None or self.most_bill is None:
            return said
        requests = _range(self.least_bill.calls, self.most_bill.calls)
        tokens = _range(self.least_bill.tokens, self.most_bill.tokens)
        said += f"; {requests} requests, about {tokens} tokens"
        if self.least_bill.cost is not None and self.most_bill.cost is not None:
            least, most = f"{self.least_bill.cost:.4g}", f"{self.most_bill.cost:.4g}"
            said += f", cost about {least if least == most else f'{least} to {most}'}"
        return said

    def billed(self, scorer: Scorer, sample: str) -> CostEstimate:
        """Return the estimate with the bill, where the scorer is one that is paid for."""
        if not isinstance(scorer, PaidScorer):
            return self
        return replace(
            self,
            least_bill=scorer.estimate(self.least_calls, self.least_size, sample),
            most_bill=scorer.estimate(self.most_calls, self.most_size, sample),
        )


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def estimate_cost(
    encodings: Sequence[Encoding],
    designs: Sequence[Design],
    budgets: Sequence[tuple[int, ...]],
    seed: int,
    n_samples: int | None = None,
) -> CostEstimate:
    """Return the cost of the first round and of all rounds: the designs are drawn, not scored.

    With `n_samples` the budgets are answers, which `split_votes` splits.
    """
    least = _Bill.of(encodings, designs, budgets, 0, seed, n_samples)
    most = least
    if any(len(own) > 1 for own in budgets):
        most = _Bill.of(encodings, designs, budgets, -1, seed, n_samples)
    texts = tuple(
        TextCost(encoding.units.n_units, *calls, *sizes)
        for encoding, calls, sizes in zip(
            encodings,
            zip(least.calls, most.calls, strict=True),
            zip(least.sizes, most.sizes, strict=True),
            strict=True,
        )
    )
    kinds = {encoding.kind for encoding in encodings}
    return CostEstimate(
        texts,
        least.total_calls,
        most.total_calls,
        least.total_size,
        most.total_size,
        "tokens" if kinds == {"tokens"} else "characters",
    )


@dataclass(frozen=True)
class _Bill:
    calls: list[int]
    sizes: list[int]
    total_calls: int
    total_size: int

    @classmethod
    def of(
        cls,
        encodings: Sequence[Encoding],
        designs: Sequence[Design],
        budgets: Sequence[tuple[int, ...]],
        look: int,
        seed: int,
        n_samples: int | None,
    ) -> _Bill:
        """Return the cost of all rounds up to one, 0 for the first and -1 for the last."""
        calls = [own[look] for own in budgets]
        units = [encoding.units for encoding in encodings]
        splits: list[VoteSplit | None] = [None] * len(units)
        if n_samples is not None:
            splits = [
                None if design.is_refined else split_votes(own, unit.n_units, n_samples)
                for design, own, unit in zip(designs, calls, units, strict=True)
            ]
        sized = [
            replace(design, budget=own if split is None else split.n_masks)
            for design, own, split in zip(designs, calls, splits, strict=True)
        ]
        coalitions = [
            _taken_apart(unit, own, look) if design.is_refined else drawn
            for unit, own, design, drawn in zip(
                units, budgets, designs, draw_coalitions(sized, units, seed), strict=True
            )
        ]
        keys, lengths, answers = [], [], []
        for encoding, drawn, split in zip(encodings, coalitions, splits, strict=True):
            each = drawn if split is None else with_samples(drawn, split)
            wanted = torch.full((len(drawn.masks),), n_samples or 1)
            if each.samples is not None:
                wanted = each.samples
            draws = draws_of(encoding)
            every_key = np.concatenate([variant_keys(draw, drawn.masks) for draw in draws])
            sizes = torch.cat([draw.lengths(drawn.masks) for draw in draws]).numpy()
            first, most = _distinct(every_key, wanted.repeat(len(draws)).numpy())
            keys.append(every_key[first])
            lengths.append(sizes[first])
            answers.append(most)
        every = np.concatenate([np.empty(0, dtype=np.int64), *lengths])
        first, most = _distinct(
            np.concatenate([np.empty((0, 2), dtype=np.int64), *keys]),
            np.concatenate([np.empty(0, dtype=np.int64), *answers]),
        )
        return cls(
            [int(own.sum()) for own in answers],
            [int(own @ size) for own, size in zip(answers, lengths, strict=True)],
            int(most.sum()),
            int(every[first] @ most),
        )


def _taken_apart(units: Units, budgets: tuple[int, ...], look: int) -> Coalitions:
    """Return as many rows as a long text is asked about, see `perturbx.explainers.refinement`.

    The first ones keep or remove the groups that it begins with; in the end there are as many
    groups as so many rows take at least.
    """
    assert units.tree is not None
    most = budgets[-1]
    nodes = GroupedLeverage().nodes(units, most)
    if look == -1:
        nodes = tuple(units.tree.split(units.tree.root, max(len(nodes), most.bit_length())))
    groups = [units.tree.leaves(node) for node in nodes]
    masks = grouped_pairs(groups, units.n_units, budgets[look], torch.Generator().manual_seed(0))
    return Coalitions(masks, torch.ones(len(masks), dtype=torch.int64), paired=True)


def _distinct(keys: IntArray, wanted: IntArray) -> tuple[IntArray, IntArray]:
    """Return where each distinct row stands first, and the most answers wanted of it."""
    _, first, inverse = np.unique(
        np.ascontiguousarray(keys).view("i8,i8").ravel(), return_index=True, return_inverse=True
    )
    most = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(most, inverse.ravel(), wanted)
    return first, most
