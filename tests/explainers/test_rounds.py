"""Calls bought in rounds: what ends them, and that no text, round or failure changes the end."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import perturbx as px
from perturbx.coalitions import Leverage, PlayerCount
from perturbx.explainers.budget import rounds_of
from perturbx.explainers.tables import join_designs
from perturbx.scorers.scores import Scores

# Some texts here are hard on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")

EASY = "one word after another adds up here"
HARD = "knots tie the odd rope while loose ends fray apart"
TEXTS = [EASY, HARD, "two words", "a b c d e f", HARD]


def value(text):
    """Return a score: additive, but for texts with knots, where words work together."""
    words = text.split()
    score = sum(len(word) + ord(word[0]) % 7 for word in words)
    if {"knots", "odd"} & set(words):
        score += 60 * np.sin(17.0 * score) + 9 * ("rope" in words) * ("tie" in words)
    return float(score)


class Counting:
    """A model that keeps what it was asked, batch by batch, and may fail at one of them."""

    def __init__(self, fail_at=None, failure=None):
        self.batches, self.fail_at, self.failure = [], fail_at, failure

    def __call__(self, texts):
        if len(self.batches) + 1 == self.fail_at:
            self.fail_at = None
            raise self.failure
        self.batches.append(list(texts))
        return [value(text) for text in texts]

    @property
    def asked(self):
        return [text for batch in self.batches for text in batch]


class Game:
    """A sigmoid of weights with some noise of its own; it keeps the masks it was asked."""

    def __init__(self, n_units, seed, roughness=0.3):
        rng = np.random.default_rng(seed)
        self.weights = rng.normal(size=n_units)
        self.rough = roughness * rng.normal(size=1 << n_units)
        self.asked = []

    def __call__(self, masks):
        self.asked.append(masks)
        place = masks @ (1 << np.arange(masks.shape[1]))
        return 1 / (1 + np.exp(-(masks @ self.weights))) + self.rough[place]


def explain(texts, model=value, **options):
    scorer = model if isinstance(model, Counting) else Counting()
    explainer = px.ShapleyExplainer(scorer, random_state=0, progress=False, **options)
    return explainer.explain(texts)


@given(n=st.integers(0, 2000))
def test_the_rounds_of_a_text(n):
    calls = rounds_of(n)
    assert 1 <= len(calls) <= 6
    assert list(calls) == sorted(set(calls))
    if n > 12:
        assert calls[0] == 3 * n - n % 2
        assert calls[-1] == 20 * n
    assert all(call % 2 == 0 or call == 2**n for call in calls)
    assert all(call >= min(n + 2, 2**n) for call in calls)
    if n <= 7:
        assert calls[-1] == 2**n


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 11), roughness=st.sampled_from([0, 0.02, 0.5]))
def test_each_round_asks_for_new_rows_of_one_sequence(seed, n, roughness):
    game = Game(n, seed, roughness)
    found = px.explain_game(game, n, random_state=seed)
    asked = np.concatenate(game.asked)
    assert len(np.unique(asked, axis=0)) == len(asked) == found.n_calls
    budgets = rounds_of(n)
    assert (
        np.cumsum([len(rows) for rows in game.asked]).tolist() == list(budgets)[: len(game.asked)]
    )
    whole = Game(n, seed, roughness)
    px.explain_game(whole, n, budget=len(asked), random_state=seed)
    assert {row.tobytes() for row in asked} == {row.tobytes() for row in whole.asked[0]}


@given(seed=st.integers(0, 10**6), n=st.integers(5, 40), more=st.integers(0, 20))
def test_a_design_drawn_anew_is_made_to_hold_the_one_before(seed, n, more):
    generator = torch.Generator().manual_seed(seed)
    small, large = 3 * n - n % 2, min(3 * n - n % 2 + 2 * more, 2**n)
    before, after = (Leverage().sample(PlayerCount(n), b, generator) for b in (small, large))
    joined = join_designs(before, after)
    assert len(joined) == len(after)
    assert len(torch.unique(joined.masks, dim=0)) == len(joined)
    rows = {row.tobytes() for row in joined.masks.numpy()}
    assert {row.tobytes() for row in before.masks.numpy()} <= rows
    assert {row.tobytes() for row in ~joined.masks.numpy()} == rows


def test_a_text_that_is_easy_leaves_before_one_that_is_hard():
    model = Counting()
    easy, hard, *_, last = explain(TEXTS, model, tolerance=0.15)
    assert easy.budget_report.reason == "tolerance"
    assert hard.budget_report.reason == "cap"
    assert easy.n_calls / easy.units.n_units < hard.n_calls / hard.units.n_units
    assert hard.n_calls == 20 * hard.units.n_units
    assert last.budget_report.calls == hard.budget_report.calls
    # Nothing is asked twice, whatever text or round asks for it.
    assert len(set(model.asked)) == len(model.asked)


def test_the_texts_beside_it_change_nothing():
    for text, together in zip(TEXTS, explain(TEXTS, tolerance=0.15), strict=True):
        (alone,) = explain([text], tolerance=0.15)
        np.testing.assert_allclose(together.values, alone.values, atol=1e-9)
        np.testing.assert_array_equal(together.table.masks, alone.table.masks)
        assert together.budget_report.calls == alone.budget_report.calls
        assert together.budget_report.reason == alone.budget_report.reason


def test_the_report_tells_what_was_spent():
    for item in explain(TEXTS):
        report = item.budget_report
        assert report.n_calls == item.n_calls == len(item.table)
        assert len(report.calls) == len(report.half_widths) == report.n_rounds
        budgets = rounds_of(item.units.n_units)
        assert report.calls == budgets[: report.n_rounds]
        assert report.level == pytest.approx(1 - 0.05 / len(budgets))
        if report.reason == "tolerance":
            assert report.half_width <= 0.1 < min(report.half_widths[:-1], default=1)
        if report.reason == "exact":
            assert len(item.table) == 2**item.units.n_units


def test_equal_variants_of_different_rounds_are_one_call():
    model = Counting()
    text = "odd odd odd knots knots knots tie tie"
    (item,) = explain([text], model)
    assert len(model.batches) > 1
    assert len(set(model.asked)) == len(model.asked) == item.n_calls < len(item.table)
    assert item.budget_report.n_calls == item.n_calls


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_smaller_tolerance_never_costs_less(seed):
    calls = [
        px.explain_game(Game(9, seed, 0.05), 9, tolerance=tolerance, random_state=1).n_calls
        for tolerance in (1.0, 0.3, 0.1, 0.03)
    ]
    assert calls == sorted(calls)
    assert calls[-1] <= 180


def test_small_texts_are_exact():
    for n in range(8):
        (item,) = explain([" ".join(HARD.split()[:n])])
        assert item.n_calls == (2**n if n <= 5 else item.n_calls)
        if item.n_calls == 2**n:
            assert item.budget_report.reason == "exact"
            np.testing.assert_array_equal(item.std_errors, 0)
    # Seven units: the last round is everything.
    (last,) = explain([" ".join(HARD.split()[:7])], tolerance=1e-9)
    assert last.budget_report.reason == "exact"
    assert last.budget_report.calls[-1] == 128


def test_the_largest_values_can_end_the_rounds():
    text = "extraordinarily a a's b c d e f g h"

    def length(texts):
        return [sum(len(word) ** 2 for word in t.split()) for t in texts]

    options = {"random_state": 0, "tolerance": 1e-12, "progress": False}
    (item,) = px.ShapleyExplainer(length, top_k=1, **options).explain([text])
    assert item.budget_report.reason == "top_k"
    assert item.as_list(n=1)[0][0] == "extraordinarily"
    (other,) = px.ShapleyExplainer(length, **options).explain([text])
    assert item.n_calls < other.n_calls
    # There is no rest to be separated from.
    (all_of_it,) = px.ShapleyExplainer(length, top_k=10, **options).explain([text])
    assert all_of_it.budget_report.reason == other.budget_report.reason


@pytest.mark.parametrize("failure", [ValueError("down"), KeyboardInterrupt()])
@pytest.mark.parametrize("fail_at", [1, 2, 4, 7])
def test_an_interrupted_round_is_gone_on_with(fail_at, failure):
    whole = Counting()
    expected = explain(TEXTS[:4], whole, tolerance=0.15, batch_tokens=3_000)
    model = Counting(fail_at, failure)
    explainer = px.ShapleyExplainer(
        model, random_state=0, progress=False, tolerance=0.15, batch_tokens=3_000
    )
    with pytest.raises((px.ScoringError, px.Interrupted)) as caught:
        explainer.explain(TEXTS[:4])
    tables = caught.value.tables
    paid = {text for batch in model.batches for text in batch}
    kept = set()
    for table in tables:
        for row in table.masks:
            pieces = [p for p, keep in zip(table.units.pieces, row, strict=True) if keep]
            kept.add("".join(pieces).strip())
    assert {text.strip() for text in paid} == (kept if len(model.batches) else set())
    resumed = explainer.explain(TEXTS[:4], tables=tables)
    assert sorted(model.asked) == sorted(whole.asked)
    for one, other in zip(resumed, expected, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)
        np.testing.assert_array_equal(one.table.masks, other.table.masks)
        assert one.budget_report.calls == other.budget_report.calls
        assert one.budget_report.reason == other.budget_report.reason


def test_an_unseeded_run_goes_on_with_its_own_masks():
    model = Counting(7, ValueError("down"))
    explainer = px.ShapleyExplainer(model, progress=False, batch_tokens=2_000)
    with pytest.raises(px.ScoringError) as caught:
        explainer.explain([HARD])
    (item,) = explainer.explain([HARD], tables=caught.value.tables)
    assert len(set(model.asked)) == len(model.asked) == item.n_calls


def test_what_was_paid_for_beyond_the_end_is_taken_in():
    model, text = Counting(), f"{EASY} and there"
    explainer = px.ShapleyExplainer(model, random_state=0, tolerance=0.9)
    assert explainer.explain([text])[0].budget_report.n_rounds == 1
    (long,) = explain([text], model, budget=60)
    n_paid = len(model.asked)
    for n_rows in (60, 50):
        part = long.table.rows(np.arange(60) < n_rows)
        (item,) = explainer.explain([text], tables=[part])
        assert item.n_calls == len(item.table) == item.budget_report.n_calls == n_rows
        assert item.budget_report.reason == "tolerance"
        np.testing.assert_allclose(item.values, part_values(part), atol=1e-9)
    assert len(model.asked) == n_paid


def part_values(table):
    return px.Explanation.from_table(table, "odd_gp").values


def test_scores_of_another_method_are_used_from_the_start():
    model = Counting()
    (other,) = px.OcclusionExplainer(model).explain([HARD])
    explainer = px.ShapleyExplainer(model, random_state=0)
    (item,) = explainer.explain([HARD], tables=[other.table])
    assert len(set(model.asked)) == len(model.asked) == item.n_calls
    assert {row.tobytes() for row in other.table.masks} <= {
        row.tobytes() for row in item.table.masks
    }


def test_every_seed_reproduces():
    for seed in (0, 5):
        one, two = (px.explain_game(Game(10, 3), 10, random_state=seed) for _ in range(2))
        np.testing.assert_array_equal(one.values, two.values)
        assert one.n_calls == two.n_calls


def test_the_same_answer_to_every_variant_is_told_as_such():
    """It flips where the first word alone is gone, so none of the first 30 masks shows it."""
    words = [f"w{i}" for i in range(10)]
    hidden = {" ".join(words[1:]), " ".join(words[2:])}

    def model(texts):
        return [float(text not in hidden) for text in texts]

    options = {"random_state": 0, "masker": "delete", "progress": False}
    for kind in (px.ShapleyExplainer, px.LimeExplainer):
        (item,) = kind(model, **options).explain([" ".join(words)])
        assert item.budget_report.reason == "constant"
        assert item.r2 is None
        for text in (item.summary(), str(item.budget_report)):
            assert "the same score to every variant" in text
            assert not any(claim in text for claim in ("exact", "good", "0.0%"))
        assert "exact" not in str(item)
    (short,) = px.ShapleyExplainer(lambda texts: [1.0] * len(texts), **options).explain(["a b"])
    assert short.budget_report.reason == "exact"
    assert "exact" in short.summary()


@pytest.mark.parametrize("budget", [92, 100, 2000])
def test_a_design_without_chance_that_is_whole_is_exact(budget):
    text = " ".join(f"w{i}" for i in range(11))
    (owen,) = px.PartitionExplainer(Counting(), budget=budget, random_state=0).explain([text])
    assert owen.n_calls == 92
    (left_out,) = px.OcclusionExplainer(Counting(), budget=budget, random_state=0).explain([text])
    assert left_out.n_calls == 13
    for item in (owen, left_out):
        assert item.budget_report.reason == "exact"
        assert "spent" not in str(item.budget_report)
    (fewer,) = px.PartitionExplainer(Counting(), budget=91, random_state=0).explain([text])
    assert fewer.budget_report.reason == "fixed budget"


class Noisy:
    """A model whose scores vary from call to call, by as much as it says."""

    accepts, model_id, output_names = ("text",), "noisy", ("y",)
    kind, exclusive = "value", True

    def score(self, variants):
        scores = np.array([[value(text) if text else 0.0] for text in variants.texts])
        return Scores(scores, np.full_like(scores, 0.3))


@pytest.mark.parametrize("budget", [100, 2000])
@pytest.mark.parametrize(
    ("explainer", "more", "n_calls"),
    [
        (px.ShapleyExplainer, {}, 32),
        (px.ShapleyExplainer, {"estimator": "leverage"}, 32),
        (px.LimeExplainer, {}, 32),
        (px.LimeExplainer, {"method": "lime"}, 32),
        (px.LassoExplainer, {}, 32),
        (px.OcclusionExplainer, {}, 7),
        (px.PartitionExplainer, {"tree": px.Tree.balanced(5)}, 20),
    ],
)
def test_a_noisy_model_that_was_asked_everything_is_not_said_to_gain_by_calls(
    explainer, more, n_calls, budget
):
    options = {"budget": budget, "masker": "delete", "random_state": 0, **more}
    (item,) = explainer(Noisy(), **options).explain(["five words and no more"])
    assert item.n_calls == n_calls
    assert item.std_errors.max() > 0
    assert item.budget_report.reason == "complete"
    assert item.budget_report.forecast is None
    for claim in ("spent", "twice", "exact"):
        assert claim not in str(item.budget_report)


def test_a_fixed_budget_is_one_round():
    (item,) = explain([HARD], budget=60)
    assert item.budget_report.calls == (60,)
    assert item.budget_report.reason == "fixed budget"
    assert item.budget_report.level == 0.95


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": 0},
        {"tolerance": -1},
        {"tolerance": "small"},
        {"tolerance": float("nan")},
        {"tolerance": True},
        {"tolerance": 0.2, "budget": 100},
        {"tolerance": 0.2, "estimator": "leverage"},
        {"top_k": 0},
        {"top_k": 1.5},
        {"top_k": 3, "budget": "high"},
        {"top_k": 3, "estimator": "permutation"},
    ],
)
def test_a_rule_that_cannot_be_is_an_error_before_any_call(options):
    model = Counting()
    name = next(iter(options))
    with pytest.raises(px.ArgumentError, match=f"^{name}"):
        explain([HARD], model, **options)
    with pytest.raises(px.ArgumentError, match=f"^{name}"):
        px.explain_game(lambda masks: model([""]), 9, **options)
    assert not model.batches


def test_the_least_budget_is_named_before_any_call():
    model = Counting()
    with pytest.raises(px.ArgumentError, match=r"budget: 10 units take at least 12 calls.*got 11"):
        explain([HARD], model, budget=11)
    assert not model.batches
    assert explain([HARD], model, budget=13)[0].n_calls == 12
