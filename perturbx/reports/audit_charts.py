"""Dots with whiskers and bars for the rows of a table: SVG without a script, in the ink around it.

Every drawing fills its cell, so the rows of a table share an axis, and its grid lines meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Final, Literal

_MARGIN: Final = 9.0
_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Axis:
    """The scale that the drawings of a table share.

    Parameters
    ----------
    low, high : float
        Its ends.
    step : float
        Between its grid lines.
    shown : callable
        A number to what is written at a grid line.
    """

    low: float
    high: float
    step: float
    shown: Callable[[float], str]

    @classmethod
    def of(
        cls, values: Iterable[float], shown: Callable[[float], str], *, zero: bool = True
    ) -> Axis:
        """Return an axis that holds these values, and 0 where it is to be seen.

        Examples
        --------
        >>> axis = Axis.of([0.12, 0.31], str)
        >>> axis.low, axis.high, axis.step
        (0.0, 0.4, 0.1)
        """
        known = [value for value in values if isfinite(value)] + [0.0] * zero
        low, high = min(known, default=0.0), max(known, default=1.0)
        if high - low < 1e-12:
            low, high = low - (0.0 if zero and low >= 0 else 0.5), high + 0.5
        rough = (high - low) / 4
        power = 10.0 ** floor(log10(rough))
        step = next(size * power for size in _STEPS if size * power >= rough * (1 - 1e-9))
        return cls(
            _clean(floor(low / step + 1e-9) * step),
            _clean(ceil(high / step - 1e-9) * step),
            step,
            shown,
        )

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where its grid lines are."""
        first, last = (round(end / self.step) for end in (self.low, self.high))
        return tuple(_clean(number * self.step) for number in range(first, last + 1))

    def at(self, value: float) -> float:
        """Return where a value is, in percent of the width; beyond the ends: at the end."""
        share = (value - self.low) / (self.high - self.low)
        return _MARGIN + (100 - 2 * _MARGIN) * min(max(share, 0.0), 1.0)

    def head(self) -> str:
        """Return the scale, for the head of the column; every other number where there are many."""
        ticks = self.ticks
        every = 2 if len(ticks) > 4 else 1
        # 0 has its number whichever are left out.
        first = (ticks.index(0.0) if 0.0 in ticks else 0) % every
        texts = "".join(
            f'<text x="{self.at(tick):.2f}%" y="80%">{escape(self.shown(tick))}</text>'
            for tick in ticks[first::every]
        )
        return (
            '<span class="px-hidden">Chart</span>'
            f'<svg class="px-scale" aria-hidden="true">{texts}</svg>'
        )

    @property
    def style(self) -> str:
        """The lines behind all rows, that of 0 the strongest, as a property of the table."""
        lines = ",".join(
            f"linear-gradient(var(--px-{ink}),var(--px-{ink})) {self.at(tick):.2f}% 0/1px 100% "
            "no-repeat"
            for tick, ink in sorted(
                ((tick, "line" if tick else "quiet") for tick in self.ticks),
                key=lambda pair: pair[1] == "line",
            )
        )
        return f"--px-grid:{lines}"


def _clean(value: float) -> float:
    return float(f"{value:.12g}") + 0.0


def _drawn(label: str, marks: str) -> str:
    return f'<svg class="px-plot" role="img" aria-label="{escape(label)}">{marks}</svg>'


def _upright(at: float, kind: str, top: int = 0, bottom: int = 100) -> str:
    return f'<line class="px-{kind}" x1="{at:.2f}%" x2="{at:.2f}%" y1="{top}%" y2="{bottom}%"/>'


def _whisker(axis: Axis, low: float, high: float) -> str:
    if not (isfinite(low) and isfinite(high)):
        return ""
    left, right = axis.at(low), axis.at(high)
    return f'<line class="px-reach" x1="{left:.2f}%" x2="{right:.2f}%" y1="50%" y2="50%"/>'


def dot(
    axis: Axis,
    value: float,
    low: float,
    high: float,
    *,
    label: str,
    reference: float = float("nan"),
    strong: bool = True,
) -> str:
    """Return a dot at a value with its interval.

    Parameters
    ----------
    axis : Axis
        The scale.
    value, low, high : float
        The value and its interval; without a value there is nothing to draw.
    label : str
        What it shows, for who cannot see it.
    reference : float
        What it is held against: a dashed line.
    strong : bool
        A full dot; else an empty one.
    """
    if not isfinite(value):
        return ""
    marks = _upright(axis.at(reference), "held") if isfinite(reference) else ""
    kind = "px-dot" if strong else "px-dot px-open"
    marks += _whisker(axis, low, high)
    marks += f'<circle class="{kind}" cx="{axis.at(value):.2f}%" cy="50%" r="4.5"/>'
    return _drawn(label, marks)


def bar(
    axis: Axis,
    start: float,
    stop: float,
    low: float = float("nan"),
    high: float = float("nan"),
    *,
    label: str,
    kind: Literal["alone", "step", "total"] = "alone",
) -> str:
    """Return a bar from one value to another, with an interval around its end.

    Parameters
    ----------
    axis : Axis
        The scale.
    start, stop : float
        Its ends: its colour and hatching tell whether it goes up or down.
    low, high : float
        The interval, on the axis.
    label : str
        What it shows, for who cannot see it.
    kind : {"alone", "step", "total"}
        A step begins where the bar above it ends and is joined to it; a total is their sum.
    """
    left, right = sorted((axis.at(start), axis.at(stop)))
    ink = "px-sum" if kind == "total" else "px-rise" if stop >= start else "px-fall"
    marks = (
        f'<rect class="{ink}" x="{left:.2f}%" width="{max(right - left, 0.3):.2f}%" y="22%" '
        f'height="56%"/>'
    )
    if kind == "step":
        marks += _upright(axis.at(start), "step", 0, 50) if start else ""
        marks += _upright(axis.at(stop), "step", 50, 100)
    if kind == "total":
        marks += _upright(axis.at(stop), "step", 0, 50)
    return _drawn(label, marks + _whisker(axis, low, high))
