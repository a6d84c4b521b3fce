"""Pairs by what they tell and what they cost: the greedy search for models that read prefixes once.

A decoder that keeps the keys and values of a shared beginning reads only the tokens behind it, so
a row costs the tokens of its new nodes in the trie of all rows. The next pair is the one with the
largest drop in the Shapley values' posterior variance, divided by the square root of what the
pair costs; candidates are drawn anew for every pair, most of them as rows that begin like
rows chosen before. The first pairs, as many as units, are the greedy sequence for calls
(`perturbx.coalitions.greedy_design`): where hardly any row is there to share a beginning with, what
is cheap are single units and all but single ones, and these tell little of games with interactions.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from perturbx.coalitions.greedy_design import RHO, WHITE, greedy_pairs, most_greedy_pairs
from perturbx.coalitions.trie_order import cheapest_parts
from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.typing import FloatArray, IntArray

CANDIDATES = 480
"""Drawn for every pair: `FRESH` of them of uniform sizes, the rest from rows chosen before."""

FRESH = 0.3

LEAST_VARIANCE = 1e-9

Rows = NDArray[np.bool_]


class PrefixSearch:
    """A sequence of pairs that grows; each is chosen given those before it.

    The first `n_units` pairs have no price.

    Parameters
    ----------
    unit_tokens : sequence of int, (n_units,)
        What each unit costs where it is kept, in text order.
    tail : float
        What each row costs behind its units, in tokens.
    seed : int
        Of the candidates, and of which unit plays which part in the first pairs.
    """

    def __init__(self, unit_tokens: tuple[int, ...], tail: float, seed: int) -> None:
        self.n_units = len(unit_tokens)
        self._tokens = np.array(unit_tokens, dtype=np.float64)
        self._tail = tail
        self._lock = Lock()
        self._draw = np.random.default_rng(seed)
        self._beliefs = _Belief(self.n_units)
        self._paths: list[int] = []
        whole = np.ones((1, self.n_units), dtype=bool)
        self.pairs: Rows = whole[:0]
        self._beliefs.learn(whole[0])
        self._add(whole[0])
        self._first = self._without_price()

    def extend(self, n_pairs: int) -> Rows:
        """Return the first pairs ``(n_pairs, n_units)`` of the sequence, one coalition of each."""
        with self._lock:  # equal searches are shared
            self._search(n_pairs)
            return self.pairs[:n_pairs]

    def _search(self, n_pairs: int) -> None:
        while (n_known := len(self.pairs)) < n_pairs:
            best = self._first[n_known] if n_known < len(self._first) else self._best_candidate()
            self._beliefs.learn(best)
            self._add(best)
            self.pairs = np.concatenate([self.pairs, best[None]])

    def _without_price(self) -> Rows:
        """Return the first pairs, the same for all seeds but for which unit plays which part."""
        n = self.n_units
        if n < 3:
            return self.pairs
        greedy = greedy_pairs(n, min(n, most_greedy_pairs(n))).numpy()
        both = np.concatenate([greedy, ~greedy])
        first: Rows = greedy[:, cheapest_parts(both, self._tokens, self._draw)]
        return first

    def _best_candidate(self) -> Rows:
        rows = self._candidates()
        drop = self._beliefs.drop(rows)
        price = self._prices(rows) + self._prices(~rows) + 2.0 * self._tail
        best: Rows = rows[int(np.argmax(drop / np.sqrt(np.maximum(price, 1.0))))]
        return best

    def _add(self, row: Rows) -> None:
        for own in _paths(np.stack([row, ~row])):
            insort(self._paths, own)

    def _prices(self, rows: Rows) -> FloatArray:
        """Return the tokens of each row's units that no row chosen before shares."""
        spent = np.concatenate(
            [np.zeros((len(rows), 1)), np.cumsum(rows * self._tokens, axis=1)], axis=1
        )
        shared = np.array([self._shared(path) for path in _paths(rows)], dtype=np.int64)
        prices: FloatArray = spent[:, -1] - np.take_along_axis(spent, shared[:, None], 1)[:, 0]
        return prices

    def _shared(self, path: int) -> int:
        """Return how many units a row begins with like one of those before it."""
        place = bisect_left(self._paths, path)
        near = self._paths[max(place - 1, 0) : place + 1]
        return self.n_units - min((path ^ other).bit_length() for other in near)

    def _candidates(self) -> Rows:
        n, n_fresh = self.n_units, int(FRESH * CANDIDATES)
        fresh = self._of_uniform_sizes(n_fresh if len(self.pairs) else CANDIDATES)
        if len(self.pairs):
            n_mutants = CANDIDATES - n_fresh
            parents = self.pairs[self._draw.integers(len(self.pairs), size=n_mutants)]
            parents = parents ^ (self._draw.random((n_mutants, 1)) < 0.5)
            at = self._draw.integers(n, size=n_mutants)
            behind = np.arange(n) > at[:, None]
            redrawn = self._of_uniform_sizes(n_mutants)
            only_flipped = self._draw.random((n_mutants, 1)) < 1 / 3
            mutants = np.where(behind & ~only_flipped, redrawn, parents)
            mutants[np.arange(n_mutants), at] = ~parents[np.arange(n_mutants), at]
            fresh = np.concatenate([fresh, mutants])
        known = set(self._paths)
        is_new = [path not in known for path in _paths(fresh)]
        return fresh[is_new] if any(is_new) else self._left_over()

    def _of_uniform_sizes(self, count: int) -> Rows:
        sizes = self._draw.integers(1, self.n_units, size=(count, 1))
        rank = self._draw.random((count, self.n_units)).argsort(axis=1).argsort(axis=1)
        rows: Rows = rank < sizes
        return rows

    def _left_over(self) -> Rows:
        """Return rows that are not chosen yet, where hardly any are left."""
        known = set(self._paths)
        rows: list[Rows] = []
        while not rows:
            drawn = self._draw.random((CANDIDATES, self.n_units)) < 0.5
            rows = [
                row for row, path in zip(drawn, _paths(drawn), strict=True) if path not in known
            ]
        return np.array(rows)


class _Belief:
    """What the search's prior believes of the Shapley values, given the pairs chosen."""

    def __init__(self, n_units: int) -> None:
        isotropic = isotropic_kernel(n_units, RHO)
        self._by_distance, self._readout = isotropic.by_distance, isotropic.readout
        white = white_kernel(n_units)
        self._kept, self._removed = WHITE * white.kept, WHITE * white.removed
        self._rows = np.empty((0, n_units))
        self._factor = np.empty((0, 0))
        self._gains = np.empty((0, n_units))

    def drop(self, rows: Rows) -> FloatArray:
        """Return by how much each pair would lower the sum of the values' variances."""
        across, variance, with_values = self._posterior(rows)
        left = with_values - across.T @ self._gains
        drop: FloatArray = np.square(left).sum(axis=1) / variance
        return drop

    def learn(self, row: Rows) -> None:
        """Condition on one pair."""
        across, variance, with_values = self._posterior(row[None])
        scale = float(np.sqrt(variance[0]))
        n = len(self._factor)
        factor = np.zeros((n + 1, n + 1))
        factor[:n, :n], factor[n, :n], factor[n, n] = self._factor, across[:, 0], scale
        gain = (with_values[0] - across[:, 0] @ self._gains) / scale
        self._factor = factor
        self._gains = np.concatenate([self._gains, gain[None]])
        self._rows = np.concatenate([self._rows, 1.0 - 2.0 * row[None]])

    def _posterior(self, rows: Rows) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return L⁻¹k ``(m, c)``, the variances ``(c,)`` and the prior covariances ``(c, n)``."""
        n = rows.shape[1]
        signs = 1.0 - 2.0 * rows
        sizes = rows.sum(axis=1, keepdims=True)
        distance: IntArray = np.rint((n - self._rows @ signs.T) / 2.0).astype(np.int64)
        across = self._by_distance[distance]
        if len(across):
            across = solve_triangular(self._factor, across, lower=True, check_finite=False)
        variance = self._by_distance[0] + WHITE - np.square(across).sum(axis=0)
        with_values = -2.0 * signs * self._readout[sizes - rows]
        with_values += np.where(rows, self._kept[sizes], self._removed[sizes])
        return across, np.maximum(variance, LEAST_VARIANCE), with_values


def _paths(rows: Rows) -> list[int]:
    """Return each row as a number whose highest bit is the first unit."""
    n_units = rows.shape[1]
    packed = np.packbits(rows, axis=1)
    surplus = 8 * packed.shape[1] - n_units
    return [int.from_bytes(row.tobytes(), "big") >> surplus for row in packed]
