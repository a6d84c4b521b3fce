"""A model that only answers in text, as numbers."""

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.maskers.variants import Variants
from perturbx.scorers.causal_lm import CausalLM
from perturbx.scorers.generated import ChrF, GeneratedTextScorer, Rouge
from perturbx.units.template import Template


class Answerer:
    """Says who is named in the prompt, and counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, prompts):
        self.asked += prompts
        return ["Bob sang" if "Bob" in prompt else "nobody" for prompt in prompts]


def test_every_prompt_is_asked_once_and_what_moves_the_answer_is_found():
    model = Answerer()
    scorer = GeneratedTextScorer(model, [ChrF(), Rouge()], "Bob sang")
    units = Template("C: {context} Q: who?").units("sentences", context="It rained. Bob sang. Yes.")
    (found,) = px.ShapleyExplainer(scorer, progress=False).explain([units])
    assert found.output_names == ("chrf", "rougeL")
    assert len(model.asked) == len(set(model.asked)) == 8
    np.testing.assert_allclose(found.values[[0, 2]], 0, atol=1e-9)
    assert np.all(found.values[1] > 0.5)
    assert scorer.answers["C: It rained.  Q: who?"] == "nobody"
    assert "similarity" in str(found)


def test_tables_of_another_answer_do_not_go_on():
    def likeness(reference, texts):
        return np.array([float(text == reference) for text in texts])

    likeness.name = "likeness"

    def explainer(reference):
        scorer = GeneratedTextScorer(lambda prompts: prompts, [likeness], reference)
        return px.ShapleyExplainer(scorer, random_state=0, progress=False)

    tables = explainer("so good").explain(["so good"]).tables
    assert explainer("so good").explain(["so good"], tables=tables)[0].values.sum() == 1.0
    with pytest.raises(px.ArgumentError, match=r"tables\[0\]: was scored with model"):
        explainer("so bad").explain(["so good"], tables=tables)


def test_a_similarity_is_no_probability():
    scorer = GeneratedTextScorer(Answerer(), [ChrF()], "Bob sang")
    with pytest.raises(CapabilityError, match="similarity"):
        px.ShapleyExplainer(scorer, link="log_odds", progress=False).explain(["Bob sang well"])


def test_a_language_model_answers(language_model):
    model = CausalLM(*language_model("llama", attention="sdpa"))
    (answer,) = model.generate(["He left."], max_new_tokens=4)
    scorer = GeneratedTextScorer(model, [ChrF()], answer, max_new_tokens=4)
    values = scorer.score(Variants(texts=["He left.", "He", "He left."])).values
    assert values[0] == values[2] == pytest.approx(1.0)
    assert len(scorer.answers) == 2
    assert scorer.score(Variants(texts=[])).values.shape == (0, 1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(lambda prompts: "one", "a string"), (lambda prompts: [], "0 answers"), (lambda p: [3], "3")],
)
def test_answers_that_are_none(answer, said):
    with pytest.raises(ScoringError, match=said):
        GeneratedTextScorer(answer, [ChrF()], "a").score(Variants(texts=["b"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("name", [ChrF()], "a"), "generate"),
        ((len, [], "a"), "scalarizers"),
        ((len, ChrF(), "a"), "scalarizers"),
        ((len, [ChrF()], " "), "reference"),
    ],
)
def test_what_cannot_be_is_named(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        GeneratedTextScorer(*arguments)


def test_a_scalarizer_must_give_a_number_each():
    class Wrong:
        name = "wrong"

        def __call__(self, reference, texts):
            return np.zeros(7)

    with pytest.raises(ScoringError, match="wrong"):
        GeneratedTextScorer(Answerer(), [Wrong()], "a").score(Variants(texts=["b"]))
