import pickle
import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from perturbx.exceptions import ArgumentError
from perturbx.maskers.variants import Variants
from perturbx.scorers import SklearnScorer

TEXTS = ["good film", "bad film", "great movie", "awful movie", "okay film", "okay movie"] * 3
BINARY = ["pos", "neg", "pos", "neg", "pos", "neg"] * 3
THREE = ["pos", "neg", "pos", "neg", "so", "so"] * 3
STARS = [4.0, 1.0, 5.0, 0.0, 2.5, 2.5] * 3
LABELS = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]] * 3)
MIXED = np.array([["a", "x"], ["b", "y"], ["a", "z"]] * 6)
ASKED = ["good good film", "awful", "", "okay movie unheard"]


def fitted(final, targets):
    return make_pipeline(TfidfVectorizer(), final).fit(TEXTS, targets)


def scored(model):
    scorer = SklearnScorer(model)
    return scorer, scorer.score(Variants(texts=ASKED))


@pytest.mark.parametrize("targets", [BINARY, THREE])
def test_probabilities_are_named_by_the_classes(targets):
    model = fitted(LogisticRegression(), targets)
    scorer, scores = scored(model)
    assert scorer.output_names == tuple(sorted(set(targets)))
    assert (scores.kind, scores.exclusive) == ("probability", True)
    np.testing.assert_array_equal(scores.values, model.predict_proba(ASKED))


def test_the_margin_of_two_classes_is_that_of_the_second():
    model = fitted(LinearSVC(), BINARY)
    scorer, scores = scored(model)
    assert scorer.output_names == ("pos",)
    assert scores.kind == "value"
    np.testing.assert_array_equal(scores.values[:, 0], model.decision_function(ASKED))
    assert scores.values[0, 0] > scores.values[1, 0]


def test_margins_of_more_classes_are_named_by_them():
    model = fitted(LinearSVC(), THREE)
    scorer, scores = scored(model)
    assert scorer.output_names == ("neg", "pos", "so")
    np.testing.assert_array_equal(scores.values, model.decision_function(ASKED))


def test_margins_of_pairs_of_classes_are_named_by_the_pairs():
    model = fitted(SVC(decision_function_shape="ovo", kernel="linear"), THREE)
    scorer, scores = scored(model)
    assert scorer.output_names == ("neg vs pos", "neg vs so", "pos vs so")
    for row, winner in zip(scores.values, model.predict(ASKED), strict=True):
        for name, margin in zip(scorer.output_names, row, strict=True):
            first, second = name.split(" vs ")
            if winner in (first, second) and abs(margin) > 1e-9:
                assert (margin > 0) == (winner == first)


def test_a_regressor_gives_its_numbers():
    model = fitted(Ridge(), STARS)
    scorer, scores = scored(model)
    assert scorer.output_names == ("output",)
    assert scores.kind == "value"
    np.testing.assert_array_equal(scores.values[:, 0], model.predict(ASKED))
    two, both = scored(fitted(Ridge(), np.stack([STARS, STARS], axis=1)))
    assert two.output_names == ("0", "1")
    np.testing.assert_allclose(both.values, scores.values.repeat(2, axis=1))


@pytest.mark.parametrize(
    "final",
    [
        OneVsRestClassifier(LogisticRegression()),
        MLPClassifier(hidden_layer_sizes=(), max_iter=20, random_state=0),
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression(), order=[0, 1, 2]),
        KNeighborsClassifier(n_neighbors=4),
        RandomForestClassifier(5, random_state=0),
        GridSearchCV(OneVsRestClassifier(LogisticRegression()), {"estimator__C": [0.1, 1]}, cv=2),
    ],
    ids=lambda final: type(final).__name__,
)
def test_labels_that_hold_together_are_not_exclusive(final):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too few steps for the network, said while fitting
        model = fitted(final, LABELS)
    scorer, scores = scored(model)
    assert scorer.output_names == ("0", "1", "2")
    assert (scores.kind, scores.exclusive) == ("probability", False)
    certain = np.abs(scores.values - 0.5) > 0.01
    np.testing.assert_array_equal((scores.values > 0.5)[certain], model.predict(ASKED)[certain])


@pytest.mark.parametrize(
    "final", [OneVsRestClassifier(LinearSVC()), RidgeClassifier()], ids=lambda f: type(f).__name__
)
def test_margins_of_labels_are_not_exclusive(final):
    model = fitted(final, LABELS)
    scorer, scores = scored(model)
    assert scorer.output_names == ("0", "1", "2")
    assert (scores.kind, scores.exclusive) == ("value", False)
    np.testing.assert_array_equal(scores.values, model.decision_function(ASKED))


@pytest.mark.parametrize(
    "final", [RandomForestClassifier(5, random_state=0), MultiOutputClassifier(LinearSVC())]
)
def test_outputs_of_several_classes_have_a_column_a_class(final):
    model = fitted(final, MIXED)
    scorer, scores = scored(model)
    assert scorer.output_names == ("0=b", "1=x", "1=y", "1=z")
    np.testing.assert_allclose(scores.values[:, 1:].sum(axis=1), 1)
    predicted = model.predict(ASKED)
    np.testing.assert_array_equal(scores.values[:, 0] > 0.5, predicted[:, 0] == "b")
    np.testing.assert_array_equal(
        np.array(["x", "y", "z"])[scores.values[:, 1:].argmax(axis=1)], predicted[:, 1]
    )


class Keyword(ClassifierMixin, BaseEstimator):
    """A classifier that can only say its class."""

    def fit(self, texts, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict(self, texts):
        return self.classes_[[int("good" in text) for text in texts]]


def test_a_classifier_that_only_predicts_votes():
    scorer, scores = scored(Keyword().fit(TEXTS, BINARY))
    assert scorer.output_names == ("neg", "pos")
    assert (scores.kind, scores.exclusive) == ("probability", True)
    assert scores.values.tolist() == [[0, 1], [1, 0], [1, 0], [1, 0]]


def test_a_clustering_votes_for_its_clusters():
    model = fitted(KMeans(2, random_state=0, n_init=1), None)
    scorer, scores = scored(model)
    assert scorer.output_names == ("0", "1")
    np.testing.assert_array_equal(scores.values.argmax(axis=1), model.predict(ASKED))


class Foreign:
    """No scikit-learn estimator, but it has the method."""

    def predict_proba(self, texts):
        p = expit([len(text) - 5.0 for text in texts])
        return [[1 - x, x] for x in p]


def test_anything_with_the_method_will_do():
    scorer, scores = scored(Foreign())
    assert scorer.output_names == ("0", "1")
    assert scores.kind == "probability"
    np.testing.assert_allclose(scores.values.sum(axis=1), 1)


def test_names_that_are_given_replace_the_classes():
    model = fitted(LogisticRegression(), BINARY)
    assert SklearnScorer(model, output_names=["bad", "good"]).output_names == ("bad", "good")
    with pytest.raises(ArgumentError, match="output_names: expected 2 names"):
        SklearnScorer(model, output_names=["good"])
    with pytest.raises(ArgumentError, match="output_names: expected 1 names"):
        SklearnScorer(fitted(Ridge(), STARS), output_names=["a", "b"]).score(Variants(texts=ASKED))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (make_pipeline(TfidfVectorizer(), LogisticRegression()), "not fitted"),
        (LogisticRegression(), "LogisticRegression is not fitted"),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), "not fitted"),
        (LogisticRegression, "got the class"),
        (CountVectorizer().fit(TEXTS), "has no predict_proba, decision_function or predict"),
    ],
)
def test_what_cannot_predict_is_refused_at_once(model, said):
    with pytest.raises(ArgumentError, match=said):
        SklearnScorer(model)


def test_warnings_of_scikit_learn_stay_inside():
    import pandas as pd

    class Columns(BaseEstimator):
        def fit(self, texts, y=None):
            return self

        def transform(self, texts):
            counts = [[text.count("good"), text.count("bad")] for text in texts]
            return pd.DataFrame(counts, columns=["good", "bad"]) if len(texts) > 4 else counts

    model = make_pipeline(Columns(), LogisticRegression()).fit(TEXTS, BINARY)
    with pytest.warns(UserWarning, match="feature names"):
        model.predict_proba(ASKED)
    _, scores = scored(model)  # a warning is an error here
    assert scores.values[0, 1] > 0.5


def test_a_pickled_scorer_scores_alike():
    scorer, scores = scored(fitted(LogisticRegression(), THREE))
    again = pickle.loads(pickle.dumps(scorer))
    np.testing.assert_array_equal(again.score(Variants(texts=ASKED)).values, scores.values)
    assert again.output_names == scorer.output_names
    assert len(repr(scorer)) < 100
