"""What the errors of a provider's client mean; the clients of openai and anthropic are alike."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

FaultKind: TypeAlias = Literal[
    "rate limit", "server", "connection", "timeout", "malformed", "incomplete", "refused", "request"
]

NOT_BILLED = ("rate limit", "server", "refused", "request")
"""Faults where the server itself said that there is no answer: those cost nothing."""


@dataclass(frozen=True)
class Fault:
    """What went wrong with a call.

    Parameters
    ----------
    kind : str
        "rate limit" (429), "server" (5xx, 408, 409), "connection", "timeout", "malformed" (an
        answer that cannot be read), "incomplete" (one without what was asked for), "refused"
        (401, 403, no credit left) or "request" (any other 4xx: the server cannot do what was
        asked).
    message : str
        What the server said, without any key.
    pause : float, optional
        The seconds that the server asked to wait.
    """

    kind: FaultKind
    message: str
    pause: float | None = None

    @property
    def is_temporary(self) -> bool:
        """Say whether the same call may succeed later."""
        return self.kind not in ("refused", "request")

    @property
    def may_be_billed(self) -> bool:
        """Say whether the call may have to be paid for, although no answer came."""
        return self.kind not in NOT_BILLED


NO_CREDIT = ("insufficient_quota", "billing", "credit balance")


def fault_of(error: Exception, client: Any) -> Fault | None:
    """Return what an error means.

    Parameters
    ----------
    error : Exception
        What was raised.
    client : module
        The package with the error classes (``APIStatusError``, ...).
    """
    if isinstance(error, client.APITimeoutError):
        return Fault("timeout", "no answer in time")
    if isinstance(error, client.APIStatusError):
        status: int = error.status_code
        message = f"HTTP {status}: {_said(error)}"
        return Fault(_kind(status, message), message, pause_of(error.response.headers))
    if isinstance(error, client.APIConnectionError):
        return Fault("connection", f"the connection failed ({error.__cause__ or error})")
    return None


def _kind(status: int, message: str) -> FaultKind:
    if status in (401, 403) or (status in (400, 402, 429) and any(w in message for w in NO_CREDIT)):
        return "refused"
    if status == 429:
        return "rate limit"
    return "server" if status >= 500 or status in (408, 409) else "request"


def _said(error: Any) -> str:
    body = error.body
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(inner, Mapping):
        parts = [str(inner[name]) for name in ("code", "message") if inner.get(name)]
        return ": ".join(parts) or str(dict(inner))
    return str(inner or error.message)[:500]


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, by the headers that they use for it.

    Examples
    --------
    >>> pause_of({"retry-after-ms": "1500"}), pause_of({"retry-after": "2"}), pause_of({})
    (1.5, 2.0, None)
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        given = headers.get(name)
        if given is None:
            continue
        try:
            return max(0.0, float(given) * scale)
        except ValueError:
            date = email.utils.parsedate_tz(given)
            if date is not None:
                return max(0.0, email.utils.mktime_tz(date) - time.time())
    return None
