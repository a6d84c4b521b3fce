import logging
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import perturbx as px
from perturbx.exceptions import ArgumentError
from perturbx.maskers.variants import Variants
from perturbx.scorers import (
    CallableScorer,
    Scores,
    SklearnScorer,
    TransformersClassifier,
    as_scorer,
    load_classifier,
)

ASKED = Variants(texts=["a good film", "bad", ""])


@pytest.fixture(scope="module")
def saved(make, tmp_path_factory):
    """Folders of a classifier: whole, in half precision, without head, without tokenizer."""
    root = tmp_path_factory.mktemp("models")
    model, tokenizer = make.model("bert", id2label={0: "bad", 1: "good"}), make.wordpiece()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("whole", "untokenized"):
            model.save_pretrained(root / name)
        model.bert.save_pretrained(root / "headless")
        make.model("bert").half().save_pretrained(root / "half")
    for name in ("whole", "headless", "half"):
        tokenizer.save_pretrained(root / name)
    (root / "empty").mkdir()
    return root


@pytest.fixture(scope="module")
def classifier(make):
    return make.model("bert"), make.wordpiece()


def estimator():
    texts = ["good film", "bad film"]
    return make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, ["pos", "neg"])


class Own:
    """A scorer of the user's: it has the methods and no base class."""

    output_names = ("length",)
    accepts = ("text",)
    model_id = "own"

    def score(self, variants):
        return Scores(np.array([[float(len(text))] for text in variants.texts]))


def test_a_scorer_is_returned_as_it_is():
    own = Own()
    assert as_scorer(own) is own
    assert as_scorer(scorer := CallableScorer(len)) is scorer


@pytest.mark.parametrize("scorer_class", [CallableScorer, SklearnScorer, TransformersClassifier])
def test_each_form_finds_its_scorer(scorer_class, classifier):
    model = {
        CallableScorer: lambda texts: [len(text) for text in texts],
        SklearnScorer: estimator(),
        TransformersClassifier: classifier,
    }[scorer_class]
    direct = scorer_class(*model) if isinstance(model, tuple) else scorer_class(model)
    scorer = as_scorer(model)
    assert type(scorer) is scorer_class
    np.testing.assert_array_equal(scorer.score(ASKED).values, direct.score(ASKED).values)


def test_a_module_that_takes_texts_is_a_function():
    class Lengths(torch.nn.Module):
        def forward(self, texts):
            return torch.tensor([[float(len(text))] for text in texts], requires_grad=True)

    assert as_scorer(Lengths()).score(ASKED).values.ravel().tolist() == [11, 3, 0]


def test_names_that_are_given_reach_every_form(classifier, saved):
    names = ["minus", "plus"]
    for model in (
        lambda texts: np.zeros((len(texts), 2)),
        estimator(),
        classifier,
        str(saved / "whole"),
    ):
        scorer = as_scorer(model, output_names=names)
        scorer.score(ASKED)
        assert scorer.output_names == ("minus", "plus")


def test_a_pipeline_gives_its_raw_logits(classifier):
    from transformers import pipeline

    model, tokenizer = classifier
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    scorer = as_scorer(pipe)
    logits = scorer.score(Variants(texts=["good film"])).values[0]
    assert scorer.kind == "logit"
    said = {row["label"]: row["score"] for row in pipe("good film", top_k=None)}
    odds = np.exp(logits - logits.max())
    np.testing.assert_allclose(
        [said[name] for name in scorer.output_names], odds / odds.sum(), atol=1e-5
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"function_to_apply": "sigmoid"},
        {"truncation": True, "max_length": 4},
        {"max_length": 4},
        {"max_length": 4, "padding": "max_length"},
        {"truncation": False, "max_length": 4},
    ],
)
def test_a_pipeline_is_explained_with_its_own_settings(classifier, settings):
    from transformers import pipeline

    model, tokenizer = classifier
    pipe = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu", **settings
    )
    text = "good good film bad film"
    said = {row["label"]: row["score"] for row in pipe(text, top_k=None)}
    explainer = px.ShapleyExplainer(pipe, link="probability", random_state=0)
    is_cut = "max_length" in settings and settings.get("truncation", "padding" not in settings)
    with pytest.warns(px.TruncationWarning) if is_cut else nullcontext():
        explanation = explainer.explain([text])[0]
    assert dict(zip(explanation.output_names, explanation.scores, strict=True)) == pytest.approx(
        said, abs=1e-5
    )


def test_a_pipeline_that_reads_texts_in_another_way_is_refused(classifier):
    from transformers import pipeline

    model, tokenizer = classifier
    pipe = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, add_special_tokens=False
    )
    with pytest.raises(ArgumentError, match="add_special_tokens=False"):
        as_scorer(pipe)


def test_a_pipeline_of_another_task_is_refused(make):
    from transformers import pipeline

    pipe = pipeline("feature-extraction", model=make.model("bert").bert, tokenizer=make.wordpiece())
    with pytest.raises(ArgumentError, match="got one for 'feature-extraction'"):
        as_scorer(pipe)


@pytest.mark.parametrize("form", [str, Path, lambda path: f"hf:{path}"])
def test_a_folder_is_loaded(saved, make, form):
    scorer = as_scorer(form(saved / "whole"))
    model = make.model("bert")
    expected = TransformersClassifier(model, make.wordpiece()).score(ASKED).values
    np.testing.assert_allclose(scorer.score(ASKED).values, expected, atol=1e-5)
    assert scorer.output_names == ("bad", "good")
    assert scorer.model_id == str(saved / "whole")


def test_half_precision_is_widened_on_the_cpu_unless_asked_for(saved):
    wide = load_classifier(str(saved / "half"), device="cpu")
    assert {p.dtype for p in wide.model.parameters()} == {torch.float32}
    narrow = load_classifier(str(saved / "half"), device="cpu", dtype="float16")
    assert {p.dtype for p in narrow.model.parameters()} == {torch.float16}
    np.testing.assert_allclose(narrow.score(ASKED).values, wide.score(ASKED).values, atol=0.05)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("headless", r"no trained classification head \(no weights for classifier"),
        ("untokenized", "no tokenizer beside it"),
        ("empty", "cannot load .*ValueError"),
        ("missing", "there is no folder"),
    ],
)
def test_a_folder_that_holds_no_classifier_is_refused(saved, folder, said):
    with pytest.raises(ArgumentError, match=f"^model: .*{said}"):
        as_scorer(str(saved / folder))


def test_loading_is_silent_and_leaves_the_library_as_it_was(saved, capfd):
    from transformers.utils import logging as notes

    before = notes.get_verbosity(), notes.is_progress_bar_enabled()
    notes.set_verbosity(logging.INFO)
    notes.enable_progress_bar()
    try:
        as_scorer(str(saved / "whole"))
        with pytest.raises(ArgumentError):
            as_scorer(str(saved / "headless"))
        assert (notes.get_verbosity(), notes.is_progress_bar_enabled()) == (logging.INFO, True)
    finally:
        notes.set_verbosity(before[0])
        if not before[1]:
            notes.disable_progress_bar()
    assert capfd.readouterr() == ("", "")


def test_the_default_model_knows_good_from_bad():
    scorer = as_scorer("default", device="cpu")
    assert scorer.model_id == "default"
    good, bad = scorer.score(Variants(texts=["a wonderful film", "a terrible film"])).values
    assert good[1] - good[0] > 0 > bad[1] - bad[0]


def test_an_installation_without_the_default_model_says_so(monkeypatch, tmp_path):
    # the function hides its module of the same name
    module = sys.modules["perturbx.scorers.as_scorer"]
    monkeypatch.setattr(module, "DEFAULT_MODEL", tmp_path)
    with pytest.raises(ArgumentError, match="'default' is missing from this installation"):
        as_scorer("default")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "got None"),
        (3.5, "got 3.5"),
        ({"model": 1}, "got {'model': 1}"),
        (Own, "got the class Own"),
        ("", "names no model"),
        ("hf:", "names no model"),
        ("openai:gpt-x", "answers in text"),
        ("gopher:x", "'gopher:' is not a known prefix"),
        ("http://localhost:8000/v1#m", "answers in text"),
        ("no such name", "cannot load 'no such name'"),
        ((1, 2, 3), "got 3 items"),
        ((1, 2), "expected a transformers model for sequence classification, got int"),
        (CountVectorizer(), "not fitted"),
    ],
)
def test_what_has_no_known_form_is_refused(model, said):
    with pytest.raises(ArgumentError, match=f"^model: .*{said}"):
        as_scorer(model)


def test_a_model_without_its_tokenizer_is_refused(classifier):
    model, tokenizer = classifier
    with pytest.raises(ArgumentError, match=r"without its tokenizer; pass \(model, tokenizer\)"):
        as_scorer(model)
    with pytest.raises(ArgumentError, match=r"^tokenizer: .* got str"):
        as_scorer((model, "bert"))
    with pytest.raises(ArgumentError, match=r"^model: expected a transformers model"):
        as_scorer((tokenizer, model))


@pytest.mark.parametrize(
    ("model", "option"),
    [
        (len, {"device": "cpu"}),
        (estimator(), {"dtype": "float32"}),
        (Own(), {"output_names": ["a"]}),
    ],
)
def test_an_option_that_means_nothing_is_refused(model, option):
    with pytest.raises(ArgumentError, match=f"^{next(iter(option))}: .* has its own"):
        as_scorer(model, **option)


def test_a_function_needs_no_transformers():
    import subprocess

    code = (
        "import sys; from perturbx.scorers import as_scorer; as_scorer(len);"
        "sys.exit(bool({'transformers', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
