"""`AnswerCache`: every answer that was ever paid for, in SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import tenacity

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.api.questions import Json, Question

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    model TEXT NOT NULL,
    sample INTEGER NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    time REAL NOT NULL
) WITHOUT ROWID
"""

COLUMNS = "key, source, model, sample, question, answer, time"

IN_MEMORY = ":memory:"

DURABLE = "PRAGMA synchronous=NORMAL"

WAIT = 30.0
"""Seconds to wait for another process that is writing."""

PRIMARY = 0xFF
"""The bits of SQLite's result codes that say what happened; the others say where."""

LONGEST_PAUSE = 0.05
"""Seconds between two tries to open a file that another process is opening, at most."""

AT_ONCE = 500
"""Keys looked up at once; SQLite allows 999 variables."""


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return isinstance(error, sqlite3.OperationalError) and code & PRIMARY == sqlite3.SQLITE_BUSY


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds.

    Parameters
    ----------
    path : str
        Its file.
    n_answers : int
        All answers.
    by_model : dict of str to int
        How many of each model.
    n_bytes : int
        The size of its file.
    """

    path: str
    n_answers: int
    by_model: dict[str, int]
    n_bytes: int

    def __str__(self) -> str:
        models = "".join(f"\n  {name}: {count:,}" for name, count in self.by_model.items())
        return f"{self.path}: {self.n_answers:,} answers, {self.n_bytes / 1e6:.1f} MB{models}"


class AnswerCache:
    """Keeps answers by what was asked: model, parameters, the whole prompt, the sample's number.

    Safe with several threads and processes. An answer is on its way to the disk when `put`
    returns, so that a process which is killed loses none.

    Parameters
    ----------
    path : str or path, optional
        A file; without it the answers are kept in memory.
    must_exist : bool, default=False
        Make no new cache.

    Raises
    ------
    ArgumentError
        If the file is not such a cache (it is then left as it is) or cannot be opened, its folder
        does not exist, or it does not exist itself and `must_exist`.
    """

    def __init__(
        self, path: str | PathLike[str] | None = None, *, must_exist: bool = False
    ) -> None:
        self.path = IN_MEMORY if path is None else str(Path(path).expanduser())
        if path is not None and not Path(self.path).parent.is_dir():
            raise ArgumentError(f"cache: there is no folder {str(Path(self.path).parent)!r}")
        if must_exist and not Path(self.path).is_file():
            raise ArgumentError(f"cache: there is no file {self.path!r}")
        # The same file after a fork, wherever the process is by then.
        self._file = IN_MEMORY if self.path == IN_MEMORY else os.path.abspath(self.path)
        self._lock = threading.Lock()
        self._n_put = 0
        try:
            self._database = self._connect()
        except sqlite3.Error as error:
            raise ArgumentError(f"cache: {self.path!r} cannot be opened ({error})") from error
        # Of two that turn to writing ahead at once, SQLite tells one that the file is locked
        # without waiting (each could wait for the other), so this asks again.
        in_turn = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_busy),
            wait=tenacity.wait_random(0.0, LONGEST_PAUSE),
            stop=tenacity.stop_after_delay(WAIT),
            reraise=True,
        )
        try:
            in_turn(self._prepare, must_exist)
        except sqlite3.DatabaseError as error:
            self._database.close()
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            is_foreign = code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB)
            fault = "is not a cache of answers" if is_foreign else "cannot be opened"
            raise ArgumentError(f"cache: {self.path!r} {fault} ({error})") from error
        self._is_parted = False
        _OPEN.add(self)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._file, timeout=WAIT, isolation_level=None, check_same_thread=False
        )

    def _prepare(self, must_exist: bool) -> None:
        """Make the file a cache, unless it is one."""
        self._check(must_exist)
        # Written ahead, so that readers never wait; a commit survives the process at once, and
        # the machine from the next checkpoint on.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute(DURABLE)
        self._database.execute(SCHEMA)

    def _check(self, must_exist: bool) -> None:
        """Raise a `sqlite3.DatabaseError` for what is no cache, before anything is written."""
        names = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
        if "answers" in names:
            self._database.execute(f"SELECT {COLUMNS} FROM answers LIMIT 0")
        elif names or must_exist:
            raise sqlite3.DatabaseError("it has no table of answers")

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Let one thread at a time at the file, and tell what is wrong with it."""
        try:
            with self._lock:
                if self._is_parted:
                    self._database = self._connect()
                    self._database.execute(DURABLE)
                    self._is_parted = False
                yield
        except sqlite3.Error as error:
            raise ScoringError(
                f"cache: {self.path!r} cannot be read or written ({error})"
            ) from error

    def get(self, questions: Sequence[Question]) -> dict[str, Json]:
        """Return the answers that are there, by key."""
        keys = [question.key for question in questions]
        found: dict[str, Json] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            marks = ",".join("?" * len(some))
            with self._at_work():
                rows = self._database.execute(
                    f"SELECT key, answer FROM answers WHERE key IN ({marks})", some
                ).fetchall()
            found.update((key, json.loads(answer)) for key, answer in rows)
        return found

    def put(self, answered: Iterable[tuple[Question, str]]) -> None:
        """Keep answers, as the JSON that came."""
        rows = [
            (
                question.key,
                question.source,
                str(question.body.get("model", "")),
                question.sample,
                json.dumps(question.body),
                answer,
                time.time(),
            )
            for question, answer in answered
        ]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        values = [value for row in rows for value in row]
        with self._at_work():  # one statement is one transaction
            self._n_put += 1
            self._database.execute(f"INSERT OR REPLACE INTO answers VALUES {marks}", values)

    def put_raw(self, rows: Iterable[tuple[str, str, str, int, Json, Json]]) -> None:
        """Keep answers of which these are known: key, source, model, sample, question, answer.

        The question is empty where it is not known.
        """
        kept = (
            (*names, json.dumps(question), json.dumps(raw), time.time())
            for *names, question, raw in rows
        )
        with self._at_work():
            self._n_put += 1
            self._database.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", kept
            )

    def written(self) -> tuple[int, int]:
        """Return what others have written to the file, as SQLite counts it, and how often this has.

        The first number changes with any write of another connection, the second counts calls.
        """
        with self._at_work():
            version = self._database.execute("PRAGMA data_version").fetchone()[0]
            return int(version), self._n_put

    def __len__(self) -> int:
        with self._at_work():
            return int(self._database.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def info(self) -> CacheInfo:
        """Return what is in it."""
        with self._at_work():
            rows = self._database.execute(
                "SELECT model, COUNT(*) FROM answers GROUP BY model ORDER BY model"
            ).fetchall()
        file = Path(self.path)
        size = 0 if self.path == IN_MEMORY else file.stat().st_size
        return CacheInfo(self.path, sum(n for _, n in rows), dict(rows), size)

    def clear(self, *, model: str | None = None) -> int:
        """Remove the answers of a model, or all; return how many they were."""
        with self._at_work():
            condition, values = ("", ()) if model is None else (" WHERE model = ?", (model,))
            n_removed = self._database.execute(f"DELETE FROM answers{condition}", values).rowcount
            self._database.execute("VACUUM")
        return n_removed

    def export(self) -> Iterator[Json]:
        """Yield every answer with what was asked, oldest first."""
        with self._at_work():
            keys = self._database.execute("SELECT key FROM answers ORDER BY time, key").fetchall()
        columns = "key, source, sample, question, answer, time"
        for (key,) in keys:
            with self._at_work():
                row = self._database.execute(
                    f"SELECT {columns} FROM answers WHERE key = ?", (key,)
                ).fetchone()
            if row is None:  # another process has removed it
                continue
            name, source, sample, question, answer, when = row
            yield {
                "key": name,
                "source": source,
                "sample": sample,
                "question": json.loads(question),
                "answer": json.loads(answer),
                "time": when,
            }

    def close(self) -> None:
        """Close the file."""
        with self._at_work():
            self._database.close()
        _OPEN.discard(self)

    def part(self) -> None:
        """Let go of the file, and of the lock not yet: the process is to be two."""
        self._lock.acquire()
        if self.path != IN_MEMORY:
            self._database.close()
            self._is_parted = True

    def go_on(self) -> None:
        """Be there again, in either process; the file is opened where it is needed next."""
        self._lock.release()


_OPEN: weakref.WeakSet[AnswerCache] = weakref.WeakSet()

_parted: list[AnswerCache] = []


def _part_all() -> None:
    """Close all files: a connection that goes through a fork writes where nobody reads."""
    _parted.extend(_OPEN)
    for own in _parted:
        own.part()


def _go_on_all() -> None:
    while _parted:
        _parted.pop().go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_part_all, after_in_parent=_go_on_all, after_in_child=_go_on_all)
