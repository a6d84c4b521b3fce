"""What samplers share: one text at a time or many alike at once, and the check of the budget."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError
from perturbx.typing import Players, Sampler

if TYPE_CHECKING:
    from perturbx.units.tree import Tree

CELLS_AT_ONCE = 2**24
"""Booleans that one batch of texts may hold: it bounds the memory of `sample_batch`."""


@dataclass(frozen=True)
class PlayerCount:
    """Players without a text: a number of units, and a hierarchy over them if there is one.

    Parameters
    ----------
    n_units : int
        Number of units.
    tree : Tree, optional
        A hierarchy over the units.

    Examples
    --------
    >>> from perturbx.coalitions import LeaveOneOut
    >>> generator = torch.Generator().manual_seed(0)
    >>> LeaveOneOut().sample(PlayerCount(2), 3, generator).masks.int().tolist()
    [[1, 1], [0, 1], [1, 0]]
    """

    n_units: int
    tree: Tree | None = None


class BatchSampler(ABC):
    """A sampler that draws for many alike texts as cheaply as for one.

    A subclass gives `sample_alike`, and `likeness` where more than the number of units matters.
    """

    name: ClassVar[str]

    @abstractmethod
    def sample_alike(
        self, players: Players, budget: int, generators: Sequence[torch.Generator]
    ) -> list[Coalitions]:
        """Return the coalitions of each generator, for texts that are all like `players`."""

    def likeness(self, players: Players) -> Hashable:
        """Return what texts must share to be drawn together."""
        return players.n_units

    def sample(self, players: Players, budget: int, generator: torch.Generator) -> Coalitions:
        """Return at most `budget` distinct coalitions.

        Parameters
        ----------
        players : Players
            Anything with ``n_units`` and ``tree``: `Units`, or a `PlayerCount`.
        budget : int
            The most distinct coalitions, that is calls of the model.
        generator : torch.Generator
            On the CPU; a seed gives the same coalitions on every machine.

        Returns
        -------
        Coalitions
            The full coalition is always among them.

        Raises
        ------
        ArgumentError
            If the budget is below the least that this design needs; the message names it.
        """
        return self.sample_alike(players, budget, [generator])[0]


def sample_batch(
    sampler: Sampler,
    players: Sequence[Players],
    budgets: Sequence[int],
    generators: Sequence[torch.Generator],
) -> list[Coalitions]:
    """Sample for many texts: what one by one gives, faster.

    Texts with the same number of units and the same budget are drawn together: each draws its
    random numbers from its own generator, and everything else happens in one batch of tensors.

    Parameters
    ----------
    sampler : Sampler
        One of this package's, or any object with ``sample(players, budget, generator)``.
    players : sequence of Players
        The texts.
    budgets : sequence of int
        The most distinct coalitions for each text.
    generators : sequence of torch.Generator
        A generator for each text, none twice: their draws are interleaved.

    Returns
    -------
    list of Coalitions
        One per text, equal to ``sampler.sample(players[i], budgets[i], generators[i])``.

    Raises
    ------
    ArgumentError
        If the sequences differ in length, or one generator serves two texts.
    """
    if not len(players) == len(budgets) == len(generators):
        raise ArgumentError(
            f"players, budgets and generators: expected one of each per text, got "
            f"{len(players)}, {len(budgets)} and {len(generators)}"
        )
    if len({id(generator) for generator in generators}) < len(generators):
        raise ArgumentError(
            "generators: one generator serves two texts; give every text a generator of its own"
        )
    if not isinstance(sampler, BatchSampler):
        return [sampler.sample(*text) for text in zip(players, budgets, generators, strict=True)]

    alike: dict[Hashable, list[int]] = {}
    for index, (text, budget) in enumerate(zip(players, budgets, strict=True)):
        alike.setdefault((sampler.likeness(text), budget), []).append(index)
    sampled: dict[int, Coalitions] = {}
    for indices in alike.values():
        text, budget = players[indices[0]], budgets[indices[0]]
        at_once = max(1, int(CELLS_AT_ONCE // max(1, text.n_units * budget)))
        for start in range(0, len(indices), at_once):
            part = indices[start : start + at_once]
            coalitions = sampler.sample_alike(text, budget, [generators[i] for i in part])
            sampled.update(zip(part, coalitions, strict=True))
    return [sampled[index] for index in range(len(players))]


def check_budget(budget: int, least: int, design: str, n_units: int) -> int:
    """Return the budget as an int, or raise the error that names the least one."""
    try:
        calls = operator.index(budget)
    except TypeError:
        raise ArgumentError(
            f"budget: expected a number of distinct calls (an int), got {budget!r}"
        ) from None
    if calls < least:
        # 2 ** n of many units has too many digits to be worth reading.
        needed = str(least) if least < 10**12 else f"about 2**{least.bit_length() - 1}"
        raise ArgumentError(
            f"budget: got {calls}, but {design} needs at least {needed} calls for {n_units} "
            f"units; raise the budget or cut the text into fewer, larger units"
        )
    return calls


def covers_all(n_masks: int, n_units: int) -> bool:
    """Say whether that many distinct coalitions are all there are."""
    return n_masks >= 1 << n_units
