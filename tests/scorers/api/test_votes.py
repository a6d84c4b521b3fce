"""Sampled answers: which label each names, and what is told where they name none."""

import contextlib
import json
import sqlite3
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from perturbx import ApiModel, ApiScorer, ShapleyExplainer
from perturbx.cli.main import app
from perturbx.exceptions import AnswersWarning, ArgumentError, CapabilityError, CutShortWarning
from perturbx.maskers.variants import Variants
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.questions import Answer
from perturbx.scorers.api.readings import Votes
from perturbx.scorers.api.readings.naming import LabelNames

ADDRESS = "http://127.0.0.1:1/v1"
LABELS = ["positive", "negative"]


def votes(labels):
    model = ApiModel("openai:m", base_url=ADDRESS)
    names = {label: label for label in labels}
    return Votes(model.provider, PromptTemplate(), names, n_samples=1)


@given(
    label=st.sampled_from(LABELS),
    around=st.sampled_from(
        ["{}", "{}.", " {}!", "The answer is {}", "**{}**", "1. {}", "{}, not {other}", "答案：{}"]
    ),
    in_capitals=st.booleans(),
)
def test_the_label_that_is_named_is_found(label, around, in_capitals):
    other = next(own for own in LABELS if own != label)
    said = around.format(label.upper() if in_capitals else label, other=other)
    vote = votes(LABELS).vote(Answer(said, None, None, None, "", "", {}))
    assert vote == [own == label for own in LABELS]


@pytest.mark.parametrize(
    "said",
    [
        "positively",
        "",
        "dunno",
        "not positive",
        "It is not negative.",
        "It isn’t positive",
        "Neither positive",
        "It may be positive or negative",
    ],
)
def test_nothing_is_guessed(said):
    assert votes(LABELS).vote(Answer(said, None, None, None, "", "", {})) == [False, False]


@pytest.mark.parametrize(
    ("labels", "said", "named"),
    [
        (["да", "нет"], "Данный отзыв плохой: нет", 1),
        (["да", "нет"], "дача", None),
        (["no", "yes"], "noël", None),
        (["si", "no"], "si\u0301", None),
        (["ναι", "όχι"], "ναιάδες", None),
        (["正面", "负面"], "正面的", 0),
        (["긍정", "부정"], "긍정적입니다", 0),
    ],
)
def test_a_longer_word_is_no_label_in_whatever_alphabet(labels, said, named):
    assert LabelNames(labels).named(said) == named


@pytest.mark.parametrize(
    "labels",
    [
        ["+", "-"],
        ["A+", "A-", "A"],
        ["C++", "C", "C#"],
        ["#1", "1"],
        ["👍", "👎"],
        ["正面", "负面"],
        ["good", "good enough", "not good"],
        ["sci-fi", "sci fi (old)"],
    ],
)
@given(data=st.data())
def test_every_label_names_itself_and_no_other(labels, data):
    number = data.draw(st.integers(0, len(labels) - 1))
    around = data.draw(st.sampled_from(["{}", " {}\n", "**{}**", "{} ", "I say {}"]))
    if not labels[number].isascii() and "I say" in around:
        around = "{}。"
    assert LabelNames(labels).named(around.format(labels[number])) == number


def test_labels_that_no_answer_tells_apart_are_refused():
    for method in ("votes", "auto", "label_log_probs"):
        with pytest.raises(ArgumentError, match=r"^labels: .*are one label"):
            ApiScorer("openai:m", labels=["Yes", "no", "yes"], method=method, base_url=ADDRESS)


def silent(servers, rest=1.0):
    """A model of which a part of the answers names no label."""
    return servers.SimulatedModel({" positive": {"": 0.0}, " negative": {"": 0.0}}, rest=rest)


def test_answers_that_name_no_label_are_an_error_before_all_are_paid_for(serve, servers):
    server = serve(model=silent(servers))
    scorer = ApiScorer("openai:m", labels=LABELS, base_url=server.base_url, method="votes")
    explainer = ShapleyExplainer(scorer, budget=60, random_state=0, progress=False)
    with pytest.raises(CapabilityError, match=r"none of the first .* prompt_template") as caught:
        explainer.explain(["a film that is so good and so thin and so dull"])
    assert server.stats()["answered"] < 20
    assert sum(table.n_calls for table in caught.value.tables) == server.stats()["answered"]


def test_the_part_of_answers_that_name_no_label_is_told(serve, servers):
    server = serve(model=silent(servers, rest=0.6))
    scorer = ApiScorer("openai:m", labels=LABELS, base_url=server.base_url, method="votes")
    texts = [f"film {number}" for number in range(100)]
    with pytest.warns(AnswersWarning, match=r"(5|6)\d% of the answers name no label"):
        scores = scorer.score(Variants(texts=texts))
    assert 0.3 < scores.values.sum() / 100 < 0.5
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        scorer.score(Variants(texts=texts))


def test_it_is_told_where_a_limit_ends_the_run_too(serve, servers):
    server = serve(model=silent(servers, rest=0.6))
    options = {"labels": LABELS, "base_url": server.base_url, "method": "votes", "n_samples": 7}
    scorer = ApiScorer("openai:m", **options, max_calls=40, concurrency=1)
    explainer = ShapleyExplainer(scorer, budget=140, random_state=0, progress=False)
    with (
        pytest.warns(CutShortWarning, match="max_calls was reached"),
        pytest.warns(AnswersWarning, match="% of the answers name no label"),
    ):
        (found,) = explainer.explain(["a film so good"])
    # A variant with some of its answers has these.
    assert found.n_calls == 40


def test_a_few_answers_of_which_none_names_a_label_are_told(serve, servers):
    server = serve(model=silent(servers))
    scorer = ApiScorer("openai:m", labels=LABELS, base_url=server.base_url, method="votes")
    with pytest.warns(AnswersWarning, match="100% of the answers"):
        assert not scorer.score(Variants(texts=["so", "not", "good"])).values.any()


def test_answers_that_are_cut_off_may_be_longer(serve):
    thoughts = Answer("", None, None, None, "m", "", {}, ended="length")
    reading = votes(LABELS)
    reading.numbers("", [thoughts] * 8)
    with pytest.raises(CapabilityError, match=r"8 are cut off.*give a larger max_new_tokens"):
        reading.tally.check("m")
    scorer = ApiScorer(
        "openai:m", labels=LABELS, base_url=ADDRESS, method="votes", max_new_tokens=500
    )
    (question,) = scorer.reading("so").questions("so")
    assert (question.body["max_tokens"], question.max_tokens) == (500, 500)
    np.testing.assert_array_equal(reading.vote(thoughts), [False, False])


def test_a_service_without_log_probabilities_says_that_answers_are_counted(caplog):
    ApiScorer("anthropic:m", labels=LABELS, base_url=ADDRESS)
    assert "sampled and counted" in caplog.text


def lengths_asked(cache):
    """The most tokens of all answers in a cache."""
    with contextlib.closing(sqlite3.connect(cache)) as database:
        questions = database.execute("SELECT question FROM answers").fetchall()
    return {json.loads(own)["max_tokens"] for (own,) in questions}


@pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning", "ignore::perturbx.AnswersWarning")
def test_the_command_line_sets_how_long_answers_may_be(serve, tmp_path):
    of_server = ["--model", "openai:m", "--base-url", serve().base_url, "--quiet", "--cache"]
    cache = tmp_path / "votes.sqlite"
    asked = ["--labels", "positive,negative", "--method", "votes", "--max-new-tokens", "40"]
    result = CliRunner().invoke(app, ["explain", *of_server, str(cache), *asked, "so good"])
    assert result.exit_code == 0, result.output
    assert lengths_asked(cache) == {40}
    # A response and what it is compared with are cut off at the same place.
    cache = tmp_path / "answers.sqlite"
    asked = ["--max-new-tokens", "7", "--units", "words"]
    result = CliRunner().invoke(app, ["explain-prompt", *of_server, str(cache), *asked, "so good"])
    assert result.exit_code == 0, result.output
    assert lengths_asked(cache) == {7}
