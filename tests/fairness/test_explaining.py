"""The word attributions of an audit: texts that were scored are not bought again."""

from collections import Counter

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import ArgumentError
from perturbx.fairness.explaining import audit_explainer, explain_texts
from perturbx.fairness.outcomes import Outcome
from perturbx.fairness.scoring import TextScores
from perturbx.scorers import as_scorer

TEXTS = ["one day in the sun", "two", "", "one day in the sun"]


class Model:
    def __init__(self):
        self.asked = Counter()

    def __call__(self, texts):
        self.asked.update(texts)
        found = np.array([[len(text), text.count("o"), text.count("d")] for text in texts]) + 1.0
        return found / found.sum(axis=1, keepdims=True)


def outcome(name, link="probability"):
    return Outcome(name, int(name), link, None, link == "probability", True)


def explained(explainer, outcomes, texts=TEXTS):
    model = Model()
    scorer = as_scorer(model)
    scores = TextScores(scorer, progress=False)
    scores.of(texts)
    chosen = audit_explainer(
        explainer, scorer, outcomes, batch_tokens="auto", random_state=0, progress=False
    )
    explanations, n_calls = explain_texts(chosen, texts, scores)
    assert n_calls == sum(model.asked.values()) - len(set(texts))
    return model, scores, explanations


@pytest.mark.parametrize(
    "explainer", [None, "shapley", "lime", px.ShapleyExplainer(len, progress=False, random_state=1)]
)
def test_whole_texts_are_asked_once(explainer):
    model, scores, found = explained(explainer, [outcome("1"), outcome("2")])
    for text in set(TEXTS):
        assert model.asked[text] == 1
    assert [e.text for e in found] == TEXTS
    for explanation, own in zip(found, scores.of(TEXTS), strict=True):
        assert explanation.output_names == ("1", "2")
        np.testing.assert_allclose(explanation.scores, own[1:])


def test_what_explaining_asked_about_is_not_asked_about_again():
    model, scores, _ = explained(None, [outcome("0")])
    n_asked, n_texts = sum(model.asked.values()), len(scores)
    again = list(model.asked)
    np.testing.assert_array_equal(scores.of([*again, "three"]), Model()([*again, "three"]))
    assert sum(model.asked.values()) == n_asked + 1
    assert len(scores) == n_texts + 1


def test_the_scale_is_that_of_the_audit():
    _, scores, found = explained(None, [outcome("0", "log_odds")])
    p = scores.of(TEXTS)[:, 0]
    for explanation, own in zip(found, p, strict=True):
        assert explanation.scores[0] == pytest.approx(np.log(own / (1 - own)))
        total = explanation.values.sum() + explanation.base_values[0]
        assert total == pytest.approx(explanation.scores[0])


def test_the_explainer_that_was_given_stays_as_it_was():
    given = px.ShapleyExplainer(len, budget=30, progress=False, random_state=1, outputs="all")
    explained(given, [outcome("1")])
    assert given.model is len
    assert given.outputs == "all"


@pytest.mark.parametrize("explainer", [3, px.ShapleyExplainer, ["lime"]])
def test_what_is_no_explainer_is_told(explainer):
    with pytest.raises(ArgumentError, match="explainer: expected None, a name, or an explainer"):
        explained(explainer, [outcome("1")])


def test_an_unknown_name_is_told():
    with pytest.raises(ArgumentError, match="magic"):
        explained("magic", [outcome("1")])
