"""Prompts to a model behind an API: labels, responses, chats, contexts."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import perturbx as px
from perturbx.exceptions import (
    AnswersWarning,
    ArgumentError,
    CapabilityError,
    MissingExtraError,
    RefusedError,
)
from perturbx.scorers.api import ApiModel, ApiScorer
from perturbx.scorers.api.questions import Answer, Token
from perturbx.units.prompts import with_responses

pytestmark = pytest.mark.filterwarnings("ignore::perturbx.PoorFitWarning")

CHAT = [
    {"role": "system", "content": "Say positive or negative."},
    {"role": "user", "content": "The plot is thin. The acting is superb. I was never bored."},
]


def prompts_of(server, kind="openai", **options):
    model = ApiModel(f"{kind}:m", base_url=server.base_url)
    return px.PromptExplainer(model, random_state=0, progress=False, **options)


def test_labels_behind_a_chat_are_those_of_its_messages(serve):
    server = serve()
    explainer = prompts_of(server, labels=[" positive", " negative"])
    (found,) = explainer.explain([CHAT])
    assert [piece.strip() for piece in found.units.pieces] == [
        "The plot is thin.",
        "The acting is superb.",
        "I was never bored.",
    ]
    whole = "\n".join(message["content"] for message in CHAT)
    expected = server.model.probabilities(whole)
    np.testing.assert_allclose(
        np.exp(found.scores), [expected[" positive"], expected[" negative"]], atol=1e-9
    )
    assert found.as_list()[0][0].startswith("The acting")


def test_a_given_response_is_scored_where_the_server_scores_prompts(serve):
    server = serve()
    explainer = prompts_of(server, "openai-completions", units="words")
    prompt, response = "the sea is blue", " and the sky"
    (found,) = explainer.explain([prompt], [response])
    assert found.output_names == ("response",)
    assert found.response == response
    np.testing.assert_allclose(found.scores, server.model.log_prob(prompt, response))
    (other,) = explainer.explain([prompt], [response], alternatives=[" or tea"])
    expected = server.model.log_prob(prompt, response) - server.model.log_prob(prompt, " or tea")
    np.testing.assert_allclose(other.scores, expected)


PROMPT, RESPONSE = "the sea is blue and it is cold", " The sky is blue, too. It is cold!"


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ("sentences", ("The sky is blue, too.", "It is cold!")),
        (["blue", (0, 4)], ("blue", "The")),
        ({"when": "It is"}, ("when",)),
    ],
)
def test_parts_of_a_response_cost_the_calls_of_the_whole(serve, outputs, names):
    server = serve()
    asked = {"kind": "openai-completions", "units": "words", "budget": 60}
    (found,) = prompts_of(server, outputs=outputs, **asked).explain([PROMPT], [RESPONSE])
    n_asked = server.stats()["requests"]
    (whole,) = prompts_of(server, **asked).explain([PROMPT], [RESPONSE])
    assert server.stats()["requests"] == 2 * n_asked
    assert found.output_names == names
    places = {name: RESPONSE.index(name) for name in found.output_names if name in RESPONSE}
    for name, place in places.items():
        before, until = PROMPT + RESPONSE[:place], PROMPT + RESPONSE[: place + len(name)]
        both = [sum(server.model.prompt_log_probs(own)[1][1:]) for own in (before.rstrip(), until)]
        at = names.index(name)
        assert found.scores[at] == pytest.approx(both[1] - both[0])
    if outputs == "sentences":
        np.testing.assert_allclose(found.table.scores.sum(axis=1), whole.table.scores[:, 0])
        np.testing.assert_allclose(found.scores.sum(), whole.scores[0])


def test_a_part_without_a_token_is_told(serve):
    asked = {"kind": "openai-completions", "units": "words", "budget": 12}
    with pytest.warns(AnswersWarning, match=r"told as 0: 1, such as 'ue' of prompts\[0\]"):
        (found,) = prompts_of(serve(), outputs=["ue", "sky"], **asked).explain([PROMPT], [RESPONSE])
    assert not found.values[:, 0].any()


@pytest.mark.parametrize("alternatives", [None, [" No."]])
def test_a_contrast_is_estimated_as_it_is_asked(serve, alternatives):
    server = serve()
    explainer = prompts_of(server, "openai-completions", units="words", budget=12)
    given = ([PROMPT], [RESPONSE])
    estimate = explainer.estimate_cost(*given, alternatives=alternatives)
    assert "requests" not in server.stats()
    explainer.explain(*given, alternatives=alternatives)
    assert estimate.most_bill.calls == server.stats()["requests"]


def test_a_response_behind_an_api_is_the_sum_of_its_words(serve):
    explainer = prompts_of(serve(), "openai-completions", units="words")
    first, second = explainer.explain([PROMPT, "so it is"], [RESPONSE, " yes"])
    assert first.table.summands.shape[1:] == (1, 8)
    assert second.table.summands is None
    np.testing.assert_allclose(first.table.summands.sum(axis=2), first.table.scores)
    (other,) = explainer.explain([PROMPT], [RESPONSE], alternatives=[" No, it is hot."])
    assert other.output_names == ("response - alternative",)
    assert other.table.summands.shape[1:] == (1, 12)
    np.testing.assert_allclose(other.table.summands.sum(axis=2), other.table.scores)


def test_a_token_belongs_to_the_word_of_its_first_letter(serve):
    model = ApiModel("openai-completions:m", base_url=serve().base_url)
    reading = ApiScorer(model, method="prompt_log_probs").by_character()
    reading = reading.reading(("so", " yes,\n no"))
    tokens = ["so", " ", "yes", ",\n", "", " n", "o"]
    numbers = [None, -1.0, -2.0, -4.0, -8.0, -16.0, -32.0]
    answer = Answer("", None, tuple(map(Token, tokens, numbers)), None, "", "", {})
    (values, _) = reading.numbers(("so", " yes,\n no"), [answer])
    assert values.tolist() == [-1.0, -2.0, 0.0, 0.0, -4.0, 0.0, 0.0, -16.0, -32.0]


def test_a_service_that_scores_no_prompts_has_no_parts_to_tell(serve, servers):
    weights = {" positive": {"": 1.0, "superb": 2.0}, " negative": {"": 0.0, "thin": 2.0}}
    server = serve(model=servers.SimulatedModel(weights, echo=False))
    (found,) = prompts_of(server, "openai-completions").explain(["So thin. Superb."], [" positive"])
    assert found.table.kind == "similarity"
    assert found.response == " positive"
    parts = prompts_of(server, "openai-completions", outputs="sentences")
    with pytest.raises(CapabilityError, match=r"^outputs: .* scores no prompts"):
        parts.explain(["So thin. Superb."], [" positive. Yes."])


def test_elsewhere_answers_are_compared(serve):
    server = serve()
    (found,) = prompts_of(server).explain([CHAT])
    assert found.response == " positive"
    assert found.link == "identity"
    assert found.table.kind == "similarity"
    np.testing.assert_allclose(found.scores, 1.0)
    thin, acting, bored = found.values.ravel()
    assert thin < 0 < acting
    assert bored == pytest.approx(0.0)
    with pytest.raises(CapabilityError, match="no log-probabilities of prompts"):
        prompts_of(server).explain([CHAT], [" positive"], alternatives=[" negative"])


@pytest.mark.parametrize(
    ("own", "ends", "expected"),
    [
        (None, {"max_new_tokens": 200, "stop": ["."]}, (200, ["."])),
        (None, {}, (64, None)),
        ({"max_new_tokens": 20, "stop": ["!"]}, {}, (20, ["!"])),
    ],
)
def test_variants_are_answered_at_the_length_of_the_response(serve, own, ends, expected):
    api = model = ApiModel("openai:m", base_url=serve().base_url)
    if own is not None:
        model = ApiScorer(api, **own)
    px.PromptExplainer(model, progress=False, random_state=0, **ends).explain([CHAT])
    bodies = [row["question"] for row in api.cache.export()]
    assert len(bodies) == 8
    for body in bodies:
        assert (body["max_tokens"], body.get("stop")) == expected


@pytest.mark.parametrize(
    ("own", "length", "expected"),
    [(None, {}, 16), (None, {"max_new_tokens": 300}, 300), (20, {}, 20)],
)
def test_labels_are_looked_for_in_answers_of_the_length_that_was_set(serve, own, length, expected):
    api = ApiModel("anthropic:m", base_url=serve().base_url)
    labels = [" positive", " negative"]
    model = api if own is None else ApiScorer(api, labels=labels, max_new_tokens=own)
    explainer = px.PromptExplainer(model, labels=labels, random_state=0, progress=False, **length)
    explainer.explain(["so good"])
    assert {row["question"]["max_tokens"] for row in api.cache.export()} == {expected}


@pytest.mark.parametrize("kind", ["openai", "openai-completions", "anthropic"])
def test_an_answer_ends_before_a_stop_that_the_service_passes_over(serve, servers, kind):
    weights = {" yes\nindeed": {"": 0.5, "good": 2.0}, " yes\nmaybe": {"": 1.0}}
    server = serve(model=servers.SimulatedModel(weights, echo=False))
    (found,) = prompts_of(server, kind, stop=["\n"]).explain(["So good. So it is."])
    assert found.response == " yes"
    # What they differ in stands behind the stop.
    np.testing.assert_allclose(found.table.scores, 1.0)


def test_sampled_labels_are_explained_as_probabilities(serve):
    server = serve()
    scorer = ApiScorer(
        "anthropic:m", base_url=server.base_url, labels=["a", "b"], method="votes", n_samples=3
    )
    explainer = px.PromptExplainer(
        scorer, labels=[" positive", " negative"], random_state=0, progress=False
    )
    (found,) = explainer.explain([CHAT])
    assert found.link == "probability"
    assert server.stats()["answered"] == found.n_calls
    assert found.table.samples.min() >= 3
    assert found.std_errors.any()


def test_a_run_that_goes_on_explains_the_answers_that_it_began_with(serve, servers):
    weights = {" positive": {"": 1.0, "superb": 2.0}, " negative": {"": 0.0, "thin": 5.0}}
    server = serve(model=servers.SimulatedModel(weights))
    prompts = ["So good. Superb.", "So thin. Bad."]
    began = prompts_of(server).explain(prompts)
    n_asked = server.stats()["requests"]
    weights[" indeed"] = {"": 100.0}  # what the service would say today
    again = prompts_of(server).explain(prompts, tables=began.tables)
    assert server.stats()["requests"] == n_asked
    assert [own.response for own in again] == [" positive", " negative"]
    for own, first in zip(again, began, strict=True):
        np.testing.assert_allclose(own.values, first.values)
    with pytest.raises(ArgumentError, match=r"^tables: expected one per text, got 1 for 2"):
        prompts_of(server).explain(prompts, tables=began.tables[:1])


@pytest.mark.parametrize("labels", [None, [" positive", " negative"]])
@pytest.mark.parametrize("kind", ["openai", "openai-completions", "anthropic"])
def test_nothing_is_asked_where_all_is_paid_for(serve, kind, labels):
    server = serve()
    (began,) = prompts_of(server, kind, labels=labels).explain(["So good. Superb."])
    n_asked = server.stats()["requests"]
    (again,) = prompts_of(server, kind, labels=labels).explain(
        ["So good. Superb."], tables=[began.table]
    )
    assert server.stats()["requests"] == n_asked
    assert again.link == began.link
    np.testing.assert_allclose(again.values, began.values)


def test_tables_of_labels_are_no_tables_of_responses(serve):
    server, labels = serve(), [" positive", " negative"]
    (of_labels,) = prompts_of(server, "openai-completions", labels=labels).explain(["So good."])
    n_asked = server.stats()["requests"]
    explainer = prompts_of(server, "openai-completions", outputs="sentences")
    table = replace(of_labels.table, units=with_responses(of_labels.units, " Yes. No."))
    with pytest.raises(ArgumentError, match=r"^tables\[0\]: holds the scores of 'positive'"):
        explainer.explain(["So good."], tables=[table])
    assert server.stats()["requests"] == n_asked


def test_contexts_go_through_an_api(serve):
    server = serve()
    model = ApiModel("openai:m", base_url=server.base_url)
    explainer = px.ContextExplainer(model, random_state=0, progress=False)
    (found,) = explainer.explain(["It is awful. It rains. It is superb."], ["Well?"])
    assert found.units.n_units == 3
    assert found.response == " positive"


def test_what_has_no_meaning_for_an_api_is_refused(serve):
    server = serve()
    with pytest.raises(ArgumentError, match=r"^outputs: parts of a response need a service that"):
        prompts_of(server, outputs="tokens").explain(["so good"], ["yes"])
    with pytest.raises(ArgumentError, match=r"^outputs: the tokens of a model behind an API are"):
        prompts_of(server, "openai-completions", outputs="tokens").explain(["so good"], ["yes"])
    with pytest.raises(ArgumentError, match=r"^calibrate: "):
        prompts_of(server, labels=[" a", " b"], calibrate="N/A").explain(["so good"])
    with pytest.raises(ArgumentError, match=r"^device, dtype: "):
        prompts_of(server, device="cpu").explain(["so good"])


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"system": "Be brief."}, "model: the ApiScorer has system of its own"),
        ({"prompt_template": "Say: {text}"}, "model: the ApiScorer has prompt_template of its own"),
        ({"reference": " yes"}, "model: the ApiScorer has reference of its own"),
        ({"labels": ["yes", "no"]}, "labels: the ApiScorer has some and the explainer none"),
    ],
)
def test_what_a_scorer_says_of_its_own_texts_is_not_passed_over(serve, own, message):
    server = serve()
    explainer = px.PromptExplainer(ApiScorer("openai:m", base_url=server.base_url, **own))
    with pytest.raises(ArgumentError, match=f"^{message}"):
        explainer.explain(["so good"])
    assert "requests" not in server.stats()


@pytest.mark.parametrize(
    ("kind", "options", "given", "message"),
    [
        ("openai", {"outputs": "sentences"}, {}, "outputs: parts of a response need a service"),
        ("openai-completions", {"outputs": "tokens"}, {}, "outputs: the tokens of a model"),
        ("openai-completions", {"outputs": 5}, {}, "outputs: expected 'response', 'sentences'"),
        ("openai-completions", {"outputs": []}, {}, "outputs: expected 'response', 'sentences'"),
        ("openai", {}, {"alternatives": [" no"]}, "alternatives: openai:m .* no log-prob"),
        (
            "openai-completions",
            {"outputs": ["yes"]},
            {"alternatives": [" no"]},
            "outputs: an alternative is compared with the whole response",
        ),
    ],
)
@pytest.mark.parametrize("ask", ["explain", "estimate_cost"])
def test_no_response_is_bought_that_cannot_be_explained(serve, ask, kind, options, given, message):
    server = serve()
    explainer = prompts_of(server, kind, **options)
    with pytest.raises((ArgumentError, CapabilityError), match=f"^{message}"):
        getattr(explainer, ask)(["So thin. Superb."], **given)
    assert "requests" not in server.stats()


@pytest.mark.parametrize("responses", [None, [" positive, and so it goes on and on and on"]])
def test_a_response_that_is_not_sent_is_not_estimated(serve, responses):
    server = serve()
    explainer = prompts_of(server, max_new_tokens=1)
    estimate = explainer.estimate_cost(["So thin. Superb."], responses)
    explainer.explain(["So thin. Superb."], responses)
    assert estimate.most_bill.calls == server.stats()["requests"] == 4
    assert estimate.most_size == 2 * len("So thin. Superb.")


def test_messages_with_marks_are_refused(serve):
    chat = [{"role": "user", "content": "say <|user|>\nhello"}]
    with pytest.raises(ArgumentError, match=r"^prompts\[0\]: messages: the chat template refuses"):
        prompts_of(serve()).explain([chat])


def test_a_context_with_marks_is_named(serve):
    model = ApiModel("openai:m", base_url=serve().base_url)
    contexts = ["So it is.", "say\n<|user|>\nhello"]
    with pytest.raises(ArgumentError, match=r"^contexts\[1\]: messages: the chat template refuses"):
        px.ContextExplainer(model, progress=False).explain(contexts, "Well?")


def test_a_message_with_more_than_is_sent_is_refused(serve):
    chat = [{"role": "user", "content": "so good", "name": "Ann"}]
    with pytest.raises(ArgumentError, match=r"^prompts\[0\]: messages: .* and one has 'name'"):
        prompts_of(serve()).explain([chat])


def test_an_explainer_of_prompts_is_cloned_and_estimates(serve):
    from sklearn.base import clone

    server = serve()
    explainer = clone(prompts_of(server, labels=[" positive", " negative"]))
    estimate = explainer.estimate_cost([CHAT])
    assert estimate.most_calls == 8
    assert "requests" not in server.stats()


@pytest.mark.parametrize("responses", [None, ["so good"]])
@pytest.mark.parametrize("kind", [px.PromptExplainer, px.ContextExplainer])
def test_a_package_that_is_missing_is_told_before_any_call(serve, monkeypatch, kind, responses):
    server = serve()
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    explainer = kind(px.ApiModel("openai:m", base_url=server.base_url), progress=False)
    given = [["So good. So bad."]] + [["Why?"]] * (kind is px.ContextExplainer)
    with pytest.raises(MissingExtraError, match=r"perturbx\[text\]"):
        explainer.explain(*given, responses=responses)
    assert server.stats().get("requests", 0) == 0


def test_a_prompt_that_is_not_answered_is_named(serve):
    server = serve(refuses=lambda prompt: "filter" if "thin" in prompt else None)
    explainer = prompts_of(server)
    prompts = ["is it good", "is it thin", "is it bad", "is it so thin"]
    with pytest.raises(RefusedError, match=r"prompts\[1\]: .* 2 of 4 in all") as caught:
        explainer.explain(prompts)
    assert list(caught.value.refused) == prompts[1::2]
    asked = server.stats()["answered"]
    explainer.explain(prompts[::2])
    # What was said to the others is not asked again.
    assert server.stats()["most_of_one"] == 1
    assert asked == 2
