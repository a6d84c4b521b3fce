"""Budgets of sampled answers: never exceeded, never lower for more calls, masks before repeats."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.explainers.repeats import rounds_of_answers, split_votes, with_samples


@given(n_units=st.integers(1, 80), per_unit=st.integers(4, 60), n_samples=st.integers(1, 6))
def test_a_budget_is_spent_and_not_exceeded(n_units, per_unit, n_samples):
    n_calls = n_samples * (per_unit * n_units + 4)
    split = split_votes(n_calls, n_units, n_samples)
    assert split.n_calls <= n_calls
    # one pair of masks, or one more answer at both ends, is all that can be left over
    assert split.n_calls >= n_calls - 2 * n_samples - 1
    assert split.n_masks <= 2 ** min(n_units, 62)
    assert split.n_more % 2 == 0


@given(n_units=st.integers(0, 40), more=st.integers(0, 400), n_samples=st.integers(1, 10))
@example(n_units=4, more=31, n_samples=2)
@example(n_units=2, more=4, n_samples=3)
@example(n_units=0, more=0, n_samples=1)
def test_no_budget_that_pays_for_both_ends_is_exceeded(n_units, more, n_samples):
    n_calls = 2 * n_samples + more
    assert split_votes(n_calls, n_units, n_samples).n_calls <= n_calls


@given(n_units=st.integers(1, 40), calls=st.integers(10, 900), more=st.integers(0, 200))
def test_more_calls_never_take_an_answer_away(n_units, calls, more):
    less, larger = (split_votes(n_units + 4 + own, n_units) for own in (calls, calls + more))
    assert larger.n_masks >= less.n_masks
    assert larger.of_masks >= less.of_masks or less.n_masks == 2
    if less.n_masks == 2**n_units:
        assert larger.of_ends >= less.of_ends
        if larger.of_masks == less.of_masks:
            assert larger.n_more >= less.n_more


def test_the_ends_are_asked_as_often_as_there_are_pairs_a_unit():
    split = split_votes(20 * 14, 14)
    assert split.of_ends == pytest.approx((split.n_masks - 2) / 2 / 14, abs=2)


@given(st.integers(1, 70))
def test_rounds_grow(n_units):
    rounds = rounds_of_answers(n_units)
    assert list(rounds) == sorted(set(rounds))
    assert len(rounds) <= 7


@given(n_units=st.integers(1, 6), n_calls=st.integers(130, 400))
def test_every_mask_knows_its_answers_and_pairs_stay_whole(n_units, n_calls):
    split = split_votes(n_calls, n_units)
    drawn = OddPairs().sample(PlayerCount(n_units), split.n_masks, torch.Generator().manual_seed(0))
    design = with_samples(drawn, split)
    assert int(design.samples.sum()) == split.n_calls
    answers = {
        tuple(m): n for m, n in zip(design.masks.tolist(), design.samples.tolist(), strict=True)
    }
    for mask, count in answers.items():
        assert answers[tuple(not kept for kept in mask)] == count
