import functools
import pickle

import numpy as np
import pytest
import torch

from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.maskers.variants import Variants
from perturbx.scorers import CallableScorer


def lengths(texts):
    return [[len(text), text.count("o")] for text in texts]


class Model:
    def __call__(self, texts):
        return [len(text) for text in texts]

    def scores(self, texts):
        return self(texts)


def test_the_function_sees_the_texts_themselves():
    seen = []
    scorer = CallableScorer(lambda texts: seen.append(texts) or np.zeros(len(texts)))
    scorer.score(Variants(texts=("a", "", "\ud800")))
    scorer.score(Variants(texts=[("a", "b")]))
    assert seen == [["a", "", "\ud800"], [("a", "b")]]
    assert all(isinstance(texts, list) for texts in seen)


def test_a_function_that_changes_its_list_changes_nothing_else():
    texts = ["one", "two"]
    values = CallableScorer(lambda given: [len(given.pop()) for _ in range(2)]).score(
        Variants(texts=texts)
    )
    assert texts == ["one", "two"]
    assert len(values) == 2


def test_names_are_known_after_the_first_score():
    scorer = CallableScorer(lengths)
    assert scorer.output_names is None
    scorer.score(Variants(texts=["good"]))
    assert scorer.output_names == ("0", "1")
    single = CallableScorer(Model())
    single.score(Variants(texts=["good"]))
    assert single.output_names == ("output",)


def test_names_that_are_given_are_kept_and_counted():
    scorer = CallableScorer(lengths, output_names=["length", "os"])
    assert scorer.output_names == ("length", "os")
    assert scorer.score(Variants(texts=["foo"])).values.tolist() == [[3.0, 2.0]]
    with pytest.raises(ArgumentError, match="output_names: expected 2 names"):
        CallableScorer(lengths, output_names=["length"]).score(Variants(texts=["foo"]))


def test_outputs_that_change_in_number_are_caught():
    scorer = CallableScorer(lambda texts: np.zeros((len(texts), 1 + (len(texts) > 1))))
    scorer.score(Variants(texts=["one"]))
    with pytest.raises(ScoringError, match="2 outputs where 1 were expected"):
        scorer.score(Variants(texts=["one", "two"]))


def test_a_score_that_is_not_finite_is_left_to_the_runner():
    def ratio(texts):
        return [np.nan if text == "" else 1.0 for text in texts]

    scores = CallableScorer(ratio).score(Variants(texts=["good", ""]))
    np.testing.assert_array_equal(scores.values, [[1.0], [np.nan]])


def test_a_function_of_one_text_is_recognised():
    with pytest.raises(ScoringError, match="asked about 3 inputs at once"):
        CallableScorer(len).score(Variants(texts=["a", "b", "c"]))


def test_what_the_function_raises_passes_untouched():
    for error in (ValueError("mine"), MemoryError(), torch.OutOfMemoryError("CUDA out of memory")):

        def failing(texts, error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            CallableScorer(failing).score(Variants(texts=["a"]))
        assert caught.value is error


def test_no_texts_need_no_call():
    def never(texts):
        raise AssertionError("called")

    assert len(CallableScorer(never).score(Variants(texts=[]))) == 0


def test_tokens_are_refused():
    tokens = Variants(token_ids=torch.ones(1, 2, dtype=torch.long), lengths=torch.tensor([2]))
    with pytest.raises(CapabilityError, match="reads texts"):
        CallableScorer(lengths).score(tokens)


def test_the_record_names_the_function():
    assert CallableScorer(lengths).model_id == "lengths"
    assert CallableScorer(functools.partial(lengths)).model_id == "lengths"
    assert CallableScorer(Model()).model_id == "Model"
    assert CallableScorer(Model().scores).model_id == "Model.scores"
    assert CallableScorer(lengths, name="my model").model_id == "my model"


def test_what_is_no_plain_function_is_refused():
    async def slow(texts):
        return [0.0 for _ in texts]

    for wrong, said in ((slow, "asynchronous"), (Model, "function: expected"), (3, "got 3")):
        with pytest.raises(ArgumentError, match=said):
            CallableScorer(wrong)


def test_a_pickled_scorer_scores_alike():
    scorer = CallableScorer(functools.partial(np.char.str_len))
    before = scorer.score(Variants(texts=["good", "bad"]))
    again = pickle.loads(pickle.dumps(scorer))
    assert again.output_names == scorer.output_names
    np.testing.assert_array_equal(
        again.score(Variants(texts=["good", "bad"])).values, before.values
    )
