"""What would help: estimated on rows that it was not fitted to."""

import numpy as np
import pytest

import perturbx as px
from perturbx.fairness.grouping import attribute
from perturbx.fairness.remedies import (
    COMMON,
    PER_GROUP,
    Case,
    reading_advice,
    threshold_advice,
)
from perturbx.fairness.rewording_stage import MASKED, NEUTRALISED
from perturbx.fairness.statistics.measures import Judged


def case_of(scores, group, labels, *, clusters=None, threshold=0.5, least=10):
    decisions = (scores >= threshold).astype(float)
    judged = Judged(scores, decisions, labels, True)
    return Case(attribute("g", group), "o", threshold, judged, clusters, 0.95, 200, 0, least)


def planted(n=800, shift=0.25, seed=0):
    """Scores that are too high by `shift` in one group; labels that are as frequent in both."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n)
    labels = rng.integers(0, 2, n).astype(float)
    scores = 0.3 + 0.2 * labels + rng.uniform(-0.15, 0.15, n) + shift * (group == "a")
    return np.clip(scores, 0, 1), group, labels


def test_thresholds_for_each_group_close_a_planted_gap():
    rows = threshold_advice(case_of(*planted()))
    by_remedy = {(row["remedy"], row["metric"]): row for row in rows}
    for metric, remedy in PER_GROUP.items():
        row = by_remedy[remedy, metric]
        assert row["gap_before"] > 0.3
        assert row["gap_after"] < 0.12
        assert row["gap_high"] < row["gap_before"]
        assert row["accuracy_after"] > row["accuracy_before"]
        assert row["gap_low"] <= row["gap_after"] <= row["gap_high"]
        assert "a: " in row["detail"]
        assert "b: " in row["detail"]
        assert row["n"] == 800


def test_no_common_threshold_makes_the_gap_of_its_own_half_larger():
    scores, group, labels = planted()
    rows = [
        row for row in threshold_advice(case_of(scores, group, labels)) if row["remedy"] == COMMON
    ]
    assert len(rows) == 2
    for row in rows:
        assert row["gap_after"] <= row["gap_before"] + 0.05
        assert row["accuracy_after"] >= row["accuracy_before"] - 0.05


def test_a_fair_model_needs_no_remedy_and_is_not_harmed():
    rows = threshold_advice(case_of(*planted(shift=0.0)))
    assert rows
    for row in rows:
        assert row["gap_after"] < 0.1


def test_texts_of_several_groups_have_no_threshold_of_their_own():
    scores, group, labels = planted(100)
    both = [("a", "b") if i < 30 else (g,) for i, g in enumerate(group)]
    rows = threshold_advice(case_of(scores, both, labels))
    for row in rows:
        assert np.isnan(row["gap_after"]) == (row["remedy"] != COMMON)
    assert all("several groups" in row["detail"] for row in rows if row["remedy"] != COMMON)


def test_rows_without_a_label_are_decided_by_the_new_thresholds():
    scores, group, labels = planted(1200)
    labels[::2] = np.nan
    rows = {(r["remedy"], r["metric"]): r for r in threshold_advice(case_of(scores, group, labels))}
    row = rows[PER_GROUP["demographic_parity"], "demographic_parity"]
    assert row["gap_before"] > 0.3
    # Half of the rows have no label: with their old decisions, half of the gap would stay.
    assert row["gap_after"] < 0.12


@pytest.mark.parametrize(
    ("group", "labels"),
    [
        (["a"] * 40, np.tile([0.0, 1.0], 20)),
        (["a"] * 35 + ["b"] * 5, np.tile([0.0, 1.0], 20)),
        (["a", "b"] * 20, np.ones(40)),
        (["a", "b"] * 20, np.full(40, np.nan)),
        (["a", "b"] * 20, None),
    ],
)
def test_nothing_is_advised_where_too_little_is_known(group, labels):
    assert threshold_advice(case_of(np.linspace(0, 1, 40), group, labels)) == []


def test_a_regression_has_no_thresholds():
    judged = Judged(np.linspace(0, 1, 40), None, np.linspace(0, 1, 40))
    case = Case(attribute("g", ["a", "b"] * 20), "o", None, judged, None, 0.95, 100, 0, 5)
    assert threshold_advice(case) == []
    assert reading_advice(case, "x", np.arange(40), np.ones(40), np.ones(40)) == []


def test_an_optimizer_that_fails_says_why():
    """All rows of b are in one cluster, so one half of the rows has none of them."""
    rng = np.random.default_rng(0)
    group = np.array(["a"] * 60 + ["b"] * 30)
    clusters = np.where(group == "b", 60, np.arange(90))
    labels = np.tile([0.0, 1.0], 45)
    rows = threshold_advice(case_of(rng.random(90), group, labels, clusters=clusters))
    failed = [row for row in rows if np.isnan(row["gap_after"])]
    assert {row["remedy"] for row in failed} >= set(PER_GROUP.values())
    assert all(row["detail"].startswith("no estimate: ") for row in failed)


def test_other_decisions_are_judged_with_their_weights():
    scores, group, labels = planted(200)
    case = case_of(scores, group, labels)
    rows = np.arange(0, 200, 2)
    for row in reading_advice(case, "x", rows, np.full(100, 2.0), labels[rows]):
        assert row["accuracy_after"] == 1
        assert row["n"] == 100
        changed = int((case.judged.decisions[rows] != labels[rows]).sum())
        assert row["detail"] == f"{changed} of 100 decisions change"


def test_neutral_words_close_a_gap_that_identity_terms_make():
    def model(texts):
        base = [0.3 + 0.1 * (sum(map(ord, text.split()[-1])) % 5) for text in texts]
        female = [0.3 * ("She" in text.split()) for text in texts]
        return np.array(base) + np.array(female)

    texts = [f"{who} works at number {n}" for n in range(60) for who in ("She", "He")]
    labels = [int(sum(map(ord, text.split()[-1])) % 5 > 2) for text in texts]
    audit = px.FairnessAudit(
        model,
        groups="gender",
        n_explained=0,
        random_state=0,
        progress=False,
        n_resamples=200,
        n_permutations=100,
    )
    advice = audit.fit(texts, labels).report_.advice
    for remedy in (NEUTRALISED, MASKED):
        own = advice[(advice.remedy == remedy) & (advice.metric == "demographic_parity")]
        assert len(own) == 1
        assert own.gap_before.item() > 0.2
        assert own.gap_after.item() < 0.02
