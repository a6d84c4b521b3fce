"""Texts that together show the most of what words do."""

from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.fairness.representatives import submodular_pick


def covered(values, picked):
    importance = np.sqrt(np.abs(values).sum(axis=0))
    return importance[(values[list(picked)] != 0).any(axis=0)].sum()


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_greedy_pick_covers_at_least_its_share_of_the_best(seed, n):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(6, 8)) * (rng.random((6, 8)) < 0.3)
    picked = submodular_pick(values, n).tolist()
    best = max(covered(values, some) for some in combinations(range(6), n))
    assert covered(values, picked) >= (1 - 1 / np.e) * best - 1e-12
    assert len(set(picked)) == len(picked) <= n
    # Each is the best one there was when it was picked.
    for place, row in enumerate(picked):
        gains = [covered(values, [*picked[:place], other]) for other in range(6)]
        assert covered(values, [*picked[:place], row]) == pytest.approx(max(gains))
    assert submodular_pick(scipy.sparse.csr_array(values), n).tolist() == picked


def test_fewer_come_back_where_all_words_are_covered():
    assert submodular_pick(np.array([[1.0, 1], [1, 1], [0, 1]]), 3).tolist() == [0]
    assert submodular_pick(np.zeros((3, 2)), 2).tolist() == []
    assert submodular_pick(np.zeros((0, 2)), 2).tolist() == []


def test_at_least_one_text_is_picked():
    with pytest.raises(ArgumentError, match="n: expected at least 1 text; got 0"):
        submodular_pick(np.eye(2), 0)
