import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import (
    Owen,
    Permutation,
    PlayerCount,
    distinct_rows,
    owen_coalitions,
    owen_coalitions_count,
    words,
)
from perturbx.coalitions.owen import balanced_children
from perturbx.exceptions import ArgumentError
from perturbx.units.tree import Tree


def sample(sampler, players, budget, seed=0):
    return sampler.sample(players, budget, torch.Generator().manual_seed(seed))


def orders(coalitions):
    """The order in which units join along each walk."""
    chains = coalitions.masks[coalitions.walks].long()
    return chains.diff(dim=1).argmax(dim=2)


@st.composite
def trees(draw, max_units=9):
    """Any tree: merge two to four neighbours until one is left."""
    n_units = draw(st.integers(1, max_units))
    open_nodes, children = list(range(n_units)), []
    while len(open_nodes) > 1:
        width = draw(st.integers(2, min(4, len(open_nodes))))
        start = draw(st.integers(0, len(open_nodes) - width))
        children.append(tuple(open_nodes[start : start + width]))
        open_nodes[start : start + width] = [n_units + len(children) - 1]
    return Tree(n_units, tuple(children))


def consistent_orders(tree, node):
    """Every order of the leaves below `node` that keeps groups together, by plain recursion."""
    if node < tree.n_units:
        return [(node,)]
    below = [consistent_orders(tree, child) for child in tree.children[node - tree.n_units]]
    return [
        tuple(itertools.chain(*parts))
        for siblings in itertools.permutations(below)
        for parts in itertools.product(*siblings)
    ]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(0, 300), st.booleans(), st.integers(0, 99))
def test_walks_climb_one_unit_at_a_time_and_come_with_their_reversal(n_units, extra, owen, seed):
    sampler = Owen() if owen else Permutation()
    coalitions = sample(sampler, PlayerCount(n_units), 2 * n_units + extra, seed)
    if coalitions.design == "owen_exact":
        return
    chains = coalitions.masks[coalitions.walks]
    assert coalitions.walks.shape[0] % 2 == 0
    assert coalitions.walks.shape[0] >= 2
    assert torch.equal(chains.sum(2), torch.arange(n_units + 1).expand(len(chains), -1))
    assert (chains[:, 1:] | ~chains[:, :-1]).all(), "a unit that joined stays"
    assert torch.equal(chains[0::2], ~chains[1::2].flip(1)), "the opposite order"
    assert set(coalitions.walks.unique().tolist()) == set(range(len(coalitions)))


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 30), st.integers(0, 200), st.integers(0, 99))
def test_as_many_pairs_of_walks_as_fit(n_units, extra, seed):
    budget = 2 * n_units + extra
    coalitions = sample(Permutation(), PlayerCount(n_units), budget, seed)
    n_pairs = len(coalitions.walks) // 2
    assert len(coalitions) <= budget
    assert n_pairs >= (budget - 2) // (2 * (n_units - 1))
    assert n_pairs == 1 or len(coalitions) > 2 * n_units


def test_every_permutation_is_equally_likely():
    seen = Counter()
    for seed in range(600):
        first = orders(sample(Permutation(), PlayerCount(4), 8, seed))[0]
        seen[tuple(first.tolist())] += 1
    assert len(seen) == 24
    expected = 600 / 24
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < 49.7  # p = .001


@pytest.mark.parametrize(
    "tree",
    [
        Tree(4, ((0, 1), (2, 3), (4, 5))),
        Tree(4, ((0, 2), (4, 1), (5, 3))),
        Tree(5, ((0, 1, 2), (3, 4), (5, 6))),
    ],
)
def test_owen_orders_are_uniform_over_those_that_keep_groups_together(tree):
    allowed = set(consistent_orders(tree, tree.root))
    least = 2 * tree.n_units
    assert owen_coalitions_count(tree.children, tree.n_units) > least
    n_draws = 25 * len(allowed)
    seen = Counter()
    for seed in range(n_draws):
        walks = orders(sample(Owen(), PlayerCount(tree.n_units, tree), least, seed)).tolist()
        assert {tuple(walk) for walk in walks} <= allowed
        seen[tuple(walks[0])] += 1
    degrees = len(allowed) - 1
    statistic = sum((seen[order] - 25) ** 2 / 25 for order in allowed)
    bound = degrees * (1 - 2 / (9 * degrees) + 3.09 * math.sqrt(2 / (9 * degrees))) ** 3
    assert statistic < bound


@settings(max_examples=60, deadline=None)
@given(trees(max_units=7))
def test_owen_coalitions_are_all_that_consistent_orders_visit(tree):
    visited = {
        frozenset(order[:stop])
        for order in consistent_orders(tree, tree.root)
        for stop in range(tree.n_units + 1)
    }
    masks = owen_coalitions(tree.children, tree.n_units)
    listed = {frozenset(row.nonzero().flatten().tolist()) for row in masks}
    assert listed == visited
    assert len(masks) == len(visited) == owen_coalitions_count(tree.children, tree.n_units)
    assert not masks[0].any()
    assert masks[-1].all()


@pytest.mark.parametrize("n_units", [2, 4, 8, 16, 32])
def test_a_balanced_tree_takes_two_thirds_of_n_squared_calls(n_units):
    count = owen_coalitions_count(balanced_children(n_units), n_units)
    assert count == 2 * (n_units**2 - 1) // 3 + 2
    exact = sample(Owen(), PlayerCount(n_units), count)
    assert exact.design == "owen_exact"
    assert exact.walks is None
    assert len(distinct_rows(words(exact.masks))[0]) == count
    if n_units > 2:
        assert sample(Owen(), PlayerCount(n_units), count - 1).design == "owen"


def test_a_flat_tree_reaches_all_coalitions():
    exact = sample(Owen(), PlayerCount(5, Tree(5, ((0, 1, 2, 3, 4),))), 32)
    assert exact.exhaustive


def test_counting_needs_no_listing():
    assert owen_coalitions_count((tuple(range(200)),), 200) == 2**200
    sample(Owen(), PlayerCount(300, Tree(300, (tuple(range(300)),))), 600)


@pytest.mark.parametrize("n_units", [0, 1, 2, 3, 7, 12, 100])
def test_players_without_a_tree_get_the_balanced_one(n_units):
    assert balanced_children(n_units) == Tree.balanced(n_units).children


@pytest.mark.parametrize("sampler", [Permutation(), Owen()])
@pytest.mark.parametrize(("n_units", "least"), [(0, 1), (1, 2), (2, 4), (6, 12)])
def test_the_least_budget_is_one_pair_of_walks(sampler, n_units, least):
    assert len(sample(sampler, PlayerCount(n_units), least)) == least
    with pytest.raises(ArgumentError, match=rf"budget: got {least - 1}, .* at least {least} "):
        sample(sampler, PlayerCount(n_units), least - 1)


def test_one_unit_and_none():
    assert sample(Permutation(), PlayerCount(1), 5).walks.tolist() == [[0, 1], [0, 1]]
    assert sample(Permutation(), PlayerCount(0), 5).walks.tolist() == [[0], [0]]


def test_shared_rows_buy_more_walks():
    # All 32 coalitions of five units are within reach: the walks go on for free.
    coalitions = sample(Permutation(), PlayerCount(5), 32)
    assert len(coalitions.walks) > 2 * (32 - 2) // 8
