"""A sentence as a game that is known everywhere: every estimate can be held to the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np
import torch
from workload import POSITIVE, Cut, Workload, all_masks

from perturbx.maskers import MaskToken, Replace
from perturbx.units.tree import Tree
from perturbx.units.units import Units


@dataclass
class Game:
    """A set function, looked up, that counts what it is asked.

    Parameters
    ----------
    values : numpy.ndarray, (2 ** n_units,)
        The value of every coalition, in the order of `all_masks`.
    """

    values: np.ndarray
    calls: int = 0
    asked: set[int] = field(default_factory=set)

    @property
    def n_units(self) -> int:
        """The number of players."""
        return len(self.values).bit_length() - 1

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        """Return the values of the rows of a matrix of zeros and ones."""
        kept = np.asarray(masks).reshape(-1, self.n_units) > 0.5
        codes = kept @ (1 << np.arange(self.n_units))
        self.calls += len(codes)
        self.asked.update(codes.tolist())
        return self.values[codes]


@dataclass(frozen=True)
class KnownSentence:
    """One sentence, and the logits of the model for all of its masked versions.

    Parameters
    ----------
    units : Units
        Its words.
    logits : numpy.ndarray, (2 ** n_units, 2)
        In the order of `all_masks`; every token of a removed word is ``[MASK]``.
    """

    units: Units
    logits: np.ndarray

    @classmethod
    def ask(cls, units: Units, workload: Workload) -> KnownSentence:
        """Ask the model about every coalition."""
        masks = torch.from_numpy(all_masks(units.n_units))
        variants = MaskToken().variants(units, masks, workload.tokenizer)
        # All are of one length, so that sorting them leaves them in order.
        rows = [tuple(row) for row in variants.token_ids.tolist()]
        return cls(units, workload.logits(Cut(1_024).batches(rows)).double().numpy())

    @property
    def log_odds(self) -> np.ndarray:
        """The log-odds of POSITIVE of every coalition."""
        return self.logits[:, POSITIVE] - self.logits[:, 1 - POSITIVE]

    @property
    def probabilities(self) -> np.ndarray:
        """The probability of POSITIVE of every coalition."""
        return 1.0 / (1.0 + np.exp(-self.log_odds))

    def as_function(self, values: np.ndarray) -> Callable[[Sequence[str]], np.ndarray]:
        """Return a model of strings: the value of each masked text, ``[MASK]`` for a word."""
        texts = Replace("[MASK]").variants(self.units, all_masks(self.units.n_units)).texts
        value_of = dict(zip(texts, values, strict=True))
        return lambda masked: np.array([value_of[text] for text in masked])


def exact_shapley(values: np.ndarray) -> np.ndarray:
    """Return the Shapley values of a game from all of its values, by the definition."""
    n_units = len(values).bit_length() - 1
    masks = all_masks(n_units)
    sizes = masks.sum(axis=1)
    weights = np.array([1.0 / (n_units * comb(n_units - 1, size)) for size in range(n_units)])
    shapley = np.empty(n_units)
    for unit in range(n_units):
        without = np.flatnonzero(~masks[:, unit])
        gains = values[without + (1 << unit)] - values[without]
        shapley[unit] = weights[sizes[without]] @ gains
    return shapley


def exact_owen(values: np.ndarray, tree: Tree) -> np.ndarray:
    """Return the Owen values on a binary tree, by the definition.

    Each group beside the path from the unit to the root is in or out, by a fair coin.
    """
    owen = np.empty(tree.n_units)
    for unit in range(tree.n_units):
        beside = list(_codes_beside(tree, unit))
        contexts = [
            sum(chosen) for size in range(len(beside) + 1) for chosen in combinations(beside, size)
        ]
        before = np.array(contexts)
        owen[unit] = np.mean(values[before + (1 << unit)] - values[before])
    return owen


def _codes_beside(tree: Tree, unit: int) -> Iterator[int]:
    node = unit
    while node != tree.root:
        parent, siblings = next(
            (tree.n_units + j, children)
            for j, children in enumerate(tree.children)
            if node in children
        )
        (other,) = (child for child in siblings if child != node)
        yield sum(1 << leaf for leaf in tree.leaves(other))
        node = parent


def relative_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Return the squared error in parts of the square of the truth."""
    return float(np.square(estimate - truth).sum() / np.square(truth).sum())
