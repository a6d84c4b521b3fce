"""Labels behind a prompt as the classes of a classifier."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.maskers.variants import Variants
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.labels import LabelScorer
from perturbx.scorers.links import apply_link

WORDS = st.text(alphabet="abc", min_size=1, max_size=5)


@pytest.fixture(scope="module")
def llama(language_model):
    return language_model("llama", attention="sdpa")


def probability(model, tokenizer, prompt, label):
    """The probability that the label is what comes, multiplied up token by token."""
    ids = tokenizer(prompt)["input_ids"]
    product = 1.0
    for token in tokenizer(label, add_special_tokens=False)["input_ids"]:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        product *= float(logits.double().softmax(-1)[token])
        ids = [*ids, token]
    return product


@settings(max_examples=20, deadline=None)
@given(labels=st.lists(WORDS, min_size=2, max_size=5, unique=True), prompt=WORDS)
def test_the_softmax_is_the_probability_given_that_a_label_comes(llama, labels, prompt):
    # labels of one and of several tokens, with first tokens in common, one the beginning of another
    scorer = LabelScorer(CausalLM(*llama), labels)
    scores = scorer.score(Variants(texts=[prompt]))
    assert scores.kind == "logit"
    assert scores.exclusive
    begins = {label: probability(*llama, prompt, label) for label in labels}
    # The longest first: what begins with a label is that label or a longer one.
    whole = {}
    for label in sorted(labels, key=len, reverse=True):
        longer = sum(own for other, own in whole.items() if other.startswith(label))
        whole[label] = begins[label] - longer
    products = np.array([whole[label] for label in labels])
    found, _ = apply_link(
        scores.values, None, link="probability", kind=scores.kind, exclusive=scores.exclusive
    )
    np.testing.assert_allclose(found[0], products / products.sum(), atol=1e-4)


def test_no_second_text_is_passed_over(llama):
    scorer = LabelScorer(CausalLM(*llama), ["a", "abc"])
    with pytest.raises(ScoringError, match="a prompt of one text; got a pair"):
        scorer.score(Variants(texts=[("so good", "not bad")]))


def test_the_numbers_per_token_are_those_per_label_divided(llama):
    lm, texts = CausalLM(*llama), Variants(texts=["so good", "bad"])
    plain = LabelScorer(lm, ["a", "abc"]).score(texts).values
    each = LabelScorer(lm, ["a", "abc"], length_normalized=True).score(texts).values
    np.testing.assert_allclose(each, plain / [1, 3], atol=1e-4)


@pytest.mark.parametrize("length_normalized", [False, True])
def test_a_prompt_without_content_has_equal_labels_once_calibrated(llama, length_normalized):
    scorer = LabelScorer(
        CausalLM(*llama), ["a", "abc"], calibrate="N/A", length_normalized=length_normalized
    )
    values = scorer.score(Variants(texts=["N/A", "good"])).values
    np.testing.assert_allclose(values[0], 0, atol=1e-3)
    assert np.abs(values[1]).max() > 0.01


def test_what_makes_the_numbers_is_in_the_name(llama):
    lm = CausalLM(*llama)
    names = {
        LabelScorer(lm, ["a", "b"]).model_id,
        LabelScorer(lm, ["a", "c"]).model_id,
        LabelScorer(lm, ["a", "b"], calibrate="N/A").model_id,
        LabelScorer(lm, ["a", "b"], length_normalized=True).model_id,
    }
    assert len(names) == 4


def test_no_variants_have_no_numbers(llama):
    values = LabelScorer(CausalLM(*llama), ["a", "b"]).score(Variants(texts=[])).values
    assert values.shape == (0, 2)


def test_a_label_of_unknown_words_is_refused(make, language_model):
    model, _ = language_model("llama")
    words = make.slow()
    words.build_inputs_with_special_tokens = lambda ids, pair=None: [2, *ids]
    with pytest.raises(ArgumentError, match="does not know 'xyzzy'"):
        LabelScorer(CausalLM(model, words), ["good", "xyzzy"])


def test_labels_that_are_the_same_tokens_are_refused(make, language_model):
    model, _ = language_model("llama")
    words = make.slow()  # blind to case
    words.build_inputs_with_special_tokens = lambda ids, pair=None: [2, *ids]
    with pytest.raises(ArgumentError, match="'Good' and 'good' are the same tokens"):
        LabelScorer(CausalLM(model, words), ["Good", "good"])
