"""A real server gives the numbers of the same weights in transformers.

`tests/servers/llama_server.py` says how to start it. Its own arithmetic is of eight bits, so that
log-probabilities differ by a few hundredths a token.
"""

import os

import numpy as np
import pytest
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.main import app
from perturbx.scorers.continuations import Continued
from perturbx.scorers.labels import LabelScorer
from perturbx.scorers.language_models import as_language_model

URL, MODEL = os.environ.get("PERTURBX_LLAMA_URL"), os.environ.get("PERTURBX_LLAMA_MODEL")

pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(
        URL is None or MODEL is None,
        reason="needs a llama.cpp server: PERTURBX_LLAMA_URL and PERTURBX_LLAMA_MODEL",
    ),
]

TEMPLATE = "Review: {text}\nSentiment:"
LABELS = [" positive", " negative"]
TEXTS = ["so good", "the plot is thin but the acting is superb", "terrible", "电影很好看", "ดีมาก"]

LABEL_TOLERANCE = 0.25
"""Of the log-probability of a label, one token; the server itself gives numbers 0.1 apart for the
same prompt, by what it read before. 0.21 was seen."""

TOKEN_TOLERANCE = 0.05
"""Of the mean log-probability of a response's tokens."""


@pytest.fixture(scope="module")
def hosted():
    return as_language_model(MODEL)


def scorer_of(**options):
    options = {"labels": LABELS, "prompt_template": TEMPLATE, "concurrency": 2, **options}
    return px.ApiScorer("openai-completions:local", base_url=URL, **options)


def variants(texts):
    from perturbx.maskers.variants import Variants

    return Variants(texts=texts)


def test_labels_are_those_of_the_same_weights(hosted):
    scorer = scorer_of()
    found = scorer.score(variants(TEXTS)).values
    assert scorer.method_ == "prompt_log_probs"  # they are not among the likeliest tokens
    reference = LabelScorer(hosted, LABELS)
    expected = [reference._raw(TEMPLATE.format(text=text)) for text in TEXTS]
    np.testing.assert_allclose(found, expected, atol=LABEL_TOLERANCE)


def test_bounds_hold_what_they_bound(hosted):
    scores = scorer_of(method="label_log_probs").score(variants(TEXTS))
    reference = LabelScorer(hosted, LABELS)
    expected = np.array([reference._raw(TEMPLATE.format(text=text)) for text in TEXTS])
    errors = (scores.values - expected) / np.sqrt(scores.variances + LABEL_TOLERANCE**2)
    assert (np.abs(errors) < 3).all()


def test_responses_are_those_of_the_same_weights(hosted):
    pairs = [
        ("The sky is", " blue and the sun is bright."),
        ("日本の首都は", "東京です。"),
        ("Der Fluss", " fließt durch die Stadt."),
    ]
    scorer = scorer_of(labels=None, prompt_template=None, method="prompt_log_probs")
    found = scorer.score(variants(pairs)).values.ravel()
    for (prompt, response), value in zip(pairs, found, strict=True):
        encoded = hosted.tokenizer([prompt], [response])
        ids, segment = np.array(encoded["input_ids"][0]), np.array(encoded["token_type_ids"][0])
        question = Continued(ids[segment == 0], (ids[segment == 1],))
        ((_, (numbers,)),) = [own for part in hosted.log_probs([question]) for own in part]
        assert abs(value - numbers.sum()) / len(numbers) < TOKEN_TOLERANCE


def test_the_command_line_end_to_end(tmp_path):
    template = tmp_path / "prompt.txt"
    template.write_text(TEMPLATE, encoding="utf-8")
    options = ["explain", "-m", "openai-completions:local", "--base-url", URL, "--seed", "0"]
    options += ["--labels", ",".join(LABELS), "--prompt-template", str(template)]
    options += ["--link", "probability", "--concurrency", "2", "--max-calls", "200"]
    done = CliRunner().invoke(app, [*options, "thin but superb acting"])
    assert done.exit_code == 0, done.output
    assert "superb" in done.stdout
    assert "calls answered" in done.stderr
