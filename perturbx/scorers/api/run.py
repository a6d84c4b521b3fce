"""`Run`: the calls of one `Dispatcher.ask`, between the loop that makes them and who asked."""

from __future__ import annotations

import asyncio
import queue
from dataclasses import dataclass, field
from fractions import Fraction

from perturbx.exceptions import BudgetExceeded, PerturbxError
from perturbx.scorers.api.questions import Answer, Question

MOMENT = 0.5
"""Seconds to wait for an answer at a time: in between, Ctrl-C is heard on every system."""


@dataclass
class Run:
    """One call of `Dispatcher.ask`.

    Parameters
    ----------
    out : queue.SimpleQueue
        The answers on their way out; None at the end.
    failure : PerturbxError, optional
        What ended it.
    is_stopped : bool
        No further call is begun.
    began : (int, int)
        What was written to the cache when it began; see `AnswerCache.written`.
    n_put : int
        How many answers it has put there itself.
    n_answered : int
        How many answers came that were asked for.
    n_sound, n_refused : Fraction
        Of how many variants answers came or were there, and of how many they did not come.
    again : set of str
        The keys of those that did not come now, nor to an earlier run.
    withheld : dict of str to Answer
        What stands in the place of those that did not come, by the keys of their questions; also
        of those that an earlier run did not get.
    is_shared : bool
        Another run, of whatever thread or process, writes to the same cache.
    tasks : set of asyncio.Task
        All calls that are not over.
    in_flight : dict of asyncio.Task to Fraction
        Those that the server has, and what part of a variant each stands for.
    reserved : dict
        What is reserved for calls that are not over, see `Purse`; by their tasks.
    """

    began: tuple[int, int]
    n_put: int = 0
    n_answered: int = 0
    n_sound: Fraction = Fraction(0)
    n_refused: Fraction = Fraction(0)
    again: set[str] = field(default_factory=set)
    withheld: dict[str, Answer] = field(default_factory=dict)
    out: queue.SimpleQueue[tuple[Question, Answer] | None] = field(
        default_factory=queue.SimpleQueue
    )
    failure: PerturbxError | None = None
    is_stopped: bool = False
    is_shared: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    in_flight: dict[asyncio.Task[None], Fraction] = field(default_factory=dict)
    reserved: dict[asyncio.Task[None] | None, tuple[int, float]] = field(default_factory=dict)
    held: list[tuple[Question, Answer] | None] = field(default_factory=list)

    def stop(self, failure: PerturbxError | None = None) -> None:
        """Begin no further call; those in flight come home, and those that wait need not.

        But where a limit ends the run: they are within it.
        """
        self.is_stopped = True
        self.failure = self.failure or failure
        spared = self.reserved.keys() if isinstance(failure, BudgetExceeded) else set()
        for task in self.tasks - self.in_flight.keys() - spared - {asyncio.current_task()}:
            task.cancel()

    @property
    def goes_on(self) -> bool:
        """Say whether the call of the running task may be made."""
        return not self.is_stopped or asyncio.current_task() in self.reserved

    def gathered(self) -> list[tuple[Question, Answer]] | None:
        """Return what has come, after waiting a moment for it; None at the end.

        What an interrupt finds half gathered is there the next time.
        """
        try:
            if None not in self.held:
                self.held.append(self.out.get(timeout=MOMENT))
                while self.held[-1] is not None:
                    self.held.append(self.out.get_nowait())
        except queue.Empty:
            pass
        answers = [own for own in self.held if own is not None]
        is_over = None in self.held
        if is_over and not answers:
            return None
        self.held = [None] if is_over else []
        return answers
