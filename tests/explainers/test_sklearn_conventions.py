"""scikit-learn's rules."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import perturbx as px
from perturbx.explainers import EXPLAINERS
from perturbx.maskers import Delete

TEXTS = ["good film", "bad film", "a good good play", "a bad bad play", "Good song", "bad song"]
LABELS = ["pos", "neg", "pos", "neg", "pos", "neg"]


def word_counts(texts):
    return np.array([[t.lower().count("bad"), t.lower().count("good")] for t in texts], dtype=float)


def total(texts):
    return [len(text) for text in texts]


@pytest.fixture(scope="module")
def pipeline():
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)


@pytest.mark.parametrize("kind", EXPLAINERS.values())
def test_parameters_are_stored_cloned_and_pickled(kind):
    explainer = kind(word_counts, budget=40, random_state=3, units="sentences")
    parameters = explainer.get_params()
    assert parameters["budget"] == 40
    assert clone(explainer).get_params() == parameters
    assert pickle.loads(pickle.dumps(explainer)).get_params() == parameters
    assert explainer.set_params(budget=50).budget == 50
    assert "budget=50" in repr(explainer)
    with pytest.raises(ValueError, match="colour"):
        explainer.set_params(colour="red")


@pytest.mark.parametrize("kind", EXPLAINERS.values())
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_mixin_order,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_estimator_cloneable,
    ],
    ids=lambda check: check.__name__,
)
def test_the_applicable_checks_of_scikit_learn(kind, check):
    check(kind.__name__, kind(total))


def test_a_clone_shares_a_fitted_model(pipeline):
    explainer = clone(px.ShapleyExplainer(pipeline, random_state=0))
    assert explainer.model is pipeline
    (explanation,) = explainer.explain(["a good film"])
    assert explanation.output_names == ("neg", "pos")


def test_a_fitted_explainer_survives_pickling(pipeline):
    explainer = px.ShapleyExplainer(pipeline, random_state=0).fit(TEXTS)
    before = explainer.transform(TEXTS)
    again = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(again.transform(TEXTS).toarray(), before.toarray())


def test_what_fit_learned_of_one_model_is_not_told_of_another(pipeline):
    def thousands(texts):
        return 1000.0 + word_counts(texts)

    text = ["a bad film"]
    fitted = px.ShapleyExplainer(thousands, random_state=0).fit(text, ["neg", "pos"] * 3)
    for explainer in (
        fitted,
        pickle.loads(pickle.dumps(px.ShapleyExplainer(word_counts).fit(text))),
    ):
        explainer.set_params(model=total)
        assert explainer.explain(text)[0].scores == [10]
        assert explainer.explain(text)[0].output_names == ("output",)
    fitted.set_params(model=thousands)
    assert fitted.explain(text)[0].scores.tolist() == [1001, 1000]


def test_a_clone_shares_whatever_holds_a_model(pipeline):
    class Masker(Delete):
        def __deepcopy__(self, memo):
            raise AssertionError("the masker's model is copied")

    proxy, masker = (
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS),
        Masker(),
    )
    explainer = px.ShapleyExplainer(pipeline, proxy=proxy, masker=masker, random_state=0)
    copied = clone(explainer)
    assert copied.proxy is proxy
    assert copied.masker is masker
    text = ["a good film and a bad song in a good play that is all good or bad so they say"]
    assert copied.explain(text)[0].n_calls == explainer.explain(text)[0].n_calls


@pytest.mark.parametrize("kind", EXPLAINERS.values())
def test_explain_needs_no_fit_and_transform_does(kind):
    explainer = kind(total)
    assert len(explainer.explain(["a b"])) == 1
    for method in (lambda: explainer.transform(["a"]), explainer.get_feature_names_out):
        with pytest.raises(NotFittedError, match="fit"):
            method()


def test_columns_are_words_and_rows_add_up_to_the_explanations():
    explainer = px.ShapleyExplainer(word_counts, random_state=0)
    matrix = explainer.fit(TEXTS, LABELS).transform(TEXTS)
    assert explainer.vocabulary_ == {
        "a": 0, "bad": 1, "film": 2, "good": 3, "play": 4, "song": 5,
    }  # fmt: skip
    assert explainer.output_names_ == ["neg", "pos"]
    names = explainer.get_feature_names_out()
    assert names[1] == "neg: bad"
    assert matrix.shape == (6, len(names)) == (6, 12)
    good = matrix[:, list(names).index("pos: good")].toarray().ravel()
    np.testing.assert_allclose(good, [1, 0, 2, 0, 1, 0], atol=1e-9)
    assert explainer.explain(TEXTS[:1])[0].output_names == ("neg", "pos")


def test_words_that_fit_did_not_see_have_no_column():
    explainer = px.OcclusionExplainer(total, outputs="all").fit(["one two"])
    matrix = explainer.transform(["one three", ""])
    assert explainer.get_feature_names_out().tolist() == ["one", "two"]
    np.testing.assert_allclose(matrix.toarray(), [[4, 0], [0, 0]])


def test_the_call_that_fit_makes_is_not_made_again():
    asked = []

    def model(texts):
        asked.extend(texts)
        return total(texts)

    px.ShapleyExplainer(model, random_state=0).fit(["one two", "three"]).transform(
        ["one two", "three"]
    )
    assert sorted(asked) == sorted(set(asked))


def test_a_predicted_output_is_one_block():
    explainer = px.ShapleyExplainer(word_counts, outputs="predicted").fit(TEXTS)
    assert explainer.output_names_ == ["predicted"]
    assert explainer.transform(TEXTS).shape == (6, 6)


def test_it_sits_in_a_pipeline_and_in_a_grid(pipeline):
    steps = make_pipeline(
        px.ShapleyExplainer(pipeline, outputs=["pos"], random_state=0),
        LogisticRegression(),
    )
    scores = cross_val_score(steps, TEXTS * 2, LABELS * 2, cv=2, error_score="raise")
    assert scores.tolist() == [1, 1]
    grid = GridSearchCV(
        steps, {"shapleyexplainer__units": ["words", "sentences"]}, cv=2, error_score="raise"
    )
    assert grid.fit(TEXTS * 2, LABELS * 2).best_score_ == 1


def test_fit_needs_texts():
    with pytest.raises(px.ArgumentError, match="X"):
        px.ShapleyExplainer(total).fit([])
    with pytest.raises(px.ArgumentError, match="texts"):
        px.ShapleyExplainer(total).fit("a string")


@pytest.mark.parametrize("frame", [pd.DataFrame({"text": TEXTS}), dict(enumerate(TEXTS))])
def test_a_frame_is_not_taken_for_the_names_of_its_columns(frame):
    def never(texts):
        raise AssertionError("a call was made")

    fitted = px.ShapleyExplainer(word_counts, random_state=0).fit(TEXTS)
    for ask in (px.ShapleyExplainer(never).fit, px.ShapleyExplainer(never).explain):
        with pytest.raises(px.ArgumentError, match=r"^texts: .*the column"):
            ask(frame)
    with pytest.raises(px.ArgumentError, match=r"^texts: .*the column"):
        fitted.transform(frame)
    column = pd.Series(TEXTS, index=list("uvwxyz"))
    assert (fitted.transform(column) != fitted.transform(TEXTS)).nnz == 0


def test_texts_may_come_one_by_one():
    explainer = px.ShapleyExplainer(word_counts, random_state=0).fit(iter(TEXTS))
    assert (explainer.transform(iter(TEXTS)) != explainer.transform(TEXTS)).nnz == 0
    # What can be read only once is read once, where it serves to fit and to transform.
    assert (explainer.fit_transform(iter(TEXTS)) != explainer.transform(TEXTS)).nnz == 0


def test_an_array_of_one_text_is_no_list():
    with pytest.raises(px.ArgumentError, match=r"^texts: .*ndarray; put a single text"):
        px.ShapleyExplainer(total).explain(np.array(TEXTS[0]))


def test_a_changed_parameter_takes_effect(pipeline):
    explainer = px.ShapleyExplainer(pipeline, random_state=0)
    first = explainer.explain(["good film"])[0]
    explainer.set_params(model=total, units="characters")
    second = explainer.explain(["good film"])[0]
    assert first.output_names == ("neg", "pos")
    assert second.units.n_units == 9
    assert second.scores == [9]


def test_a_model_that_is_fitted_anew_has_its_new_classes():
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    explainer = px.ShapleyExplainer(model, random_state=0)
    for classes in (["neg", "pos"], ["bad", "good"], ["bad", "fair", "good"]):
        model.fit(TEXTS, np.resize(classes, len(TEXTS)))
        assert list(explainer.explain(["a good film"])[0].output_names) == classes


def test_scikit_learns_global_settings_do_no_harm(pipeline):
    with sklearn.config_context(transform_output="pandas", display="diagram"):
        explainer = px.ShapleyExplainer(pipeline, outputs=["pos"], random_state=0)
        assert explainer.fit_transform(TEXTS).shape == (6, 6)
        assert "ShapleyExplainer" in explainer._repr_html_()
        steps = make_pipeline(clone(explainer), LogisticRegression()).fit(TEXTS, LABELS)
        assert steps.predict(TEXTS).tolist() == LABELS


@pytest.mark.parametrize("kind", EXPLAINERS.values())
def test_no_explainer_promises_data_frames(kind):
    assert not hasattr(kind(total), "set_output")
    with pytest.raises(ValueError, match="set_output"):
        make_pipeline(kind(total), LogisticRegression()).set_output(transform="pandas")
