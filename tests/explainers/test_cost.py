"""What a run costs, said before the model is asked."""

import numpy as np
import pytest

import perturbx as px

TEXTS = ["the plot is thin but the acting is truly superb", "so so so", "", "one two three four"]


def never(texts):
    raise AssertionError("the model was called")


def length(texts):
    return [float(len(text)) for text in texts]


EXPLAINERS = {
    "shapley": (px.ShapleyExplainer, {}),
    "leverage": (px.ShapleyExplainer, {"estimator": "leverage"}),
    "fast": (px.ShapleyExplainer, {"budget": "fast"}),
    "characters": (px.ShapleyExplainer, {"units": "characters", "budget": 60}),
    "partition": (px.PartitionExplainer, {}),
    "lime": (px.LimeExplainer, {}),
    "lime_text": (px.LimeExplainer, {"method": "lime_text"}),
    "lasso": (px.LassoExplainer, {}),
    "occlusion": (px.OcclusionExplainer, {}),
}


@pytest.mark.filterwarnings("ignore::perturbx.exceptions.PoorFitWarning")
@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_run_costs_what_was_said_and_the_model_is_not_asked(name):
    kind, options = EXPLAINERS[name]
    asked = []

    def recorded(texts):
        asked.extend(texts)
        return length(texts)

    cost = kind(never, random_state=0, **options).estimate_cost(TEXTS)
    explanations = kind(recorded, random_state=0, **options).explain(TEXTS)
    assert cost.least_calls <= len(asked) <= cost.most_calls
    assert cost.least_size <= sum(map(len, asked)) <= cost.most_size
    for item, own in zip(explanations, cost.texts, strict=True):
        assert own.n_units == item.units.n_units
        assert own.least_calls <= item.n_calls <= own.most_calls
    if cost.least_calls == cost.most_calls:
        assert cost.least_size == cost.most_size == sum(map(len, asked))
    assert cost.size_unit == "characters"


def test_auto_costs_from_three_to_twenty_calls_a_unit():
    text = " ".join(f"w{i}" for i in range(14))
    cost = px.ShapleyExplainer(never).estimate_cost([text, text])
    assert [(own.least_calls, own.most_calls) for own in cost.texts] == [(42, 280)] * 2
    # Equal texts are asked about once.
    assert (cost.least_calls, cost.most_calls) == (42, 280)
    assert str(cost).startswith("2 texts, 28 units: 42 to 280 calls, ")


def test_tokens_are_counted_where_the_model_reads_them():
    from perturbx.scorers.classifier import TransformersClassifier

    sizes = []

    class Watched(TransformersClassifier):
        def score(self, variants):
            sizes.append(int(variants.lengths.sum()))
            return super().score(variants)

    scorer = px.as_scorer("default")
    scorer.__class__ = Watched
    explainer = px.ShapleyExplainer(scorer, random_state=0, budget="fast", progress=False)
    cost = explainer.estimate_cost(TEXTS)
    assert not sizes
    explainer.explain(TEXTS)
    assert cost.size_unit == "tokens"
    assert cost.least_size == cost.most_size == sum(sizes)


def test_an_estimate_does_not_change_the_draws():
    rng = np.random.default_rng(3)
    explainer = px.ShapleyExplainer(length, budget=40, random_state=rng)
    explainer.estimate_cost(TEXTS)
    (one,) = explainer.explain(TEXTS[:1])
    (two,) = px.ShapleyExplainer(length, budget=40, random_state=np.random.default_rng(3)).explain(
        TEXTS[:1]
    )
    np.testing.assert_array_equal(one.table.masks, two.table.masks)


def test_wrong_parameters_are_errors_here_too():
    with pytest.raises(px.ArgumentError, match="budget"):
        px.ShapleyExplainer(never, budget=3).estimate_cost(TEXTS)
    with pytest.raises(px.ArgumentError, match="texts"):
        px.ShapleyExplainer(never).estimate_cost("a string")


def test_no_texts_cost_nothing():
    assert str(px.ShapleyExplainer(never).estimate_cost([])) == (
        "0 texts, 0 units: 0 calls, 0 characters"
    )
