"""Pairs by what they tell and what they cost: the greedy search for models that read prefixes once.

A decoder that keeps the keys and values of a shared beginning reads only the tokens behind it, so
a row costs the tokens of its new nodes in the trie of all rows. The next pair is the one with the
largest drop in the Shapley values' posterior variance, divided by a power of what the pair costs;
candidates are drawn anew for every pair, most of them as rows that begin like rows chosen before.

Where hardly any row is there to share a beginning with, what is cheap are single units and all but
single ones, and these tell little of games with interactions. So the first pairs, as many as units,
follow the greedy sequence for calls (`perturbx.coalitions.greedy_design`): the first of them are
its pairs, the others have its sizes, and which units stand in them is decided by their price.
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
"""Drawn for every pair: a share `FRESH` like no row before, the rest from rows chosen before."""

FRESH = 0.3

AS_FOR_CALLS = 0.6
"""Pairs for each unit that are those chosen for calls; of those up to one for each, the sizes."""

POWER = 0.7
"""Of the price that a drop is divided by: between what a call tells (0) and what a token (1)."""

LEAST_VARIANCE = 1e-9

Rows = NDArray[np.bool_]


class PrefixSearch:
    """A sequence of pairs that grows; each is chosen given those before it.

    No price is looked at in the first of them, and none decides the size of one of the first
    `n_units` pairs.

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
        self._first, self._sizes = self._as_for_calls()

    def extend(self, n_pairs: int) -> Rows:
        """Return the first pairs ``(n_pairs, n_units)`` of the sequence, one coalition of each."""
        with self._lock:  # equal searches are shared
            self._search(n_pairs)
            return self.pairs[:n_pairs]

    def _search(self, n_pairs: int) -> None:
        while (n_known := len(self.pairs)) < n_pairs:
            if n_known < len(self._first):
                best = self._first[n_known]
            elif n_known < len(self._sizes):
                best = self._best(self._of_size(self._sizes[n_known]))
            else:
                best = self._best(self._candidates())
            self._beliefs.learn(best)
            self._add(best)
            self.pairs = np.concatenate([self.pairs, best[None]])

    def _as_for_calls(self) -> tuple[Rows, IntArray]:
        """Return the first pairs, and the sizes of these and of those behind them.

        They are the same for all seeds but for which unit plays which part.
        """
        n = self.n_units
        if n < 3:
            return self.pairs, np.zeros(0, dtype=np.int64)
        greedy = greedy_pairs(n, min(n, most_greedy_pairs(n))).numpy()
        first = greedy[: round(AS_FOR_CALLS * n)]
        both = np.concatenate([first, ~first])
        return first[:, cheapest_parts(both, self._tokens, self._draw)], greedy.sum(axis=1)

    def _best(self, rows: Rows) -> Rows:
        drop = self._beliefs.drop(rows)
        price = self._prices(rows) + self._prices(~rows) + 2.0 * self._tail
        best: Rows = rows[int(np.argmax(drop / np.maximum(price, 1.0) ** POWER))]
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
        """Return rows of all sizes that are not chosen yet."""
        n_fresh = self._n_fresh()
        sizes = self._draw.integers(1, self.n_units, size=(n_fresh, 1))
        rows = self._kept(sizes)
        if n_fresh < CANDIDATES:
            begun, at = self._mutants()
            sizes = self._draw.integers(1, self.n_units, size=(len(begun), 1))
            only_flipped = self._draw.random((len(begun), 1)) < 1 / 3
            behind = np.arange(self.n_units) > at
            rows = np.concatenate(
                [rows, np.where(behind & ~only_flipped, self._kept(sizes), begun)]
            )
        new = self._new(rows)
        return new if len(new) else self._left_over()

    def _of_size(self, size: int) -> Rows:
        """Return rows with so many units kept or removed that are not chosen yet."""
        n_fresh = self._n_fresh()
        rows = self._kept(np.full((n_fresh, 1), size))
        if n_fresh < CANDIDATES:
            begun, at = self._mutants()
            is_begun = np.arange(self.n_units) <= at
            sizes = np.where(self._draw.random((len(begun), 1)) < 0.5, size, self.n_units - size)
            left = sizes - (begun & is_begun).sum(axis=1, keepdims=True)
            fits = ((left >= 0) & (left < self.n_units - at)).ravel()
            ended = np.where(is_begun, begun, self._kept(left, ~is_begun))
            rows = np.concatenate([rows, ended[fits]])
        new = self._new(rows)
        return new if len(new) else self._candidates()

    def _n_fresh(self) -> int:
        """Return how many candidates are like no row before them."""
        return int(FRESH * CANDIDATES) if len(self.pairs) else CANDIDATES

    def _mutants(self) -> tuple[Rows, IntArray]:
        """Return rows of pairs chosen before with one unit turned, and its place ``(c, 1)``."""
        n_mutants = CANDIDATES - self._n_fresh()
        rows = self.pairs[self._draw.integers(len(self.pairs), size=n_mutants)]
        rows = rows ^ (self._draw.random((n_mutants, 1)) < 0.5)
        at = self._draw.integers(self.n_units, size=(n_mutants, 1))
        return rows ^ (np.arange(self.n_units) == at), at

    def _kept(self, sizes: IntArray, among: Rows | None = None) -> Rows:
        """Return random rows with so many units ``(c, 1)`` kept, among all or among some."""
        order = self._draw.random((len(sizes), self.n_units))
        if among is not None:
            order[~among] = np.inf
        rows: Rows = order.argsort(axis=1).argsort(axis=1) < sizes
        return rows

    def _new(self, rows: Rows) -> Rows:
        known = set(self._paths)
        return rows[[path not in known for path in _paths(rows)]]

    def _left_over(self) -> Rows:
        """Return rows that are not chosen yet, where hardly any are left."""
        rows = self.pairs[:0]
        while not len(rows):
            rows = self._new(self._draw.random((CANDIDATES, self.n_units)) < 0.5)
        return rows


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
