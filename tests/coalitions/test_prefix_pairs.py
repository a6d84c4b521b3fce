"""Pairs chosen by what they tell for the tokens that have to be read anew."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import OddPairs, PlayerCount, PrefixPairs
from perturbx.coalitions.prefix_search import PrefixSearch
from perturbx.coalitions.trie_order import cheapest_parts
from perturbx.exceptions import ArgumentError

PRICES = st.lists(st.integers(1, 60), min_size=4, max_size=20).map(tuple)


def draw(sampler, n_units, budget, seed=0):
    return sampler.sample(PlayerCount(n_units), budget, torch.Generator().manual_seed(seed))


def tokens_read(masks, prices, tail):
    """Nodes of the trie of all rows, by brute force: the kept units of every beginning, once."""
    nodes = set()
    for row in np.asarray(masks):
        kept = tuple(np.flatnonzero(row))
        nodes |= {kept[: i + 1] for i in range(len(kept))}
    return sum(prices[node[-1]] for node in nodes) + tail * len(masks)


@settings(max_examples=25, deadline=None)
@given(prices=PRICES, tail=st.floats(0, 50), seed=st.integers(0, 2**30), more=st.integers(1, 12))
def test_a_larger_design_begins_with_the_smaller_one(prices, tail, seed, more):
    n_units = len(prices)
    sampler = PrefixPairs(prices, tail)
    small = min(n_units + 2 + n_units % 2, 2**n_units - 2)
    first = draw(sampler, n_units, small, seed)
    second = draw(sampler, n_units, min(small + 2 * more, 2**n_units - 2), seed)
    assert torch.equal(second.masks[: len(first)], first.masks)


@settings(max_examples=25, deadline=None)
@given(prices=PRICES, seed=st.integers(0, 2**30), tail=st.integers(0, 40))
def test_a_price_is_the_trie_nodes_that_a_row_adds(prices, seed, tail):
    search = PrefixSearch(prices, float(tail), seed)
    half = search.extend(3)
    n_units = len(prices)
    rows = np.concatenate([np.ones((1, n_units), bool), np.zeros((1, n_units), bool), half, ~half])
    new = np.random.default_rng(seed).random((20, n_units)) < 0.5
    before = tokens_read(rows, prices, tail)
    for row, price in zip(new, search._prices(new), strict=True):
        added = tokens_read(np.concatenate([rows, row[None]]), prices, tail) - before - tail
        assert price == pytest.approx(added)


def tokens_behind(first, masks, prices, tail):
    """Tokens of a design's rows behind its first ones."""
    return tokens_read(masks, prices, tail) - tokens_read(masks[:first], prices, tail)


@pytest.mark.parametrize("n_units", [3, 16, 40])
def test_it_begins_with_the_pairs_chosen_for_their_calls_and_goes_on_with_their_sizes(n_units):
    rows = min(2 * n_units + 2, 2**n_units - 2)
    by_price = draw(PrefixPairs((30,) * n_units, tail=20.0), n_units, rows).masks
    by_calls = draw(OddPairs(), n_units, rows).masks
    sizes = [own.sum(1)[2:].reshape(-1, 2).sort(dim=1).values for own in (by_price, by_calls)]
    assert torch.equal(*sizes)
    first = 2 + 2 * round(0.6 * n_units)
    signs = [1.0 - 2.0 * own[:first].double() for own in (by_price, by_calls)]
    assert torch.equal(signs[0] @ signs[0].T, signs[1] @ signs[1].T)


@settings(max_examples=25, deadline=None)
@given(
    prices=PRICES, size=st.integers(1, 19), seed=st.integers(0, 2**30), n_pairs=st.integers(0, 9)
)
def test_candidates_have_the_size_asked_for_and_are_new(prices, size, seed, n_pairs):
    n_units = len(prices)
    size = 1 + size % (n_units - 1)
    search = PrefixSearch(prices, 5.0, seed)
    known = search.extend(min(n_pairs, 2 ** (n_units - 2)))
    rows = search._of_size(size)
    assert not {row.tobytes() for row in np.concatenate([known, ~known])} & {
        row.tobytes() for row in rows
    }
    kept = set(rows.sum(1).tolist())
    # Where all of that size are chosen, it is a row of any other.
    assert kept <= {size, n_units - size} or not kept & {size, n_units - size}


@pytest.mark.parametrize("n_units", [20, 40])
def test_it_goes_on_with_fewer_tokens_than_pairs_chosen_for_their_calls(n_units):
    prices = tuple(np.random.default_rng(0).integers(20, 100, n_units).tolist())
    by_price = draw(PrefixPairs(prices, tail=20.0), n_units, 5 * n_units).masks
    by_calls = draw(OddPairs(), n_units, 5 * n_units).masks
    assert len(by_price) == len(by_calls)
    read = [tokens_behind(2 * n_units + 2, own, prices, 20) for own in (by_price, by_calls)]
    assert read[0] < 0.85 * read[1]


@settings(max_examples=25, deadline=None)
@given(n_units=st.integers(2, 20), seed=st.integers(0, 2**30))
def test_parts_are_dealt_so_that_rows_begin_alike(n_units, seed):
    rng = np.random.default_rng(seed)
    prices, rows = rng.integers(1, 50, n_units), rng.random((3 * n_units, n_units)) < 0.5
    parts = cheapest_parts(rows, prices.astype(float), np.random.default_rng(seed))
    assert sorted(parts.tolist()) == list(range(n_units))
    again = cheapest_parts(rows, prices.astype(float), np.random.default_rng(seed))
    assert parts.tolist() == again.tolist()
    dealt = [tokens_read(rows[:, rng.permutation(n_units)], prices, 0) for _ in range(8)]
    assert tokens_read(rows[:, parts], prices, 0) <= np.mean(dealt)


def test_a_dear_tail_makes_calls_count_and_no_tail_makes_tokens_count():
    prices = (30,) * 16
    cheap, dear = (draw(PrefixPairs(prices, tail), 16, 80).masks for tail in (0.0, 1e6))
    assert tokens_behind(34, cheap, prices, 0) < 0.8 * tokens_behind(34, dear, prices, 0)


def test_all_coalitions_of_few_units_can_be_asked_for():
    coalitions = draw(PrefixPairs((3, 1, 4)), 3, 8)
    assert len({tuple(row) for row in coalitions.masks.tolist()}) == 8
    assert len(draw(PrefixPairs((3, 1, 4, 1)), 4, 14)) == 14


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: PrefixPairs((1, -2)), "unit_tokens"),
        (lambda: PrefixPairs((1, 2), tail=-1.0), "tail: .* got -1.0"),
        (lambda: PrefixPairs((1, 2), tail=float("inf")), "tail: .* got inf"),
        (lambda: draw(PrefixPairs((1, 2)), 3, 8), "unit_tokens"),
        (lambda: draw(PrefixPairs((1,) * 9), 9, 5), "budget"),
    ],
)
def test_what_cannot_be_is_named(make, named):
    with pytest.raises(ArgumentError, match=named):
        make()
