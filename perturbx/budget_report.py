"""`BudgetReport`: what an explanation cost, why no more was bought, and what more would buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any, Literal, TypeAlias

StopReason: TypeAlias = Literal[
    "exact",
    "complete",
    "constant",
    "tolerance",
    "top_k",
    "cap",
    "fixed budget",
    "max_calls",
    "max_tokens",
    "max_cost",
]

LIMITS = ("max_calls", "max_tokens", "max_cost")

_WORDS: dict[str, str] = {
    "exact": "every coalition that counts was asked about, so the values are exact",
    "complete": "every coalition that counts was asked about, so there is no call left to make",
    "constant": "the model gave the same score to every variant asked about",
    "tolerance": "the error bars are within the tolerance",
    "top_k": "the largest values are separated from the rest",
    "cap": "the most calls that 'auto' allows were made",
    "fixed budget": "the budget was spent",
    **{limit: f"cut short by {limit}" for limit in LIMITS},
}

STEEPEST = -2.0
"""Error bars that shrink faster than calls ** -2 do so by luck, and not twice."""

RANDOM_SAMPLING = -0.5
"""How error bars shrink with calls that are drawn at random."""

WEIGHT = 0.5
"""What that counts beside the rounds seen, in squared units of log(calls). On exact games with
14 units it left hardly any bias, and less than half of the squared error."""


@dataclass(frozen=True)
class BudgetReport:
    """What one explanation cost, round by round.

    Parameters
    ----------
    reason : {"exact", "complete", "constant", "tolerance", "top_k", "cap", "fixed budget", \
"max_calls", "max_tokens", "max_cost"}
        Why no more calls were made: "complete" where there are none left to make, though a noisy
        model, or random draws, leave errors; "constant" where all scores were the same, so that
        there are no errors to go by; the last three are hard limits of the model.
    calls : tuple of int
        The distinct variants scored for the text after each round.
    half_widths : tuple of (float or None)
        After each round, the largest half-width of an interval in parts of the largest absolute
        value of its output; of several outputs the worst. None where a method has no errors.
    level : float
        The confidence level of the intervals at each look: 0.95, split over the rounds that
        could happen, so that all looks together keep it.

    Examples
    --------
    >>> report = BudgetReport("tolerance", (42, 62), (0.2, 0.08), 0.99)
    >>> print(report)
    62 calls in 2 rounds; largest error bar: 8.0% of the largest value; the error bars are within \
the tolerance; twice the calls would bring it to about 4.8%
    """

    reason: StopReason
    calls: tuple[int, ...]
    half_widths: tuple[float | None, ...]
    level: float

    @property
    def n_calls(self) -> int:
        """The distinct variants scored for the text."""
        return self.calls[-1]

    @property
    def is_cut_short(self) -> bool:
        """Say whether a hard limit on calls, tokens or money ended it."""
        return self.reason in LIMITS

    @property
    def n_rounds(self) -> int:
        """The number of rounds."""
        return len(self.calls)

    @property
    def half_width(self) -> float | None:
        """The relative half-width at the end."""
        return self.half_widths[-1]

    @property
    def forecast(self) -> float | None:
        """The relative half-width to expect of twice the calls; None where there is none to tell.

        That is where there is none now, or where twice the calls cannot be made.

        With the half-width h at the end, h * 2 ** b, where b is the slope of y = log(half-width)
        over x = log(calls) through the rounds, drawn to -1/2, which it is after a single one:
        b = (Σ (x - x̄) y - w / 2) / (Σ (x - x̄)² + w) with w = 1/2, held to [-2, 0].
        """
        if self.reason == "complete":
            return None
        if not self.half_width:
            return self.half_width
        known = [
            (log(calls), log(width))
            for calls, width in zip(self.calls, self.half_widths, strict=True)
            if width
        ]
        mean = sum(x for x, _ in known) / len(known)
        along = sum((x - mean) * y for x, y in known) + WEIGHT * RANDOM_SAMPLING
        slope = along / (sum((x - mean) ** 2 for x, _ in known) + WEIGHT)
        return float(self.half_width * 2 ** min(max(slope, STEEPEST), 0.0))

    def __str__(self) -> str:
        in_rounds = f" in {self.n_rounds} rounds" if self.n_rounds > 1 else ""
        parts = [f"{self.n_calls} calls{in_rounds}"]
        if self.half_width and self.reason != "exact":
            parts.append(f"largest error bar: {self.half_width:.1%} of the largest value")
        parts.append(_WORDS[self.reason])
        if self.forecast:
            parts.append(f"twice the calls would bring it to about {self.forecast:.1%}")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON."""
        return {
            "reason": self.reason,
            "calls": list(self.calls),
            "half_widths": list(self.half_widths),
            "level": self.level,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> BudgetReport:
        """Return the report that `to_dict` wrote."""
        return cls(
            record["reason"],
            tuple(record["calls"]),
            tuple(record["half_widths"]),
            record["level"],
        )
