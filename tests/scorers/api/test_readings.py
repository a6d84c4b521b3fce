"""Numbers out of answers: what they are, and how sure."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx import ApiModel, ApiScorer
from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.maskers.variants import Variants
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.questions import Answer, Token
from perturbx.scorers.api.readings import LabelLogProbs
from perturbx.scorers.api.readings.confidence import share_said
from perturbx.scorers.api.readings.prompt_log_probs import continuation_tokens

TEMPLATE = "Review: {text}\nSentiment:"
LABELS = [" positive", " negative"]
TEXTS = ["so good", "so thin, awful", "not good", "superb but boring"]
ADDRESS = "http://127.0.0.1:1/v1"


def scorer_of(server, kind="openai", **options):
    options = {"labels": LABELS, "prompt_template": TEMPLATE, **options}
    return ApiScorer(f"{kind}:m", base_url=server.base_url, **options)


def truth(model, text):
    """The log-probabilities of the labels as answers."""
    found = model.probabilities(TEMPLATE.format(text=text))
    return [math.log((1 - model.rest) * found[label]) for label in LABELS]


def answered(*tokens):
    return Answer("", tuple(tokens), None, None, "m", "", {})


def label_reading(labels, kind="openai"):
    model = ApiModel(f"{kind}:m", base_url=ADDRESS)
    names = {label.strip(): label for label in labels}
    return LabelLogProbs(model.provider, PromptTemplate(), names, top_k=5)


@pytest.mark.parametrize("kind", ["openai", "openai-completions"])
def test_label_log_probs_are_the_models(serve, kind):
    server = serve()
    scorer = scorer_of(server, kind)
    scores = scorer.score(Variants(texts=TEXTS))
    assert scorer.method_ == "label_log_probs"
    assert (scores.kind, scores.exclusive) == ("logit", True)
    expected = [truth(server.model, text) for text in TEXTS]
    np.testing.assert_allclose(scores.values, expected, atol=1e-9)
    assert not scores.variances.any()
    # The probe was about the first text, and its answer counts.
    assert server.stats()["answered"] == len(TEXTS)


@pytest.mark.parametrize("method", ["label_log_probs", "prompt_log_probs", "votes"])
def test_half_a_character_is_sent_as_what_stands_for_it(serve, method):
    texts = ["so good", "so \ud83d thin", "so \ufffd thin"]
    scores = scorer_of(serve(), "openai-completions", method=method).score(Variants(texts=texts))
    np.testing.assert_array_equal(scores.values[1], scores.values[2])


def test_fewer_likeliest_tokens_are_asked_for_where_the_most_are_too_many(serve, servers):
    small = servers.SimulatedModel(servers.REVIEWS.weights, rest=0.1, top=5)
    server = serve(model=small)
    scores = scorer_of(server).score(Variants(texts=TEXTS))
    np.testing.assert_allclose(scores.values, [truth(small, text) for text in TEXTS], atol=1e-9)
    assert server.stats()["refused_400"] == 1


def test_a_label_outside_the_likeliest_is_bounded(serve, servers):
    weights = {" positive": {"": 9.0}, " negative": {"": 0.0}}
    server = serve(model=servers.SimulatedModel(weights, rest=0.9, top=5))
    scores = scorer_of(server, method="label_log_probs").score(Variants(texts=["so"]))
    (true,) = [truth(server.model, "so")[1]]
    # The largest token that could hide: the last of the five that are shown.
    bound = math.log(0.9 / 2**4)
    assert true < bound
    assert scores.values[0, 1] == pytest.approx(min(bound, scores.values[0, 1] + 1.0) - 1.0)
    assert scores.variances[0, 1] == pytest.approx(1.0)
    assert scores.variances[0, 0] == 0.0


@pytest.mark.parametrize("kind", ["openai", "openai-completions"])
def test_labels_that_begin_alike_are_told_apart(serve, servers, kind):
    weights = {" very good": {"good": 2.0}, " very bad": {"bad": 1.0}, " fair": {"": 0.5}}
    server = serve(model=servers.SimulatedModel(weights, rest=0.1))
    scorer = scorer_of(server, kind, labels=list(weights), method="label_log_probs")
    scores = scorer.score(Variants(texts=["so good", "so"]))
    for row, text in enumerate(["so good", "so"]):
        found = server.model.probabilities(TEMPLATE.format(text=text))
        expected = [math.log(0.9 * found[label]) for label in weights]
        low = scores.values[row] - 4 * np.sqrt(scores.variances[row])
        high = scores.values[row] + 4 * np.sqrt(scores.variances[row])
        assert (low - 1e-9 <= expected).all()
        assert (expected <= high + 1e-9).all()
    if kind == "openai-completions":  # which can be asked behind the shared token
        assert not scores.variances.any()


@pytest.mark.parametrize("kind", ["openai", "openai-completions"])
def test_a_label_may_be_the_beginning_of_another(serve, servers, kind):
    weights = {" good": {"": 1.0}, " good enough": {"so": 0.5}, " bad": {"thin": 1.0}}
    server = serve(model=servers.SimulatedModel(weights))
    scorer = scorer_of(server, kind, labels=list(weights), method="label_log_probs")
    scores = scorer.score(Variants(texts=["so", "thin"]))
    for row, text in enumerate(["so", "thin"]):
        found = server.model.probabilities(TEMPLATE.format(text=text))
        expected = [math.log(found[label]) for label in weights]
        np.testing.assert_allclose(scores.values[row], expected, atol=1e-9)
    assert not scores.variances.any()


def test_what_hides_behind_a_label_is_bounded_by_it():
    reading = label_reading([" good", " good enough", " bad"])
    top = {" bad": math.log(0.6), " good": math.log(0.4)}
    values, variances = reading.numbers("", [answered(Token(" bad", math.log(0.6), top))])
    np.testing.assert_allclose(np.exp(values[[0, 2]]), [0.4, 0.6])
    assert variances[[0, 2]].tolist() == [0.0, 0.0]
    assert (values[1], variances[1]) == pytest.approx((math.log(0.4) - 1.0, 1.0))


def test_chat_labels_are_found_in_any_case():
    reading = label_reading(["positive", "negative"])
    top = {"Positive": math.log(0.5), " positive": math.log(0.2), "NEG": math.log(0.25)}
    values, _ = reading.numbers("", [answered(Token("Positive", math.log(0.5), top))])
    np.testing.assert_allclose(np.exp(values), [0.7, 0.25])


def chat_answer(ranked):
    """An answer of one token as OpenAI gives it: (shown, its bytes or None, probability)."""
    entries = [
        {"token": shown, "logprob": math.log(p), **({} if own is None else {"bytes": list(own)})}
        for shown, own, p in ranked
    ]
    content = [{**entries[0], "top_logprobs": entries}]
    choice = {"message": {"content": entries[0]["token"]}, "logprobs": {"content": content}}
    provider = ApiModel("openai:m", base_url=ADDRESS).provider
    return provider.read({"choices": [choice]})


@pytest.mark.parametrize("shown", ["\\xe8\\xb4", "\ufffd", "è´"])
def test_a_label_whose_first_token_is_a_part_of_a_character_is_found(shown):
    half = "负".encode()[:2]
    reading = label_reading(["正面", "负面"])
    if shown == "è´":  # as the older endpoint has it
        tops = {"bytes:\\xe8\\xb4": math.log(0.7), "正": math.log(0.2)}
        logprobs = {"tokens": ["正"], "token_logprobs": [math.log(0.2)], "top_logprobs": [tops]}
        older = ApiModel("openai-completions:m", base_url=ADDRESS).provider
        answer = older.read({"choices": [{"text": "正", "logprobs": logprobs}]})
    else:
        answer = chat_answer([(shown, half, 0.7), ("正", None, 0.2), ("�", b"\xe6", 0.05)])
    values, variances = reading.numbers("", [answer])
    assert np.exp(values[1]) == pytest.approx(0.7)
    assert variances[1] == 0.0


def test_a_token_that_cannot_be_read_may_be_the_beginning_of_a_label():
    reading = label_reading(["正面", "负面"])
    ranked = [("\ufffd", None, 0.7), ("正面", None, 0.2), ("\ufffd", None, 0.05)]
    values, variances = reading.numbers("", [chat_answer(ranked)])
    # Anywhere up to what both of the unreadable ones have, and what is not shown at all.
    assert math.log(0.75) - 1.0 <= values[1] <= math.log(0.8) - 1.0 + 1e-9
    assert variances[1] == pytest.approx(1.0)
    assert 0.2 <= np.exp(values[0]) <= 0.95
    # No label of plain letters begins so.
    plain = label_reading(["yes", "no"])
    values, _ = plain.numbers("", [chat_answer([("\ufffd", None, 0.7), ("yes", None, 0.2)])])
    assert np.exp(values[0]) == pytest.approx(0.2)


def test_more_tokens_are_asked_for_where_characters_begin_alike():
    assert label_reading(["👍", "👎"]).most_tokens > 1
    assert label_reading(["good", "bad"]).most_tokens == 1
    reading = label_reading(["👍", "👎"])
    parts = [own.decode("utf-8", "surrogateescape") for own in (b"\xf0\x9f\x91", b"\x8d", b"\x8e")]
    second = Token(parts[1], math.log(0.75), {parts[1]: math.log(0.75), parts[2]: math.log(0.25)})
    first = Token(parts[0], math.log(0.8), {parts[0]: math.log(0.8)})
    values, _ = reading.numbers("", [answered(first, second)])
    np.testing.assert_allclose(np.exp(values), [0.6, 0.2])


def test_what_is_behind_markup_is_not_known():
    reading = label_reading(["positive", "negative"])
    ranked = [("**", None, 0.9), ("positive", None, 0.06), ('"negative', None, 0.03)]
    values, variances = reading.numbers("", [chat_answer(ranked)])
    shares = np.exp(values)
    assert (shares > [0.06, 0.03]).all()
    assert (shares < 0.97).all()
    assert (variances > 0.1).all()
    # Where nearly nothing is there, the labels are what they are.
    ranked = [("positive", None, 0.9), ("negative", None, 1e-4), ('"', None, 1e-3)]
    values, variances = reading.numbers("", [chat_answer(ranked)])
    np.testing.assert_allclose(np.exp(values), [0.9, 1e-4])
    assert not variances.any()


def test_a_label_may_begin_with_markup():
    reading = label_reading(["#1", "*"])
    ranked = [("#", None, 0.005), ("*", None, 0.9), ("1", None, 0.05)]
    values, variances = reading.numbers("", [chat_answer(ranked)])
    np.testing.assert_allclose(np.exp(values), [0.005, 0.9])
    assert not variances.any()


def test_an_answer_without_tokens_tells_nothing():
    reading = label_reading([" good", " bad"])
    assert "without any token" in reading.missing(answered())
    assert "without the log-prob" in reading.missing(Answer("", None, None, None, "m", "", {}))
    assert "likeliest tokens" in reading.missing(answered(Token(" bad", -1.0)))


def test_a_longer_word_is_not_the_label():
    reading = label_reading([" good", " bad"])
    top = {" goods": math.log(0.5), " bad": math.log(0.4)}
    values, variances = reading.numbers("", [answered(Token(" bad", math.log(0.4), top))])
    assert np.exp(values[0]) <= 0.1
    assert variances[0] > 0.5


@given(
    shown=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6),
    hidden=st.floats(0.0, 0.5),
)
def test_a_hidden_label_lies_within_its_bounds(shown, hidden):
    total = sum(shown) + hidden
    probabilities = [own / total for own in shown]
    share = min(hidden / total, *probabilities)
    top = {f"t{i}": math.log(own) for i, own in enumerate(probabilities)}
    reading = label_reading([" a", " b"])
    values, variances = reading.numbers("", [answered(Token("t0", top["t0"], top))])
    # uniform below a bound that is at least what is hidden: log b - 1, with variance 1
    assert share <= math.exp(values[0] + 1.0) + 1e-9 or share < 1e-9
    assert variances[0] == pytest.approx(1.0, abs=1e-6)


def test_prompt_log_probs_of_labels_and_responses(serve):
    server = serve()
    scorer = scorer_of(server, "openai-completions", method="prompt_log_probs")
    scores = scorer.score(Variants(texts=TEXTS))
    expected = [
        [server.model.log_prob(TEMPLATE.format(text=text), label) for label in LABELS]
        for text in TEXTS
    ]
    np.testing.assert_allclose(scores.values, expected)
    assert scores.variances is None
    responses = ApiScorer("openai-completions:m", base_url=server.base_url)
    pairs = [("the sky is", " blue and so is the sea"), ("the sea", " is the sea")]
    scores = responses.score(Variants(texts=pairs))
    np.testing.assert_allclose(
        scores.values.ravel(), [server.model.log_prob(*pair) for pair in pairs]
    )
    assert (scores.kind, responses.output_names) == ("log_prob", ("response",))


def test_a_label_in_the_prompt_may_be_the_beginning_of_another(serve):
    server = serve()
    labels = [" good", " good enough", " bad"]
    scorer = scorer_of(server, "openai-completions", method="prompt_log_probs", labels=labels)
    (found,) = scorer.score(Variants(texts=["so thin"])).values
    prompt = TEMPLATE.format(text="so thin")
    good, enough, bad = (server.model.log_prob(prompt, label) for label in labels)
    only_good = math.log(math.exp(good) - math.exp(enough))
    np.testing.assert_allclose(found, [only_good, enough, bad])


def test_auto_scores_the_prompt_where_a_label_does_not_show(serve, servers):
    weights = {" positive": {"": 9.0}, " negative": {"": 0.0}}
    model = servers.SimulatedModel(weights, rest=0.9, top=5)
    assert scorer_of(serve(model=model), "openai-completions").reading("so").name == (
        "prompt_log_probs"
    )
    deaf = servers.SimulatedModel(weights, rest=0.9, top=5, echo=False)
    assert scorer_of(serve(model=deaf), "openai-completions").reading("so").name == (
        "label_log_probs"
    )


def test_text_only_models_are_sampled_and_others_refused(serve, servers, caplog):
    server = serve(model=servers.SimulatedModel(servers.REVIEWS.weights, top=0))
    assert scorer_of(server).reading("so").name == "votes"
    assert "sampled and counted" in caplog.text
    with pytest.raises(CapabilityError, match="take method='votes'"):
        scorer_of(server, method="label_log_probs").score(Variants(texts=["so"]))
    with pytest.raises(CapabilityError, match="gives no label-log-probs"):
        scorer_of(server, "anthropic", method="label_log_probs")


@pytest.mark.parametrize("kind", ["openai", "openai-completions", "anthropic"])
def test_votes_are_shares_with_variances_that_hold(serve, kind):
    server = serve()
    scorer = scorer_of(server, kind, method="votes", n_samples=200)
    scores = scorer.score(Variants(texts=TEXTS[:2]))
    for row, text in enumerate(TEXTS[:2]):
        expected = np.exp(truth(server.model, text))
        z = (scores.values[row] - expected) / np.sqrt(scores.variances[row])
        assert (np.abs(z) < 4).all()
    assert scores.kind == "probability"
    assert server.stats()["answered"] == 400


def test_a_server_without_any_log_probabilities_is_asked_for_them_once(serve):
    server = serve(faults={"missing_logprobs": 1.0})
    scorer = scorer_of(server)
    assert scorer.reading("so").name == "votes"
    # Fewer of the likeliest tokens are not asked for where none came at all.
    assert server.stats()["requests"] == 3


def test_confidence_is_marked_until_it_is_calibrated(serve, servers):
    weights = {f" {n}%": {"": math.log(p)} for n, p in ((20, 0.3), (90, 0.7))}
    server = serve(model=servers.SimulatedModel(weights))
    scorer = scorer_of(server, labels=["joy"], prompt_template=None, method="confidence")
    assert scorer.output_names == ("joy (uncalibrated)",)
    assert scorer.score(Variants(texts=["so"])).values.tolist() == [[0.9]]
    assert scorer.score(Variants(texts=["so"])).kind == "value"


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("85", 0.85),
        ("**85%**", 0.85),
        ("0.7", 0.7),
        ("On a scale from 0 to 100: 85", 0.85),
        ("0-100: 40", 0.4),
        ("7 out of 10", 0.7),
        ("85/100", 0.85),
        ("As of 2024, 60", 0.6),
        ("90. The text has 3 words", 0.9),
        ("-5", None),
        ("95-100", None),
        ("between 80 and 90", None),
        ("1. 85", None),
        ("101", None),
        ("1,000", None),
        ("", None),
    ],
)
def test_confidence_is_the_number_that_is_meant_or_none(said, share):
    assert share_said(said) == (None if share is None else pytest.approx(share))


def test_similarity_compares_with_the_original_answer(serve):
    server = serve()
    scorer = scorer_of(server, labels=None, method="similarity", reference=" positive")
    scores = scorer.score(Variants(texts=["superb", "awful"]))
    assert scores.values[0, 0] == pytest.approx(1.0)
    assert scores.values[1, 0] < 0.7
    assert scores.kind == "similarity"


def test_a_similarity_needs_to_know_to_what(serve):
    scorer = scorer_of(serve(), labels=None, method="similarity")
    with pytest.raises(ScoringError, match=r"^reference: "):
        scorer.score(Variants(texts=["superb"]))


def test_the_scored_prompt_of_vllm_is_read():
    # The token that stands there comes first, the likeliest ones behind it.
    scored = [
        None,
        {"12": {"logprob": -2.5, "rank": 9, "decoded_token": " good"}, "7": {"logprob": -0.1}},
        {"5": {"logprob": -0.5, "rank": 1, "decoded_token": " yes"}},
    ]
    choice = {"text": "!", "index": 0, "logprobs": None, "prompt_logprobs": scored}
    model = ApiModel("openai-completions:m", base_url=ADDRESS)
    answer = model.provider.read({"model": "m", "choices": [choice], "usage": None})
    assert [token.log_prob for token in answer.prompt] == [None, -2.5, -0.5]
    assert [t.text for t in continuation_tokens(answer.prompt, "", " good yes")] == [
        " good",
        " yes",
    ]


@given(
    prompt=st.lists(st.sampled_from(["so", " good", "!", "的", " é"]), min_size=1, max_size=6),
    continuation=st.lists(st.sampled_from([" yes", "好", "."]), min_size=1, max_size=3),
    mark=st.booleans(),
    generated=st.booleans(),
)
def test_the_tokens_of_the_continuation_are_found(prompt, continuation, mark, generated):
    texts = [*(["<s>"] if mark else []), *prompt, *continuation, *([" x"] if generated else [])]
    tokens = [Token(text, -1.0) for text in texts]
    found = continuation_tokens(tokens, "".join(prompt), "".join(continuation))
    assert [token.text for token in found] == continuation


@given(
    prompt=st.lists(st.sampled_from(["so", " good", "🎬", " yes", " é"]), min_size=1, max_size=5),
    generated=st.sampled_from([[], [" yes"], [" x"], ["!"]]),
)
def test_a_label_that_is_generated_once_more_is_not_taken_for_the_one_that_was_sent(
    prompt, generated
):
    garbled = [part for own in prompt for part in (["\ufffd", "\ufffd"] if own == "🎬" else [own])]
    texts = [*garbled, " yes", *generated]
    tokens = [Token(text, float(-place)) for place, text in enumerate(texts)]
    (found,) = continuation_tokens(tokens, "".join(prompt), " yes")
    assert found.log_prob == -len(garbled)


def test_a_token_across_the_end_of_the_prompt_is_told_of():
    tokens = [Token("so", None), Token(" go", -1.0), Token("od", -1.0)]
    with pytest.raises(ScoringError, match="makes one token"):
        continuation_tokens(tokens, "so g", "ood")
    with pytest.raises(ScoringError, match="other tokens"):
        continuation_tokens(tokens, "so bad", " yes")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": ["a"]}, "^labels: expected two or more"),
        ({"method": "votes", "labels": None}, "^labels: method='votes' needs them"),
        ({"method": "oracle"}, "^method: expected one of"),
        ({"prompt_template": "no place"}, "^prompt_template: expected {text}"),
        ({"prompt_template": "{text} {other}"}, "^prompt_template: expected {text}"),
        ({"prompt_template": "{text"}, "^prompt_template: "),
        ({"n_samples": 0}, "^n_samples: "),
        ({"temperature": 0.0}, "^temperature: "),
        ({"temperature": "warm"}, "^temperature: "),
        ({"concurrency": 0}, "^concurrency: "),
        ({"max_calls": 0}, "^max_calls: "),
        ({"timeout": -1}, "^timeout: "),
        ({"cache": "/no/such/folder/c.sqlite"}, "^cache: there is no folder"),
        ({"prices": "cheap"}, "^prices: "),
        ({"stop": "x"}, "^stop: "),
        ({"n_samples": 3, "method": "confidence"}, "^n_samples: is for method='votes'"),
        ({"seed": 3, "method": "label_log_probs"}, "^seed: is for method='votes'"),
        ({"reference": "yes"}, "^reference: is for answers"),
        ({"scalarizers": []}, "^scalarizers: is for answers"),
    ],
)
def test_arguments_are_checked(options, said):
    with pytest.raises(ArgumentError, match=said):
        ApiScorer("openai:m", base_url=ADDRESS, **{"labels": LABELS, **options})


def test_a_model_must_be_named_and_have_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ArgumentError, match=r"^api_key: "):
        ApiScorer("openai:m", labels=LABELS)
    with pytest.raises(ArgumentError, match="names no model"):
        ApiScorer("openai:", labels=LABELS, base_url=ADDRESS)
    with pytest.raises(ArgumentError, match=r"^model: expected openai:NAME"):
        ApiScorer("gopher:m", labels=LABELS)
    with pytest.raises(ArgumentError, match=r"^system: this endpoint"):
        ApiScorer("openai-completions:m", labels=LABELS, base_url=ADDRESS, system="be brief")
