"""`Dispatcher`: many questions, side by side, each paid for once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from dataclasses import replace
from fractions import Fraction
from typing import NoReturn

from perturbx.exceptions import (
    BudgetExceeded,
    CapabilityError,
    PerturbxError,
    RateLimitError,
    ScoringError,
)
from perturbx.scorers.api.background import background_loop, start
from perturbx.scorers.api.cache import AnswerCache
from perturbx.scorers.api.concurrency import ConcurrencyLimit
from perturbx.scorers.api.faults import Fault
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question
from perturbx.scorers.api.rates import RateLimits
from perturbx.scorers.api.retrying import Retries, TemporaryError
from perturbx.scorers.api.run import Run
from perturbx.scorers.api.spending import Purse
from perturbx.scorers.api.withheld import (
    WITHHELD,
    Check,
    Reason,
    are_too_many,
    error_of,
    known_answers,
    reasons,
    withheld,
)

OUTSTANDING = 2
"""Calls begun and not over, those that wait for their retry included, in parts of the limit."""

GRACE = 30.0
"""Seconds that calls in flight get to come back after Ctrl-C; a second one ends that, too."""


class Dispatcher:
    """Asks a provider's model, as fast as its limits allow, and keeps every answer.

    Parameters
    ----------
    provider : Provider
        Who is asked.
    purse : Purse
        What may be spent, and what was.
    cache : AnswerCache
        The answers that are there.
    concurrency : int
        The most calls in flight.
    rates : RateLimits
        Requests and tokens a minute.
    max_retries : int
        How often a call is made again before the run ends with an error.
    max_pause : float
        The longest pause, in seconds, that a server may ask for.
    """

    def __init__(
        self,
        provider: Provider,
        purse: Purse,
        cache: AnswerCache,
        *,
        concurrency: int,
        rates: RateLimits,
        max_retries: int,
        max_pause: float,
    ) -> None:
        self.provider = provider
        self.purse = purse
        self.cache = cache
        self.limit = ConcurrencyLimit(concurrency)
        self.rates = rates
        self.retries = Retries(max_retries, purse.note)
        self.max_pause = max_pause
        self._begun: dict[str, asyncio.Future[None]] = {}
        self._given_up: dict[str, Answer] = {}

    def ask(
        self, questions: Sequence[Question], check: Check | None = None, *, n_scored: int = 0
    ) -> Iterator[list[tuple[Question, Answer]]]:
        """Yield the answers as they come; each question is asked once, equal ones together.

        So are those of several threads.

        Parameters
        ----------
        questions : sequence of Question
            Answers in the cache come first and cost nothing; the others are begun in this order.
        check : callable, optional
            Says what an answer lacks that was asked for; such a call is made again, and given up
            after a few times.
        n_scored : int
            Variants that were answered before, beside which those that are refused may be few.

        Raises
        ------
        BudgetExceeded
            A limit is reached; what could still be bought has been yielded, and what was refused
            is in ``.refused``.
        RefusedError
            Some questions have no answer that is of use; all others have been yielded, unless
            they were too many. `IncompleteError` where what was asked for is missing in all.
        CapabilityError
            The server cannot do what was asked.
        RateLimitError
            It asks for a pause of more than `max_pause`.
        ScoringError
            A call failed for good. Calls in flight have come back before any of these is raised.
        """
        distinct = list({question.key: question for question in questions}.values())
        run = Run(self.cache.written(), n_sound=Fraction(n_scored))
        known = self._known(distinct, check)
        self.purse.spent.from_cache += len(known)
        run.withheld = {key: own for key, own in known.items() if own.refusal is not None}
        sound = [own for own in distinct if own.key in known and own.key not in run.withheld]
        run.n_sound += sum(own.share for own in sound)
        if sound:
            yield [(own, known[own.key]) for own in sound]
        pending = [question for question in distinct if question.key not in known]
        if pending:
            try:
                yield from self._buy(pending, check, run)
            except BudgetExceeded as limit:
                limit.refused = reasons(run.withheld)
                raise
        if run.withheld:
            raise error_of(self._who, run.withheld, len(distinct))

    def _known(self, questions: Sequence[Question], check: Check | None) -> dict[str, Answer]:
        return known_answers(self.provider, self.cache, questions, check, given_up=self._given_up)

    def _buy(
        self, pending: list[Question], check: Check | None, run: Run
    ) -> Iterator[list[tuple[Question, Answer]]]:
        work = start(self._play(pending, check, run))
        interrupt: KeyboardInterrupt | None = None
        deadline, patience = float("inf"), GRACE
        try:
            while True:
                try:
                    answers = run.gathered()
                except KeyboardInterrupt as error:
                    if interrupt is not None:
                        patience = 0.0
                        break
                    # What is in flight is paid for: it gets the time to come home.
                    interrupt, deadline = error, time.monotonic() + GRACE
                    background_loop().call_soon_threadsafe(run.stop)
                    continue
                if answers is None:
                    break
                if answers:
                    yield answers
                if time.monotonic() > deadline:
                    break
        finally:
            # Also where whoever asked has had enough: what is in flight still reaches the cache.
            if not work.done():
                background_loop().call_soon_threadsafe(run.stop)
                wait([work], timeout=patience)
                work.cancel()
        if interrupt is not None:
            raise interrupt
        if work.done() and not work.cancelled():
            work.result()
        if isinstance(run.failure, BudgetExceeded):
            raise self.purse.exceeded(run.failure.limit)
        if run.failure is not None:
            raise run.failure

    async def _play(self, pending: list[Question], check: Check | None, run: Run) -> None:
        """Begin the calls in order, not too many at once, and put the answers out."""
        room = asyncio.Semaphore(OUTSTANDING * self.limit.most)

        def over(task: asyncio.Task[None]) -> None:
            run.tasks.discard(task)
            room.release()

        try:
            for question in pending:
                await room.acquire()
                if run.is_stopped:
                    break
                task = asyncio.create_task(self._call(question, check, run))
                run.tasks.add(task)
                task.add_done_callback(over)
            # Those that `stop` has cancelled end with an exception of their own.
            await asyncio.gather(*run.tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in list(run.tasks):
                task.cancel()
            raise
        finally:
            run.out.put(None)

    async def _call(self, question: Question, check: Check | None, run: Run) -> None:
        """Make one call until it is answered, and say in the run what ended it otherwise."""
        loop = asyncio.get_running_loop()
        # What another run has begun is waited for: mostly its answer is in the cache then. A loop
        # of the process before a fork ends nothing any more.
        while (other := self._begun.get(question.key)) is not None and other.get_loop() is loop:
            await asyncio.wait([other])
        begun = self._begun[question.key] = loop.create_future()
        try:
            await self._call_alone(question, check, run)
        finally:
            if (reserved := run.reserved.pop(asyncio.current_task(), None)) is not None:
                self.purse.release(reserved)
            del self._begun[question.key]
            begun.set_result(None)

    async def _call_alone(self, question: Question, check: Check | None, run: Run) -> None:
        try:
            try:
                answer = await self._attempt(question, check, run)
            except TemporaryError as error:
                answer = await self.retries.again(
                    error, lambda: self._attempt(question, check, run)
                )
            if answer is not None:
                self._put_out(question, answer, run)
        except TemporaryError as error:
            if error.fault.kind == "incomplete":
                self._put_out(question, self._give_up(question, error.fault, run), run)
                return
            times = self.retries.most + 1
            kind = RateLimitError if error.fault.kind == "rate limit" else ScoringError
            run.stop(
                kind(f"{self._who}: failed {times} times, the last time with {error.fault.message}")
            )
        except PerturbxError as error:
            run.stop(error)
        except Exception as error:  # what a client raises beyond its own errors
            said = self.provider.without_key(f"{type(error).__name__}: {error}")
            run.stop(ScoringError(f"{self._who}: the call failed ({said})"))

    def _put_out(self, question: Question, answer: Answer, run: Run) -> None:
        """Hand an answer over, unless it is held back; end the run where too many are."""
        is_withheld = answer.refusal is not None
        if not is_withheld:
            run.n_sound += question.share
            run.n_answered += 1
            run.out.put((question, answer))
            return
        run.withheld[question.key] = answer
        # Of the round where a variant was refused before, answers are not asked for again.
        run.n_refused += 0 if question.key in run.again else question.share
        # A filter says no at once, and what is in flight may all be answered.
        if are_too_many(run.n_refused, run.n_sound + sum(run.in_flight.values())):
            n_asked = len(run.withheld) + run.n_answered
            run.stop(error_of(self._who, run.withheld, n_asked, ends_run=True))

    def _give_up(self, question: Question, fault: Fault, run: Run) -> Answer:
        """Return what stands in the place of an answer; it is asked for no more."""
        reason: Reason = "incomplete" if fault.kind == "incomplete" else "filtered"
        answer = withheld(fault.message, reason)
        self._given_up[question.key] = answer
        kept = self.cache.get([question]).get(question.key)
        if kept is not None and WITHHELD in kept:
            run.again.add(question.key)
        if kept is None or WITHHELD in kept:  # what others were answered stays
            self._keep(question, answer, run)
        return answer

    def _keep(self, question: Question, answer: Answer, run: Run) -> None:
        """Put an answer into the cache; where that is full it is handed over, and the run ends."""
        run.n_put += 1
        try:
            self.cache.put([(question, json.dumps(answer.raw))])
        except ScoringError as error:
            run.stop(error)

    @property
    def _who(self) -> str:
        return f"{self.provider.name}:{self.provider.model}"

    async def _attempt(self, question: Question, check: Check | None, run: Run) -> Answer | None:
        """Make a call once; None where a limit does not allow it, or the run has ended."""
        if not run.goes_on:
            return None
        kept = self._bought_by_others(question, check, run)
        if kept is not None:
            return kept
        task = asyncio.current_task()
        if task not in run.reserved:
            reserved = await self.purse.reserve(question)
            if isinstance(reserved, str):
                run.stop(self.purse.exceeded(reserved))
                return None
            run.reserved[task] = reserved
        sent = answered = False
        answer: Answer | None = None
        fault: Fault | None = None
        try:
            async with self.limit:
                if not run.goes_on:
                    return None
                kept = self._bought_by_others(question, check, run)
                if kept is not None:
                    return kept
                self.provider.client()  # which takes its time once, and not that of a call
                entry = await self.rates.enter(run.reserved[task][0]) if self.rates.is_set else None
                sent = True
                content, fault = await self._sent(question, run)
                if fault is None:
                    answered = True
                    answer, fault = self._read(content, check)
                if entry is not None and answer is not None and answer.usage is not None:
                    self.rates.settle(entry, answer.usage.total)
                if fault is None and answer is not None:
                    # Before the next call takes its place: what is received is never lost.
                    self._keep(question, answer, run)
                    self.limit.succeeded()
        finally:
            self.purse.settle(
                question,
                run.reserved.pop(task),
                usage=None if answer is None else answer.usage,
                answered=answered,
                was_read=answer is not None,
                may_be_billed=sent and (fault is None or fault.may_be_billed),
            )
        if fault is not None and fault.kind == "filtered":
            return self._give_up(question, fault, run)
        if fault is not None:
            if fault.is_temporary and (kept_back := self.purse.again(question)) is not None:
                run.reserved[task] = kept_back
            self._fail(fault, question)
        return answer

    def _bought_by_others(self, question: Question, check: Check | None, run: Run) -> Answer | None:
        """Return an answer that another run, or another process, has bought in the meantime."""
        if not run.is_shared:
            version, n_put = self.cache.written()
            run.is_shared = (version, n_put - run.n_put) != run.began
        if not run.is_shared:
            return None
        kept = self._known([question], check).get(question.key)
        self.purse.spent.from_cache += kept is not None
        return kept

    async def _sent(self, question: Question, run: Run) -> tuple[bytes, Fault | None]:
        task = asyncio.current_task()
        assert task is not None
        run.in_flight[task] = question.share
        try:
            async with asyncio.timeout(self.provider.timeout):
                return await self.provider.send(question.body), None
        except TimeoutError:  # the clients' own clocks begin anew with each byte
            return b"", Fault("timeout", "no answer in time")
        except Exception as error:
            fault = self.provider.fault(error)
            if fault is None:
                raise
            return b"", fault
        finally:
            del run.in_flight[task]

    def _read(self, content: bytes, check: Check | None) -> tuple[Answer | None, Fault | None]:
        try:
            answer = self.provider.read(json.loads(content))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            # Cut only then: of a key that is cut in two, a half would be left.
            said = self.provider.without_key(content.decode("utf-8", "replace"))[:80]
            return None, Fault("malformed", f"an answer that cannot be read ({error!r}): {said!r}")
        missing = None if check is None or answer.refusal is not None else check(answer)
        if missing is None:
            return answer, None
        return answer, Fault("incomplete", self.provider.without_key(missing))

    def _fail(self, fault: Fault, question: Question) -> NoReturn:
        """Raise what a fault means, after the limit has learned of it."""
        # Log-probabilities may be what is forbidden; what else is, ends the next call.
        if fault.kind == "forbidden" and question.body.get("logprobs"):
            fault = replace(fault, kind="request")
        if fault.kind in ("refused", "forbidden"):
            raise ScoringError(f"{self._who}: the service refuses: {fault.message}")
        if fault.kind == "request":
            raise CapabilityError(f"{self._who}: the service cannot do this: {fault.message}")
        if fault.kind in ("rate limit", "server"):
            self.limit.refused(time.monotonic(), by_name=fault.pause is not None)
        if fault.pause is not None and fault.pause > self.max_pause:
            raise RateLimitError(
                f"{self._who}: asks to wait {fault.pause:.0f} s, more than max_pause="
                f"{self.max_pause:g}: {fault.message}; what was answered is kept, run again later"
            )
        raise TemporaryError(fault)
