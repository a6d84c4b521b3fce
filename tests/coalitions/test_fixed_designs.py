"""The designs without chance: exhaustive and leave-one-out."""

import pytest
import torch

from perturbx.coalitions import Exhaustive, LeaveOneOut, PlayerCount, words
from perturbx.exceptions import ArgumentError


def sample(sampler, n_units, budget):
    return sampler.sample(PlayerCount(n_units), budget, torch.Generator())


@pytest.mark.parametrize("n_units", [0, 1, 2, 5, 12])
def test_exhaustive_rows_count_in_binary(n_units):
    coalitions = sample(Exhaustive(), n_units, 2**n_units + 3)
    assert words(coalitions.masks)[:, 0].tolist() == list(range(2**n_units))
    assert coalitions.exhaustive
    assert coalitions.paired
    assert torch.equal(coalitions.masks, ~coalitions.masks.flip(0)) or n_units == 0


@pytest.mark.parametrize("n_units", [3, 12])
def test_exhaustive_names_the_calls_it_needs(n_units):
    message = rf"budget: got {2**n_units - 1}, .* at least {2**n_units} calls for {n_units} units"
    with pytest.raises(ArgumentError, match=message):
        sample(Exhaustive(), n_units, 2**n_units - 1)


def test_exhaustive_over_very_many_units_is_a_short_message():
    with pytest.raises(ArgumentError, match=r"at least about 2\*\*100000 calls") as caught:
        sample(Exhaustive(), 100_000, 1000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("n_units", [1, 2, 3, 40])
def test_leave_one_out_removes_each_unit_once(n_units):
    coalitions = sample(LeaveOneOut(), n_units, n_units + 1)
    assert coalitions.masks[0].all()
    assert torch.equal(~coalitions.masks[1:], torch.eye(n_units, dtype=torch.bool))
    richer = sample(LeaveOneOut(), n_units, 10 * n_units + 2)
    assert len(richer) == (2 if n_units == 1 else n_units + 2)
    assert not richer.masks[-1].any()


def test_leave_one_out_names_the_least_budget():
    with pytest.raises(ArgumentError, match="budget: got 5, but leave_one_out needs at least 6"):
        sample(LeaveOneOut(), 5, 5)


def test_a_budget_that_is_no_number_of_calls():
    with pytest.raises(ArgumentError, match=r"budget: expected .* got 7\.5"):
        sample(LeaveOneOut(), 5, 7.5)
