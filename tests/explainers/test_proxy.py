"""A proxy beside the model: asked for nothing, believed as far as the paid scores speak for it."""

from itertools import pairwise

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import ArgumentError

TEXT = "not good but not bad and never dull though rather long"


class Game:
    """A function of texts with interactions, which counts its calls."""

    def __init__(self, noise=0.0):
        self.calls = 0
        self.noise = noise

    def __call__(self, texts):
        self.calls += len(texts)
        return [self.score(text) for text in texts]

    def score(self, text):
        words = text.split()
        pairs = sum(a == "not" and b in ("good", "bad") for a, b in pairwise(words))
        value = np.tanh(len(words) / 4 - 1) + pairs * (1 if "bad" in words else -1)
        return float(value + ("never" in words) * ("dull" in words) - 0.5 * ("long" in words))


def error(found, truth):
    return float(((found.values - truth.values) ** 2).sum() / (truth.values**2).sum())


def explain(model, **options):
    options = {"random_state": 0, "progress": False, **options}
    return px.ShapleyExplainer(model, **options).explain([TEXT])[0]


@pytest.fixture(scope="module")
def truth():
    return explain(Game(), estimator="exact", budget=2**11)


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")
def test_a_good_proxy_saves_calls_and_a_bad_one_does_no_harm(truth):
    paid, proxy = Game(), Game()
    plain = explain(Game(), budget=24)
    scaled = explain(paid, budget=24, proxy=lambda texts: [3 * s + 1 for s in proxy(texts)])
    assert paid.calls == 24
    assert proxy.calls > 200
    assert error(scaled, truth) < 0.05 * error(plain, truth)
    assert scaled.method == "odd_gp+proxy"
    assert scaled.attribution.proxy_weight[0] > 0.8
    other = explain(Game(), budget=24, proxy=lambda texts: [float(len(t) % 7) for t in texts])
    assert error(other, truth) < 1.3 * error(plain, truth)


def test_rounds_and_batches_go_on_with_a_proxy(truth):
    found = explain(Game(), proxy=Game(), tolerance=0.05)
    assert found.budget_report.n_calls < 60
    assert error(found, truth) < 0.01


def test_the_estimate_asks_no_proxy():
    proxy = Game()
    explainer = px.ShapleyExplainer(Game(), proxy=proxy, budget=30)
    assert explainer.estimate_cost([TEXT]).most_calls == 30
    assert proxy.calls == 0


def test_a_proxy_is_for_the_estimators_that_know_of_it():
    with pytest.raises(ArgumentError, match=r"^proxy: is for the estimators"):
        explain(Game(), proxy=Game(), estimator="leverage")


def test_a_proxy_that_is_no_model_is_the_proxys_fault():
    paid = Game()
    with pytest.raises(ArgumentError, match=r"^proxy: expected a function .* got 3"):
        explain(paid, proxy=3)
    assert paid.calls == 0


def test_a_proxy_is_not_for_texts_that_begin_with_groups():
    paid = Game()
    long = " ".join(f"{TEXT}." for _ in range(7))
    with pytest.raises(ArgumentError, match=r"^proxy: texts\[0\] .* at least 79 for `budget`"):
        px.ShapleyExplainer(paid, proxy=Game(), budget=60, progress=False).explain([long])
    assert paid.calls == 0


def test_a_record_tells_what_the_proxy_was_worth():
    found = explain(Game(), budget=24, proxy=Game())
    again = px.Explanation.from_json(found.to_json()).attribution
    for name in ("proxy_weight", "proxy_probability", "values", "std_errors"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found.attribution, name))


def test_a_proxy_that_fails_loses_no_paid_score():
    def broken(texts):
        raise ValueError("no memory")

    with pytest.raises(px.ScoringError) as caught:
        explain(Game(), budget=24, proxy=broken)
    assert len(caught.value.tables[0]) == 24


def test_outputs_are_matched_by_name_by_place_or_alone():
    def paid(texts):
        return [[len(text), text.count("not")] for text in texts]

    def swapped(texts):
        return [[text.count("not"), len(text)] for text in texts]

    names = {"output_names": ["length", "nots"]}
    whole = explain(paid, budget=24, **names)
    by_name = px.as_scorer(swapped, output_names=["NOTS", "Length"])
    for outputs in ("all", ["nots"], "predicted"):
        for proxy in (by_name, paid, lambda texts: [len(text) for text in texts]):
            found = explain(paid, budget=24, proxy=proxy, outputs=outputs, **names)
            for column, name in enumerate(found.output_names):
                own = whole.values[:, whole.output_names.index(name)]
                np.testing.assert_allclose(found.values[:, column], own, atol=0.2)
    with pytest.raises(ArgumentError, match=r"^proxy: which of its outputs"):
        explain(paid, budget=24, proxy=lambda texts: [[1, 2, len(t)] for t in texts], **names)
