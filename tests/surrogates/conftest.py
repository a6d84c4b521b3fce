"""Games and small designs of the tests' own: the samplers are tested elsewhere."""

import itertools
from math import factorial
from types import SimpleNamespace

import numpy as np
import pytest

from perturbx.score_table import ScoreTable


def all_masks(n):
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 > 0


def names(k):
    return tuple(f"y{i}" for i in range(k))


def random_scores(n, k, seed):
    """A game with interactions of every order: one random number per coalition and output."""
    return np.random.default_rng(seed).normal(size=(1 << n, k))


def smooth_scores(n, k, seed):
    """A mostly additive game with pairs and triples."""
    rng = np.random.default_rng(seed)
    z = all_masks(n).astype(float)
    v = 2.0 + z @ rng.normal(size=(n, k))
    v += np.einsum("mi,mj,ijk->mk", z, z, 0.15 * rng.normal(size=(n, n, k)))
    for _ in range(n // 2):
        v += z[:, rng.choice(n, min(n, 3), replace=False)].prod(axis=1)[:, None] * rng.normal(
            size=k
        )
    return v


def exhaustive(scores, **more):
    n = len(scores).bit_length() - 1
    return ScoreTable(all_masks(n), scores, names(scores.shape[1]), design="exhaustive", **more)


def rows_of(masks):
    return masks @ (1 << np.arange(masks.shape[1]))


def leverage(scores, n_pairs, seed):
    """Both ends, then pairs without replacement: sizes take equal shares until they are used up."""
    n = len(scores).bit_length() - 1
    rng = np.random.default_rng(seed)
    masks = all_masks(n)
    sizes = masks.sum(axis=1)
    # One coalition of each pair, by the size of the smaller; halves of equal size by unit 0.
    first = [
        np.flatnonzero((sizes == s) & ((2 * s < n) | masks[:, 0])) for s in range(1, n // 2 + 1)
    ]
    # The middle size of an even n has one share where the others, being two sizes, have two.
    wants = np.array([1.0 if 2 * s == n else 2.0 for s in range(1, n // 2 + 1)])
    total = np.array([len(rows) for rows in first])
    low, high = 0.0, float(2 * total.sum())
    for _ in range(100):
        middle = (low + high) / 2
        enough = np.minimum(total, middle * wants).sum() >= n_pairs
        low, high = (low, middle) if enough else (middle, high)
    expected = np.minimum(total, high * wants)
    edges = np.floor(np.concatenate([[0], np.cumsum(expected)]) + rng.random())
    take = np.minimum(np.diff(edges).astype(int), total)
    rows = np.concatenate([rng.permutation(r)[:t] for r, t in zip(first, take, strict=True)])
    rows = rng.permutation(rows)
    p = (expected / total)[np.minimum(sizes[rows], n - sizes[rows]) - 1]
    full = (1 << n) - 1
    index = np.concatenate([[0, full], np.stack([rows, full - rows], axis=1).ravel()])
    return ScoreTable(
        masks[index],
        scores[index],
        names(scores.shape[1]),
        probabilities=np.concatenate([[1.0, 1.0], np.repeat(p, 2)]),
        design="leverage",
        paired=True,
    )


def drawn(scores, index, design, **more):
    """A table of the distinct rows among draws, with their counts."""
    index, counts = np.unique(index, return_counts=True)
    n = len(scores).bit_length() - 1
    return ScoreTable(
        all_masks(n)[index],
        scores[index],
        names(scores.shape[1]),
        counts=counts,
        design=design,
        **more,
    )


def kernel(scores, n_pairs, seed):
    """Both ends once, then pairs with replacement from Shapley's kernel."""
    n = len(scores).bit_length() - 1
    rng = np.random.default_rng(seed)
    inner = np.arange(1, n)
    weight = 1.0 / (inner * (n - inner))
    sizes = rng.choice(inner, size=n_pairs, p=weight / weight.sum())
    first = [int(sum(1 << rng.choice(n, s, replace=False))) for s in sizes]
    full = (1 << n) - 1
    index = np.concatenate([[0, full], first, full - np.array(first, dtype=int)])
    return drawn(scores, index, "kernel", paired=True)


def uniform(scores, n_draws, seed):
    rng = np.random.default_rng(seed)
    return drawn(scores, rng.integers(0, len(scores), n_draws), "uniform")


def lime(scores, n_draws, seed):
    n = len(scores).bit_length() - 1
    rng = np.random.default_rng(seed)
    full = (1 << n) - 1
    sizes = rng.integers(1, n + 1, n_draws - 1)
    removed = [int(sum(1 << rng.choice(n, size, replace=False))) for size in sizes]
    return drawn(scores, full - np.array([0, *removed]), "lime")


def walked(scores, orders, design="permutation"):
    """Walks along the orders, each followed by its reversal."""
    n = len(scores).bit_length() - 1
    both = np.array([part for order in orders for part in (order, order[::-1])])
    steps = np.cumsum(1 << both, axis=1)
    index = np.concatenate([np.zeros((len(both), 1), dtype=int), steps], axis=1)
    rows, walks = np.unique(index, return_inverse=True)
    return ScoreTable(
        all_masks(n)[rows],
        scores[rows],
        names(scores.shape[1]),
        walks=walks.reshape(index.shape),
        design=design,
        paired=True,
    )


def random_orders(n, n_orders, seed):
    rng = np.random.default_rng(seed)
    return [rng.permutation(n) for _ in range(n_orders)]


def shapley(scores):
    """Shapley values by their definition, subset by subset."""
    n = len(scores).bit_length() - 1
    values = np.zeros((n, scores.shape[1]))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for subset in itertools.combinations(others, size):
                row = sum(1 << j for j in subset)
                values[i] += weight * (scores[row + (1 << i)] - scores[row])
    return values


def banzhaf(scores):
    masks = all_masks(len(scores).bit_length() - 1)
    return np.array([scores[z].mean(axis=0) - scores[~z].mean(axis=0) for z in masks.T])


def relative_error(values, truth):
    return float(((values - truth) ** 2).sum() / (truth**2).sum())


@pytest.fixture(scope="session")
def lab():
    """The functions above, for tests that cannot import this file."""
    return SimpleNamespace(
        all_masks=all_masks,
        banzhaf=banzhaf,
        drawn=drawn,
        exhaustive=exhaustive,
        kernel=kernel,
        leverage=leverage,
        lime=lime,
        names=names,
        random_orders=random_orders,
        random_scores=random_scores,
        relative_error=relative_error,
        shapley=shapley,
        smooth_scores=smooth_scores,
        uniform=uniform,
        walked=walked,
    )
