"""What a provider makes of keys, addresses and parameters, and of what a service answers."""

import copy
import json
import pickle
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import perturbx as px
from perturbx import ApiModel
from perturbx.cli.main import app
from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.scorers.api import background
from perturbx.scorers.api.openai import OpenAIChat
from perturbx.scorers.api.provider import LENGTHS

NOWHERE = "http://127.0.0.1:1/v1"
LABELS = [" positive", " negative"]
TEXT = "so good but thin"


def model_of(server, kind="openai", **options):
    return ApiModel(f"{kind}:m", base_url=server.base_url, **options)


def scorer_of(server, **options):
    options = {"labels": LABELS, "prompt_template": "Review: {text}\nSentiment:", **options}
    return px.ApiScorer("openai:m", base_url=server.base_url, **options)


def explain(scorer, text=TEXT, **options):
    options = {"random_state": 0, "progress": False, "link": "probability", **options}
    tables = options.pop("tables", None)
    return px.ShapleyExplainer(scorer, **options).explain([text], tables=tables)


def questions_of(model, n, **wish):
    return [model.provider.question(f"so good {i}", **wish) for i in range(n)]


def ask(model, questions):
    return [pair for part in model.ask(questions) for pair in part]


def failure_of(model, n=1, **wish):
    with pytest.raises(px.PerturbxError) as caught:
        ask(model, questions_of(model, n, **wish))
    return caught.value


# ---- connections


def test_connections_are_closed_when_the_last_model_of_a_provider_is_gone(serve):
    server = serve(latency=0.2)
    provider = OpenAIChat("m", base_url=server.base_url, api_key="none")
    first, second = ApiModel(provider), ApiModel(provider, concurrency=2)
    ask(first, questions_of(first, 1))
    client = provider._loop_and_client[1]
    found = []
    work = (second, questions_of(second, 4))
    thread = threading.Thread(target=lambda *own: found.extend(ask(*own)), args=work)
    thread.start()
    time.sleep(0.1)
    del first
    thread.join()
    assert len(found) == 4
    assert not second.spending.retries
    assert not client.is_closed()
    del provider, second, work
    deadline = time.monotonic() + 5
    while not client.is_closed() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.is_closed()


def test_what_is_collected_while_the_loop_is_looked_up_does_not_wait_for_itself(serve):
    model = model_of(serve())
    ask(model, questions_of(model, 1))
    done = threading.Event()

    def collect():
        with background._lock:
            background.finish(model.provider.close(), seconds=0.0)
        done.set()

    threading.Thread(target=collect, daemon=True).start()
    assert done.wait(5)


def test_copies_are_the_same_model(serve):
    server = serve()
    model = model_of(server, max_calls=3)
    for own in (model, copy.copy(model), copy.deepcopy(model)):
        assert len(ask(own, questions_of(own, 2))) == 2
    assert server.stats()["requests"] == 2


# ---- keys


def test_a_key_out_of_a_file_works(serve, servers, monkeypatch):
    server = serve()
    monkeypatch.setenv("OPENAI_API_KEY", f"\t{servers.KEY}\r\n")
    models = [model_of(server), model_of(server, api_key=f"{servers.KEY}\n\0")]
    for model in models:
        ask(model, questions_of(model, 2))
    assert server.stats()["authorised"] == 4


@pytest.mark.parametrize("key", ["sk-secret\nword", "sk-sécret", "Bearer sk-secret"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    with pytest.raises(ArgumentError, match=r"^api_key: expected printable") as caught:
        ApiModel("openai:m", base_url=NOWHERE, api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-secret-0123456789", "sk\\secret'0123456789\"secret"])
@pytest.mark.parametrize("before", [0, 60, 75, 79])
def test_no_part_of_a_key_is_in_a_message(key, before):
    """Also where the end of what is shown falls into it."""
    model = ApiModel("openai:m", base_url=NOWHERE, api_key=key, max_retries=0)

    async def answer(body):
        return b"x" * before + f" key {key}".encode()

    async def broken(body):
        raise RuntimeError(f"{key!r} {key} {json.dumps(key)}")

    for model.provider.send in (answer, broken):
        assert "secret" not in str(failure_of(model))


def test_a_key_that_is_none_leaves_words_as_they_are():
    provider = OpenAIChat("m", base_url=NOWHERE, api_key="x")
    assert (
        provider.without_key("an example: x (bad key 'x')") == "an example: [key] (bad key '[key]')"
    )


def test_what_lacks_something_is_told_without_the_key(serve, servers):
    model = model_of(serve(), api_key=servers.KEY, max_retries=0)
    with pytest.raises(CapabilityError, match=r"echoed \[key\]"):
        model.answer(questions_of(model, 1)[0], lambda _: f"echoed {servers.KEY}")


def test_a_key_is_not_pickled_and_missed_by_name(serve, servers, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    lost = "keys are not pickled, and OPENAI_API_KEY is not set here"
    home = pickle.loads(pickle.dumps(ApiModel("openai:m", api_key=servers.KEY)))
    assert str(failure_of(home)).startswith(f"api_key: {lost}")
    # A server of one's own may do without; that it does not is told with the reason.
    server = serve(script=["401", "ok", "ok", "401"])
    content = pickle.dumps(model_of(server, api_key=servers.KEY))
    assert lost in str(failure_of(pickle.loads(content)))
    other = pickle.loads(content)
    ask(other, questions_of(other, 1))
    monkeypatch.setenv("OPENAI_API_KEY", servers.KEY)
    again = pickle.loads(content)
    ask(again, questions_of(again, 1))
    assert server.stats()["authorised"] == 1
    assert lost not in str(failure_of(pickle.loads(content)))


# ---- addresses


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_the_address_of_the_environment_is_that_of_the_server(
    serve, servers, monkeypatch, tmp_path, kind
):
    opposite = {" positive": {"": 0.2, "bad": 2.0}, " negative": {"": 0.0, "good": 2.0}}
    both = [serve(), serve(model=servers.SimulatedModel(opposite, rest=0.1))]
    found = []
    for server in both:
        monkeypatch.setenv(f"{kind.upper()}_BASE_URL", server.base_url)
        model = ApiModel(f"{kind}:m", cache=tmp_path / "c.sqlite")
        assert server.base_url in model.model_id
        found.append([answer.text for _, answer in ask(model, questions_of(model, 3))])
        assert server.stats()["answered"] == 3
        # As it is the same server, nothing is asked again.
        given = ApiModel(f"{kind}:m", base_url=f"{server.base_url}/", cache=tmp_path / "c.sqlite")
        ask(given, questions_of(given, 3))
        assert server.stats()["answered"] == 3
    assert found[0] != found[1]


def test_the_address_of_the_service_itself_is_no_other_one(monkeypatch):
    plain = ApiModel("openai:m", api_key="key")
    for address in ("https://api.openai.com/v1", "https://api.openai.com/v1/", " "):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        same = ApiModel("openai:m", api_key="key")
        assert same.model_id == plain.model_id == "openai:m"
        assert questions_of(same, 1)[0].key == questions_of(plain, 1)[0].key
    with pytest.raises(ArgumentError, match=r"^api_key: none is given"):
        ApiModel("anthropic:m")


def test_a_record_is_replayed_whatever_address_the_environment_has(monkeypatch, tmp_path):
    scorer = px.ApiScorer("openai:m", labels=LABELS, api_key="key", method="label_log_probs")
    top = [
        {"token": own, "logprob": number} for own, number in zip(LABELS, (-0.5, -1.5), strict=True)
    ]

    async def send(body):
        content = [{"token": LABELS[0], "logprob": -0.5, "top_logprobs": top}]
        message = {"role": "assistant", "content": LABELS[0]}
        return json.dumps(
            {"choices": [{"message": message, "logprobs": {"content": content}}]}
        ).encode()

    scorer.model.provider.send = send
    explainer = px.ShapleyExplainer(scorer, random_state=0, progress=False)
    given_ones = explainer.explain(["so so"])
    path = px.write_record(tmp_path / "r.jsonl", explainer, given_ones, ["so so"])
    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)
    (again,) = px.replay_record(path, ["so so"])
    np.testing.assert_allclose(again.values, given_ones[0].values)


@pytest.mark.parametrize("address", ["ftp://host/v1", "localhost:8000/v1", "http://", "http://["])
def test_what_is_no_address_is_told_at_once(address, monkeypatch):
    with pytest.raises(ArgumentError, match=r"^base_url: expected the address"):
        ApiModel("openai:m", base_url=address)
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ArgumentError, match=r"^OPENAI_BASE_URL: expected the address"):
        ApiModel("openai:m")


def test_a_call_counts_from_when_its_client_is_there(serve):
    """The client takes a while to make; calls would count from before, and arrive together."""
    model = model_of(serve(), requests_per_minute=5)
    enter, seen = model.dispatcher.rates.enter, []

    async def noting(tokens):
        seen.append(model.provider._loop_and_client is not None)
        return await enter(tokens)

    model.dispatcher.rates.enter = noting
    ask(model, questions_of(model, 3))
    assert seen == [True] * 3


# ---- parameters


@given(
    given=st.dictionaries(st.sampled_from(LENGTHS), st.integers(1, 999), max_size=3),
    wanted=st.integers(1, 64),
    home=st.booleans(),
)
def test_a_question_counts_with_the_length_that_is_sent(given, wanted, home):
    address = {"api_key": "key"} if home else {"base_url": NOWHERE}
    question = OpenAIChat("m", parameters=given, **address).question("so", max_tokens=wanted)
    sent = {name: question.body[name] for name in LENGTHS if name in question.body}
    assert question.max_tokens == max(sent.values())
    # Services refuse two names for it; only who gives both has both.
    assert sent == given or (not given and list(sent.values()) == [wanted])


def test_what_parameters_write_into_a_prompt_counts():
    tools = [{"type": "function", "function": {"name": "look_up", "description": "x" * 500}}]
    plain, longer = (
        OpenAIChat("m", base_url=NOWHERE, parameters=own).question("so")
        for own in ({}, {"tools": tools})
    )
    assert longer.size >= plain.size + 500


@pytest.mark.parametrize("limits", [{"max_tokens": 4000}, {"max_cost": 0.03, "prices": (1, 10)}])
def test_limits_hold_where_parameters_ask_for_long_answers(servers, limits):
    class Thinking(servers.FaultServer):
        """Every answer takes all the tokens that it may."""

        def _usage(self, prompt, completion):
            return super()._usage(prompt, 500)

    with Thinking(latency=0.01) as server:
        model = model_of(server, parameters={"max_completion_tokens": 500}, **limits)
        failure = failure_of(model, 50)
        assert failure.limit == next(iter(limits))
        spent = model.spending
        assert server.stats()["completion_tokens"] == spent.completion_tokens >= 1000
        assert spent.tokens <= limits.get("max_tokens", np.inf)
        assert (spent.cost or 0.0) <= limits.get("max_cost", 0.0)


def test_a_bill_knows_of_long_answers(serve):
    plain, long = (
        scorer_of(serve(), method="votes", parameters=own).estimate(10, 100, "so")
        for own in ({}, {"max_tokens": 500})
    )
    assert long.completion_tokens == 5000 > plain.completion_tokens
    assert long.prompt_tokens == plain.prompt_tokens


@pytest.mark.parametrize(
    "parameters",
    [
        {"n": 40},
        {"best_of": 3},
        {"model": "other"},
        {"messages": []},
        {"prompt": "so"},
        {"stream": True},
        {"max_tokens": None},
        {"max_tokens": "500"},
        {"max_completion_tokens": 0},
        {"n_predict": -1},
        {"top_p": float("nan")},
        {"stop": object()},
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters):
    with pytest.raises(ArgumentError, match=r"^parameters: "):
        ApiModel("openai:m", base_url=NOWHERE, parameters=parameters)


@pytest.mark.parametrize("parameters", [{"temperature": 0.0}, {"seed": 3}])
def test_parameters_never_make_one_answer_of_all_samples(serve, servers, parameters):
    server = serve(model=servers.SimulatedModel(servers.REVIEWS.weights, rest=0.1, top=0))
    with pytest.raises(ArgumentError, match=r"^parameters: "):
        scorer_of(server, method="votes", parameters=parameters)
    # "auto" finds out only then that there is nothing but sampled answers.
    with pytest.raises(ArgumentError, match=r"^parameters: "):
        explain(scorer_of(server, parameters=parameters))


def test_numbers_of_numpy_are_numbers(serve):
    numpy = {"top_p": np.float32(0.5), "max_tokens": np.int64(3), "logit_bias": {7: np.int32(1)}}
    numpy["stop"] = np.array(["."])
    plain = {"top_p": 0.5, "max_tokens": 3, "logit_bias": {"7": 1}, "stop": ["."]}
    models = [model_of(serve(), parameters=own) for own in (numpy, plain)]
    assert models[0].provider.parameters == plain
    ask(models[0], questions_of(models[0], 1))


def test_tables_of_other_parameters_are_those_of_another_model(serve):
    server = serve()
    (found,) = explain(scorer_of(server))
    explain(scorer_of(server), tables=[found.table])
    other = scorer_of(server, parameters={"logit_bias": {"1": 5}})
    with pytest.raises(ArgumentError, match=r"^tables\[0\]: was scored with model"):
        explain(other, tables=[found.table])
    again = [scorer_of(server, parameters=own) for own in ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
    assert again[0].model_id == again[1].model_id != scorer_of(server).model_id


# ---- on the command line


def test_the_command_line_says_which_option_a_limit_needs():
    arguments = ["explain", "-m", "openai:m", "--base-url", NOWHERE, "--labels", "a,b"]
    result = CliRunner().invoke(app, [*arguments, "--max-cost", "1", "so"])
    assert result.exit_code == 2
    assert "--prices" in result.output
    assert "--max-cost" in result.output
