"""Whole texts through the model: each distinct one once, and none of them lost."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, Interrupted, ScoringError, SegmentationError
from perturbx.fairness.scoring import TextScores, checked_texts
from perturbx.scorers import as_scorer


class Model:
    """A model that counts what it is asked, and does something else at a certain text."""

    def __init__(self, n_outputs=2):
        self.asked = Counter()
        self.n_outputs = n_outputs
        self.fault = {}

    def __call__(self, texts):
        for text in texts:
            if text in self.fault:
                found = self.fault[text]
                if isinstance(found, BaseException):
                    raise found
                return found(len(texts))
        self.asked.update(texts)
        return np.array([score(text, self.n_outputs) for text in texts])


def score(text, n_outputs=2):
    return [(len(text) * (k + 1) + sum(map(ord, text))) % 97 / 97 for k in range(n_outputs)]


def scores_of(model, **options):
    return TextScores(as_scorer(model), **({"progress": False, "batch_tokens": 60} | options))


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "ab", "ba", "é", "a "])), max_size=4))
def test_each_distinct_text_is_asked_once_and_the_order_is_kept(calls):
    model = Model()
    scores = scores_of(model)
    for texts in calls:
        found = scores.of(texts)
        assert found.tolist() == [score(text) for text in texts]
    every = {text for texts in calls for text in texts}
    assert model.asked == Counter(dict.fromkeys(every, 1))
    assert len(scores) == len(every)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8), max_size=8))
def test_any_text_reaches_the_model_as_it_is(texts):
    model = Model(1)
    found = scores_of(model).of(texts)
    assert set(model.asked) == set(texts)
    np.testing.assert_array_equal(found.ravel(), [score(text, 1)[0] for text in texts])


def test_many_duplicates_cost_one_call_each():
    model = Model()
    texts = ["x", "y", "z", "x", "w"] * 10_000
    found = scores_of(model, batch_tokens="auto").of(texts)
    assert found.shape == (50_000, 2)
    assert model.asked == Counter("wxyz")
    np.testing.assert_array_equal(found[:5], [score(text) for text in texts[:5]])


TEXTS = [f"text {number}" for number in range(40)]


@pytest.mark.parametrize(
    ("fault", "error", "what"),
    [
        (ValueError("no memory"), ScoringError, "no memory"),
        (lambda n: np.full((n, 2), np.nan), ScoringError, "NaN|nan|finite"),
        (lambda n: np.full((n, 2), np.inf), ScoringError, "inf|finite"),
        (lambda n: np.zeros((n, 3)), ScoringError, "3"),
        (lambda n: np.zeros((n + 1, 2)), ScoringError, "rows|scores|texts"),
        (lambda n: [["a", "b"]] * n, ScoringError, "number|float"),
        (KeyboardInterrupt(), Interrupted, None),
    ],
)
def test_what_was_scored_before_a_fault_is_kept(fault, error, what):
    model = Model()
    model.fault["text 23"] = fault
    scores = scores_of(model)
    with pytest.raises(error, match=what):
        scores.of(TEXTS)
    kept = len(scores)
    assert kept == len(model.asked) > 0
    model.fault.clear()
    found = scores.of(TEXTS)
    np.testing.assert_array_equal(found, [score(text) for text in TEXTS])
    assert set(model.asked.values()) == {1}
    assert len(scores) == len(TEXTS)


def test_a_fault_says_how_many_scores_are_kept():
    model = Model()
    model.fault["text 23"] = RuntimeError("gone")
    scores = scores_of(model)
    with pytest.raises(ScoringError, match=r"gone.*scores are kept") as caught:
        scores.of(TEXTS)
    assert f"{len(scores):,} scores are kept" in str(caught.value)


def test_a_width_that_changes_between_calls_is_told():
    model = Model()
    scores = scores_of(model)
    scores.of(["one"])
    model.n_outputs = 3
    with pytest.raises(ScoringError, match="3"):
        scores.of(["two"])
    model.n_outputs = 2
    np.testing.assert_array_equal(scores.of(["one", "two"]), [score("one"), score("two")])


def test_no_text_is_no_call():
    model = Model()
    scores = scores_of(model)
    assert scores.of([]).shape[0] == 0
    scores.of(["a"])
    assert scores.of([]).shape == (0, 2)
    assert model.asked == Counter("a")
    assert scores.output_names == ("0", "1")


@pytest.mark.parametrize(
    ("texts", "error", "what"),
    [
        ("a text", ArgumentError, r"texts: expected a list of texts, got str"),
        (b"a text", ArgumentError, "got bytes"),
        (None, ArgumentError, "got NoneType"),
        (["a", None], ArgumentError, r"texts\[1\]: expected a string; got NoneType None"),
        (["a", float("nan")], ArgumentError, r"texts\[1\]: expected a string; got float nan"),
        (["a", "\ud800"], SegmentationError, r"texts\[1\]: .*surrogate"),
    ],
)
def test_what_is_no_text_is_told_by_its_place(texts, error, what):
    with pytest.raises(error, match=what):
        checked_texts(texts)


def test_texts_of_any_iterable_are_a_list():
    assert checked_texts(np.array(["a", "b"])) == ["a", "b"]
    assert checked_texts(text for text in "ab") == ["a", "b"]
    assert checked_texts(()) == []
