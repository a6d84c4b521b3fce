"""An event loop in a thread of its own: calls run side by side under plain code and notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.RLock()  # what is collected meanwhile may want the loop for its last work
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process, which is started at the first call."""
    global _running
    with _lock:
        # A thread does not survive a fork.
        if _running is None or _running[0] != os.getpid():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="perturbx-api", daemon=True).start()
            _running = (os.getpid(), loop)
        return _running[1]


def start(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start work in the background; the future tells of its end."""
    return asyncio.run_coroutine_threadsafe(work, background_loop())


def finish(work: Coroutine[Any, Any, object], seconds: float = 2.0) -> None:
    """Do some last work in the background, if that still runs, and wait a moment for it."""
    if _running is None or _running[0] != os.getpid():
        work.close()
        return
    done = start(work)
    if seconds:
        with contextlib.suppress(Exception):
            done.result(timeout=seconds)
