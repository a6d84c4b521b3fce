"""The front door: what goes in, what comes out, and what it costs."""

import itertools
import math
import zlib

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import PoorFitWarning

SENTENCE = "the plot is thin but the acting is truly superb"


class Counting:
    """A function of texts that remembers every text it was asked about."""

    def __init__(self, function):
        self.function = function
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return np.array([self.function(text) for text in texts])


def sentiment(text):
    """Score words, with an interaction and a saturation; two outputs."""
    words = text.split()
    x = 1.5 * ("superb" in words) - 1.0 * ("thin" in words) + 0.3 * len(words)
    x += 0.8 * ("truly" in words and "superb" in words)
    p = 1 / (1 + math.exp(-x + 1))
    return [1 - p, p]


def brute_force(value, n):
    """Shapley values from their definition."""
    phi = np.zeros(n)
    for i in range(n):
        rest = [j for j in range(n) if j != i]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for subset in itertools.combinations(rest, size):
                phi[i] += weight * (value({*subset, i}) - value(set(subset)))
    return phi


def kept_words(text, kept):
    return " ".join(word for i, word in enumerate(text.split()) if i in kept)


def test_exact_values_are_the_definition():
    text = "truly thin superb acting here"
    (explanation,) = px.explain(Counting(sentiment), [text], estimator="exact")
    for output in (0, 1):
        expected = brute_force(lambda kept, o=output: sentiment(kept_words(text, kept))[o], 5)
        np.testing.assert_allclose(explanation.values[:, output], expected, atol=1e-9)
    np.testing.assert_array_equal(explanation.std_errors, 0)
    assert explanation.r2 is None
    assert explanation.n_calls == 32


@pytest.mark.parametrize("estimator", ["auto", "odd_gp", "leverage", "kernel", "permutation"])
def test_the_values_add_up_and_the_error_bars_hold(estimator):
    exact = px.explain(sentiment_of, [SENTENCE], estimator="exact", outputs=["1"])[0]
    misses = []
    for seed in range(6):
        model = Counting(sentiment)
        (estimate,) = px.explain(
            model, [SENTENCE], estimator=estimator, budget=100, outputs=["1"], random_state=seed
        )
        assert len(model.asked) == len(set(model.asked)) == estimate.n_calls <= 100
        np.testing.assert_allclose(
            estimate.values.sum(axis=0), estimate.scores - estimate.base_values, atol=1e-9
        )
        assert (estimate.std_errors >= 0).all()
        misses.append(
            np.mean(np.abs(estimate.values - exact.values) > 3 * estimate.std_errors + 1e-9)
        )
        assert np.abs(estimate.values - exact.values).max() < 0.1 * np.abs(exact.values).max()
    # Five pairs of chains (permutation) leave the errors themselves uncertain.
    assert np.mean(misses) < 0.15


def sentiment_of(texts):
    return np.array([sentiment(text) for text in texts])


EXPLAINERS = {
    "shapley": {},
    "partition": {},
    "lime": {},
    "lasso": {"alpha": 0.001},
    "occlusion": {},
}


@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_batch_is_one_by_one_and_a_seed_reproduces(name):
    texts = [SENTENCE, "superb but thin", "", "one", SENTENCE, "truly superb , truly thin plot"]
    options = {"explainer": name, "random_state": 7, **EXPLAINERS[name]}
    together = px.explain(sentiment_of, texts, **options)
    again = px.explain(sentiment_of, texts[::-1], **options)[::-1]
    for i, text in enumerate(texts):
        (alone,) = px.explain(sentiment_of, [text], **options)
        np.testing.assert_allclose(together[i].values, alone.values, atol=1e-10)
        np.testing.assert_allclose(together[i].std_errors, alone.std_errors, atol=1e-10)
        np.testing.assert_array_equal(together[i].table.masks, again[i].table.masks)
        np.testing.assert_array_equal(together[i].table.scores, alone.table.scores)
    np.testing.assert_allclose(together[0].values, together[4].values, atol=1e-12)
    other = px.explain(sentiment_of, texts, **{**options, "random_state": 8})
    if name not in ("occlusion", "partition"):
        assert not np.array_equal(together[0].table.masks, other[0].table.masks)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_the_words_that_matter_come_out_on_top(name):
    (explanation,) = px.explain(
        sentiment_of, [SENTENCE], explainer=name, random_state=0, link="log_odds", budget=90
    )
    top = explanation.as_list("1")
    assert top[0][0] == "superb"
    assert dict(top)["thin"] < 0
    assert explanation.top_output == "1"


def test_equal_texts_and_equal_variants_are_paid_for_once():
    model = Counting(sentiment)
    explanations = px.explain(model, ["a a a a", "a a a a"], random_state=0)
    # Deleting any of four equal words leaves the same text: there are five of them.
    assert sorted(set(model.asked)) == sorted(model.asked)
    assert len({text.strip() for text in model.asked}) == 5
    assert [item.n_calls for item in explanations] == [len(model.asked)] * 2


@pytest.mark.parametrize(
    ("budget", "calls"), [("fast", 50), ("normal", 100), ("high", 200), (61, 60), (12, 12)]
)
def test_a_budget_is_kept_and_used_up(budget, calls):
    model = Counting(sentiment)
    text = " ".join(f"w{i}" for i in range(10))
    (explanation,) = px.explain(model, [text], budget=budget, random_state=0)
    assert explanation.n_calls == len(model.asked) == calls


@pytest.mark.parametrize("budget", [0, -3, 1.5, True, "lots", None, 5])
def test_a_budget_that_cannot_be_is_an_error_before_any_call(budget):
    model = Counting(sentiment)
    with pytest.raises(px.ArgumentError, match="budget"):
        px.explain(model, [SENTENCE], budget=budget)
    assert not model.asked


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ({"units": "syllables"}, "units"),
        ({"masker": "blur"}, "masker"),
        ({"masker": "mask"}, "masker"),
        ({"link": "logit"}, "link"),
        ({"estimator": "best"}, "estimator"),
        ({"explainer": "magic"}, "explainer"),
        ({"explainer": "lime", "method": "lemon"}, "method"),
        ({"explainer": "partition", "tree": "oak"}, "tree"),
        ({"colour": "red"}, "colour"),
        ({"random_state": "seed"}, "random_state"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"outputs": []}, "outputs"),
        ({"outputs": None}, "outputs"),
        ({"outputs": 3}, "outputs"),
        ({"explainer": "partition", "tree": 5}, "tree"),
        ({"explainer": "partition", "tree": None}, "tree"),
        ({"explainer": "partition", "tree": [["a", "b"]]}, "tree"),
        ({"explainer": "partition", "tree": [[0.0, float("nan")]]}, "tree"),
        ({"explainer": "partition", "tree": lambda units: [0, 1]}, "tree"),
        ({"explainer": "lime", "kernel_width": "x"}, "kernel_width"),
        ({"explainer": "lime", "method": "glime", "kernel_width": "x"}, "kernel_width"),
        ({"explainer": "lasso", "alpha": None}, "alpha"),
        ({"explainer": "lasso", "keep": "x"}, "keep"),
    ],
)
def test_unknown_names_are_errors_that_name_the_argument(option, name):
    model = Counting(sentiment)
    with pytest.raises(px.PerturbxError, match=name):
        px.explain(model, [SENTENCE], **option)
    assert not model.asked


def test_numpy_numbers_and_arrays_are_as_good_as_pythons():
    names = np.array(["bad", "good"])
    options = {"output_names": ["bad", "good"], "random_state": 0, "progress": False}
    (plain,) = px.explain(sentiment_of, [SENTENCE], batch_tokens=500, **options)
    options |= {"batch_tokens": np.int64(500), "outputs": names}
    (item,) = px.explain(sentiment_of, [SENTENCE], **options)
    np.testing.assert_array_equal(item.values, plain.values)
    assert item.as_list(np.int64(-1)) == item.as_list(-1) == plain.as_list("good")


def test_an_output_that_is_not_there_is_an_error_that_keeps_the_scores():
    model = Counting(sentiment)
    with pytest.raises(px.ArgumentError, match=r"outputs.*\['0', '1'\]") as caught:
        px.explain(model, [SENTENCE], outputs=["2"], budget=30, random_state=0)
    n_calls = len(model.asked)
    (item,) = px.ShapleyExplainer(model, budget=30, random_state=0).explain(
        [SENTENCE], tables=caught.value.tables
    )
    assert item.n_calls == n_calls == len(model.asked)


def test_an_output_is_checked_before_any_call_where_the_names_are_known():
    model = Counting(sentiment)
    with pytest.raises(px.ArgumentError, match=r"outputs.*\['bad', 'good'\]"):
        px.explain(model, [SENTENCE], outputs=["nice"], output_names=["bad", "good"])
    assert not model.asked


def test_a_link_that_cannot_be_keeps_the_scores():
    with pytest.raises(px.CapabilityError, match="link") as caught:
        px.explain(lambda texts: [len(t) for t in texts], ["a b c"], link="log_odds")
    assert len(caught.value.tables[0]) == 8


@pytest.mark.parametrize("texts", ["a string", None, 3, [None], [["a", "b", "c"]], [b"bytes"]])
def test_texts_that_are_no_texts(texts):
    with pytest.raises(px.ArgumentError, match="texts"):
        px.explain(sentiment_of, texts)


def test_outputs_and_links_are_views_of_one_table():
    options = {"random_state": 0, "output_names": ["bad", "good"], "budget": "normal"}
    both = px.explain(sentiment_of, [SENTENCE], **options)[0]
    assert both.output_names == ("bad", "good")
    one = px.explain(sentiment_of, [SENTENCE], outputs="predicted", link="log_odds", **options)[0]
    assert one.output_names == ("good",)
    np.testing.assert_array_equal(one.table.scores, both.table.scores)
    again = both.refit("odd_gp", link="log_odds", outputs="predicted")
    np.testing.assert_allclose(again.values, one.values)
    p = both.table.full_scores[1]
    np.testing.assert_allclose(one.scores, [math.log(p / (1 - p))])


def test_texts_at_the_edge():
    rtl = "هذا الفيلم رائع"
    texts = ["", " \n\t", "word", "!!!", "nul \x00 inside it", rtl, "👩‍👩‍👧 family", "a\u200bb c"]
    explanations = px.explain(lambda texts: [float(len(t)) for t in texts], texts, random_state=0)
    for text, item in zip(texts, explanations, strict=True):
        assert item.text == text
        assert item.values.shape == (item.units.n_units, 1)
        np.testing.assert_allclose(item.values.sum() + item.base_values[0], len(text))
    assert [item.units.n_units for item in explanations[:4]] == [0, 0, 1, 1]
    assert [item.n_calls for item in explanations[:3]] == [1, 1, 2]
    assert explanations[5].units.pieces == ("هذا ", "الفيلم ", "رائع")


def test_a_lone_surrogate_is_an_error_that_says_where():
    with pytest.raises(px.SegmentationError, match=r"texts\[1\].*position 2.*D800"):
        px.explain(sentiment_of, ["fine", "a \ud800 b"])


def test_five_thousand_words():
    text = " ".join(f"w{i % 50}" for i in range(5_000))
    (explanation,) = px.explain(
        lambda texts: [t.count("w7") / 100 for t in texts],
        [text],
        explainer="occlusion",
    )
    assert explanation.units.n_units == 5_000
    worth = explanation.values.ravel()
    label = np.array(explanation.units.labels)
    assert worth[label == "w7"] == pytest.approx(0.01)
    assert worth[label == "w8"] == pytest.approx(0)


def test_units_of_your_own_are_taken_as_they_are():
    units = px.Units("keep this: good bad", ((11, 16), (16, 19)))
    (explanation,) = px.explain(lambda texts: [len(t) for t in texts], [units])
    assert explanation.values.ravel().tolist() == [5, 3]
    assert explanation.base_values == [11]


def test_pairs_of_texts_reach_a_function_as_pairs():
    def overlap(pairs):
        return [len(set(a.split()) & set(b.split())) for a, b in pairs]

    (explanation,) = px.explain(overlap, [("a red car", "the car is red")], estimator="exact")
    worth = dict(zip(explanation.units.labels, explanation.values.ravel(), strict=True))
    for word in ("the", "is", "a"):
        assert worth[word] == pytest.approx(0, abs=1e-12)
    assert worth["red"] == pytest.approx(0.5)  # the other half is the red of the other text
    assert explanation.scores == [2]


def test_a_poor_fit_says_so():
    def arbitrary(texts):
        return [float(zlib.crc32(t.encode()) % 100) for t in texts]

    with pytest.warns(PoorFitWarning, match=r"1 of 1 explanations.*r2"):
        (explanation,) = px.explain(arbitrary, ["a b c d e f g h i j k l m"], random_state=0)
    assert explanation.r2 < 0.5


def test_an_additive_model_is_fitted_without_error():
    (explanation,) = px.explain(
        lambda texts: [len(t.split()) for t in texts], ["a b c d e f g h i j k l"], random_state=0
    )
    np.testing.assert_allclose(explanation.values.ravel(), 1, atol=1e-3)
    np.testing.assert_allclose(explanation.std_errors, 0, atol=0.05)
    assert explanation.r2 == pytest.approx(1, abs=1e-3)
