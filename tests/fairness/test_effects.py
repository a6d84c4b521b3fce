"""The largest gap and the accuracy under other decisions."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equal_opportunity_difference
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.fairness.effects import effects_of, folds_of, large_groups
from perturbx.fairness.grouping import attribute

OPTIONS = {"n_resamples": 200, "seed": 0}


def drawn_rows(seed, n=60):
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b", "c"], n)
    group[:6] = ["a", "b", "c"] * 2
    labels = rng.integers(0, 2, n).astype(float)
    labels[:3] = 1.0
    return rng, group, labels, rng.integers(0, 2, n).astype(float)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=15)
def test_gaps_and_accuracy_are_fairlearns(seed, weighed):
    rng, group, labels, decisions = drawn_rows(seed)
    weights = rng.integers(1, 4, len(group)).astype(float) if weighed else None
    members = attribute("g", group).members
    found = effects_of(decisions, labels, members, weights=weights, **OPTIONS)
    given_rows = {"sensitive_features": group, "sample_weight": weights}
    parity = demographic_parity_difference(labels, decisions, **given_rows)
    assert found["demographic_parity"].gap == pytest.approx(parity)
    opportunity = equal_opportunity_difference(labels, decisions, **given_rows)
    assert found["equal_opportunity"].gap == pytest.approx(opportunity)
    right = np.average(labels == decisions, weights=weights)
    for effect in found.values():
        assert effect.accuracy == pytest.approx(right)


@given(st.integers(0, 10_000), st.sampled_from([None, 3, 20]))
@settings(max_examples=25)
def test_the_ends_hold_the_value_and_are_shares(seed, n_clusters):
    rng, group, labels, decisions = drawn_rows(seed)
    clusters = None if n_clusters is None else rng.integers(0, n_clusters, len(group))
    if clusters is not None:
        clusters[:n_clusters] = np.arange(n_clusters)
    members = attribute("g", group).members
    for effect in effects_of(decisions, labels, members, clusters=clusters, **OPTIONS).values():
        ends = effect.ends(0.95)
        for name in ("gap", "accuracy"):
            low, value, high = (ends[f"{name}_{end}"] for end in ("low", "after", "high"))
            assert 0 <= low <= value <= high <= 1


def test_rows_repeated_within_their_cluster_tell_nothing_new():
    _, group, labels, decisions = drawn_rows(1, 80)
    members = attribute("g", group).members
    once = effects_of(decisions, labels, members, clusters=np.arange(80), **OPTIONS)
    columns = [np.repeat(column, 3) for column in (decisions, labels, np.arange(80))]
    more = effects_of(
        columns[0],
        columns[1],
        attribute("g", np.repeat(group, 3)).members,
        clusters=columns[2],
        **OPTIONS,
    )
    for metric, effect in once.items():
        for key, value in effect.ends(0.95).items():
            # But for the noise of the variance by which an independent row is told.
            assert more[metric].ends(0.95)[key] == pytest.approx(value, abs=0.004)


def test_few_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], 40)
    decisions = np.repeat(rng.integers(0, 2, 8), 10).astype(float)
    members = attribute("g", group).members
    widths = []
    for clusters in (None, np.repeat(np.arange(8), 10)):
        effect = effects_of(decisions, 1 - decisions, members, clusters=clusters, **OPTIONS)
        ends = effect["demographic_parity"].ends(0.95)
        widths.append(ends["gap_high"] - ends["gap_low"])
    assert widths[1] > 1.5 * widths[0]
    ends = effects_of(decisions, decisions, members, clusters=np.zeros(80, dtype=int), **OPTIONS)[
        "demographic_parity"
    ].ends(0.95)
    assert np.isnan([ends["gap_low"], ends["accuracy_low"]]).all()
    assert ends["accuracy_after"] == 1


def test_without_labels_only_shares_of_decisions_are_compared():
    _, group, _, decisions = drawn_rows(2)
    found = effects_of(decisions, None, attribute("g", group).members, **OPTIONS)
    assert list(found) == ["demographic_parity"]
    assert np.isnan(found["demographic_parity"].accuracy)


def test_groups_without_a_positive_label_are_left_out():
    group = np.array(["a", "a", "b", "b", "c", "c"])
    labels = np.array([1.0, 1, 1, 1, 0, np.nan])
    decisions = np.array([1.0, 0, 1, 1, 1, 1])
    found = effects_of(decisions, labels, attribute("g", group).members, **OPTIONS)
    assert found["equal_opportunity"].gap == 0.5
    assert found["demographic_parity"].gap == 0.5
    alone = effects_of(decisions, labels, attribute("g", ["a"] * 6).members, **OPTIONS)
    assert np.isnan(alone["equal_opportunity"].gap)


@given(st.integers(2, 40), st.integers(0, 100), st.booleans())
def test_folds_are_halves_that_part_no_cluster(n, seed, clustered):
    clusters = np.random.default_rng(seed).integers(0, 6, n) if clustered else None
    fold = folds_of(n, clusters, seed)
    assert set(fold) <= {0, 1}
    if clusters is None:
        assert abs((fold == 0).sum() - (fold == 1).sum()) <= 1
    else:
        for cluster in set(clusters):
            assert len(set(fold[clusters == cluster])) == 1


def test_large_groups_have_enough_rows_of_either_label():
    members = attribute("g", ["a"] * 4 + ["b"] * 4 + ["c"] * 2).members
    labels = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 0.0])
    assert large_groups(members, None, 3).tolist() == [0, 1]
    assert large_groups(members, labels, 2).tolist() == [0]
    assert large_groups(members, labels, 1).tolist() == [0, 1, 2]
    assert large_groups(members, np.full(10, np.nan), 1).tolist() == []
