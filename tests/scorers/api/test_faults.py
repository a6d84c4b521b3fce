"""What a service says, and what that means for a run."""

import asyncio
import random

import pytest

import perturbx as px
from perturbx import ApiModel
from perturbx.exceptions import CapabilityError, ScoringError
from perturbx.scorers.api.openai import OpenAIChat
from perturbx.scorers.api.questions import Usage

NOWHERE = "http://127.0.0.1:1/v1"
LABELS = [" positive", " negative"]
BILLING = (
    "Rate limit reached. Limit: 3 / min. Please try again in 20s. Visit "
    "https://platform.openai.com/account/billing to add a payment method."
)


def model_of(server, kind="openai", **options):
    return ApiModel(f"{kind}:m", base_url=server.base_url, **options)


def scorer_of(server, **options):
    options = {"labels": LABELS, "prompt_template": "Review: {text}\nSentiment:", **options}
    return px.ApiScorer("openai:m", base_url=server.base_url, **options)


def explain(scorer, **options):
    options = {"random_state": 0, "progress": False, "link": "probability", **options}
    return px.ShapleyExplainer(scorer, **options).explain(["so good but thin"])


def questions_of(model, n, **wish):
    return [model.provider.question(f"so good {i}", **wish) for i in range(n)]


def ask(model, questions):
    return [pair for part in model.ask(questions) for pair in part]


def failure_of(model, n=1, **wish):
    with pytest.raises(px.PerturbxError) as caught:
        ask(model, questions_of(model, n, **wish))
    return caught.value


def refusing(servers, status, kind, message, *, when, extra=()):
    class Refusing(servers.FaultServer):
        async def _answer(self, reader, writer, path, body):
            if when(self.counts["requests"], body):
                self.counts["refused"] += 1
                return await self._refuse(writer, path, status, kind, message, extra)
            return await super()._answer(reader, writer, path, body)

    return Refusing()


def test_an_advice_about_billing_is_no_lack_of_credit(servers):
    few = {"when": lambda n, _: n in (3, 4), "extra": ["retry-after: 0.05"]}
    with refusing(servers, 429, "rate_limit_exceeded", BILLING, **few) as server:
        model = model_of(server)
        assert len(ask(model, questions_of(model, 8))) == 8
        assert model.spending.retries == {"rate limit": 2}


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (429, "insufficient_quota", "You exceeded your current quota."),
        (429, "billing_not_active", "Your account is not active."),
        (400, "billing_hard_limit_reached", "Billing hard limit has been reached"),
        (402, "unknown", "Insufficient balance"),
        (400, "invalid_request_error", "Your credit balance is too low to access the API."),
    ],
)
def test_what_is_a_lack_of_credit_ends_the_run_at_once(servers, status, kind, message):
    with refusing(servers, status, kind, message, when=lambda *_: True) as server:
        failure = failure_of(model_of(server))
        assert "the service refuses" in str(failure)
        assert type(failure) is ScoringError
        assert server.stats()["requests"] == 1


def test_log_probabilities_that_are_forbidden_leave_votes(servers):
    def wants(_, body):
        return bool(body.get("logprobs"))

    said = "You are not allowed to request logprobs from this model"
    with refusing(servers, 403, "invalid_request_error", said, when=wants) as server:
        scorer = scorer_of(server)
        (found,) = explain(scorer, budget=40)
        assert scorer.method_ == "votes"
        assert found.n_calls == server.stats()["answered"]
        with pytest.raises(CapabilityError, match=r"not allowed to request logprobs.*votes"):
            explain(scorer_of(server, method="label_log_probs"))
    with refusing(servers, 403, "no_access", "not for this key", when=lambda *_: True) as server:
        failure = failure_of(model_of(server))
        assert not isinstance(failure, CapabilityError)
        assert "the service refuses" in str(failure)


def test_a_call_takes_no_longer_than_its_timeout(servers):
    """An answer that drips keeps every single read short."""

    class Dripping(servers.FaultServer):
        async def _send(self, writer, status, value, extra=(), *, raw=None):
            if self.counts["requests"] > 1:
                return await super()._send(writer, status, value, extra, raw=raw)
            writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 10000\r\n\r\n")
            for _ in range(10_000):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)

    with Dripping() as server:
        model = model_of(server, timeout=1.0)
        assert len(ask(model, questions_of(model, 1))) == 1
        assert model.spending.retries == {"timeout": 1}
        assert model.spending.unsure_tokens > 0


@pytest.mark.parametrize(
    "usage",
    [
        {"total_tokens": 51},
        {"prompt_tokens": None, "completion_tokens": 1},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": "many", "completion_tokens": 1},
        {},
        None,
        [],
        7,
    ],
)
def test_an_answer_whose_tokens_are_not_counted_is_an_answer(usage):
    raw = {"choices": [{"message": {"content": "so"}}], "usage": usage}
    answer = OpenAIChat("m", base_url=NOWHERE).read(raw)
    assert answer.text == "so"
    assert answer.usage is None
    counted = {"prompt_tokens": 5, "completion_tokens": None}
    assert OpenAIChat("m", base_url=NOWHERE).read({**raw, "usage": counted}).usage == Usage(5, 0)


@pytest.mark.parametrize(
    ("apart", "total"),
    [
        ({}, 5),
        ({"cache_creation_input_tokens": 2000, "cache_read_input_tokens": None}, 2005),
        ({"cache_creation_input_tokens": 0, "cache_read_input_tokens": 1500}, 1505),
    ],
)
def test_tokens_that_the_service_keeps_are_counted(apart, total):
    raw = {"content": [], "usage": {"input_tokens": 5, "output_tokens": 1, **apart}}
    answer = px.ApiModel("anthropic:m", base_url=NOWHERE).provider.read(raw)
    assert answer.usage == Usage(total, 1)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "so"}], "so"),
        ([{"type": "thinking", "thinking": []}, {"type": "text", "text": "so"}], "so"),
        ([], ""),
        (None, ""),
    ],
)
def test_words_may_come_in_parts(content, text):
    raw = {"choices": [{"message": {"content": content}}]}
    assert OpenAIChat("m", base_url=NOWHERE).read(raw).text == text


@pytest.mark.parametrize("content", [5, {"text": "so"}, ["so"], True])
def test_what_is_no_words_cannot_be_read(content):
    raw = {"choices": [{"message": {"content": content}, "text": content}]}
    for name in ("openai", "openai-completions"):
        with pytest.raises((TypeError, KeyError)):
            px.ApiModel(f"{name}:m", base_url=NOWHERE).provider.read(raw)


@pytest.mark.parametrize(
    "written",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.decode().encode("utf-16"),
        lambda content: content.replace(b"chatcmpl", b"\xed\xa0\xbd"),
    ],
    ids=["mark", "utf-16", "half a character"],
)
def test_an_answer_is_kept_as_it_was_read_however_it_is_encoded(serve, written):
    server = serve()
    model = model_of(server)
    send = model.provider.send

    async def sent(body):
        return written(await send(body))

    model.provider.send = sent
    texts = [[answer.text for _, answer in ask(model, questions_of(model, 3))] for _ in range(2)]
    assert len(texts[0]) == 3
    assert texts[0] == texts[1]
    assert server.stats()["requests"] == 3


def test_tokens_without_a_number_are_not_there():
    top = [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": None}, None]
    entry = {"token": "a", "logprob": -1.0, "top_logprobs": top}
    raw = {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [entry]}}]}
    (token,) = OpenAIChat("m", base_url=NOWHERE).read(raw).tokens
    assert token.top == {"a": -1.0}
    older = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": [{"a": -1.0, "b": None}]}
    provider = px.ApiModel("openai-completions:m", base_url=NOWHERE).provider
    (token,) = provider.read({"choices": [{"text": "a", "logprobs": older}]}).tokens
    assert token.top == {"a": -1.0}


def test_waiting_leaves_the_random_numbers_of_the_program_alone(serve):
    model = model_of(serve(script=["500", "429"]))
    before = random.getstate()
    ask(model, questions_of(model, 3))
    assert model.spending.retries
    assert random.getstate() == before
