"""Every question is paid for once, whatever the server does."""

import asyncio
import contextlib
import os
import signal
import threading
import time

import pytest

from perturbx import ApiModel
from perturbx.exceptions import (
    ArgumentError,
    BudgetExceeded,
    CapabilityError,
    RateLimitError,
    ScoringError,
)
from perturbx.scorers.api import retrying

EVERY_FAULT = {
    "429": 0.02,
    "429_retry_after": 0.02,
    "429_retry_after_ms": 0.02,
    "500": 0.03,
    "503": 0.02,
    "dropped": 0.02,
    "dropped_midway": 0.02,
    "malformed": 0.02,
    "missing_logprobs": 0.01,
    "slow": 0.02,
}


def model_of(server, kind="openai", **options):
    return ApiModel(f"{kind}:m", base_url=server.base_url, **options)


def questions_of(model, n, **options):
    options = {"top_log_probs": 5, **options}
    return [model.provider.question(f"so good {i}", **options) for i in range(n)]


def no_log_probs(answer):
    return "no log-probabilities" if answer.tokens is None else None


def ask_all(model, questions, check=None):
    """Return the answers by key, also where the run is cut off, and what cut it off."""
    answers, failure = {}, None
    try:
        for part in model.ask(questions, check):
            answers.update((question.key, answer) for question, answer in part)
    except (ScoringError, KeyboardInterrupt) as error:
        failure = error
    return answers, failure


@pytest.mark.parametrize("kind", ["openai", "openai-completions"])
def test_all_faults_are_survived_and_every_answer_is_right(serve, kind):
    faulty = serve(faults=EVERY_FAULT, retry_after=0.05, seed=3)
    sound = serve()
    model = model_of(faulty, kind, concurrency=8, max_retries=12)
    twin = model_of(sound, kind)
    questions = questions_of(model, 150)
    answers, failure = ask_all(model, questions, no_log_probs)
    expected, _ = ask_all(twin, questions_of(twin, 150))
    assert failure is None
    assert [answers[q.key].raw for q in questions] == [
        expected[q.key].raw for q in questions_of(twin, 150)
    ]
    stats, spent = faulty.stats(), model.spending
    n_faults = sum(stats.get(name, 0) for name in EVERY_FAULT if name != "slow")
    assert n_faults > 10
    assert stats["requests"] == 150 + n_faults == 150 + sum(spent.retries.values())
    assert stats["answered"] == spent.calls
    assert stats["max_in_flight"] <= 8


def test_nothing_is_asked_twice(serve, tmp_path):
    server = serve()
    model = model_of(server, cache=tmp_path / "c.sqlite")
    questions = questions_of(model, 20)
    first, _ = ask_all(model, questions + questions[:5])
    again, _ = ask_all(model_of(server, cache=tmp_path / "c.sqlite"), questions)
    assert server.stats()["requests"] == 20
    assert {k: a.raw for k, a in first.items()} == {k: a.raw for k, a in again.items()}


def test_samples_of_one_question_are_different_questions(serve):
    server = serve()
    model = model_of(server)
    questions = [model.provider.question("so", temperature=1.0, sample=i) for i in range(30)]
    answers, _ = ask_all(model, questions)
    assert len(answers) == 30 == server.stats()["most_of_one"]
    assert len({answer.text for answer in answers.values()}) > 1


@pytest.mark.parametrize("most", [1, 7, 40])
def test_max_calls_is_met_and_never_exceeded(serve, most):
    server = serve(latency=0.01, faults={"500": 0.1, "malformed": 0.1})
    model = model_of(server, concurrency=16, max_calls=most, max_retries=20)
    answers, failure = ask_all(model, questions_of(model, 60))
    assert isinstance(failure, BudgetExceeded)
    assert failure.limit == "max_calls"
    assert server.stats()["answered"] == model.spending.calls == most
    assert len(answers) >= most - server.stats().get("malformed", 0)


def test_a_limit_that_suffices_is_no_limit(serve):
    model = model_of(serve(), concurrency=4, max_calls=25)
    answers, failure = ask_all(model, questions_of(model, 25))
    assert failure is None
    assert len(answers) == 25


@pytest.mark.parametrize(("hidden_prompt", "most"), [(0, 1000), (300, 4000), (300, 1000)])
def test_max_tokens_is_never_exceeded(serve, hidden_prompt, most):
    server = serve(latency=0.01, faults={"dropped_midway": 0.05}, hidden_prompt=hidden_prompt)
    model = model_of(server, concurrency=16, max_tokens=most)
    answers, failure = ask_all(model, questions_of(model, 300))
    stats = server.stats()
    used = stats["prompt_tokens"] + stats["completion_tokens"]
    assert failure.limit == "max_tokens"
    assert used <= model.spending.tokens <= most
    # What is left would not do for a call of the largest size that is possible.
    assert model.spending.tokens > most - (hidden_prompt + 64)
    assert len(answers) >= 2


@pytest.mark.parametrize("fault", ["malformed", "dropped_midway", "429"])
def test_a_first_call_that_fails_tells_nothing_of_what_the_service_adds(serve, fault):
    server = serve(latency=0.01, script=[fault], hidden_prompt=300)
    model = model_of(server, concurrency=16, max_tokens=4000, prices=(1.0, 1.0))
    _, failure = ask_all(model, questions_of(model, 300))
    stats, spent = server.stats(), model.spending
    # What was sent and not counted is billed with what the service adds, too.
    used = stats["prompt_tokens"] + stats["completion_tokens"] + 300 * (fault != "429")
    assert failure.limit == "max_tokens"
    assert used <= spent.tokens <= 4000
    assert spent.cost == pytest.approx(spent.tokens / 1e6)


@pytest.mark.parametrize("fault", ["429_retry_after", "missing_logprobs"])
def test_a_call_that_waits_for_its_next_attempt_keeps_its_place_within_a_limit(serve, fault):
    """All others would be bought meanwhile, and what comes first tells most."""
    server = serve(script=["ok", fault], retry_after=0.3)
    model = model_of(server, max_calls=10, concurrency=1)
    questions = questions_of(model, 30)
    answers, failure = ask_all(model, questions, no_log_probs)
    assert failure.limit == "max_calls"
    assert questions[1].key in answers
    assert server.stats()["answered"] == model.spending.calls == 10
    assert "10 calls answered" in str(failure)


def test_a_call_beyond_a_limit_leaves_those_before_it(serve):
    server = serve(latency=0.03)
    model = model_of(server, concurrency=8, max_tokens=4000)
    questions = questions_of(model, 15)
    large = model.provider.question("so " * 3000, top_log_probs=5)
    answers, failure = ask_all(model, [*questions, large, *questions_of(model, 40)])
    assert failure.limit == "max_tokens"
    assert {question.key for question in questions} <= answers.keys()
    assert not model.dispatcher.purse._calls


def test_ctrl_c_ends_what_a_limit_has_left_waiting(serve, interrupted_after):
    server = serve(script=["ok", "429_retry_after"], retry_after=20)
    model = model_of(server, max_calls=10, concurrency=4)
    interrupted_after(0.5)
    began = time.monotonic()
    answers, failure = ask_all(model, questions_of(model, 30))
    assert isinstance(failure, KeyboardInterrupt)
    assert time.monotonic() - began < 10
    assert len(answers) == 9
    assert not model.dispatcher.purse._calls


def test_max_cost_is_never_exceeded(serve):
    server = serve(latency=0.01)
    model = model_of(server, concurrency=8, max_cost=0.01, prices=(20.0, 100.0))
    _, failure = ask_all(model, questions_of(model, 300))
    stats = server.stats()
    cost = (20 * stats["prompt_tokens"] + 100 * stats["completion_tokens"]) / 1e6
    assert failure.limit == "max_cost"
    assert cost == pytest.approx(model.spending.cost)
    assert 0.008 < cost <= 0.01


def test_cost_needs_prices():
    with pytest.raises(ArgumentError, match=r"^max_cost: needs the prices"):
        ApiModel("openai:m", base_url="http://127.0.0.1:1/v1", max_cost=1.0)


def test_prices_may_be_a_table():
    options = {"base_url": "http://127.0.0.1:1/v1", "max_cost": 1.0}
    assert ApiModel("openai:m", prices={"m": (1, 2)}, **options).prices.cost(1e6, 1e6) == 3.0
    with pytest.raises(ArgumentError, match=r"^prices: there is none for 'm'"):
        ApiModel("openai:m", prices={"other": (1, 2)}, **options)


def test_a_pause_that_is_too_long_ends_the_run(serve):
    server = serve(script=["ok"] * 3 + ["429_retry_after"], retry_after=500)
    model = model_of(server, concurrency=1, max_pause=60)
    answers, failure = ask_all(model, questions_of(model, 10))
    assert isinstance(failure, RateLimitError)
    assert "500 s" in str(failure)
    assert len(answers) == 3


def test_a_pause_is_kept(serve):
    server = serve(script=["429_retry_after_ms"], retry_after=0.3)
    model = model_of(server, concurrency=2)
    began = time.monotonic()
    answers, _ = ask_all(model, questions_of(model, 2))
    assert len(answers) == 2
    assert time.monotonic() - began >= 0.3


def test_one_refusal_delays_its_own_call_only_and_many_lower_the_limit(serve):
    single = model_of(serve(script=["ok"] * 5 + ["429"], latency=0.01), concurrency=8)
    ask_all(single, questions_of(single, 60))
    assert single.dispatcher.limit.lowest == 8
    # The server takes three at once; a limit of 16 must come down, and all calls be answered.
    server = serve(latency=0.02, limit_concurrency=3)
    many = model_of(server, concurrency=16, max_retries=30)
    answers, failure = ask_all(many, questions_of(many, 150))
    assert failure is None
    assert len(answers) == 150
    assert many.dispatcher.limit.lowest < 12


def test_requests_a_minute_are_kept(serve):
    server = serve(requests_per_minute=10)
    model = model_of(server, requests_per_minute=10, concurrency=8)
    answers = []

    def ask():
        with contextlib.suppress(ScoringError):  # when the server is gone
            for part in model.ask(questions_of(model, 12)):
                answers.extend(part)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while len(answers) < 10 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(answers) == 10
    assert server.stats()["requests"] == 10


def test_what_a_service_refuses_ends_the_run_and_shows_no_key(serve, servers):
    server = serve(script=["ok"] * 2 + ["401"] * 9)
    model = model_of(server, api_key=servers.KEY, concurrency=1)
    answers, failure = ask_all(model, questions_of(model, 10))
    assert len(answers) == 2
    assert "invalid_api_key" in str(failure)
    assert servers.KEY not in str(failure)
    assert servers.KEY not in repr(model)


def test_what_a_service_cannot_do_is_no_fault(serve):
    server = serve()
    model = model_of(server)
    _, failure = ask_all(model, questions_of(model, 3, top_log_probs=99))
    assert isinstance(failure, CapabilityError)
    assert "top_logprobs" in str(failure)
    assert not model.spending.retries


def test_an_answer_that_never_is_complete_is_given_up(serve):
    model = model_of(serve(faults={"missing_logprobs": 1.0}))
    _, failure = ask_all(model, questions_of(model, 1), no_log_probs)
    assert isinstance(failure, CapabilityError)
    assert model.spending.calls == 3


@pytest.mark.parametrize("others", [("429", "500"), ("malformed",) * 5])
def test_only_answers_that_are_incomplete_count_as_incomplete(serve, others, monkeypatch):
    monkeypatch.setattr(retrying, "LEAST_BACKOFF", 1e-3)
    script = [*others, "missing_logprobs", others[0], "missing_logprobs"]
    model = model_of(serve(script=script), max_retries=9)
    answers, failure = ask_all(model, questions_of(model, 1), no_log_probs)
    assert failure is None
    assert len(answers) == 1
    assert sum(model.spending.retries.values()) == len(script)
    incomplete = model_of(serve(script=[*script, "missing_logprobs"]), max_retries=9)
    _, failure = ask_all(incomplete, questions_of(incomplete, 1), no_log_probs)
    assert isinstance(failure, CapabilityError)


def test_retries_end_where_the_last_fault_is_an_incomplete_answer(serve):
    model = model_of(serve(script=["500", "missing_logprobs"]), max_retries=1)
    _, failure = ask_all(model, questions_of(model, 1), no_log_probs)
    assert isinstance(failure, CapabilityError)


def test_what_lacks_something_for_one_is_an_answer_for_another(serve, tmp_path):
    server = serve()
    model = model_of(server, cache=tmp_path / "c.sqlite")
    questions = questions_of(model, 1)
    (plain,) = ask_all(model, questions)[0].values()
    for _ in range(2):  # given up once
        _, failure = ask_all(model, questions, lambda answer: "no number")
        assert isinstance(failure, CapabilityError)
        assert server.stats()["requests"] == 1 + 3
    for again in (model, model_of(server, cache=tmp_path / "c.sqlite")):
        (kept,) = ask_all(again, questions)[0].values()
        assert kept.raw == plain.raw
    assert server.stats()["requests"] == 1 + 3


def test_what_another_process_was_answered_is_not_lost_where_this_one_is_refused(serve, tmp_path):
    later = iter([None, "filter"])
    server = serve(latency=0.3, refuses=lambda prompt: next(later))
    first, second = (model_of(server, cache=tmp_path / "c.sqlite") for _ in range(2))
    questions = questions_of(first, 1)
    refused = threading.Thread(target=ask_all, args=(first, questions))
    refused.start()
    time.sleep(0.1)
    server.latency = 0.0
    assert len(ask_all(second, questions)[0]) == 1
    refused.join()
    assert server.stats()["refused"] == 1
    for model in (first, second, model_of(server, cache=tmp_path / "c.sqlite")):
        answers, failure = ask_all(model, questions)
        assert (len(answers), failure) == (1, None)
    assert server.stats()["requests"] == 2


def test_a_dead_server_is_told_of(servers):
    with servers.FaultServer() as server:
        model = model_of(server, max_retries=1)
    _, failure = ask_all(model, questions_of(model, 3))
    assert isinstance(failure, ScoringError)
    assert "connection" in str(failure)


def test_an_answer_that_takes_too_long_is_asked_for_again(serve):
    server = serve(script=["hang"])
    model = model_of(server, timeout=0.5, concurrency=2)
    answers, failure = ask_all(model, questions_of(model, 4))
    assert failure is None
    assert len(answers) == 4
    assert model.spending.retries == {"timeout": 1}
    assert model.spending.unsure_tokens > 0


def test_it_works_inside_a_running_event_loop(serve):
    model = model_of(serve())

    async def notebook():
        return ask_all(model, questions_of(model, 5))

    answers, failure = asyncio.run(notebook())
    assert failure is None
    assert len(answers) == 5


@pytest.fixture
def interrupted_after():
    """Press Ctrl-C later; a shell that starts tests behind its back has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def start(seconds):
        timers.append(threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.cancel()
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_loses_no_answer(serve, interrupted_after):
    server = serve(latency=0.2)
    model = model_of(server, concurrency=4)
    interrupted_after(0.5)
    answers, failure = ask_all(model, questions_of(model, 200))
    assert isinstance(failure, KeyboardInterrupt)
    assert 0 < len(answers) < 100
    asked = server.stats()["requests"]
    assert asked == len(model.cache)
    # Where the interrupt hits whoever asked, and not the wait, the last answers are in the cache.
    assert asked - 4 <= len(answers) <= asked


def test_ctrl_c_does_not_wait_for_calls_that_wait(serve, interrupted_after):
    server = serve(faults={"429_retry_after": 0.5}, retry_after=20, latency=0.02)
    model = model_of(server, concurrency=4)
    interrupted_after(0.6)
    began = time.monotonic()
    answers, failure = ask_all(model, questions_of(model, 200))
    assert isinstance(failure, KeyboardInterrupt)
    assert time.monotonic() - began < 10
    answered = server.stats()["answered"]
    assert answered == len(model.cache)
    assert answered - 4 <= len(answers) <= answered


def test_two_models_share_a_cache_and_buy_nothing_twice_in_turn(serve, tmp_path):
    server = serve(latency=0.01)
    path = tmp_path / "c.sqlite"
    models = [model_of(server, concurrency=2, cache=path) for _ in range(2)]
    found = [None, None]

    def ask(i):
        questions = questions_of(models[i], 60)
        found[i] = ask_all(models[i], questions if i else questions[::-1])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(failure is None and len(answers) == 60 for answers, failure in found)
    # From both ends to the middle: what one has bought, the other finds. Only what is in flight
    # at the same time can be bought by both.
    assert server.stats()["requests"] <= 60 + 4


def test_answers_that_the_disk_has_no_place_for_are_handed_over(serve, tmp_path):
    server = serve(latency=0.02)
    model = model_of(server, concurrency=4, cache=tmp_path / "c.sqlite")
    model.cache._database.execute("PRAGMA max_page_count = 8")
    answers, failure = ask_all(model, questions_of(model, 200))
    assert type(failure) is ScoringError
    assert str(failure).startswith("cache: ")
    assert "database or disk is full" in str(failure)
    assert len(model.cache) < len(answers) == server.stats()["answered"] < 100
    model.cache.close()
    with pytest.raises(ScoringError, match=r"^cache: .* cannot be read or written"):
        next(model.ask(questions_of(model, 1)))


def test_threads_of_one_model_buy_each_answer_once(serve):
    server = serve(latency=0.03)
    model = model_of(server, concurrency=4, max_calls=60)
    found = {}

    def ask(number):
        questions = questions_of(model, 60)
        # Another thread has bought some of it already, asks for it, or will.
        found[number] = ask_all(model, questions if number % 2 else questions[::-1])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(failure is None and len(answers) == 60 for answers, failure in found.values())
    assert server.stats()["requests"] == model.spending.calls == 60
    assert not model.dispatcher._begun


def test_what_one_thread_gives_up_is_asked_by_who_waits_for_it(serve):
    server = serve(latency=0.1)
    model = model_of(server, concurrency=2)
    questions = questions_of(model, 12)
    first = model.ask(questions)
    next(first)  # it has begun more than it will get
    found = []
    waiting = threading.Thread(target=lambda: found.append(ask_all(model, questions)))
    waiting.start()
    first.close()
    waiting.join()
    ((answers, failure),) = found
    assert failure is None
    assert len(answers) == 12
    assert server.stats()["requests"] == server.stats()["distinct"] == 12
