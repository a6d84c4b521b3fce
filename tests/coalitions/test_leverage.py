import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import Leverage, PlayerCount, distinct_rows, sample_batch, words
from perturbx.coalitions.subsets import random_subsets, ranked_subsets
from perturbx.exceptions import ArgumentError


def sample(n_units, budget, seed=0):
    return Leverage().sample(PlayerCount(n_units), budget, torch.Generator().manual_seed(seed))


def rows_of(masks):
    return [tuple(row) for row in masks.int().tolist()]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 200), st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_pairs_fill_the_budget_and_every_size_has_its_share(n_units, fraction, seed):
    budget = round(n_units + 2 + fraction * min(8 * n_units, 2**n_units - n_units - 2))
    coalitions = sample(n_units, budget, seed)
    if budget == 2**n_units:
        assert coalitions.exhaustive
        return
    assert len(coalitions) == budget - budget % 2
    assert coalitions.masks[0].sum() == 0
    assert coalitions.masks[1].sum() == n_units
    assert torch.equal(coalitions.masks[2::2], ~coalitions.masks[3::2])

    kept = coalitions.masks.sum(1)
    sizes = torch.bincount(kept, minlength=n_units + 1)[1:-1]
    capacity = [float(math.comb(n_units, size)) for size in range(1, n_units)]
    assert torch.equal(sizes, sizes.flip(0))
    # c = p C(n, s) is one number for all sizes that are not taken whole.
    shares = [
        (size, int(count), float(coalitions.probabilities[kept == size][0] * capacity[size - 1]))
        for size, count in enumerate(sizes.tolist(), start=1)
        if count
    ]
    partial = [share for size, _, share in shares if share < capacity[size - 1] * (1 - 1e-12)]
    assert partial
    assert max(partial) == pytest.approx(min(partial), rel=1e-9)
    for size, count, share in shares:
        # Rounded to a neighbour; half of the units hold both of a pair and go by twos.
        assert abs(count - share) < (2 if 2 * size == n_units else 1) + 1e-9
    expected = [min(partial[0], of_size) for of_size in capacity]
    assert sum(expected) == pytest.approx(len(coalitions) - 2)


@pytest.mark.parametrize(("n_units", "budget"), [(4, 10), (5, 16), (6, 20), (6, 61), (7, 30)])
def test_a_coalition_is_included_as_often_as_its_probability_says(n_units, budget):
    n_seeds = 1500
    players = [PlayerCount(n_units)] * n_seeds
    generators = [torch.Generator().manual_seed(seed) for seed in range(n_seeds)]
    drawn = sample_batch(Leverage(), players, [budget] * n_seeds, generators)
    seen = Counter(row for coalitions in drawn for row in rows_of(coalitions.masks))
    probability = {}
    for coalitions in drawn:
        probability.update(
            zip(rows_of(coalitions.masks), coalitions.probabilities.tolist(), strict=True)
        )
    assert set(probability) == set(itertools.product((0, 1), repeat=n_units))
    assert sum(probability.values()) == pytest.approx(budget - budget % 2)
    for row, p in probability.items():
        margin = 4.5 * math.sqrt(p * (1 - p) / n_seeds) + 1e-12
        assert abs(seen[row] / n_seeds - p) <= margin


def test_sizes_that_are_drawn_and_not_listed_are_uniform_and_not_repeated():
    # With n = 40 single units are listed or drawn, and everything above is drawn.
    n_seeds = 120
    kept = torch.zeros(40)
    sizes = torch.zeros(41)
    for seed in range(n_seeds):
        masks = sample(40, 400, seed).masks
        kept += masks.sum(0)
        sizes += torch.bincount(masks.sum(1), minlength=41)
    assert torch.equal(kept, torch.full((40,), n_seeds * 200.0)), "pairs keep every unit once"
    assert sizes[2:39].sub(sizes[2:39].mean()).abs().max() <= n_seeds


def test_neighbours_appear_together_as_often_as_units_far_apart():
    together = torch.zeros(12, 12)
    for seed in range(200):
        masks = sample(12, 120, seed).masks.float()
        together += masks.T @ masks
    apart = together[~torch.eye(12, dtype=torch.bool)]
    assert (apart / apart.mean() - 1).abs().max() < 0.03


def test_many_masks_are_distinct():
    coalitions = sample(30, 200_000)
    assert len(coalitions) == 200_000
    assert len(distinct_rows(words(coalitions.masks))[0]) == 200_000


def test_nearly_all_coalitions_are_still_distinct():
    coalitions = sample(12, 2**12 - 2)
    assert len(distinct_rows(words(coalitions.masks))[0]) == len(coalitions) == 2**12 - 2


def test_thousands_of_units():
    coalitions = sample(5000, 5002)
    assert len(distinct_rows(words(coalitions.masks))[0]) == 5002
    assert torch.isfinite(coalitions.probabilities).all()


@pytest.mark.parametrize(("n_units", "least"), [(1, 2), (2, 4), (3, 5), (10, 12), (5000, 5002)])
def test_the_least_budget_is_named(n_units, least):
    assert len(sample(n_units, least)) == least - least % 2 or least == 2**n_units
    with pytest.raises(ArgumentError, match=rf"budget: got {least - 1}, .* at least {least} "):
        sample(n_units, least - 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 99))
def test_random_subsets_have_their_sizes(n_units, seed):
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(n_units + 1, (50,), generator=generator)
    assert torch.equal(random_subsets(n_units, sizes, [50], [generator]).sum(1), sizes)


def test_random_subsets_are_uniform():
    sizes = torch.full((40_000,), 3)
    rows = random_subsets(6, sizes, [40_000], [torch.Generator().manual_seed(0)])
    counts = torch.bincount(words(rows)[:, 0])
    counts = counts[counts > 0]
    assert len(counts) == 20
    assert (((counts - 2000.0) ** 2) / 2000).sum() < 43.8  # chi-square, 19 degrees, p = .001


@pytest.mark.parametrize("n_units", [1, 2, 5, 9])
def test_ranks_name_every_subset_once_and_the_last_unit_comes_last(n_units):
    for size in range(n_units + 1):
        ranks = torch.arange(math.comb(n_units, size))
        rows = ranked_subsets(n_units, torch.full_like(ranks, size), ranks)
        assert torch.equal(rows.sum(1), torch.full_like(ranks, size))
        numbers = words(rows)[:, 0]
        assert torch.equal(numbers, numbers.sort().values), "colexicographic order"
        assert len(numbers.unique()) == len(numbers)
        without_last = math.comb(n_units - 1, size)
        assert not rows[:without_last, -1].any()


def test_a_probability_that_float64_cannot_hold_is_zero_and_never_inexact():
    coalitions = sample(1100, 2200)
    sizes = coalitions.masks.sum(1).tolist()
    for size, p in zip(sizes, coalitions.probabilities.tolist(), strict=True):
        if 0 < size < 1100 and p > 0:
            log_p = math.log(2198 / 1099) - math.log(math.comb(1100, size))
            assert math.log(p) == pytest.approx(min(log_p, 0.0), rel=1e-12)
    assert 0.0 in coalitions.probabilities
