"""`LimeExplainer(method="limit")`: the line of LIME's limit, bought in rounds."""

import numpy as np
import pytest

import perturbx as px
from perturbx.symmetric_kernels import lime_functional

TEXT = "the plot is thin but the acting is truly superb and moving"


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def positive(words):
    x = 2 * ("superb" in words) - 1.5 * ("thin" in words) + 0.2 * words.count("the")
    x += ("truly" in words) * ("superb" in words) - ("plot" in words) * ("acting" in words)
    return 1 / (1 + np.exp(-x))


def model(texts):
    p = np.array([positive(text.split()) for text in texts])
    return np.column_stack([1 - p, p])


def limit_of(text):
    """The line itself, from all masks."""
    words = text.split()
    n = len(words)
    masks = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 > 0
    kept = [[word for word, keep in zip(words, row, strict=True) if keep] for row in masks]
    scores = np.array([positive(own) for own in kept])
    line, size = lime_functional(n), masks.sum(axis=1)
    weights = np.where(masks, line.kept_alone[size][:, None], line.removed_alone[size][:, None])
    return weights.T @ scores


def explain(text=TEXT, **options):
    explainer = px.LimeExplainer(model, random_state=0, progress=False, **options)
    return explainer.explain([text])[0]


def test_it_is_the_default_and_near_the_limit_of_lime():
    item = explain(outputs=["1"], budget=240)
    truth = limit_of(TEXT)
    off = item.values.ravel() - truth
    assert item.method == "lime_limit"
    assert 200 < item.n_calls <= 240
    assert np.linalg.norm(off) < 0.05 * np.linalg.norm(truth)
    assert (np.abs(off) <= 4 * item.std_errors.ravel()).mean() >= 0.9
    plain = explain(outputs=["1"], budget=240, method="lime")
    assert np.linalg.norm(off) < np.linalg.norm(plain.values.ravel() - truth) / 2


def test_outputs_that_add_up_to_one_have_opposite_values():
    item = explain(budget=60)
    np.testing.assert_allclose(item.values.sum(axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose(item.base_values.sum(), 1.0, atol=1e-6)


def test_short_texts_are_exact():
    text = "thin but truly superb"
    item = explain(text, outputs=["1"])
    np.testing.assert_allclose(item.values.ravel(), limit_of(text), atol=1e-10)
    np.testing.assert_array_equal(item.std_errors, 0.0)
    assert item.n_calls == 16


def test_auto_buys_in_rounds_until_the_errors_are_small():
    loose, tight = explain(tolerance=0.5), explain(tolerance=0.02)
    assert loose.n_calls < tight.n_calls <= 240
    assert loose.budget_report.reason == "tolerance"
    more = {tuple(row) for row in tight.table.masks.tolist()}
    assert {tuple(row) for row in loose.table.masks.tolist()} <= more


def test_top_k_ends_the_rounds_too():
    item = explain(tolerance=0.001, top_k=1, outputs=["1"])
    assert item.budget_report.reason == "top_k"
    assert item.as_list("1")[0][0] == "superb"


def test_one_table_serves_shapley_and_lime_both_ways():
    lime = explain(budget=120, outputs=["1"])
    options = {"estimator": "odd_gp", "budget": 120, "random_state": 0, "outputs": ["1"]}
    (shapley,) = px.ShapleyExplainer(model, progress=False, **options).explain([TEXT])
    np.testing.assert_array_equal(lime.table.masks, shapley.table.masks)
    np.testing.assert_allclose(lime.refit("odd_gp").values, shapley.values)
    np.testing.assert_allclose(shapley.refit("lime").values, lime.values)


def test_few_features_are_the_largest():
    every, some = explain(budget=100, outputs=["1"]), explain(budget=100, n_features=3)
    chosen = np.flatnonzero(some.values[:, 1])
    largest = np.argsort(-np.abs(every.values.ravel()))[:3]
    assert set(chosen) == set(largest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_selection": "lasso_path"}, "feature_selection: method='limit' takes"),
        ({"budget": 100, "top_k": 2}, "tolerance and top_k end the rounds"),
        ({"method": "glime", "tolerance": 0.2}, "tolerance and top_k end the rounds"),
        ({"tolerance": 0}, "tolerance: expected a number above 0"),
        ({"kernel_width": -1.0}, "kernel_width: expected"),
        *[
            ({"kernel_width": 0.2, "method": method}, "kernel_width: 0.2 is so small")
            for method in ("limit", "lime", "glime")
        ],
        ({"n_features": 0}, "n_features: expected"),
        ({"budget": 9}, "budget: 12 units take at least 14 calls .*got 9"),
    ],
)
def test_what_cannot_be_is_refused_before_any_call(options, message):
    asked = []

    def recorded(texts):
        asked.extend(texts)
        return model(texts)

    with pytest.raises(px.ArgumentError, match=message):
        px.LimeExplainer(recorded, **options).explain([TEXT])
    assert not asked


@pytest.mark.parametrize("method", ["limit", "lime", "glime"])
def test_a_text_of_one_word_is_worth_what_it_adds_to_nothing(method):
    explainer = px.LimeExplainer(
        lambda texts: [float(len(text)) for text in texts],
        method=method,
        masker="delete",
        random_state=0,
        progress=False,
    )
    one, more = explainer.explain(["good", "a much longer text about films"])
    np.testing.assert_allclose(one.values, [[4.0]])
    assert more.units.n_units == 6
