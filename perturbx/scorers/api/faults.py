"""What the errors of a provider's client mean; the clients of openai and anthropic are alike."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

FaultKind: TypeAlias = Literal[
    "rate limit",
    "server",
    "connection",
    "timeout",
    "malformed",
    "incomplete",
    "refused",
    "forbidden",
    "filtered",
    "request",
]

NOT_BILLED = ("rate limit", "server", "refused", "forbidden", "filtered", "request")
"""Faults where the server itself said that there is no answer: those cost nothing."""


@dataclass(frozen=True)
class Fault:
    """What went wrong with a call.

    Parameters
    ----------
    kind : str
        "rate limit" (429), "server" (5xx, 408, 409), "connection", "timeout", "malformed" (an
        answer that cannot be read), "incomplete" (one without what was asked for), "refused"
        (401, 402, no credit left), "forbidden" (403: to this key, or to this model), "filtered"
        (this prompt is refused for what it says) or "request"
        (any other 4xx: the server cannot do what was asked).
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
        return self.kind not in ("refused", "forbidden", "filtered", "request")

    @property
    def may_be_billed(self) -> bool:
        """Say whether the call may have to be paid for, although no answer came."""
        return self.kind not in NOT_BILLED


NO_CREDIT = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
}
"""Codes and types of errors by which services say that nothing is left. Their texts do not: that of
an ordinary rate limit ends in an advice about billing."""

FILTERED = {
    "content_filter",
    "content_policy_violation",
    "data_inspection_failed",
    "invalid_prompt",
    "moderation_blocked",
}
"""Codes and types by which services say that a prompt was filtered."""

FILTERED_TEXTS = (
    "content management policy",
    "content filtering policy",
    "requires moderation and your input was flagged",
)
"""How Azure, Anthropic and OpenRouter say it."""

NO_CREDIT_TEXT = "credit balance is too low"
"""How Anthropic says it, without a code of its own."""


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
        return Fault(_kind(status, error, message), message, pause_of(error.response.headers))
    if isinstance(error, client.APIConnectionError):
        return Fault("connection", f"the connection failed ({error.__cause__ or error})")
    return None


def _kind(status: int, error: Any, message: str) -> FaultKind:
    inner = _inner(error)
    names = ("code", "type") if isinstance(inner, Mapping) else ()
    said = {str(inner.get(name)) for name in names}
    if status in (400, 403) and (said & FILTERED or any(own in message for own in FILTERED_TEXTS)):
        return "filtered"
    if status in (401, 402) or said & NO_CREDIT or (status == 400 and NO_CREDIT_TEXT in message):
        return "refused"
    if status == 403:
        return "forbidden"
    if status == 429:
        return "rate limit"
    return "server" if status >= 500 or status in (408, 409) else "request"


def _inner(error: Any) -> Any:
    """Return what an error's body says of it; the clients unpack that sometimes."""
    body = error.body
    return body.get("error", body) if isinstance(body, Mapping) else body


def _said(error: Any) -> str:
    inner = _inner(error)
    if isinstance(inner, Mapping):
        parts = [str(inner[name]) for name in ("code", "message") if inner.get(name)]
        return ": ".join(parts) or str(dict(inner))
    return str(inner or error.message)


def pause_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, by the headers that they use for it.

    None where that is no time to come: a call would be made again at once, and in vain. Dates
    count from the server's own, where it tells that.

    Examples
    --------
    >>> pause_of({"retry-after-ms": "1500"}), pause_of({"retry-after": "2"}), pause_of({})
    (1.5, 2.0, None)
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        given = headers.get(name, "")
        try:
            pause = float(given) * scale
        except ValueError:
            until, now = _time_of(given), _time_of(headers.get("date", ""))
            pause = 0.0 if until is None else until - (time.time() if now is None else now)
        if 0.0 < pause < math.inf:
            return pause
    return None


def _time_of(date: str) -> float | None:
    """Return when a date is, in seconds; None for what is none."""
    try:
        parsed = email.utils.parsedate_tz(date)
        return None if parsed is None else float(email.utils.mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None
