"""Laws of the Bayesian bootstrap with half rows."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from perturbx.fairness import group_metrics
from perturbx.fairness.group_metrics import measure_groups
from perturbx.fairness.grouping import attribute
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.statistics.resampling import Resampling, half_rows, limits


def measured(decisions, groups, clusters=None, labels=None, scores=None, **options):
    decisions = np.asarray(decisions, dtype=float)
    scores = decisions if scores is None else scores
    settings = {"n_resamples": 4000, "seed": 1, "min_group_size": 1} | options
    return measure_groups(
        Judged(scores, decisions, labels), attribute("g", groups), clusters, **settings
    )


def interval(found, metric, group=0, level=0.95):
    at = found.names.index(metric)
    clusters = found.n_clusters[at, [group]]
    low, high = limits(
        found.draws[at, [group]],
        found.values[at, [group]],
        level,
        clusters,
        smallest=found.bounds[at, 0],
        largest=found.bounds[at, 1],
    )
    return float(low[0]), float(high[0])


@pytest.mark.parametrize(("x", "n"), [(0, 12), (12, 12), (3, 12), (40, 80), (1, 200)])
def test_a_share_of_independent_rows_has_jeffreys_interval(x, n):
    found = measured([1.0] * x + [0.0] * (n - x), ["a"] * n, n_resamples=20_000)
    low, high = interval(found, "selection_rate")
    exact = beta.ppf([0.025, 0.975], x + 0.5, n - x + 0.5)
    # Where nobody or everybody is selected the value itself is an end.
    expected = (0.0 if x == 0 else exact[0], 1.0 if x == n else exact[1])
    assert (low, high) == pytest.approx(expected, abs=0.012)


@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=4),
    spread=st.floats(0.01, 10),
    level=st.sampled_from([0.5, 0.9, 0.99]),
    count=st.none() | st.integers(2, 100),
)
def test_the_ends_hold_the_value_and_keep_their_bounds(values, spread, level, count):
    values = np.array(values)
    draws = np.random.default_rng(0).normal(values[:, None] + 1, spread, (len(values), 300))
    clusters = None if count is None else np.full(len(values), count)
    low, high = limits(draws, values, level, clusters, smallest=-5, largest=5)
    assert np.all((low >= -5) & (low <= values) & (values <= high) & (high <= 5))
    inner = limits(draws, values, level / 2, clusters)
    outer = limits(draws, values, level, clusters)
    assert np.all(outer[0] <= inner[0] + 1e-9)
    assert np.all(inner[1] <= outer[1] + 1e-9)


def test_one_cluster_has_no_interval():
    found = measured([1, 0, 1, 1], ["a", "a", "b", "b"], np.array([0, 0, 1, 2]))
    assert found.values[0, :2].tolist() == [0.5, 1.0]
    assert np.isnan(interval(found, "selection_rate", 0)).all()
    assert np.isfinite(interval(found, "selection_rate", 1)).all()


def test_nan_values_have_no_interval():
    low, high = limits(np.zeros((2, 100)), np.array([0.0, np.nan]), 0.95)
    assert (low[0], high[0]) == (0, 0)
    assert np.isnan([low[1], high[1]]).all()


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize("times", [2, 5])
def test_rows_repeated_within_their_cluster_tell_nothing_new(n, times):
    rng = np.random.default_rng(n)
    decisions, labels, groups = (rng.integers(0, 2, n) for _ in range(3))
    scores = rng.random(n) + decisions
    # A perfect ranking, too: its interval comes from the half pairs alone.
    scores[labels == 1] += 3 * (groups == 0)[labels == 1]
    once = measured(decisions, groups, np.arange(n), labels.astype(float), scores)
    again = [np.repeat(column, times) for column in (decisions, groups, np.arange(n))]
    more = measured(*again, np.repeat(labels, times).astype(float), np.repeat(scores, times))
    assert more.values == pytest.approx(once.values, nan_ok=True)
    for metric in ("selection_rate", "tpr", "precision", "accuracy", "mean_score"):
        for group in range(2):
            # But for the noise of the variance by which an independent row is told.
            both = interval(more, metric, group), interval(once, metric, group)
            assert both[0] == pytest.approx(both[1], abs=0.004)
    for metric in ("subgroup_auc", "bpsn_auc", "bnsp_auc"):
        for group in range(2):
            both = interval(more, metric, group), interval(once, metric, group)
            assert both[0] == pytest.approx(both[1], abs=0.02)


def test_clusters_that_agree_widen_an_interval_and_clusters_of_one_do_not():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(60), 10)
    alike = np.repeat(rng.integers(0, 2, 60), 10)
    widths = [
        np.diff(interval(measured(alike, ["a"] * 600, own), "selection_rate"))[0]
        for own in (None, np.arange(600), cluster)
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] == pytest.approx(widths[0] * np.sqrt(10), rel=0.15)


def test_many_equal_rows_are_gathered_without_a_difference(monkeypatch):
    rng = np.random.default_rng(3)
    n = 3000
    groups = rng.choice(["a", "b", None], n)
    labels = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 2, n))
    scores = np.clip(0.3 * rng.random(n) + 0.4 * np.nan_to_num(labels), 0, 1)
    decisions = scores >= 0.4
    full = measured(decisions, groups, None, labels, scores)
    monkeypatch.setattr(group_metrics, "EXACT_ROWS", 800)
    few = measured(decisions, groups, None, labels, scores)
    np.testing.assert_array_equal(few.values, full.values)
    np.testing.assert_array_equal(few.n, full.n)
    for metric in full.names:
        for group in range(2):
            ends = interval(few, metric, group), interval(full, metric, group)
            width = ends[1][1] - ends[1][0]
            assert ends[0] == pytest.approx(ends[1], abs=0.12 * width + 1e-3), metric


def test_a_regression_with_missing_labels_is_gathered_without_losing_the_others(monkeypatch):
    rng = np.random.default_rng(4)
    n = 2000
    labels = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))
    judged = Judged(np.nan_to_num(labels) + rng.normal(size=n), None, labels)
    options = {"n_resamples": 2000, "seed": 1, "min_group_size": 1}
    groups = attribute("g", rng.choice(["a", "b"], n))
    full = measure_groups(judged, groups, None, **options)
    monkeypatch.setattr(group_metrics, "EXACT_ROWS", 500)
    few = measure_groups(judged, groups, None, **options)
    for at, metric in enumerate(full.names):
        middles = few.draws[at].mean(axis=1), full.draws[at].mean(axis=1)
        spread = full.draws[at].std(axis=1).max()
        assert middles[0] == pytest.approx(middles[1], abs=0.3 * spread), metric


def test_weights_are_the_same_on_every_call_and_sums_are_theirs():
    rng = np.random.default_rng(5)
    for resampling in (
        Resampling(None, None, 30, 7),
        Resampling(rng.permutation(np.arange(12) % 5), None, 30, 7),
        Resampling(None, rng.integers(1, 9, 12), 30, 7),
    ):
        weights = np.concatenate(list(resampling.weights(12)), axis=1)
        again = np.concatenate(list(resampling.weights(12)), axis=1)
        np.testing.assert_array_equal(weights, again)
        columns = scipy.sparse.csr_array(rng.random((3, 12)))
        np.testing.assert_allclose(resampling.sums(columns), columns @ weights, rtol=1e-12)


def test_independent_units_are_counted():
    used = scipy.sparse.csr_array(np.array([[1.0, 1, 0, 1], [0, 0, 0, 2], [0, 0, 0, 0]]))
    clusters = np.array([0, 0, 1, 1])
    assert Resampling(None, None, 1, 0).n_independent(used).tolist() == [3, 1, 0]
    assert Resampling(clusters, None, 1, 0).n_independent(used).tolist() == [2, 1, 0]
    times = np.array([5, 1, 1, 2])
    assert Resampling(None, times, 1, 0).n_independent(used).tolist() == [8, 2, 0]


def test_half_rows_weigh_half_a_row_on_average():
    weights = half_rows(3, 20_000, 0)
    assert weights.mean(axis=2) == pytest.approx(np.full((2, 3), 0.5), abs=0.02)
    assert weights.var(axis=2) == pytest.approx(np.full((2, 3), 0.5), abs=0.04)


def templates(n_templates, gap, seed=0, size=100):
    """Rows of two groups in templates that differ, but not in the gap."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_templates), size)
    groups = np.tile(["a", "b"], len(cluster) // 2)
    chance = 0.5 + rng.uniform(-0.2, 0.2, n_templates)[cluster] + gap * ((groups == "a") - 0.5)
    return (rng.random(len(cluster)) < chance).astype(float), groups, cluster


@pytest.mark.parametrize("n_templates", [3, 5, 12])
def test_half_rows_of_groups_that_share_templates_do_not_drown_their_difference(n_templates):
    decisions, groups, cluster = templates(n_templates, 0.3)
    found = measured(decisions, groups, cluster)
    first, second = found.of_two((0, 0), (0, 1))
    plain = found.clustered.draws[0, 0] - found.clustered.draws[0, 1]
    # Before, an added half cluster of each group: 5 times as much with 3 templates.
    assert (first - second).std() < 1.6 * plain.std() + 0.02
    assert (first - second).std() >= 0.9 * plain.std()


def test_half_rows_do_not_pull_a_difference_of_many_rows_towards_zero():
    rng = np.random.default_rng(0)
    groups = np.tile(["a", "b"], 800)
    decisions = (rng.random(1600) < np.where(groups == "a", 0.97, 0.03)).astype(float)
    found = measured(decisions, groups, np.repeat(np.arange(40), 40))
    first, second = found.of_two((0, 0), (0, 1))
    # Half a cluster of either kind would make it smaller by .94 / 41.
    gap = found.values[0, 0] - found.values[0, 1]
    assert (first - second).mean() == pytest.approx(gap, abs=0.004)


@pytest.mark.parametrize("n_clusters", [5, 12, 40])
def test_nobody_in_clusters_has_the_interval_of_so_many_independent_rows(n_clusters):
    cluster = np.repeat(np.arange(n_clusters), 20)
    found = measured(np.zeros(20 * n_clusters), np.tile(["a", "b"], 10 * n_clusters), cluster)
    exact = beta.ppf(0.975, 0.5, n_clusters + 0.5)
    assert np.quantile(found.draws[0, 0], 0.975) == pytest.approx(exact, rel=0.1)
    # Nor is there more known of a difference that none of them shows.
    first, second = found.of_two((0, 0), (0, 1))
    assert np.quantile(first, 0.975) == pytest.approx(exact, rel=0.1)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=0.1)
