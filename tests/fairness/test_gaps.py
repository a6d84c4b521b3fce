"""Gaps: their intervals hold the truth, and no gap is found where there is none."""

import numpy as np
import pytest

from perturbx.exceptions import ArgumentError
from perturbx.fairness import group_metrics
from perturbx.fairness.compared_groups import (
    GroupComparison,
    check_compared,
    pairs_to_compare,
)
from perturbx.fairness.gaps import gap_rows
from perturbx.fairness.group_metrics import measure_groups
from perturbx.fairness.grouping import attribute, intersections
from perturbx.fairness.statistics.measures import Judged


def quotients(judged, groups, members, measures):
    """What fairlearn's functions give (see test_group_metrics), without their overhead."""
    by_group = members.T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(
            [
                np.asarray((by_group @ a) / (by_group @ b))
                for a, b in (m.of_rows(judged) for m in measures)
            ]
        )


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(group_metrics, "fairlearn_values", quotients)


def table(judged, groups, clusters=None, *, compare="auto", seed=0, n=100, least=1):
    found = measure_groups(
        judged, groups, clusters, n_resamples=2 * n, seed=seed, min_group_size=least
    )
    pairs, extremes = pairs_to_compare(groups, compare)
    comparison = GroupComparison(groups, "o", judged, clusters, found, pairs, extremes)
    return gap_rows([comparison], level=0.95, n_permutations=n, seed=seed)


def planted(kind, rng, gap, n_clusters=24, size=6):
    """Rows whose chance of selection differs by `gap` between two groups."""
    n = n_clusters * size
    cluster = np.repeat(np.arange(n_clusters), size)
    shift = rng.uniform(-0.2, 0.2, n_clusters)[cluster]
    if kind == "independent":
        cluster, shift, in_a = None, np.zeros(n), rng.random(n) < 0.4
    elif kind == "nested":
        in_a = cluster % 2 == 0
    elif kind == "crossed":
        in_a = np.arange(n) % 2 == 0
    else:
        in_a = np.where(cluster < n_clusters // 2, cluster % 2 == 0, np.arange(n) % 2 == 0)
    labels = rng.integers(0, 2, n).astype(float)
    chance = 0.4 + gap * (in_a - 0.5) + shift
    scores = chance + rng.normal(0, 0.2, n) + 0.3 * labels
    judged = Judged(scores, (rng.random(n) < chance).astype(float), labels)
    return judged, attribute("g", np.where(in_a, "a", "b")), cluster


def coverage(kind, n, **size):
    """How often intervals hold the planted gap, for each measure."""
    held = {}
    for run in range(n):
        judged, groups, clusters = planted(kind, np.random.default_rng([run, 5]), 0.2, **size)
        # Without labels there are no AUCs, which would take most of the time.
        judged = Judged(judged.scores, judged.decisions)
        found = measure_groups(
            judged, groups, clusters, n_resamples=200, seed=run, min_group_size=1
        )
        comparison = GroupComparison(groups, "o", judged, clusters, found, ((0, 1),), False)
        for row in gap_rows([comparison], level=0.95, n_permutations=2, seed=run):
            if row["kind"] == "difference":
                inside = row["low"] <= 0.2 <= row["high"]
                held.setdefault(row["metric"], []).append(inside)
    return {metric: float(np.mean(inside)) for metric, inside in held.items()}


@pytest.mark.parametrize("kind", ["independent", "nested", "crossed", "mixed"])
def test_intervals_hold_the_planted_gap_as_often_as_they_say(kind):
    shares = coverage(kind, 200, n_clusters=60, size=4)
    assert set(shares) == {"demographic_parity", "mean_score"}
    for metric, share in shares.items():
        assert 0.90 <= share <= 0.99, (metric, share)


@pytest.mark.parametrize("kind", ["nested", "crossed", "mixed"])
def test_intervals_of_few_clusters_hold_it_at_least_as_often(kind):
    """With few clusters intervals are on the wide side, and hold more than they say."""
    for metric, share in coverage(kind, 100, n_clusters=12, size=5).items():
        assert share >= 0.90, (metric, share)


def test_intervals_of_rates_given_the_label_hold_it():
    held = {"fpr": [], "fnr": []}
    for run in range(200):
        judged, groups, clusters = planted("independent", np.random.default_rng([run, 12]), 0.2)
        found = measure_groups(
            judged, groups, clusters, n_resamples=200, seed=run, min_group_size=1
        )
        comparison = GroupComparison(groups, "o", judged, clusters, found, ((0, 1),), False)
        for row in gap_rows([comparison], level=0.95, n_permutations=2, seed=run):
            if row["kind"] == "difference" and row["metric"] in held:
                truth = 0.2 if row["metric"] == "fpr" else -0.2
                held[row["metric"]].append(row["low"] <= truth <= row["high"])
    for metric, inside in held.items():
        assert 0.90 <= np.mean(inside) <= 0.99, metric


def too_often(n, share=0.05):
    """More often than this, so many of `n` p-values are no accident."""
    return share * n + 3 * np.sqrt(share * (1 - share) * n)


@pytest.mark.parametrize("kind", ["independent", "nested", "mixed"])
def test_where_there_is_no_gap_none_is_found(kind):
    n, plain, family = 100, {}, 0
    for run in range(n):
        judged, groups, clusters = planted(kind, np.random.default_rng([run, 6]), 0.0, 16, 4)
        rows = table(judged, groups, clusters, seed=run)
        for row in rows:
            if row["kind"] == "difference":
                plain[row["metric"]] = plain.get(row["metric"], 0) + (row["p_unadjusted"] <= 0.05)
                assert not row["p_value"] < row["p_unadjusted"]
        family += min(row["p_value"] for row in rows if np.isfinite(row["p_value"])) <= 0.05
    assert max(plain.values()) <= too_often(n), plain
    assert family <= 10


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [
        ((0.5, 0.5, 0.01), (40, 40, 800)),
        ((0.15, 0.15, 0.0), (15, 15, 800)),
        ((0.2, 0.2, 0), (99, 12, 800)),
    ],
)
@pytest.mark.parametrize("third", [None, "c"])
def test_groups_unlike_all_other_rows_are_compared_with_each_other(shares, sizes, third):
    """Most texts are of another group or of none, and hardly ever selected; two are alike."""
    n, found = 100, 0
    group = np.repeat(np.array(["a", "b", third], dtype=object), sizes)
    for run in range(n):
        rng = np.random.default_rng([run, 7])
        decisions = (rng.random(len(group)) < np.repeat(shares, sizes)).astype(float)
        (row, *_) = table(Judged(decisions, decisions), attribute("g", group), seed=run)
        assert (row["metric"], row["kind"]) == ("demographic_parity", "difference")
        assert (row["group_a"], row["group_b"]) == ("a", "b")
        found += row["p_unadjusted"] <= 0.05
    assert found <= too_often(n)


def uneven(rng, gap=0.0, n_clusters=20, size=8, between=0.6):
    """Groups that stand in the same clusters, in each with another share."""
    cluster = np.repeat(np.arange(n_clusters), size)
    share = rng.uniform(0.1, 0.9, n_clusters)[cluster]
    in_a = rng.random(n_clusters * size) < share
    scores = rng.normal(0, between, n_clusters)[cluster] + gap * in_a
    judged = Judged(scores + rng.normal(0, 0.3, len(scores)), None, None)
    return judged, attribute("g", np.where(in_a, "a", "b")), cluster


def test_what_clusters_bring_with_them_is_no_gap_of_groups():
    found = [
        table(*uneven(np.random.default_rng(seed)), seed=seed, n=200)[0]["p_value"]
        for seed in range(200)
    ]
    assert np.mean(np.array(found) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_a_gap_within_uneven_clusters_is_found():
    found = [
        table(*uneven(np.random.default_rng(seed), gap=0.6), seed=seed, n=200)[0]["p_value"]
        for seed in range(40)
    ]
    assert np.mean(np.array(found) < 0.05) > 0.7


def test_a_gap_of_groups_that_share_hardly_a_cluster_is_told_as_it_is():
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(40), 10)
    # Nine of ten rows of a cluster are of one group: dealing within it moves next to nothing.
    in_a = (cluster % 2 == 0) ^ (np.arange(400) % 10 == 0)
    scores = np.where(cluster % 2 == 0, 1.0, 0.0) + rng.normal(0, 0.5, 40)[cluster]
    judged = Judged(scores + rng.normal(0, 0.01, 400), None, None)
    row = table(judged, attribute("g", np.where(in_a, "a", "b")), cluster, n=500)[0]
    assert abs(row["value"]) > 0.6
    assert row["p_value"] < 0.05


def test_label_shares_that_differ_are_no_gap_in_the_rates():
    """Whole clusters change places whatever their labels: the rarer label has the larger error."""
    n, found = 60, 0
    for run in range(n):
        rng = np.random.default_rng([run, 8])
        group = np.repeat(["a", "b"], 100)
        labels = (rng.random(200) < np.where(group == "a", 0.15, 0.85)).astype(float)
        decisions = (rng.random(200) < 0.5).astype(float)
        rows = table(
            Judged(decisions, decisions, labels), attribute("g", group), np.arange(200), seed=run
        )
        (row,) = [
            r for r in rows if (r["metric"], r["kind"]) == ("equal_opportunity", "difference")
        ]
        found += row["p_unadjusted"] <= 0.05
    assert found <= too_often(n)


@pytest.mark.parametrize("kind", ["independent", "nested", "crossed"])
def test_a_large_planted_gap_is_found_and_has_its_sign(kind):
    judged, groups, clusters = planted(kind, np.random.default_rng(0), 0.5, 40, 6)
    rows = {(r["metric"], r["kind"]): r for r in table(judged, groups, clusters, n=200)}
    for metric in ("demographic_parity", "mean_score"):
        row = rows[metric, "difference"]
        assert row["p_value"] <= 0.05
        assert row["low"] > 0
        assert rows[metric, "ratio"]["low"] > 1
        assert row["detectable"] < row["value"]
    assert rows["fnr", "difference"]["value"] < 0


def test_a_gap_of_the_size_said_to_be_detectable_is_found_mostly():
    sizes, n, found = [], 30, 0
    for run in range(6):
        judged, groups, _ = planted("independent", np.random.default_rng([run, 9]), 0.0, 60, 5)
        rows = table(judged, groups, seed=run, n=200)
        sizes += [r["detectable"] for r in rows if r["metric"] == "demographic_parity"][:1]
    gap = float(np.mean(sizes))
    for run in range(n):
        judged, groups, _ = planted("independent", np.random.default_rng([run, 10]), gap, 60, 5)
        rows = table(judged, groups, seed=run, n=200)
        found += rows[0]["p_value"] <= 0.05
    assert 0.8 * n - 3 * np.sqrt(0.16 * n) <= found


def test_turning_the_groups_round_turns_the_gaps_round():
    judged, groups, _ = planted("independent", np.random.default_rng(3), 0.2)
    turned = attribute(
        "g", [{"a": "z", "b": "b"}[groups.names_of(i)[0]] for i in range(len(judged))]
    )
    first = {(r["metric"], r["kind"]): r for r in table(judged, groups)}
    second = {(r["metric"], r["kind"]): r for r in table(judged, turned)}
    assert first.keys() == second.keys()
    for key, row in first.items():
        other = second[key]
        if key[0] == "equalized_odds":
            assert row["value"] == pytest.approx(other["value"])
        elif key[1] == "difference":
            assert row["value"] == pytest.approx(-other["value"])
        else:
            assert row["value"] == pytest.approx(1 / other["value"])


def test_intervals_hold_their_gap_and_ratios_agree_with_differences():
    for seed in range(10):
        judged, groups, clusters = planted("mixed", np.random.default_rng(seed), 0.3, 12, 4)
        rows = table(judged, groups, clusters, seed=seed)
        by_key = {(r["metric"], r["kind"]): r for r in rows}
        for (metric, kind), row in by_key.items():
            assert row["low"] <= row["value"] <= row["high"], metric
            if kind == "ratio" and metric != "equalized_odds":
                difference = by_key[metric, "difference"]
                same = np.sign(np.log(row["value"])) if row["value"] else -1
                turned = row["group_a"] != difference["group_a"]
                assert same == np.sign(difference["value"]) * (-1 if turned else 1)
                assert np.isnan(row["detectable"])
            if kind == "difference" and metric != "mean_score":
                assert -1 <= row["low"] <= row["high"] <= 1


def test_every_group_is_held_against_all_rows_where_there_are_many():
    rng = np.random.default_rng(0)
    group = rng.choice(list("abcdefgh"), 800)
    labels = rng.integers(0, 2, 800).astype(float)
    scores = rng.random(800)
    judged, groups = (
        Judged(scores, (scores > 0.5).astype(float), labels, True),
        attribute("g", group),
    )
    rows = table(judged, groups, least=10)
    assert {row["note"] for row in rows} == {""}
    against_all = [r for r in rows if r["group_b"] == "(all)" and r["kind"] == "difference"]
    for metric in ("demographic_parity", "bpsn_auc", "bnsp_auc", "mean_score"):
        assert [r["group_a"] for r in against_all if r["metric"] == metric] == list("abcdefgh")
    (extremes,) = [
        r
        for r in rows
        if (r["metric"], r["kind"]) == ("demographic_parity", "difference")
        and r["group_b"] != "(all)"
    ]
    rates = {g: judged.decisions[group == g].mean() for g in "abcdefgh"}
    assert extremes["group_a"] == max(rates, key=rates.get)
    assert extremes["group_b"] == min(rates, key=rates.get)


def test_the_extremes_of_equal_groups_are_no_finding():
    n, found = 60, 0
    for run in range(n):
        rng = np.random.default_rng([run, 11])
        groups = attribute("g", rng.choice(list("abcdefgh"), 240))
        decisions = (rng.random(240) < 0.4).astype(float)
        rows = table(Judged(decisions, decisions), groups, seed=run)
        found += min(r["p_value"] for r in rows) <= 0.05
    assert found <= too_often(n)


def test_few_rows_are_said_to_be_few():
    group = ["a"] * 5 + ["b"] * 40
    decisions = np.tile([0.0, 1.0, 1.0], 15)
    rows = table(Judged(decisions, decisions), attribute("g", group), least=10)
    assert {row["note"] for row in rows} == {"too few"}
    assert all(np.isnan([row["value"], row["p_value"], row["detectable"]]).all() for row in rows)


@pytest.mark.parametrize(
    ("compare", "pairs", "extremes"),
    [
        ("auto", ((0, 1), (0, 2), (1, 2)), False),
        ("pairs", ((0, 1), (0, 2), (1, 2)), False),
        ("all", ((0, 3), (1, 3), (2, 3)), True),
        ("b", ((0, 1), (2, 1)), False),
        ({"g": "c"}, ((0, 2), (1, 2)), False),
        ({"other": "c"}, ((0, 1), (0, 2), (1, 2)), False),
    ],
)
def test_which_groups_are_compared(compare, pairs, extremes):
    assert pairs_to_compare(attribute("g", list("abc")), compare) == (pairs, extremes)


def test_a_single_group_is_held_against_all_rows():
    decisions = np.tile([0.0, 1.0, 1.0, 0.0], 10)
    groups = attribute("g", [None, "a"] * 20)
    assert pairs_to_compare(groups, "auto") == (((0, 1),), False)
    (row, *_) = table(Judged(decisions, decisions), groups)
    assert (row["group_a"], row["group_b"], row["value"]) == ("a", "(all)", 0.0)
    assert table(Judged(decisions, decisions), groups, compare="pairs") == []


def test_a_group_to_compare_with_must_be_there():
    groups = attribute("g", list("abc"))
    with pytest.raises(ArgumentError, match=r"compare: .*'g' \(a, b, c\); got 'x'"):
        pairs_to_compare(groups, "x")
    (crossed,) = intersections([groups, attribute("h", list("xyx"))])
    assert pairs_to_compare(crossed, "a") == pairs_to_compare(crossed, "auto")


def test_an_attribute_to_compare_must_be_there():
    groups = [attribute("g", list("abc"))]
    for compare in ("auto", "x", {}, {"g": "a"}):
        check_compared(compare, groups)
    with pytest.raises(ArgumentError, match="compare: there is no attribute 'h'; there are g"):
        check_compared({"h": "a"}, groups)


def test_a_group_of_all_rows_is_compared_with_none():
    groups = attribute("g", ["a", "a", "a"])
    assert pairs_to_compare(groups, "auto") == ((), False)
    assert pairs_to_compare(groups, "all") == ((), False)
    # Some rows of no group: then all rows are others, too.
    assert pairs_to_compare(attribute("g", ["a", "a", None]), "auto") == (((0, 1),), False)


@pytest.mark.parametrize("n_templates", [1, 3, 5])
def test_a_decision_by_the_group_is_found_in_the_same_few_templates(n_templates):
    groups = np.tile(["a", "b"], 50 * n_templates)
    decisions = (groups == "a").astype(float)
    cluster = np.repeat(np.arange(n_templates), 100)
    rows = table(Judged(decisions, decisions), attribute("g", groups), cluster)
    p_values = {row["metric"]: row["p_value"] for row in rows if row["kind"] == "difference"}
    assert p_values["demographic_parity"] < 0.05
    assert p_values["mean_score"] < 0.05
