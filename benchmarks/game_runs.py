"""The runs of `games.py`: every method on every game, at every budget, with several seeds."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import numpy as np
from game_families import KnownGame
from game_methods import LEVERAGE, OURS, REFERENCE, Answer, Method
from known_sentences import relative_error

import perturbx as px
from perturbx.surrogates import Attribution

PATIENCE = 20.0
"""A method whose run takes more seconds is left out at this budget and above, in this family."""

COMPLETE = (OURS, LEVERAGE, REFERENCE)
"""Methods that play every game with every seed, however long that takes."""

TOLERANCE = 0.1


@dataclass(frozen=True)
class Budget:
    """A number of calls: so many a unit and so many more.

    Parameters
    ----------
    a_unit : float
        Calls a unit.
    more : int, default=0
        Calls beside them.
    """

    a_unit: float
    more: int = 0

    def __str__(self) -> str:
        if not self.a_unit:
            return str(self.more)
        times = "n" if self.a_unit == 1 else f"{self.a_unit:g}n"
        return f"{times}+{self.more}" if self.more else times

    def calls(self, n_units: int) -> int:
        """Return the number of calls for so many units."""
        return int(self.a_unit * n_units) + self.more


@dataclass(frozen=True)
class Run:
    """What one run of one method on one game came to.

    Parameters
    ----------
    family, game, method, budget : str
        What was run; the budget as a multiple of n.
    n_units, seed, calls, distinct : int
        The players, the seed, and what was really asked.
    error : float
        Squared error in parts of the square of the exact values.
    seconds : float
        On the clock, the game's own time included.
    pointwise, simultaneous : float or None
        The share of exact values inside their own 95% interval, and whether (1 or 0) all are
        inside the simultaneous ones. None for methods without intervals.
    half_width : float or None
        The mean half-width of the pointwise intervals, in parts of the largest absolute value.
    """

    family: str
    game: str
    method: str
    budget: str
    n_units: int
    seed: int
    calls: int
    distinct: int
    error: float
    seconds: float
    pointwise: float | None = None
    simultaneous: float | None = None
    half_width: float | None = None


@dataclass
class Results:
    """All runs, and the cells of the tables that stay empty or hold fewer runs, with reasons."""

    runs: list[Run] = field(default_factory=list)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)


@dataclass(frozen=True)
class Stop:
    """One run with ``budget="auto"`` and a tolerance.

    Parameters
    ----------
    worst : float
        The largest error of a unit, in parts of the largest absolute exact value.
    at_cap : bool
        Whether it made all calls that "auto" allows.
    """

    family: str
    game: str
    n_units: int
    seed: int
    calls: int
    worst: float
    at_cap: bool


def compare(
    results: Results,
    family: str,
    games: Sequence[KnownGame],
    methods: Sequence[Method],
    budgets: Sequence[Budget],
    n_seeds: int,
    allowance: float,
) -> None:
    """Add all runs of a family to the results.

    A method that is not in `COMPLETE` stops adding runs to a cell once they have taken
    `allowance` seconds; the first seed of every game comes before the second seed of any, so that
    a short cell still holds many games.
    """
    for method in methods:
        for budget in sorted(budgets, key=lambda budget: budget.calls(games[0].n_units)):
            key = (family, method.name, str(budget))
            began = time.perf_counter()
            try:
                for game, seed in _games_and_seeds(games, n_seeds):
                    results.runs.append(_play(family, game, method, budget, seed))
                    is_late = time.perf_counter() - began > allowance
                    if is_late and method.name not in COMPLETE:
                        break
            except TooSlow:
                results.failures[key] = f"a run takes more than {PATIENCE:g} s"
                break
            except Exception as reason:
                if method.maker == "perturbx":
                    raise
                results.failures[key] = f"{type(reason).__name__}: {reason}".splitlines()[0]


def stop_by_itself(results: Results, family: str, games: Sequence[KnownGame], n_seeds: int) -> None:
    """Add runs with ``budget="auto"``: the rule decides how many calls are made."""
    for game, seed in _games_and_seeds(games, n_seeds):
        asked = game.asked()
        with _silent():
            found = px.explain_game(
                asked, game.n_units, budget="auto", tolerance=TOLERANCE, random_state=seed
            )
        off = np.abs(found.values[:, 0] - game.shapley).max() / np.abs(game.shapley).max()
        cap = 20 * game.n_units
        results.stops.append(
            Stop(
                family,
                game.name,
                game.n_units,
                seed,
                asked.calls,
                float(off),
                asked.calls > cap - 2,
            )
        )


def _games_and_seeds(games: Sequence[KnownGame], n_seeds: int) -> Iterator[tuple[KnownGame, int]]:
    for turn in range(n_seeds):
        for number, game in enumerate(games):
            yield game, 1_000 * number + turn


def _play(family: str, game: KnownGame, method: Method, budget: Budget, seed: int) -> Run:
    asked = game.asked()
    calls = budget.calls(game.n_units)
    began = time.perf_counter()
    with _silent(), _limited(PATIENCE):
        answer = method.estimate(asked, calls, seed)
    seconds = time.perf_counter() - began
    values = answer.values[:, 0] if isinstance(answer, Attribution) else answer
    if values.shape != game.shapley.shape or not np.isfinite(values).all():
        raise ValueError("the values are not finite")
    return Run(
        family,
        game.name,
        method.name,
        str(budget),
        game.n_units,
        seed,
        asked.calls,
        len(asked.seen),
        relative_error(values, game.shapley),
        seconds,
        *_coverage(answer, game),
    )


def _coverage(answer: Answer, game: KnownGame) -> tuple[float | None, float | None, float | None]:
    if not isinstance(answer, Attribution):
        return None, None, None
    largest = np.abs(game.shapley).max()
    slack = 1e-9 * largest
    inside = []
    for simultaneous in (False, True):
        interval = answer.confidence_interval(0.95, simultaneous=simultaneous)
        low, high = interval.low[:, 0] - slack, interval.high[:, 0] + slack
        inside.append((low <= game.shapley) & (game.shapley <= high))
    pointwise = answer.confidence_interval(0.95)
    half_width = (pointwise.high - pointwise.low)[:, 0].mean() / 2 / largest
    return float(inside[0].mean()), float(inside[1].all()), float(half_width)


class TooSlow(Exception):  # noqa: N818
    """A run took more time than it may."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` when the block takes longer, as soon as it is back in Python."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _silent() -> Iterator[None]:
    # The peers warn on every call, and poor fits at small budgets are what is measured here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def best_of_three(work: Callable[[], object]) -> float:
    """Return the shortest time in seconds."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
