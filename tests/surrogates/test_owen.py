"""Owen values against all orders that a tree allows."""

from dataclasses import replace
from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import SurrogateError
from perturbx.surrogates import ExactShapley, Owen, PermutationShapley
from perturbx.units.tree import Tree
from perturbx.units.units import Units

quick = settings(max_examples=20, deadline=None)


def random_children(n, seed):
    """Merge two or three random nodes until one is left."""
    rng = np.random.default_rng(seed)
    nodes, children = list(range(n)), []
    while len(nodes) > 1:
        size = min(len(nodes), int(rng.integers(2, 4)))
        merged = tuple(int(nodes.pop(rng.integers(len(nodes)))) for _ in range(size))
        nodes.append(n + len(children))
        children.append(merged)
    return tuple(children)


def orders_of(children, n):
    """Every order of the leaves that keeps each node's leaves together."""

    def below(node):
        if node < n:
            return [(node,)]
        return [
            tuple(leaf for part in parts for leaf in part)
            for siblings in permutations(children[node - n])
            for parts in product(*(below(child) for child in siblings))
        ]

    return below(n + len(children) - 1)


def owen_by_orders(scores, children):
    n = len(scores).bit_length() - 1
    values = np.zeros((n, scores.shape[1]))
    orders = orders_of(children, n)
    for order in orders:
        row = 0
        for unit in order:
            values[unit] += scores[row + (1 << unit)] - scores[row]
            row += 1 << unit
    return values / len(orders)


@quick
@given(n=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_values_are_the_mean_over_all_orders_of_the_tree(lab, n, seed):
    scores = lab.random_scores(n, 2, seed)
    children = random_children(n, seed)
    surrogate = Owen(tree=SimpleNamespace(children=children))
    expected = owen_by_orders(scores, children)
    exact = surrogate.fit([lab.exhaustive(scores)])[0]
    np.testing.assert_allclose(exact.values, expected, atol=1e-10)
    np.testing.assert_array_equal(exact.std_errors, 0.0)
    assert exact.r2 is None
    # The coalitions of the tree are enough.
    visited = {0}
    for order in orders_of(children, n):
        visited.update(np.cumsum([1 << unit for unit in order]).tolist())
    some = lab.exhaustive(scores).rows(sorted(visited))
    np.testing.assert_allclose(surrogate.fit([some])[0].values, expected, atol=1e-10)
    walked = lab.walked(scores, [o for o in orders_of(children, n) if o <= o[::-1]], "owen")
    np.testing.assert_allclose(surrogate.fit([walked])[0].values, expected, atol=1e-10)


@quick
@given(n=st.integers(2, 6), seed=st.integers(0, 10**6))
def test_a_flat_tree_gives_shapley_values(lab, n, seed):
    table = lab.exhaustive(lab.random_scores(n, 1, seed))
    flat = Owen(tree=SimpleNamespace(children=(tuple(range(n)),)))
    np.testing.assert_allclose(
        flat.fit([table])[0].values, ExactShapley().fit([table])[0].values, atol=1e-10
    )


def test_the_tree_of_the_units_is_taken_and_else_the_balanced_one(lab):
    scores = lab.random_scores(4, 1, 0)
    table = lab.exhaustive(scores)
    children = ((0, 3), (1, 4), (2, 5))
    spans = tuple((i, i + 1) for i in range(4))
    units = Units("abcd", spans, tree=Tree(4, children))
    with_tree = Owen().fit([replace(table, units=units)])[0]
    np.testing.assert_allclose(with_tree.values, owen_by_orders(scores, children), atol=1e-10)
    balanced = Owen().fit([table])[0]
    expected = owen_by_orders(scores, Tree.balanced(4).children)
    np.testing.assert_allclose(balanced.values, expected, atol=1e-10)
    given_tree = Owen(tree=Tree.balanced(4)).fit([replace(table, units=units)])[0]
    np.testing.assert_allclose(given_tree.values, expected, atol=1e-10)


def test_a_sample_of_walks_is_unbiased_with_a_fair_error(lab):
    n = 8
    children = Tree.balanced(n).children
    scores = lab.smooth_scores(n, 1, 0)
    truth = Owen().fit([lab.exhaustive(scores)])[0].values
    orders = orders_of(children, n)
    misses, squares, claims = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chosen = [orders[i] for i in rng.integers(0, len(orders), 10)]
        table = lab.walked(scores, chosen, "owen")
        attribution = Owen().fit([table])[0]
        np.testing.assert_allclose(attribution.values.sum(), scores[-1, 0] - scores[0, 0])
        squares.append(np.square(attribution.values - truth))
        claims.append(np.square(attribution.std_errors))
        misses.append(np.sqrt(squares[-1]) > 1.96 * attribution.std_errors + 1e-9)
    assert np.mean(misses) < 0.15
    assert 0.6 < np.sqrt(np.mean(claims) / np.mean(squares)) < 1.5


def test_walks_that_break_groups_are_left_out(lab):
    scores = lab.random_scores(4, 1, 1)
    table = lab.walked(scores, [(0, 1, 2, 3), (0, 2, 1, 3), (1, 0, 3, 2)])
    kept = replace(table, walks=table.walks[[0, 1, 4, 5]])
    assert not np.allclose(
        Owen().fit([table])[0].values, PermutationShapley().fit([table])[0].values
    )
    np.testing.assert_allclose(Owen().fit([table])[0].values, Owen().fit([kept])[0].values)


def test_what_is_missing_is_named(lab):
    table = lab.exhaustive(lab.random_scores(4, 1, 0))
    with pytest.raises(SurrogateError, match="sampler 'owen'"):
        Owen().fit([table.rows([0, 1, 2, 15])])
    with pytest.raises(SurrogateError, match="has 3 leaves for a table of 4 units"):
        Owen(tree=Tree.balanced(3)).fit([table])


def test_a_deep_flat_tree_does_not_enumerate(lab):
    n = 60
    rng = np.random.default_rng(0)
    order = rng.permutation(n)
    masks = np.zeros((n + 1, n), dtype=bool)
    for step, unit in enumerate(order):
        masks[step + 1 :, unit] = True
    masks = np.concatenate([masks, ~masks[1:-1]])
    weights = rng.normal(size=(n, 1))
    back = np.concatenate([[0], np.arange(2 * n - 1, n, -1), [n]])
    table = lab.drawn(np.zeros((2, 1)), np.array([0]), "owen")
    table = replace(
        table,
        masks=masks,
        scores=masks @ weights,
        counts=np.ones(len(masks), dtype=np.int64),
        variant_of_row=np.arange(len(masks)),
        walks=np.stack([np.arange(n + 1), back]),
    )
    flat = Owen(tree=SimpleNamespace(children=(tuple(range(n)),)))
    np.testing.assert_allclose(flat.fit([table])[0].values, weights, atol=1e-9)


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_one_pair_of_walks_are_no_proof(lab, copies):
    """They tell what the pair tells; 120 orders are not known from two."""
    scores = lab.smooth_scores(5, 1, 0)
    order = np.array([3, 0, 4, 1, 2])
    (once,) = PermutationShapley().fit([lab.walked(scores, [order])])
    (often,) = PermutationShapley().fit([lab.walked(scores, [order] * copies)])
    np.testing.assert_allclose(often.values, once.values)
    np.testing.assert_allclose(often.std_errors, once.std_errors)
    assert np.all(often.std_errors > 0)


@quick
@given(n=st.integers(3, 7), n_orders=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_few_walks_that_agree_leave_the_errors_open(lab, n, n_orders, seed):
    """A label that one word flips in every walk seen may be flipped by another in the next."""
    flips = lab.all_masks(n)[:, [1]].astype(float)
    rough = lab.random_scores(n, 1, seed)
    table = lab.walked(np.hstack([flips, rough]), lab.random_orders(n, n_orders, seed))
    (attribution,) = PermutationShapley().fit([table])
    known = attribution.std_errors[:, 0]
    few = len({tuple(walk) for walk in table.walks}) < 8
    if n > 3:  # of three units, five orders can be all there are
        np.testing.assert_array_equal(known, np.inf if few else 0.0)
    np.testing.assert_allclose(attribution.values[:, 0], np.arange(n) == 1)
    assert np.isfinite(attribution.std_errors[:, 1]).all()
    low = attribution.confidence_interval().low
    assert np.isinf(low[:, 0]).all() == np.isinf(known).all()
