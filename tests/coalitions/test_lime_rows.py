"""The design of LIME's limit: pairs first, then single rows, one sequence for each length."""

import numpy as np
import pytest
import torch

from perturbx.coalitions import LimeRows, OddPairs, PlayerCount, design_cache, lime_rows
from perturbx.exceptions import ArgumentError
from perturbx.symmetric_kernels import falling_shares, krawtchouk, lime_functional

N_UNITS = 18


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        lime_rows._sequence.cache_clear()
        yield
    lime_rows._sequence.cache_clear()


def sample(n_units, budget, seed=0, sampler=LimeRows()):  # noqa: B008
    generator = torch.Generator().manual_seed(seed)
    return sampler.sample(PlayerCount(n_units), budget, generator)


def left_open(masks):
    """What masks leave uncertain of LIME's line, under the prior of the design."""
    n_units = masks.shape[1]
    line, shares = lime_functional(n_units), falling_shares(n_units + 1, lime_rows.RHO)
    masks = masks.numpy()
    distance = (masks[:, None] ^ masks[None]).sum(axis=2)
    covariance = (shares @ krawtchouk(n_units) + 1e3)[distance]
    covariance += lime_rows.WHITE * np.eye(len(masks))
    size = masks.sum(axis=1)
    kept, removed, _ = shares @ line.readout
    alone = np.where(masks, line.kept_alone[size][:, None], line.removed_alone[size][:, None])
    readout = np.where(masks, kept[size][:, None], removed[size][:, None])
    readout = readout + lime_rows.WHITE * alone
    known = readout.T @ np.linalg.solve(covariance, readout)
    prior = (line.prior @ shares)[0] + lime_rows.WHITE * line.white_prior[0]
    return n_units * prior - np.trace(known)


@pytest.mark.parametrize("budget", [20, 80, 8 * N_UNITS, 8 * N_UNITS + 1, 230, 700])
def test_larger_budgets_go_on_where_smaller_ones_stop(budget):
    own, longer = sample(N_UNITS, budget).masks, sample(N_UNITS, 800).masks
    assert torch.equal(longer[: len(own)], own)


@pytest.mark.parametrize(("n_units", "budget"), [(12, 150), (16, 200), (N_UNITS, 100), (130, 400)])
def test_it_begins_with_the_pairs_of_shapley_values(n_units, budget):
    own, pairs = sample(n_units, budget), sample(n_units, budget, sampler=OddPairs())
    assert torch.equal(own.masks, pairs.masks)
    assert own.paired


def test_single_rows_tell_more_of_the_line_than_further_pairs():
    budget = 14 * N_UNITS
    own, pairs = sample(N_UNITS, budget), sample(N_UNITS, budget, sampler=OddPairs())
    assert not own.paired
    assert left_open(own.masks) < 0.9 * left_open(pairs.masks)
    further = own.masks[8 * N_UNITS :]
    assert further.double().mean() > 0.55, "LIME's kernel is heaviest where most is kept"


def test_the_kernels_width_counts():
    narrow = sample(N_UNITS, 250, sampler=LimeRows(kernel_width=10.0)).masks[8 * N_UNITS :]
    assert narrow.double().mean() > sample(N_UNITS, 250).masks[8 * N_UNITS :].double().mean() + 0.1


def test_beyond_the_sequence_rows_are_drawn(monkeypatch):
    monkeypatch.setattr(lime_rows, "MOST_ROWS", 40)
    own = sample(N_UNITS, 8 * N_UNITS + 100)
    assert len(own) == 8 * N_UNITS + 100
    assert len(own.masks.unique(dim=0)) == len(own)
    assert torch.equal(own.masks[: 8 * N_UNITS + 40], sample(N_UNITS, 8 * N_UNITS + 40).masks)


def test_what_is_on_disk_is_not_searched_again(monkeypatch):
    first = sample(N_UNITS, 200).masks
    lime_rows._sequence.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(lime_rows, "search", None)
        assert torch.equal(sample(N_UNITS, 200).masks, first)
    # A file that holds a row twice is none.
    broken = first[8 * N_UNITS :][:1].expand(lime_rows.SHORTEST, -1)
    design_cache.save_rows("lime-25", broken)
    lime_rows._sequence.cache_clear()
    assert torch.equal(sample(N_UNITS, 200).masks, first)


def test_too_few_calls_are_refused():
    with pytest.raises(ArgumentError, match="budget: got 19, but odd_gp needs at least 20 calls"):
        sample(N_UNITS, 19)
