"""The small parts, each by its law: limits a minute, limits at once, prices, pauses, cache."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.scorers.api import rates
from perturbx.scorers.api.cache import AnswerCache
from perturbx.scorers.api.concurrency import ConcurrencyLimit
from perturbx.scorers.api.faults import Fault, pause_of
from perturbx.scorers.api.questions import Question, Usage, bound_on_tokens
from perturbx.scorers.api.rates import RateLimits
from perturbx.scorers.api.retrying import Retries, TemporaryError
from perturbx.scorers.api.spending import Limits, Prices, Purse


class Clock(asyncio.SelectorEventLoop):
    """A loop in which time passes only where all wait for it."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()

    @classmethod
    def run(cls, work):
        """Run what is to be done, and return when it was."""
        with asyncio.Runner(loop_factory=cls) as runner, pytest.MonkeyPatch.context() as patch:
            clock = runner.get_loop()
            patch.setattr(rates.time, "monotonic", lambda: clock.now)
            runner.run(work(clock))
            return clock.now


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    requests=st.none() | st.integers(1, 10),
    tokens=st.none() | st.integers(60, 200),
)
def test_no_minute_sees_more_than_is_allowed(sizes, requests, tokens):
    limits, started = RateLimits(requests, tokens), []

    async def run(clock):
        for size in sizes:
            entry = await limits.enter(size)
            started.append((clock.now, size))
            limits.settle(entry, size)

    Clock.run(run)
    for at, _ in started:
        within = [size for when, size in started if at - rates.MINUTE < when <= at]
        assert requests is None or len(within) <= requests
        assert tokens is None or sum(within) <= tokens


def test_what_an_answer_did_not_use_is_given_back():
    limits = RateLimits(None, 100)

    async def run(_):
        for _ in range(6):
            limits.settle(await limits.enter(50), 10)

    assert Clock.run(run) == 0.0


@given(st.integers(1, 8), st.integers(50, 90), st.integers(1, 10))
def test_who_waits_for_tokens_goes_on_as_soon_as_answers_leave_room(most, bound, real):
    """Calls side by side, of far less than their bounds: what fits into a minute takes none."""
    limits, answered = RateLimits(None, 200), 0

    async def call(slots):
        nonlocal answered
        async with slots:
            entry = await limits.enter(bound)
            assert sum(own.tokens for own in limits._spent) <= 200
            await asyncio.sleep(1.0)
            limits.settle(entry, real)
            answered += 1

    async def run(_):
        slots = asyncio.Semaphore(most)
        await asyncio.gather(*(call(slots) for _ in range((200 - bound) // real + 1)))

    assert Clock.run(run) <= answered


@given(st.integers(1, 12), st.lists(st.sampled_from(["ok", "refused", "named"]), max_size=200))
def test_the_limit_stays_between_one_and_the_most(most, events):
    limit = ConcurrencyLimit(most)
    for now, event in enumerate(events):
        if event == "ok":
            limit.succeeded()
        else:
            limit.refused(float(now), by_name=event == "named")
        assert 1.0 <= limit.limit <= most
    for _ in range(200 * most):
        limit.succeeded()
    assert limit.limit == most


@given(st.integers(1, 6), st.integers(1, 40))
def test_no_more_are_let_in_than_the_limit(most, n_calls):
    limit, inside, seen = ConcurrencyLimit(most), 0, []

    async def call():
        nonlocal inside
        async with limit:
            inside += 1
            seen.append(inside)
            await asyncio.sleep(0)
            inside -= 1

    async def run():
        await asyncio.gather(*(call() for _ in range(n_calls)))

    asyncio.run(run())
    assert len(seen) == n_calls
    assert max(seen) <= most


@given(
    calls=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 5)), max_size=30),
    most=st.integers(1, 400),
)
def test_a_purse_never_spends_more_than_it_holds(calls, most):
    purse = Purse(Limits(max_tokens=most), Prices(1.0, 2.0))

    async def run():
        for size, answer in calls:
            question = Question("", {}, size=size, max_tokens=answer)
            reserved = await purse.reserve(question)
            if not isinstance(reserved, str):
                used = Usage(size // 2, answer)
                purse.settle(
                    question, reserved, usage=used, answered=True, was_read=True, may_be_billed=True
                )
            assert purse.spent.tokens <= most

    asyncio.run(run())
    cost = purse.spent.prompt_tokens + 2 * purse.spent.completion_tokens
    assert purse.spent.cost == pytest.approx(cost / 1e6)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_a_token_is_a_byte_at_least(text):
    assert bound_on_tokens(text) >= len(text.encode())
    assert bound_on_tokens((("user", text),)) >= len(text.encode())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "3", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "0"}, 2.0),
        # No time to come: a call that is made again at once is refused at once.
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        # By the server's own clock, whatever ours says.
        (
            {
                "date": "Wed, 21 Oct 2015 07:27:50 GMT",
                "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            10.0,
        ),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_pauses_are_read_in_every_form(headers, seconds):
    assert pause_of(headers) == seconds


@pytest.mark.parametrize("pause", [None, 1e-3])
def test_retries_outlast_a_server_that_asks_for_too_short_a_pause(pause):
    notes = []

    async def run(clock):
        async def attempt():
            if clock.now < 5.0:
                raise TemporaryError(Fault("rate limit", "slow down", pause))
            return "answer"

        retries = Retries(20, notes.append)
        failed = TemporaryError(Fault("rate limit", "slow down", pause))
        assert await retries.again(failed, attempt) == "answer"

    assert Clock.run(run) >= 5.0
    assert len(notes) <= 20


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 3)), max_size=20, unique=True))
def test_a_cache_gives_back_what_it_got(asked):
    cache = AnswerCache()
    questions = [Question("s", {"model": "m", "prompt": text}, n) for text, n in asked]
    for number, question in enumerate(questions):
        cache.put([(question, f'{{"number": {number}}}')])
    found = cache.get(questions)
    assert [found[q.key]["number"] for q in questions] == list(range(len(questions)))
    assert len(list(cache.export())) == len(cache) == cache.info().n_answers == len(questions)
    assert cache.clear(model="m") == len(questions)


@pytest.mark.parametrize("path", [".", "/proc/no.sqlite"])
def test_a_cache_that_cannot_be_opened_is_told_of(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"^cache: .* (cannot be opened|there is no folder)"):
        AnswerCache(path)


def test_a_cache_that_is_being_written_is_none_the_less_one(tmp_path, monkeypatch):
    monkeypatch.setattr("perturbx.scorers.api.cache.WAIT", 0.01)
    with closing(sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ArgumentError, match=r"cannot be opened \(database is locked\)"):
            AnswerCache(tmp_path / "c.sqlite")


def test_a_cache_that_another_process_opens_at_that_moment_is_waited_for(tmp_path, monkeypatch):
    """SQLite itself does not wait where two turn a file to writing ahead at once."""
    path, connect = tmp_path / "c.sqlite", sqlite3.connect
    monkeypatch.setattr(
        "perturbx.scorers.api.cache.sqlite3.connect",
        lambda *args, **options: connect(*args, **{**options, "timeout": 0.0}),
    )
    with closing(connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        end = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        end.start()
        assert len(AnswerCache(path)) == 0
        end.join()


def test_a_cache_needs_its_folder(tmp_path):
    with pytest.raises(ArgumentError, match=r"^cache: there is no folder"):
        AnswerCache(tmp_path / "none" / "c.sqlite")


def test_a_service_that_counts_no_tokens_is_asked_side_by_side(serve):
    """Under a limit one call goes first, to learn what the service adds; only that one."""
    purse = Purse(Limits(max_tokens=10_000), None)
    question = Question("", {}, size=50, max_tokens=1)

    async def run():
        assert await purse.reserve(question) == (51, 0.0)
        second = asyncio.create_task(purse.reserve(question))
        await asyncio.sleep(0)
        assert not second.done()
        purse.settle(
            question, (51, 0.0), usage=None, answered=True, was_read=True, may_be_billed=True
        )
        assert await second == (51, 0.0)
        assert await asyncio.wait_for(purse.reserve(question), 1.0) == (51, 0.0)

    asyncio.run(run())
    assert purse.spent.unsure_tokens == 51
