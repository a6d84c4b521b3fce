"""The figure of `games.py`: error against calls, a panel for each family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from game_methods import OURS
from game_runs import Results, Run

STYLES = {
    "perturbx odd_gp": ("#c1121f", "-", "o", 2.8),
    "perturbx evidence": ("#c1121f", "--", "s", 1.6),
    "perturbx tree_proxy": ("#e85d75", ":", "D", 1.4),
    "perturbx leverage": ("#e8743b", "-", "v", 1.6),
    "numpy reference": ("black", ":", "x", 1.6),
    "shap PermutationExplainer": ("#0b4f9c", "-", "^", 1.8),
    "shap KernelExplainer": ("#4a90d9", "-", ">", 1.8),
}
MARKERS = "sDPX*hp<d8H1234"
COLUMNS = 3


def draw(results: Results, budgets: Sequence[str], path: Path) -> None:
    """Write the figure; its format is that of the file's name.

    Parameters
    ----------
    results : Results
        The runs.
    budgets : sequence of str
        Those to show.
    path : pathlib.Path
        A ``.png`` or ``.svg`` file.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    families = list(dict.fromkeys(run.family for run in results.runs))
    methods = _order(dict.fromkeys(run.method for run in results.runs))
    n_rows = -(-len(families) // COLUMNS)
    figure, panels = plt.subplots(
        n_rows,
        min(COLUMNS, len(families)),
        figsize=(13, 4.1 * n_rows + 0.4),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    others = [method for method in methods if method not in STYLES]
    greys = plt.get_cmap("viridis")(np.linspace(0.05, 0.95, max(len(others), 2)))
    styles = STYLES | {
        method: (greys[i], "-", MARKERS[i % len(MARKERS)], 1.0) for i, method in enumerate(others)
    }
    for panel, family in zip(panels.flat, families, strict=False):
        own = [run for run in results.runs if run.family == family and run.budget in budgets]
        for method in reversed(methods):
            colour, line, marker, width = styles[method]
            calls, errors = _curve([run for run in own if run.method == method], budgets)
            panel.plot(
                calls, errors, line, color=colour, marker=marker, lw=width, ms=4.5, label=method
            )
        panel.set(xscale="log", yscale="log", title=_title(own, family))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}n"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set_xticks([2, 3, 5, 10, 20, 50])
        panel.grid(alpha=0.25)
        # Some peers start far above the zero estimate, whose error is 1, or ask for two calls only.
        panel.set(xlim=(1.7, 60.0), ylim=(_least_error(own) / 1.6, 6.0))
    for panel in panels.flat[len(families) :]:
        panel.set_axis_off()
    for panel in panels[-1]:
        panel.set_xlabel("calls")
    figure.supylabel("relative squared error, mean over games and seeds", fontsize=11)
    lines = {}
    for panel in panels.flat:
        handles, labels = panel.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    figure.legend(
        [lines[name] for name in methods],
        methods,
        loc="outside lower center",
        ncols=5,
        fontsize=8.5,
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    if path.suffix == ".png":
        _fewer_colours(path)


def _fewer_colours(path: Path) -> None:
    """Write the figure again with 64 colours: a third of the bytes, for the eye the same."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(64)
    small.save(path, optimize=True)


def _least_error(runs: Sequence[Run]) -> float:
    cells: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        cells.setdefault((run.method, run.budget), []).append(run.error)
    # Exact up to rounding is as good as nothing, and would squeeze all others together.
    return max(min(float(np.mean(errors)) for errors in cells.values()), 1e-6)


def _order(methods: Sequence[str] | dict[str, None]) -> list[str]:
    known = [name for name in STYLES if name in methods]
    return known + [name for name in methods if name not in STYLES]


def _curve(runs: Sequence[Run], budgets: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return calls a unit that were really made and mean errors, a point a budget."""
    points = []
    for budget in budgets:
        own = [run for run in runs if run.budget == budget]
        if own:
            calls = np.mean([run.calls / run.n_units for run in own])
            points.append((float(calls), float(np.mean([run.error for run in own]))))
    return [point[0] for point in points], [point[1] for point in points]


def _title(runs: Sequence[Run], family: str) -> str:
    units = {run.n_units for run in runs if run.method == OURS} or {run.n_units for run in runs}
    games = {run.game for run in runs}
    sizes = f"{min(units)}" if len(units) == 1 else f"{min(units)} to {max(units)}"
    return f"{family}: {len(games)} games, n = {sizes}"
