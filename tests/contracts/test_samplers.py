"""What every sampler must obey. Add yours to `SAMPLERS` and run this file."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import SAMPLERS as NAMES
from perturbx.coalitions import (
    GlimeSizes,
    LimeSizes,
    PlayerCount,
    PrefixPairs,
    Uniform,
    as_sampler,
)
from perturbx.exceptions import ArgumentError
from perturbx.typing import Sampler
from perturbx.units.tree import Tree


class PricedPairs:
    """`PrefixPairs`, with a price for as many units as there are."""

    name = PrefixPairs.name

    def sample(self, players, budget, generator):
        prices = tuple(5 + 7 * unit % 11 for unit in range(players.n_units))
        return PrefixPairs(prices, tail=3.0).sample(players, budget, generator)


SAMPLERS = [
    PricedPairs(),
    *map(as_sampler, NAMES),
    Uniform(p=0.3),
    Uniform(paired=True),
    Uniform(n_draws=50),
    LimeSizes(n_draws=50),
    GlimeSizes(kernel_width=5.0),
]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    """Designs that are kept on disk are kept in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


any_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


def sample(sampler, n_units, budget, seed=0, tree=None):
    """The coalitions, or None where the sampler says that the budget is too small."""
    players = PlayerCount(n_units, tree)
    try:
        return sampler.sample(players, budget, torch.Generator().manual_seed(seed))
    except ArgumentError as error:
        if not str(error).startswith(f"budget: got {budget}, "):
            raise
        return None


@any_sampler
@settings(max_examples=40, deadline=None)
@given(
    n_units=st.one_of(st.integers(0, 12), st.integers(13, 90)),
    budget=st.integers(0, 300),
    seed=st.integers(0, 2**40),
)
def test_what_coalitions_promise(sampler, n_units, budget, seed):
    coalitions = sample(sampler, n_units, budget, seed)
    if coalitions is None:
        return
    masks, n_rows = coalitions.masks, len(coalitions)
    rows = {tuple(row) for row in masks.tolist()}
    assert masks.shape == (n_rows, n_units)
    assert masks.dtype == torch.bool
    assert masks.device.type == "cpu"
    assert masks.is_contiguous()
    assert 1 <= n_rows <= budget, "the budget counts distinct rows"
    assert len(rows) == n_rows, "rows are distinct"
    assert (True,) * n_units in rows, "the full coalition is there"

    assert coalitions.counts.shape == (n_rows,)
    assert coalitions.counts.dtype == torch.int64
    assert (coalitions.counts >= 0).all()
    if coalitions.probabilities is not None:
        assert coalitions.probabilities.shape == (n_rows,)
        assert coalitions.probabilities.dtype == torch.float64
        assert ((coalitions.probabilities > 0) & (coalitions.probabilities <= 1)).all()
    if coalitions.walks is not None:
        assert coalitions.walks.dtype == torch.int64
        assert coalitions.walks.shape[1] == n_units + 1
    if coalitions.paired:
        assert rows == {tuple(row) for row in (~masks).tolist()} or n_units == 0
    assert coalitions.exhaustive == (n_rows == 2**n_units)


@any_sampler
@settings(max_examples=10, deadline=None)
@given(n_units=st.integers(0, 40), extra=st.integers(0, 60), seed=st.integers(0, 2**40))
def test_a_seed_gives_the_same_coalitions(sampler, n_units, extra, seed):
    budget = 2 * n_units + 2 + extra
    first, second = (sample(sampler, n_units, budget, seed) for _ in range(2))
    if first is None:
        assert second is None
        return
    assert torch.equal(first.masks, second.masks)
    assert torch.equal(first.counts, second.counts)


@any_sampler
def test_the_global_random_state_is_left_alone(sampler):
    before = torch.random.get_rng_state()
    sample(sampler, 6, 64)
    assert torch.equal(torch.random.get_rng_state(), before)


@any_sampler
@pytest.mark.parametrize("n_units", [0, 1, 2])
def test_few_units_are_all_asked_about(sampler, n_units):
    coalitions = sample(sampler, n_units, 2**n_units)
    assert coalitions is not None
    assert len(coalitions) == 2**n_units or coalitions.probabilities is None
    assert coalitions.masks.all(1).any()


@any_sampler
def test_no_budget_is_an_error_that_says_so(sampler):
    for n_units in (0, 1, 5):
        with pytest.raises(ArgumentError, match=r"budget: got 0, .* at least \d+ calls"):
            sampler.sample(PlayerCount(n_units), 0, torch.Generator())


@any_sampler
def test_a_hierarchy_is_no_obstacle(sampler):
    tree = Tree(5, ((0, 4), (1, 2, 3), (5, 6)))
    coalitions = sample(sampler, 5, 32, tree=tree)
    assert coalitions is not None
    assert coalitions.masks.all(1).any()


@any_sampler
def test_it_is_a_sampler_and_names_its_design(sampler):
    assert isinstance(sampler, Sampler)
    coalitions = sample(sampler, 5, 32)
    assert coalitions.design.startswith(sampler.name)
