"""Laws of permutations, and of the p-values that they give."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from perturbx.fairness.statistics.permutation import (
    adjusted_p_values,
    exchange_of,
    membership_patterns,
    permuted_sums,
)


def members_of(groups, n_groups=None):
    groups = np.asarray(groups)
    n_groups = groups.max() + 1 if n_groups is None else n_groups
    return scipy.sparse.csr_array(groups[:, None] == np.arange(n_groups)[None])


@st.composite
def data(draw):
    n = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    groups = rng.integers(-1, 3, n)
    clusters = rng.permutation(np.unique(rng.integers(0, 8, n), return_inverse=True)[1])
    labels = rng.choice([0.0, 1.0, np.nan], n)
    kind = draw(st.sampled_from(["crossed", "nested", "none"]))
    if kind == "nested":
        groups = groups[clusters % n]
    chosen = None if kind == "none" else clusters
    return members_of(groups, 3), chosen, draw(st.sampled_from([None, labels])), rng


@given(data())
def test_rows_stay_within_their_blocks_and_whole_clusters_move_as_a_whole(drawn):
    members, clusters, labels, rng = drawn
    exchange = exchange_of(members, clusters, labels)
    pattern = membership_patterns(members)
    label = np.zeros(len(pattern)) if labels is None else np.nan_to_num(labels, nan=-1)
    for order in exchange.orders(5, rng):
        dealt = pattern[order]
        if clusters is None:
            assert sorted(order) == list(range(len(order)))
            assert (label[order] == label).all()
            continue
        moved_as_whole = []
        for cluster in np.unique(clusters):
            own = np.flatnonzero(clusters == cluster)
            if len(np.unique(pattern[own])) == 1:
                assert len(np.unique(dealt[own])) == 1
                moved_as_whole.append((pattern[own[0]], dealt[own[0]]))
            else:
                assert sorted(order[own]) == own.tolist()
                assert (label[order[own]] == label[own]).all()
        # Each cluster that moves takes the groups of another such cluster.
        if moved_as_whole:
            before, after = zip(*moved_as_whole, strict=True)
            assert sorted(before) == sorted(after)


@given(data())
def test_sizes_are_kept_where_clusters_are_as_large_as_each_other(drawn):
    members, _, labels, _ = drawn
    twice = scipy.sparse.csr_array(scipy.sparse.vstack([members, members]))
    n = members.shape[0]
    for clusters in (None, np.tile(np.arange(n), 2)):
        column = None if labels is None or clusters is not None else np.tile(labels, 2)
        exchange = exchange_of(twice, clusters, column)
        sums = permuted_sums(np.ones((1, 2 * n)), twice, exchange, 6, 0)
        sizes = np.asarray(twice.sum(axis=0)).ravel()
        np.testing.assert_array_equal(sums[0], np.repeat(sizes[:, None], 6, axis=1))


@given(data(), st.booleans())
def test_sums_are_those_of_the_groups_dealt(drawn, overlapping):
    members, clusters, labels, rng = drawn
    if overlapping:
        members = scipy.sparse.csr_array(rng.random(members.shape) < 0.5)
    exchange = exchange_of(members, clusters, labels)
    columns = rng.random((2, members.shape[0]))
    sums = permuted_sums(columns, members, exchange, 4, 9)
    for draw, order in enumerate(exchange.orders(4, np.random.default_rng(9))):
        np.testing.assert_allclose(sums[:, :, draw], columns @ members.toarray()[order])


@given(st.lists(st.frozensets(st.integers(0, 70)), min_size=1, max_size=12), st.randoms())
def test_patterns_are_equal_where_the_groups_are_in_whatever_order(rows, random):
    indices, indptr = [], [0]
    for row in [*rows, *rows]:
        own = list(row)
        random.shuffle(own)
        indices += own
        indptr.append(len(indices))
    members = scipy.sparse.csr_array(
        (np.ones(len(indices), dtype=bool), np.array(indices, dtype=np.int32), indptr),
        shape=(2 * len(rows), 71),
    )
    pattern = membership_patterns(members)
    for i, first in enumerate([*rows, *rows]):
        for j, second in enumerate([*rows, *rows]):
            assert (pattern[i] == pattern[j]) == (first == second)


@st.composite
def statistics(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n, n_draws = draw(st.integers(1, 8)), draw(st.sampled_from([9, 99]))
    null = rng.normal(size=(n, n_draws)).round(draw(st.sampled_from([0, 6])))
    observed = np.abs(rng.normal(size=n) * 2).round(1)
    observed[rng.random(n) < 0.2] = np.nan
    return observed, null


@given(statistics())
def test_adjusted_values_are_no_smaller_and_in_the_order_of_the_statistics(drawn):
    observed, null = drawn
    plain, adjusted = adjusted_p_values(observed, null)
    known = np.isfinite(observed)
    assert np.isnan(plain[~known]).all()
    assert np.isnan(adjusted[~known]).all()
    least = 1 / (1 + null.shape[1])
    assert ((plain[known] >= least) & (plain[known] <= 1)).all()
    assert (adjusted[known] >= plain[known]).all()
    assert (adjusted[known] <= 1).all()
    order = np.argsort(-observed[known], kind="stable")
    assert (np.diff(adjusted[known][order]) >= 0).all()


@given(statistics())
def test_the_step_down_maximum_is_that_of_its_definition(drawn):
    observed, null = drawn
    _, adjusted = adjusted_p_values(observed, null)
    known = [i for i in np.argsort(-observed, kind="stable") if np.isfinite(observed[i])]
    worst = 0.0
    for place, i in enumerate(known):
        largest = np.abs(null[known[place:]]).max(axis=0)
        worst = max(worst, (1 + (largest >= observed[i] * (1 - 1e-9)).sum()) / (1 + null.shape[1]))
        assert adjusted[i] == pytest.approx(worst)


def test_one_hypothesis_needs_no_adjustment():
    plain, adjusted = adjusted_p_values(
        np.array([1.5]), np.random.default_rng(0).normal(size=(1, 99))
    )
    assert plain == adjusted
