"""Matplotlib plots of one output: bars, or a waterfall from the base value to the score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.reports.output_view import OutputView, output_view, row_labels
from perturbx.reports.safe_text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from perturbx.explanation import Explanation

_TOWARDS, _AGAINST = "#0072b2", "#d55e00"
_LABEL_LIMIT = 40

# Tried in this order, after the fonts that matplotlib would take anyway, for the letters which
# those lack: the usual families of Linux, Windows and macOS.
_FALLBACK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Microsoft YaHei", "PingFang SC"),
    *("Hiragino Sans", "Yu Gothic", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("WenQuanYi Zen Hei", "SimHei", "Noto Sans", "Noto Sans Arabic", "Noto Naskh Arabic"),
    *("Noto Sans Hebrew", "Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Bengali"),
    *("Noto Sans Tamil", "Noto Sans Telugu", "Noto Sans Georgian", "Noto Sans Armenian"),
    *("Noto Sans Ethiopic", "Noto Sans Khmer", "Noto Sans Myanmar", "Noto Sans Symbols"),
    *("Noto Sans Symbols2", "Noto Emoji", "Segoe UI", "Segoe UI Emoji", "Segoe UI Symbol"),
    *("Tahoma", "Leelawadee UI", "Nirmala UI", "Geeza Pro", "Thonburi", "Kohinoor Devanagari"),
    *("Arial Unicode MS", "DejaVu Sans"),
)
_NO_GLYPH = "\u25a1"


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
    n: int = 12,
    ax: Axes | None = None,
) -> Axes:
    """Draw the values of one output with their standard errors.

    The labels are drawn in the user's font, and in the first installed fallback that has the
    letters it lacks; a letter that no font has is drawn as an empty box. No setting of
    matplotlib is changed.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    kind : {"bar", "waterfall"}
        Bars by size, or steps from the base value to the score.
    output : str or int, optional
        The output; the one with the highest score by default.
    n : int
        How many of the largest values get a bar of their own; the others share one.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.

    Raises
    ------
    ArgumentError
        `kind`, `output` or `n` is not one of those.
    MissingExtraError
        Matplotlib is not installed.
    """
    kinds: dict[str, Callable[[Axes, OutputView, list[_Row]], None]] = {
        "bar": _bars,
        "waterfall": _waterfall,
    }
    if kind not in kinds:
        raise ArgumentError(f"kind: expected 'bar' or 'waterfall'; got {kind!r}")
    if n < 1:
        raise ArgumentError(f"n: expected at least 1 bar; got {n!r}")
    view = output_view(explanation, output)
    rows = _rows(explanation, view, n)
    if ax is None:
        ax = _new_axes(len(rows) + 2 * (kind == "waterfall"))
    kinds[kind](ax, view, rows)
    return ax


def _new_axes(n_rows: int) -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error
    _, ax = pyplot.subplots(figsize=(7, 1.4 + 0.34 * max(n_rows, 2)), layout="constrained")
    return ax


def _rows(explanation: Explanation, view: OutputView, n: int) -> list[_Row]:
    labels = row_labels(explanation.units)
    rows = [
        _Row(
            one_line(labels[unit], _LABEL_LIMIT),
            float(view.values[unit]),
            float(view.std_errors[unit]),
        )
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
        colour = _TOWARDS if row.value > 0 else _AGAINST
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
    families, shown = _with_fonts(labels)
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
    families, (title, label) = _with_fonts([f"{title} ({view.fit})", measure + errors])
    ax.set_title(title, loc="left", fontsize="medium", fontfamily=families, parse_math=False)
    ax.set_xlabel(label, fontfamily=families, parse_math=False)


def _finite(row: _Row) -> float:
    return row.std_error if isfinite(row.std_error) else 0.0


def _with_fonts(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the families that have the letters of the labels, and the labels without the rest."""
    from matplotlib import font_manager, rcParams

    families = list(rcParams["font.family"])
    own = font_manager.findfont(font_manager.FontProperties(family=families))
    missing = {ord(letter) for label in labels for letter in label} - _letters(own)
    installed = {entry.name: entry.fname for entry in reversed(font_manager.fontManager.ttflist)}
    for family in _FALLBACK_FONTS:
        if missing and family in installed:
            found = missing & _letters(installed[family])
            families += [family] if found else []
            missing -= found
    return families, [label.translate(dict.fromkeys(missing, _NO_GLYPH)) for label in labels]


@lru_cache(maxsize=64)
def _letters(path: str) -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(path).get_charmap())
