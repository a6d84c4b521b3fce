"""Decision trees on coalitions as games: their leaves, their Shapley values, their spectrum.

A leaf is reached where the units A of its path are kept and the units B are removed, so a tree is
a sum of such indicators. With a = |A| and b = |B|, the Shapley values of one indicator are::

    φ_i = 1 / [a C(a+b, a)]  for i in A        φ_i = -1 / [b C(a+b, b)]  for i in B

since in a random order, unit i of A must come after all others of A and before all of B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy.special import comb

from perturbx.typing import FloatArray, MaskMatrix

Tree: TypeAlias = "Split | float"
"""A split, or the value of a leaf."""

Spectrum: TypeAlias = dict[frozenset[int], float]
"""From sets of units T to β_T, for χ_T(S) = (-1)^|S ∩ T| and v = Σ_T β_T χ_T."""


@dataclass(frozen=True)
class Split:
    """A node of a tree.

    Parameters
    ----------
    unit : int
        The unit that it asks about; no node above asks about it.
    removed, kept : Split or float
        What follows where the unit is removed, and where it is kept.
    """

    unit: int
    removed: Tree
    kept: Tree


@dataclass(frozen=True, eq=False)
class Leaves:
    """The leaves of a sum of trees.

    Parameters
    ----------
    kept, removed : numpy.ndarray of bool, (n_leaves, n_units)
        The units that must be kept, and those that must be removed, for the leaf to be reached.
    values : numpy.ndarray, (n_leaves,)
        What each adds where it is reached.
    """

    kept: MaskMatrix
    removed: MaskMatrix
    values: FloatArray

    @classmethod
    def of(cls, trees: Sequence[Tree], n_units: int) -> Leaves:
        """Return the leaves of trees."""
        found = [leaf for tree in trees for leaf in _leaves(tree, (), ())]
        kept = np.zeros((len(found), n_units), dtype=bool)
        removed = np.zeros((len(found), n_units), dtype=bool)
        for row, (on, off, _) in enumerate(found):
            kept[row, list(on)] = True
            removed[row, list(off)] = True
        return cls(kept, removed, np.array([value for _, _, value in found], dtype=np.float64))

    def predict(self, masks: MaskMatrix) -> FloatArray:
        """Return the sum of the trees for each coalition ``(n_masks,)``."""
        met = masks.astype(np.float32) @ self.kept.T + (~masks).astype(np.float32) @ self.removed.T
        depth = self.kept.sum(axis=1) + self.removed.sum(axis=1)
        total: FloatArray = (met > depth - 0.5) @ self.values
        return total

    @property
    def shapley_values(self) -> FloatArray:
        """Return the Shapley values ``(n_units,)`` of the sum of the trees.

        Examples
        --------
        >>> both = Split(0, removed=0.0, kept=Split(1, removed=0.0, kept=1.0))
        >>> Leaves.of([both], n_units=3).shapley_values
        array([0.5, 0.5, 0. ])
        """
        on, off = self.kept.sum(axis=1), self.removed.sum(axis=1)
        orders = comb(on + off, on)
        up = self.values / (np.maximum(on, 1) * orders)
        down = self.values / (np.maximum(off, 1) * orders)
        values: FloatArray = up @ self.kept - down @ self.removed
        return values


def _leaves(
    tree: Tree, kept: tuple[int, ...], removed: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], float]]:
    if isinstance(tree, Split):
        yield from _leaves(tree.removed, kept, (*removed, tree.unit))
        yield from _leaves(tree.kept, (*kept, tree.unit), removed)
    else:
        yield kept, removed, tree


def scaled(tree: Tree, factor: float) -> Tree:
    """Return a tree whose leaves are multiplied by a factor."""
    if isinstance(tree, Split):
        return Split(tree.unit, scaled(tree.removed, factor), scaled(tree.kept, factor))
    return tree * factor


def walsh_spectrum(trees: Sequence[Tree]) -> Spectrum:
    """Return the Walsh spectrum of a sum of trees, by one pass down each.

    With l the spectrum where a unit i is removed (χ_i = 1) and r where it is kept (χ_i = -1), that
    of the node is ½(l + r) + ½(l - r) χ_i.

    Examples
    --------
    >>> spectrum = walsh_spectrum([Split(0, removed=1.0, kept=3.0)])
    >>> spectrum[frozenset()], spectrum[frozenset({0})]
    (2.0, -1.0)
    """
    total: Spectrum = {}
    for tree in trees:
        for subset, beta in _spectrum(tree).items():
            total[subset] = total.get(subset, 0.0) + beta
    return total


def _spectrum(tree: Tree) -> Spectrum:
    if not isinstance(tree, Split):
        return {frozenset(): tree}
    unit = frozenset({tree.unit})
    merged: Spectrum = {}
    for sign, branch in ((1.0, tree.removed), (-1.0, tree.kept)):
        for subset, beta in _spectrum(branch).items():
            merged[subset] = merged.get(subset, 0.0) + beta / 2.0
            merged[subset ^ unit] = merged.get(subset ^ unit, 0.0) + sign * beta / 2.0
    return merged


def shapley_interactions(spectrum: Spectrum, order: int) -> dict[frozenset[int], float]:
    """Return the Shapley interaction index of all sets of `order` units that the spectrum names.

    I_A = (-2)^|A| Σ β_T / (|T| - |A| + 1) over T ⊇ A with |T| - |A| even: the mean over t of the
    derivative of the multilinear extension along the diagonal (Grabisch & Roubens 1999). Of order
    1 these are the Shapley values.

    Examples
    --------
    >>> both = Split(0, removed=0.0, kept=Split(1, removed=0.0, kept=1.0))
    >>> shapley_interactions(walsh_spectrum([both]), order=2)
    {frozenset({0, 1}): 1.0}
    """
    found: dict[frozenset[int], float] = {}
    for subset, beta in spectrum.items():
        above = len(subset) - order
        if above < 0 or above % 2:
            continue
        for units in combinations(sorted(subset), order):
            key = frozenset(units)
            found[key] = found.get(key, 0.0) + (-2.0) ** order * beta / (above + 1)
    return found
