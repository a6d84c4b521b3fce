"""What the model says when only the identity terms of a text change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from scipy.stats import t as student_t

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.sampling import Sample
from perturbx.fairness.statistics.measures import Judged
from perturbx.fairness.swaps import Swaps, make_swaps, swap_tables
from perturbx.lexicons import load_lexicon
from perturbx.lexicons.counterfactuals import Counterfactual

OUTCOME = Outcome("yes", 0, "identity", 0.5, True, True)
GENDER = load_lexicon("gender")


def sample_of(n):
    return Sample(np.arange(n), np.ones(n))


def swaps_of(texts, most=1000, seed=0, lexicons=(GENDER,)):
    rng = np.random.default_rng(seed)
    return make_swaps(texts, sample_of(len(texts)), lexicons, most, rng)


def judged(scores):
    scores = np.asarray(scores, dtype=float)
    return Judged(scores, (scores >= 0.5).astype(float), None, True)


def tables(swaps, before, after, clusters=None, *, level=0.95, n_worst=10):
    return swap_tables(
        swaps, [OUTCOME], [judged(before)], [judged(after)], clusters, level=level, n_worst=n_worst
    )


def test_every_group_that_is_mentioned_gives_way_to_every_other():
    texts = ["My sister sings.", "Nothing is here.", "He is her husband."]
    swaps = swaps_of(texts)
    assert set(swaps.rows) == {0, 2}
    for swap, text in zip(swaps.made, swaps.texts, strict=True):
        assert swap.source != swap.target
        assert swap.text != text
        assert swap.source in GENDER.groups
    first = [swap for swap, row in zip(swaps.made, swaps.rows, strict=True) if row == 0]
    assert "My brother sings." in {swap.text for swap in first}


@given(st.integers(1, 30), st.integers(0, 50))
@settings(max_examples=15)
def test_of_more_swaps_some_of_every_pair_speak_for_all(most, seed):
    texts = [f"She is number {n}." for n in range(30)] + ["He is here."] * 3
    every, some = swaps_of(texts), swaps_of(texts, most, seed)
    assert len(some) == min(most, len(every))

    def sizes(swaps, weights):
        found = {}
        for swap, weight in zip(swaps.made, weights, strict=True):
            pair = swap.source, swap.target
            found[pair] = found.get(pair, 0) + weight
        return found

    held, drawn = sizes(every, every.weights), sizes(some, np.ones(len(some)))
    if most >= len(held):
        assert drawn.keys() == held.keys()
        assert sizes(some, some.weights) == pytest.approx(held)


def test_no_text_with_a_term_has_no_swap():
    swaps = swaps_of(["Nothing.", ""])
    assert len(swaps) == 0
    assert len(swaps_of([])) == 0


def by_hand(clusters, weights=None, symmetric=True):
    n = len(clusters)
    made = tuple(
        Counterfactual("gender", "female", "male", "she", "he", f"he {i}", symmetric)
        for i in range(n)
    )
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    return Swaps(made, tuple(f"she {i}" for i in range(n)), np.asarray(clusters), weights)


@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.95]))
def test_shifts_have_the_cluster_robust_interval(seed, level):
    rng = np.random.default_rng(seed)
    n = 12
    clusters, weights = np.sort(rng.integers(0, 5, n)), rng.uniform(0.5, 2, n)
    clusters[0], clusters[-1] = 0, 4
    before, after = rng.random(n), rng.random(n)
    rows, _ = tables(by_hand(clusters, weights), before, after, level=level)
    share, shift = weights / weights.sum(), after - before
    mean = share @ shift
    sums = np.array([(share * (shift - mean))[clusters == c].sum() for c in np.unique(clusters)])
    error = np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum())
    half = student_t.ppf((1 + level) / 2, len(sums) - 1) * error
    assert len(rows) == 3
    for row in rows:
        assert row["mean_shift"] == pytest.approx(mean)
        assert (row["low"], row["high"]) == pytest.approx((mean - half, mean + half))
        assert row["mean_absolute_shift"] == pytest.approx(share @ np.abs(shift))
        flipped = (before >= 0.5) != (after >= 0.5)
        assert row["flip_rate"] == pytest.approx(share @ flipped)
        assert 0 <= row["flip_low"] <= row["flip_rate"] <= row["flip_high"] <= 1
        assert row["n"] == n


@pytest.mark.parametrize(("flips", "n"), [(0, 20), (20, 20), (7, 20)])
def test_independent_flips_have_jeffreys_interval(flips, n):
    before, after = np.zeros(n), np.repeat([1.0, 0.0], [flips, n - flips])
    rows, _ = tables(by_hand(np.arange(n)), before, after)
    # The variance of few is that of n - 1, so a share between has a few rows less.
    size = n if flips in (0, n) else n - 1
    share = flips / n
    exact = beta.ppf([0.025, 0.975], share * size + 0.5, (1 - share) * size + 0.5)
    expected = (0.0 if flips == 0 else exact[0], 1.0 if flips == n else exact[1])
    assert (rows[0]["flip_low"], rows[0]["flip_high"]) == pytest.approx(expected)


def test_one_cluster_tells_little():
    rows, _ = tables(by_hand([3] * 8), np.zeros(8), np.ones(8))
    assert np.isnan([rows[0]["low"], rows[0]["high"]]).all()
    assert rows[0]["flip_low"] < 0.2
    several, _ = tables(by_hand(np.arange(8)), np.zeros(8), np.ones(8), np.zeros(8, dtype=int))
    assert np.isnan(several[0]["low"])


def test_pairs_of_terms_and_of_groups_are_parts_of_the_whole():
    texts = ["She sings.", "He sings.", "My mother and my father met.", "His aunt is kind."] * 2
    swaps = swaps_of(texts)
    rng = np.random.default_rng(0)
    n = len(swaps)
    rows, _ = tables(swaps, rng.random(n), rng.random(n))
    for kind in {row["kind"] for row in rows}:
        own = [row for row in rows if row["kind"] == kind]
        (whole,) = [row for row in own if row["group_a"] == EVERYONE]
        for of_terms in (False, True):
            some = [
                row
                for row in own
                if row["group_a"] != EVERYONE and (row["term"] != EVERYONE) == of_terms
            ]
            assert sum(row["n"] for row in some) == whole["n"]
            total = sum(row["mean_shift"] * row["n"] for row in some)
            assert total / whole["n"] == pytest.approx(whole["mean_shift"])


def test_the_worst_cases_are_the_largest_shifts_one_of_each_text():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(15), 2)
    before, after = rng.random(30), rng.random(30)
    after[:2] = before[:2]
    _, worst = tables(by_hand(clusters), before, after, n_worst=10)
    assert len({row["row"] for row in worst}) == len(worst) == 10
    sizes = [abs(row["shift"]) for row in worst]
    assert sizes == sorted(sizes, reverse=True)
    shift = np.abs(after - before).reshape(15, 2).max(axis=1)
    assert sizes == pytest.approx(np.sort(shift)[::-1][:10])
    assert 0 not in {row["row"] for row in worst}
    for row in worst:
        assert row["shift"] == pytest.approx(row["swapped_score"] - row["score"])
        assert row["flipped"] == ((row["score"] >= 0.5) != (row["swapped_score"] >= 0.5))


def test_a_regression_has_shifts_and_no_flips():
    swaps = by_hand(np.arange(4))
    outcome = Outcome("0", 0, "identity", None, False, False)
    said = [Judged(np.arange(4.0)), Judged(np.arange(4.0) + 2)]
    rows, worst = swap_tables(swaps, [outcome], said[:1], said[1:], None, level=0.95, n_worst=2)
    assert rows[0]["mean_shift"] == 2
    assert np.isnan(rows[0]["flip_rate"])
    assert not any(row["flipped"] for row in worst)
