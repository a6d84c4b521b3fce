"""Matplotlib plots of what pairs of units are worth together: a heat map and a network."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, degrees, pi, sin, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perturbx.reports.drawing import AGAINST, TOWARDS, fit_figure, square_axes, with_fonts
from perturbx.reports.interaction_view import SURE, Pairs
from perturbx.reports.output_view import OutputView, row_labels
from perturbx.reports.safe_text import one_line
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

    from perturbx.explanation import Explanation

MOST_NODES = 40
MOST_LEVEL_LABELS = 12
"""With more nodes than these the labels of a network point outwards: level ones would overlap."""

_LABEL_LIMIT = 24
_CELL, _CIRCLE = 0.28, 4.4
"""The sides of a cell and of the square around a circle, in inches."""

_PALE, _NEUTRAL = "0.88", "0.6"


def heatmap(explanation: Explanation, view: OutputView, n: int, ax: Axes | None) -> Axes:
    """Draw the interactions of the `n` units that interact most as a matrix, in reading order.

    A full square is a pair whose 95% interval excludes 0, a small disc one whose interval does
    not.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    view : OutputView
        The output.
    n : int
        How many units.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.
    """
    pairs = Pairs.of(explanation, view)
    units = pairs.strongest_units(n)
    labels = _labels(explanation, units)
    own_figure = ax is None
    if ax is None:
        ax = square_axes(max(_CELL * len(units), 2.4))
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    colours = LinearSegmentedColormap.from_list("interactions", [AGAINST, "white", TOWARDS])
    limit = pairs.largest or 1.0
    norm, cmap = Normalize(-limit, limit), colours.with_extremes(bad=_PALE)
    scale = ScalarMappable(norm, cmap)
    values, sure = (matrix[np.ix_(units, units)] for matrix in (pairs.values, pairs.sure))
    off_diagonal = units[:, None] != units
    ax.set_facecolor("white")
    if len(units):
        shown = np.ma.masked_where(~off_diagonal, np.where(sure, values, 0.0))
        ax.imshow(shown, cmap=cmap, norm=norm)
    rows, columns = np.nonzero(off_diagonal & np.logical_not(sure))
    discs = EllipseCollection(
        0.36,
        0.36,
        0.0,
        units="x",
        offsets=np.column_stack([columns, rows]),
        offset_transform=ax.transData,
        facecolors=scale.to_rgba(values[rows, columns]),
        edgecolors="0.7",
        linewidths=0.4,
    )
    ax.add_collection(discs, autolim=False)
    _frame(ax, labels)
    bar = ax.figure.colorbar(scale, cax=ax.inset_axes((1.05, 0.1, 0.035, 0.8)))
    bar.set_label("worth together,\nbeyond the sum of both")
    _title(ax, explanation, view, pairs.fit, len(units), loc="left")
    if len(rows):
        ax.set_xlabel(f"small disc: the {SURE:.0%} interval includes 0", labelpad=8)
    if own_figure:
        fit_figure(ax)
    return ax


def network(explanation: Explanation, view: OutputView, n: int, ax: Axes | None) -> Axes:
    """Draw the units on a circle, clockwise in reading order, and the `n` strongest interactions.

    Only pairs whose 95% interval excludes 0 have an edge. The area of a node shows the unit's own
    value, the width of an edge the interaction, their colours the signs.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    view : OutputView
        The output.
    n : int
        How many edges at most.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.
    """
    pairs = Pairs.of(explanation, view)
    edges = pairs.strongest_pairs(n)
    # The ends of the strongest edges are the units with the strongest interactions.
    units = pairs.strongest_units(max(MOST_NODES, len({unit for edge in edges for unit in edge})))
    labels = _labels(explanation, units)
    own_figure = ax is None
    if ax is None:
        ax = square_axes(_CIRCLE)
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    angles = {unit: pi / 2 - 2 * pi * (i + 0.5) / len(units) for i, unit in enumerate(units)}
    for first, second in edges:
        _edge(ax, angles[first], angles[second], pairs.values[first, second], pairs.largest)
    areas = 24.0 + 420.0 * np.abs(view.strengths[units])
    points = [(cos(angle), sin(angle)) for angle in angles.values()]
    ax.scatter(
        [x for x, _ in points],
        [y for _, y in points],
        s=areas,
        c=[_colour(value) for value in view.values[units]],
        edgecolors="white",
        linewidths=0.8,
        zorder=2,
    )
    families, labels = with_fonts(labels)
    texts = [
        _label(ax, label, angle, sqrt(area) / 2 + 4, level=len(units) <= MOST_LEVEL_LABELS)
        for label, angle, area in zip(labels, angles.values(), areas, strict=True)
    ]
    for text in texts:
        text.set(fontfamily=families, parse_math=False)
    above, below = _overhang(ax, texts)
    n_sure = int(np.triu(pairs.sure, 1).sum())
    _title(
        ax,
        explanation,
        view,
        pairs.fit,
        len(units),
        _of_edges(len(edges), n_sure),
        pad=above + 8,
    )
    _legend(ax, view, [pairs.values[edge] for edge in edges], view.values[units], below + 8)
    if own_figure:
        fit_figure(ax)
    return ax


def _labels(explanation: Explanation, units: IntArray) -> list[str]:
    labels = row_labels(explanation.units, _LABEL_LIMIT)
    return [labels[unit] for unit in units]


def _colour(value: float) -> str:
    return _NEUTRAL if value == 0 else TOWARDS if value > 0 else AGAINST


def _title(
    ax: Axes,
    explanation: Explanation,
    view: OutputView,
    fit: str,
    n_shown: int,
    more: str = "",
    *,
    loc: Literal["left", "center"] = "center",
    pad: float | None = None,
) -> None:
    # Numbers stand before the name: after one in Arabic they would be taken for a part of it.
    known = f" ({fit})" if fit else ""
    lines = [f"interactions{known}: {view.scale} of {one_line(view.name, _LABEL_LIMIT)}"]
    left_out = explanation.units.n_units - n_shown
    if left_out:
        unit = "unit" if left_out == 1 else "units"
        lines.append(f"{left_out} {unit} with weaker interactions left out")
    lines += [more] if more else []
    families, lines = with_fonts(lines)
    ax.set_title(
        "\n".join(lines),
        loc=loc,
        pad=pad,
        fontsize="medium",
        fontfamily=families,
        parse_math=False,
    )


def _frame(ax: Axes, labels: list[str]) -> None:
    """Name rows and columns of a heat map, and draw thin lines between the cells."""
    n_units = len(labels)
    families, labels = with_fonts(labels)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(range(n_units), labels=labels)
        axis.set_ticks(np.arange(n_units + 1) - 0.5, minor=True)
        for tick in axis.get_ticklabels():
            tick.set(parse_math=False, fontfamily=families)
    for tick in ax.get_xticklabels():
        tick.set(rotation=45, ha="right", rotation_mode="anchor")
    ax.set(xlim=(-0.5, max(n_units, 1) - 0.5), ylim=(max(n_units, 1) - 0.5, -0.5), aspect="equal")
    ax.grid(visible=True, which="minor", color=_PALE, linewidth=0.6)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)


def _edge(ax: Axes, start: float, end: float, value: float, largest: float) -> None:
    """Draw a curve through the inside of the circle."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    ends = [np.array([cos(angle), sin(angle)]) for angle in (start, end)]
    path = Path([ends[0], 0.35 * (ends[0] + ends[1]), ends[1]], [1, 3, 3])
    width = 0.8 + 5.2 * abs(value) / largest
    ax.add_patch(
        PathPatch(path, fill=False, edgecolor=_colour(value), linewidth=width, alpha=0.8, zorder=1)
    )


def _label(ax: Axes, label: str, angle: float, distance: float, *, level: bool) -> Annotation:
    """Write a label outside of a node, level or pointing outwards."""
    x, y = cos(angle), sin(angle)
    right = x > -1e-9
    beside: dict[str, Any] = {"ha": "left" if right else "right", "va": "center"}
    if not level:
        turn = degrees(angle) + (0 if right else 180)
        beside |= {"rotation": turn, "rotation_mode": "anchor"}
    elif abs(x) < 1e-9:
        beside = {"ha": "center", "va": "bottom" if y > 0 else "top"}
    return ax.annotate(
        label,
        (x, y),
        xytext=(distance * x, distance * y),
        textcoords="offset points",
        annotation_clip=False,
        **beside,
    )


def _overhang(ax: Axes, texts: Sequence[Annotation]) -> tuple[float, float]:
    """Return how far labels reach beyond the upper and the lower end of the axes, in points."""
    ax.apply_aspect()
    frame = ax.get_window_extent()
    boxes = [text.get_window_extent() for text in texts]
    above = max((box.y1 - frame.y1 for box in boxes), default=0.0)
    below = max((frame.y0 - box.y0 for box in boxes), default=0.0)
    points = 72.0 / ax.figure.dpi
    return max(above, 0.0) * points, max(below, 0.0) * points


def _of_edges(n_edges: int, n_sure: int) -> str:
    if not n_sure:
        return f"no pair's {SURE:.0%} interval excludes 0"
    strongest = "" if n_edges == n_sure else f"{n_edges} strongest of {n_sure} "
    return f"edges: {strongest}pairs whose {SURE:.0%} interval excludes 0"


def _legend(
    ax: Axes, view: OutputView, edges: Sequence[float], nodes: FloatArray, below: float
) -> None:
    """Say what the colours mean, of those that are there, below the labels."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    line: dict[str, Any] = {"linewidth": 3, "alpha": 0.8}
    dot: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 8}
    meanings = [
        (any(value > 0 for value in edges), TOWARDS, line, "together more than the sum"),
        (any(value < 0 for value in edges), AGAINST, line, "together less than the sum"),
        ((nodes > 0).any(), TOWARDS, dot, f"raises the {view.scale}"),
        ((nodes < 0).any(), AGAINST, dot, f"lowers the {view.scale}"),
    ]
    handles = [
        Line2D([], [], color=colour, label=meaning, **style)
        for there, colour, style, meaning in meanings
        if there
    ]
    if not handles:
        return
    lower = ScaledTranslation(0, -below / 72.0, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + lower,
        ncols=2,
        frameon=False,
        fontsize="small",
    )
