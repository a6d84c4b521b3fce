"""Group metrics: fairlearn's and scikit-learn's own functions, on every subset."""

import fairlearn.metrics as fairlearn
import numpy as np
import pytest
import sklearn.metrics as sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.fairness.compared_groups import GroupComparison, pairs_to_compare
from perturbx.fairness.gaps import gap_rows
from perturbx.fairness.group_metrics import OVERALL, measure_groups
from perturbx.fairness.grouping import EVERYONE, attribute
from perturbx.fairness.statistics.auc import AUCS, generalised_mean
from perturbx.fairness.statistics.measures import Judged

OPTIONS = {"n_resamples": 100, "seed": 0, "min_group_size": 1}


def drawn_rows(seed, n=40, groups=("a", "b", "c"), missing=0.15):
    rng = np.random.default_rng(seed)
    sets = [tuple(g for g in groups if rng.random() < 0.5) for _ in range(n)]
    labels = np.where(rng.random(n) < missing, np.nan, rng.integers(0, 2, n))
    scores = rng.random(n).round(2)
    return Judged(scores, (scores >= 0.5).astype(float), labels, True), attribute("g", sets)


def reference(judged, rows):
    """Every measure of some rows by functions of fairlearn and scikit-learn."""
    scores, decisions, labels = judged.scores[rows], judged.decisions[rows], judged.labels[rows]
    known = np.isfinite(labels)
    s, p, y = scores[known], decisions[known], labels[known].astype(int)
    found = dict.fromkeys(
        ("base_rate", "tpr", "fpr", "fnr", "precision", "accuracy", "calibration", "brier_score"),
        np.nan,
    ) | {"selection_rate": np.nan, "mean_score": np.nan, "subgroup_auc": np.nan}
    if len(rows):
        found["selection_rate"] = fairlearn.selection_rate(decisions, decisions)
        found["mean_score"] = fairlearn.mean_prediction(scores, scores)
    if len(y):
        found["base_rate"] = fairlearn.selection_rate(y, y)
        found["accuracy"] = sklearn.accuracy_score(y, p)
        found["brier_score"] = sklearn.brier_score_loss(y, s, pos_label=1)
        found["calibration"] = s.mean() - y.mean()
    if p.any():
        found["precision"] = sklearn.precision_score(y, p)
    if 1 in y:
        found["tpr"] = fairlearn.true_positive_rate(y, p, pos_label=1)
        found["fnr"] = fairlearn.false_negative_rate(y, p, pos_label=1)
    if 0 in y:
        found["fpr"] = fairlearn.false_positive_rate(y, p, pos_label=1)
    if len(set(y)) == 2:
        found["subgroup_auc"] = sklearn.roc_auc_score(y, s)
    return found


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 40]), st.sampled_from([0.0, 0.2, 1.0]))
@settings(max_examples=15)
def test_every_metric_is_fairlearns_on_the_rows_of_the_group(seed, n, missing):
    judged, groups = drawn_rows(seed, n, missing=missing)
    found = measure_groups(judged, groups, None, **OPTIONS)
    rows = [*groups.rows_of_group, np.arange(n)]
    assert found.groups == (*groups.groups, EVERYONE)
    for place, own in enumerate(rows):
        expected = reference(judged, own)
        for at, metric in enumerate(found.names):
            if metric in expected and not found.too_few[at, place]:
                np.testing.assert_allclose(
                    found.values[at, place], expected[metric], atol=1e-12, err_msg=metric
                )
        # What has no value has no row behind it, and the other way round.
        for at, metric in enumerate(found.names):
            if metric in expected:
                assert np.isfinite(found.values[at, place]) == np.isfinite(expected[metric])


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_gaps_of_two_groups_are_fairlearns(seed):
    rng = np.random.default_rng(seed)
    n = 60
    group = np.where(rng.random(n) < 0.5, "x", "y")
    labels = rng.integers(0, 2, n).astype(float)
    labels[:4], group[:4] = [0, 1, 0, 1], ["x", "x", "y", "y"]
    scores = rng.random(n)
    decisions = (scores > 0.3 + 0.3 * (group == "x")).astype(float)
    judged, groups = Judged(scores, decisions, labels, True), attribute("g", group)
    found = measure_groups(judged, groups, None, **OPTIONS)
    pairs, extremes = pairs_to_compare(groups, "auto")
    rows = gap_rows(
        [GroupComparison(groups, "o", judged, None, found, pairs, extremes)],
        level=0.95,
        n_permutations=100,
        seed=0,
    )
    gaps = {(row["metric"], row["kind"]): row["value"] for row in rows}
    given_rows = (labels.astype(int), decisions.astype(int))
    for metric in ("demographic_parity", "equal_opportunity", "equalized_odds"):
        for kind in ("difference", "ratio"):
            function = getattr(fairlearn, f"{metric}_{kind}")
            expected = function(*given_rows, sensitive_features=group)
            value = gaps.get((metric, kind), np.nan)
            folded = abs(value) if kind == "difference" else min(value, 1 / (value or np.inf))
            np.testing.assert_allclose(folded, expected, atol=1e-12, err_msg=f"{metric} {kind}")


@pytest.mark.parametrize("kind", ["difference", "ratio"])
def test_a_group_that_is_never_selected_has_the_worst_gap(kind):
    group = np.repeat(["x", "y"], 20)
    for high in ("x", "y"):
        decisions = (group == high).astype(float)
        judged, groups = Judged(decisions, decisions), attribute("g", group)
        found = measure_groups(judged, groups, None, **OPTIONS)
        comparison = GroupComparison(groups, "o", judged, None, found, ((0, 1),), False)
        rows = gap_rows([comparison], level=0.95, n_permutations=100, seed=0)
        (row,) = [r for r in rows if (r["metric"], r["kind"]) == ("demographic_parity", kind)]
        function = getattr(fairlearn, f"demographic_parity_{kind}")
        expected = function(decisions, decisions, sensitive_features=group)
        assert abs(row["value"]) == pytest.approx(expected)
        assert row["low"] <= row["value"] <= row["high"]
        assert np.isfinite(row["high"])
        if kind == "ratio":
            assert row["group_b"] == high


def test_regressions_are_measured_by_scikit_learn():
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(50) < 0.2, np.nan, rng.normal(size=50))
    judged = Judged(rng.normal(size=50), None, labels)
    groups = attribute("g", rng.choice(["a", "b"], 50))
    found = measure_groups(judged, groups, None, **OPTIONS)
    assert found.names == ("mean_score", "mean_error", "mean_absolute_error")
    for place, own in enumerate(groups.rows_of_group):
        known = own[np.isfinite(labels[own])]
        s, y = judged.scores[known], labels[known]
        expected = [judged.scores[own].mean(), (s - y).mean(), sklearn.mean_absolute_error(y, s)]
        np.testing.assert_allclose(found.values[:, place], expected, atol=1e-12)
        assert found.n[:, place].tolist() == [len(own), len(known), len(known)]


def test_what_stands_on_too_few_rows_is_not_said():
    group = ["a"] * 9 + ["b"] * 30
    labels = np.array([1.0] * 15 + [0.0] * 24)
    judged = Judged(np.linspace(0, 1, 39), np.tile([0.0, 1.0, 1.0], 13), labels, True)
    options = OPTIONS | {"min_group_size": 10}
    found = measure_groups(judged, attribute("g", group), None, **options)
    assert found.too_few[:, 0].all()
    assert np.isnan(found.values[:, 0]).all()
    at = {metric: number for number, metric in enumerate(found.names)}
    # Six positives of b are too few for its TPR and AUC, not for the rate of its 24 negatives.
    for metric in ("tpr", "fnr", "subgroup_auc", "bnsp_auc"):
        assert found.too_few[at[metric], 1], metric
    for metric in ("selection_rate", "fpr", "accuracy", "mean_score"):
        assert not found.too_few[at[metric], 1], metric
        assert np.isfinite(found.values[at[metric], 1])
    np.testing.assert_array_equal(found.too_few, np.isnan(found.draws[:, :, 0]) & found.too_few)


def test_a_group_with_one_member_is_measured_where_that_is_wanted():
    judged = Judged(np.array([0.2, 0.8, 0.9]), np.array([0.0, 1, 1]), np.array([0.0, 1, 1]), True)
    found = measure_groups(judged, attribute("g", ["a", "b", "b"]), None, **OPTIONS)
    at = found.names.index("selection_rate")
    assert found.values[at].tolist() == [0.0, 1.0, pytest.approx(2 / 3)]


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_what_sums_up_all_groups_is_its_formula(seed):
    judged, groups = drawn_rows(seed, 60)
    found = measure_groups(judged, groups, None, **OPTIONS)
    at = {metric: number for number, metric in enumerate(found.names)}
    assert set(found.overall) <= set(OVERALL)
    for name, rate in (("fped", "fpr"), ("fned", "fnr")):
        inner = found.values[at[rate], :-1]
        expected = np.nansum(np.abs(inner - found.values[at[rate], -1]))
        assert found.overall[name][0] == pytest.approx(expected, abs=1e-12)
    for auc in AUCS:
        if f"{auc}_mean" in found.overall:
            expected = float(generalised_mean(found.values[at[auc], :-1]))
            assert found.overall[f"{auc}_mean"][0] == pytest.approx(expected)


def test_a_constant_model_is_measured_without_a_warning():
    judged = Judged(np.full(40, 0.7), np.ones(40), np.tile([0.0, 1.0], 20), True)
    groups = attribute("g", np.repeat(["a", "b"], 20))
    found = measure_groups(judged, groups, None, **OPTIONS)
    comparison = GroupComparison(groups, "o", judged, None, found, ((0, 1),), False)
    rows = gap_rows([comparison], level=0.95, n_permutations=100, seed=0)
    for row in rows:
        neutral = 1.0 if row["kind"] == "ratio" else 0.0
        assert row["value"] == pytest.approx(neutral), row["metric"]
        assert np.isnan(row["p_value"]) or row["p_value"] > 0.5


@pytest.mark.parametrize("decides", [True, False])
def test_a_single_row_is_a_piece_like_any_other(monkeypatch, decides):
    judged, groups = drawn_rows(3, 7, missing=0.0)
    judged.labels[1:] = np.nan
    alone = attribute("g", [None, *("ab" * 3)])
    if not decides:
        judged = Judged(judged.scores, None, judged.labels)
    for own in (groups, alone):
        whole = measure_groups(judged, own, None, **OPTIONS)
        # Of rows and groups together, so that the last piece is one of them.
        monkeypatch.setattr(
            "perturbx.fairness.fairlearn_values.PIECE", len(judged) + own.members.nnz - 1
        )
        np.testing.assert_allclose(
            measure_groups(judged, own, None, **OPTIONS).values, whole.values, atol=1e-12
        )
