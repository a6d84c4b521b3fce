"""Matplotlib plots of one output: bars, or a waterfall from the base value to the score.

Those of interactions are in `interaction_plots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from perturbx.exceptions import ArgumentError
from perturbx.reports.drawing import AGAINST, TOWARDS, new_axes, with_fonts
from perturbx.reports.interaction_plots import heatmap, network
from perturbx.reports.output_view import OutputView, output_view, row_labels
from perturbx.reports.safe_text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from perturbx.explanation import Explanation

_LABEL_LIMIT = 40
_MOST = {"bar": 12, "waterfall": 12, "heatmap": 40, "network": 20}
"""Every kind of plot, with how much of what it shows is drawn by default."""


@dataclass(frozen=True)
class _Row:
    label: str
    value: float
    std_error: float


def plot(
    explanation: Explanation,
    kind: str = "bar",
    *,
    output: str | int | None = None,
    n: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the values of one output, or its interactions, with how sure they are.

    The labels are drawn in the user's font, and in the first installed fallback that has the
    letters it lacks; a letter that no font has is drawn as an empty box. No setting of
    matplotlib is changed.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    kind : {"bar", "waterfall", "heatmap", "network"}
        Bars by size, steps from the base value to the score, a matrix of the interactions of
        pairs, or the units on a circle with an edge for each pair that is sure to interact.
    output : str or int, optional
        The output; the one with the highest score by default.
    n : int, optional
        Bars, 12 by default (the other units share one); units of a heat map, 40 by default (those
        with the strongest interactions); edges of a network, 20 by default (the strongest).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.

    Raises
    ------
    ArgumentError
        `kind`, `output` or `n` is not one of those.
    MissingExtraError
        Matplotlib is not installed.
    SurrogateError
        There are no interactions: the table has no pairs of complements, or too many units.
    """
    if kind not in _MOST:
        raise ArgumentError(f"kind: expected one of {list(_MOST)}; got {kind!r}")
    if n is None:
        n = _MOST[kind]
    if n < 1:
        raise ArgumentError(f"n: expected at least 1; got {n!r}")
    view = output_view(explanation, output)
    if kind == "heatmap":
        return heatmap(explanation, view, n, ax)
    if kind == "network":
        return network(explanation, view, n, ax)
    rows = _rows(explanation, view, n)
    if ax is None:
        n_rows = len(rows) + 2 * (kind == "waterfall")
        ax = new_axes(7, 1.4 + 0.34 * max(n_rows, 2))
    draw = _waterfall if kind == "waterfall" else _bars
    draw(ax, view, rows)
    return ax


def _rows(explanation: Explanation, view: OutputView, n: int) -> list[_Row]:
    labels = row_labels(explanation.units, _LABEL_LIMIT)
    rows = [
        _Row(labels[unit], float(view.values[unit]), float(view.std_errors[unit]))
        for unit in view.order[:n]
    ]
    count, total, std_error = view.rest(n)
    if count:
        rows.append(_Row(f"{count} other{'s' * (count != 1)}", total, std_error))
    return rows


def _bars(ax: Axes, view: OutputView, rows: list[_Row]) -> None:
    ends = [(row.value - _finite(row), row.value + _finite(row)) for row in rows]
    _draw(ax, view, rows, [0.0] * len(rows), ends)
    _frame(ax, [0.0, *(end for pair in ends for end in pair)])
    ax.axvline(0, color=ax.spines["left"].get_edgecolor(), linewidth=0.8)
    _name(ax, [row.label for row in rows])
    _explain(ax, view, rows, f"effect on the {view.scale} of {one_line(view.name, _LABEL_LIMIT)}")


def _waterfall(ax: Axes, view: OutputView, rows: list[_Row]) -> None:
    """Draw the steps from the base value, in the lowest row, to the score, in the highest."""
    gap = view.score - view.base_value - sum(row.value for row in rows)
    if abs(gap) > 1e-6 * max(abs(view.score), abs(view.base_value), view.largest):
        rows = [*rows, _Row("not explained", gap, float("nan"))]
    starts, position = [0.0] * len(rows), view.base_value
    for i in reversed(range(len(rows))):
        starts[i] = position
        position += rows[i].value
    ends = [
        (start + row.value - _finite(row), start + row.value + _finite(row))
        for start, row in zip(starts, rows, strict=True)
    ]
    _draw(ax, view, rows, starts, ends, top=1)
    _frame(ax, [view.score, view.base_value, *(end for pair in ends for end in pair)])
    ink = ax.xaxis.label.get_color()
    joints = [view.score, *starts]
    for i, joint in enumerate(joints):
        ax.plot([joint, joint], [i - 0.3, i + 1.3], color=ink, linewidth=0.7)
    score, base = view.number(view.score), view.number(view.base_value)
    _name(ax, [f"score {score}", *(row.label for row in rows), f"base value {base}"])
    _explain(ax, view, rows, f"{view.scale} of {one_line(view.name, _LABEL_LIMIT)}")


def _draw(
    ax: Axes,
    view: OutputView,
    rows: list[_Row],
    starts: Sequence[float],
    ends: Sequence[tuple[float, float]],
    *,
    top: int = 0,
) -> None:
    """Draw a bar, its error and its number per row, the first at the height `top`."""
    for i, (row, start, (low, high)) in enumerate(zip(rows, starts, ends, strict=True), top):
        colour = TOWARDS if row.value > 0 else AGAINST
        ax.barh(i, row.value, left=start, height=0.6, color=colour)
        right = row.value >= 0
        ink = ax.xaxis.label.get_color()
        if high > low:
            ax.errorbar(
                start + row.value, i, xerr=_finite(row), color=ink, capsize=2.5, linewidth=0.9
            )
        ax.annotate(
            view.signed(row.value),
            (max(start, high) if right else min(start, low), i),
            xytext=(4 if right else -4, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize="small",
        )


def _frame(ax: Axes, ends: Sequence[float]) -> None:
    """Leave room for the numbers beside the bars."""
    low, high = min(ends), max(ends)
    margin = 0.16 * (high - low) or max(0.1 * abs(high), 1e-3)
    ax.set_xlim(low - margin, high + margin)


def _name(ax: Axes, labels: list[str]) -> None:
    families, shown = with_fonts(labels)
    ax.set_yticks(range(len(labels)), labels=shown)
    for tick in ax.get_yticklabels():
        tick.set(parse_math=False, fontfamily=families)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _explain(ax: Axes, view: OutputView, rows: list[_Row], measure: str) -> None:
    errors = " (whiskers: ± one standard error)" if any(_finite(row) for row in rows) else ""
    # Numbers stand before the name: after one in Arabic they would be taken for a part of it.
    title = f"{view.scale} {view.number(view.score)} for {one_line(view.name, _LABEL_LIMIT)}"
    families, (title, label) = with_fonts([f"{title} ({view.fit})", measure + errors])
    style: dict[str, Any] = {"fontfamily": families, "parse_math": False, "wrap": True}
    ax.set_title(title, loc="left", fontsize="medium", **style)
    ax.set_xlabel(label, **style)


def _finite(row: _Row) -> float:
    return row.std_error if isfinite(row.std_error) else 0.0
