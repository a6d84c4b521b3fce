import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import (
    SAMPLERS,
    Coalitions,
    Leverage,
    Owen,
    PlayerCount,
    Uniform,
    as_sampler,
    sample_batch,
    sampler,
)
from perturbx.exceptions import ArgumentError
from perturbx.units.tree import Tree

NAMES = sorted(SAMPLERS)


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def same(left, right):
    def equal(a, b):
        return a is b is None or torch.equal(a, b)

    return all(
        equal(getattr(left, name), getattr(right, name))
        for name in ("masks", "counts", "probabilities", "walks")
    ) and (left.design, left.paired, left.exhaustive) == (
        right.design,
        right.paired,
        right.exhaustive,
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(
    texts=st.lists(st.tuples(st.sampled_from([1, 4, 6, 21]), st.integers(0, 3)), max_size=7),
    seed=st.integers(0, 999),
)
def test_a_batch_gives_what_one_by_one_gives(name, texts, seed):
    chosen = as_sampler(name)
    if name == "exhaustive":
        texts = [(n_units, extra) for n_units, extra in texts if n_units < 10]
    players = [PlayerCount(n_units) for n_units, _ in texts]
    budgets = [
        2**n_units if name == "exhaustive" else 2 * n_units + 3 + 9 * extra
        for n_units, extra in texts
    ]
    seeds = range(seed, seed + len(texts))
    batch = sample_batch(chosen, players, budgets, generators(seeds))
    singles = [
        chosen.sample(*text) for text in zip(players, budgets, generators(seeds), strict=True)
    ]
    assert len(batch) == len(texts)
    assert all(map(same, batch, singles))


def test_a_batch_in_several_parts_is_the_same(monkeypatch):
    players, budgets = [PlayerCount(20)] * 12, [100] * 12
    whole = sample_batch(Leverage(), players, budgets, generators(range(12)))
    monkeypatch.setattr(sampler, "CELLS_AT_ONCE", 5 * 20 * 100)
    parts = sample_batch(Leverage(), players, budgets, generators(range(12)))
    assert all(map(same, whole, parts))


def test_paired_draws_are_the_same_in_a_batch():
    players, budgets = [PlayerCount(6)] * 9, [30] * 9
    chosen = Uniform(paired=True, n_draws=200)
    batch = sample_batch(chosen, players, budgets, generators(range(9)))
    for coalitions, generator in zip(batch, generators(range(9)), strict=True):
        assert same(coalitions, chosen.sample(PlayerCount(6), 30, generator))


def test_texts_with_other_trees_are_not_mixed_up():
    trees = [Tree(4, ((0, 1), (2, 3), (4, 5))), Tree(4, ((0, 3), (1, 2), (4, 5))), None]
    players = [PlayerCount(4, tree) for tree in trees]
    batch = sample_batch(Owen(), players, [12] * 3, generators(range(3)))
    for coalitions, text in zip(batch, players, strict=True):
        assert same(coalitions, Owen().sample(text, 12, torch.Generator()))
    assert not torch.equal(batch[0].masks, batch[1].masks)


def test_a_sampler_of_ones_own_needs_only_sample():
    class OnlyFull:
        def sample(self, players, budget, generator):
            masks = torch.ones((1, players.n_units), dtype=torch.bool)
            return Coalitions(masks, torch.ones(1, dtype=torch.int64))

    own = as_sampler(OnlyFull())
    batch = sample_batch(own, [PlayerCount(2), PlayerCount(3)], [4, 4], generators(range(2)))
    assert [coalitions.n_units for coalitions in batch] == [2, 3]


def test_misuse_is_named():
    shared = torch.Generator()
    with pytest.raises(ArgumentError, match="generators: one generator serves two texts"):
        sample_batch(Leverage(), [PlayerCount(5)] * 2, [10] * 2, [shared, shared])
    with pytest.raises(ArgumentError, match="got 2, 1 and 2"):
        sample_batch(Leverage(), [PlayerCount(5)] * 2, [10], generators(range(2)))
    with pytest.raises(ArgumentError, match=r"budget: expected .* got 10\.0"):
        sample_batch(Leverage(), [PlayerCount(5)] * 2, [10.0] * 2, generators(range(2)))


@pytest.mark.parametrize("wrong", ["shapley", 7, None, Leverage])
def test_unknown_samplers_are_named_with_those_there_are(wrong):
    with pytest.raises(ArgumentError, match="sampler: expected one of 'exhaustive', 'leverage'"):
        as_sampler(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_gives_the_sampler_of_that_name(name):
    chosen = as_sampler(name)
    assert chosen.name == name
    assert as_sampler(chosen) is chosen
