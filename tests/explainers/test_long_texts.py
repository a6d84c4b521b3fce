"""Long texts: groups first, then what lies in those that matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx import (
    ArgumentError,
    BudgetExceeded,
    CutShortWarning,
    Interrupted,
    ShapleyExplainer,
)
from perturbx.coalitions import GroupedLeverage, PlayerCount
from perturbx.explainers.design import begins_with_groups
from perturbx.explainers.partition_of_units import UnitPartition, table_of_units
from perturbx.units import Tree, as_segmenter, hierarchy

N_WORDS = 120
WORDS = [f"w{i}" + ("." if i % 8 == 7 else "") for i in range(N_WORDS)]
TEXT = " ".join(WORDS)
WORTH = np.zeros(N_WORDS)
WORTH[[3, 40, 41, 90]] = (2.0, -1.5, 1.0, 3.0)


class Model:
    """A game of four words that matter, of which two only matter together with a third one."""

    def __init__(
        self, most_calls: int = 10_000, failure: type[BaseException] | Exception = KeyboardInterrupt
    ) -> None:
        self.seen: list[str] = []
        self.most_calls, self.failure = most_calls, failure

    def __call__(self, texts):
        if len(self.seen) + len(texts) > self.most_calls:
            raise self.failure
        self.seen += texts
        kept = np.array([[f" {word} " in f" {text} " for word in WORDS] for text in texts])
        return kept @ WORTH + 1.0 * (kept[:, 3] & kept[:, 5])


def explainer(model, **parameters):
    return ShapleyExplainer(
        model, masker="delete", random_state=0, progress=False, **{"budget": 100, **parameters}
    )


@pytest.fixture(scope="module")
def explained():
    model = Model()
    return model, explainer(model).explain([TEXT])[0]


def test_the_budget_is_never_exceeded_and_nothing_is_bought_twice(explained):
    model, explanation = explained
    assert len(model.seen) == len(set(model.seen)) == explanation.n_calls <= 100
    assert explanation.budget_report.calls[-1] == explanation.n_calls
    assert list(explanation.budget_report.calls) == sorted(explanation.budget_report.calls)


def test_what_matters_is_taken_apart_and_the_rest_is_not(explained):
    _, explanation = explained
    sizes = {label: len(label.split()) for label in explanation.units.labels}
    assert "".join(explanation.units.pieces) == TEXT

    (largest, worth), *_ = explanation.as_list(n=1)
    assert "w90" in largest.split()
    assert 4 * sizes[largest] <= max(sizes.values())
    assert worth == pytest.approx(3.0, abs=0.5)


def test_the_values_are_those_of_the_last_groups(explained):
    _, explanation = explained
    owner = {word: i for i, piece in enumerate(explanation.units.pieces) for word in piece.split()}
    truth = np.zeros(explanation.units.n_units)
    for word, worth in zip(WORDS, WORTH, strict=True):
        truth[owner[word]] += worth
    truth[owner[WORDS[3]]] += 0.5
    truth[owner[WORDS[5]]] += 0.5
    low, high = (
        getattr(explanation.attribution.confidence_interval(0.99), e)[:, 0] for e in ("low", "high")
    )
    inside = (low - 1e-6 <= truth) & (truth <= high + 1e-6)
    assert inside.mean() >= 0.9
    assert explanation.values.sum() == pytest.approx(truth.sum())


def test_a_seed_gives_the_same_explanation_alone_and_beside_others(explained):
    _, explanation = explained
    other = explainer(Model()).explain(["a short text", TEXT])[1]
    assert other.units == explanation.units
    np.testing.assert_array_equal(other.values, explanation.values)


def test_more_calls_take_more_apart():
    n_units = [
        explainer(Model(), budget=budget).explain([TEXT])[0].units.n_units
        for budget in (24, 60, 120)
    ]
    assert n_units == sorted(n_units)
    assert n_units[0] < n_units[-1]


def test_enough_calls_ask_about_every_word():
    assert explainer(Model(), budget=N_WORDS + 2).explain([TEXT])[0].units.n_units == N_WORDS


def test_a_run_that_is_cut_short_goes_on_without_asking_twice(explained):
    _, whole = explained

    with pytest.raises(Interrupted) as caught:
        explainer(Model(most_calls=70)).explain([TEXT])
    (table,) = caught.value.tables
    model = Model()
    resumed = explainer(model).explain([TEXT], tables=[table])[0]
    assert 0 < len(table) == whole.n_calls - len(model.seen)
    assert resumed.units == whole.units
    np.testing.assert_allclose(resumed.values, whole.values)


def test_the_table_of_an_explanation_is_worth_as_much():
    model = Model()
    first = explainer(model).explain([TEXT])[0]
    n_seen = len(model.seen)
    again = explainer(model).explain([TEXT], tables=[first.table])[0]
    assert len(model.seen) == n_seen
    np.testing.assert_allclose(again.values, first.values)


def test_transform_shares_a_group_among_its_words():
    shapley = explainer(Model()).fit([TEXT])
    matrix = shapley.transform([TEXT])
    explanation = shapley.explain([TEXT])[0]
    assert matrix.sum() == pytest.approx(explanation.values.sum())
    assert matrix.shape == (1, N_WORDS)


@pytest.mark.parametrize("budget", [12, 14, 16, 24, 40, 100, 121])
def test_the_estimate_is_kept(budget):
    model = Model()
    explanation = explainer(model, budget=budget).explain([TEXT])[0]
    cost = explainer(Model(most_calls=0), budget=budget).estimate_cost([TEXT])
    assert cost.least_calls == explanation.budget_report.calls[0]
    assert explanation.n_calls <= cost.most_calls <= budget
    per_call = cost.most_size / cost.most_calls
    assert per_call == pytest.approx(np.mean([len(text) for text in model.seen]), rel=0.2)


def test_auto_takes_groups_where_a_first_look_would_cost_too_much():
    assert not begins_with_groups("auto", "auto", 400)
    assert begins_with_groups("auto", "auto", 401)
    assert not begins_with_groups("leverage", "auto", 401)
    assert not begins_with_groups("auto", "fast", 1000)


def test_too_few_calls_are_an_error_before_the_first():
    model = Model()
    with pytest.raises(ArgumentError, match="budget: 120 units take at least 12 calls"):
        explainer(model, budget=11).explain([TEXT])
    assert not model.seen


@pytest.mark.parametrize("budget", [12, 14, 16, 20, 24, 40])
def test_small_budgets_are_spent_while_something_that_matters_is_whole(budget):
    found = explainer(Model(), budget=budget).explain([TEXT])[0]
    assert found.n_calls == budget
    assert max(len(label.split()) for label in found.units.labels) > 1


@settings(deadline=None, max_examples=25)
@given(st.integers(30, 300), st.integers(12, 200), st.integers(0, 5))
def test_groups_are_kept_or_removed_as_one(n_units, budget, seed):
    players = PlayerCount(n_units, Tree.balanced(n_units))
    sampler = GroupedLeverage()
    coalitions = sampler.sample(players, budget, torch.Generator().manual_seed(seed))
    masks = coalitions.masks
    for node in sampler.nodes(players, budget):
        own = masks[:, list(players.tree.leaves(node))]
        assert bool((own == own[:, :1]).all())
    assert len(masks) <= budget
    assert len(torch.unique(masks, dim=0)) == len(masks)
    assert bool((masks[0::2] == ~masks[1::2]).all())


def test_a_table_of_groups_becomes_one_of_units_and_back(explained):
    _, explanation = explained
    units = hierarchy(as_segmenter("words")(TEXT))
    wide = table_of_units(explanation.table, units)
    assert wide.n_units == N_WORDS
    nodes = [
        node
        for node in range(units.tree.root + 1)
        for group in [set(units.tree.leaves(node))]
        if group in [set(g) for g in units.group(explanation.units)]
    ]
    partition = UnitPartition(units, units.tree, tuple(nodes))
    order = np.argsort([min(group) for group in partition.groups])
    np.testing.assert_array_equal(
        partition.table_of_groups(wide).masks[:, order], explanation.table.masks
    )


def test_groups_need_a_tree():
    with pytest.raises(ArgumentError, match="tree"):
        GroupedLeverage().sample(PlayerCount(100), 40, torch.Generator())


def test_rows_that_were_paid_for_are_used_also_where_they_are_not_drawn():
    """Of a run with another seed: whatever keeps the last groups whole counts."""
    (other,) = explainer(Model(), budget=60).set_params(random_state=1).explain([TEXT])
    (alone,) = explainer(Model(), budget=60).explain([TEXT])
    model = Model()
    (both,) = explainer(model, budget=60).explain([TEXT], tables=[other.table])
    assert len(both.table) > len(alone.table)
    assert both.n_calls == both.budget_report.calls[-1] == len(both.table)
    assert len(model.seen) < 60
    truth = np.array([sum(WORTH[WORDS.index(w)] for w in p.split()) for p in both.units.pieces])
    others = ~np.array([{"w3", "w5"} & set(piece.split()) != set() for piece in both.units.pieces])
    np.testing.assert_allclose(both.values[others, 0], truth[others], atol=0.1)


@pytest.mark.parametrize("most_calls", [0, 40])
def test_a_limit_before_the_first_look_is_told_beside_rows_of_other_games(most_calls):
    """Rows of single words, that a finer run has paid for, are none of groups."""
    fine = explainer(Model(), budget=N_WORDS + 2).explain([TEXT])
    limit = BudgetExceeded("max_tokens: 9 is reached", limit="max_tokens")
    model = Model(most_calls, limit)
    coarse = explainer(model, batch_tokens=4 * len(TEXT))
    if most_calls:
        with pytest.warns(CutShortWarning, match="max_tokens was reached"):
            (found,) = coarse.explain([TEXT], tables=fine.tables)
        assert found.n_calls > 0.7 * most_calls
        return
    with pytest.raises(BudgetExceeded, match=r"for an explanation of texts\[0\]") as caught:
        coarse.explain([TEXT], tables=fine.tables)
    assert caught.value.limit == "max_tokens"
    assert len(caught.value.tables[0]) == len(fine[0].table)
