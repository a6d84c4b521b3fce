"""The tables of `games.py`, all of them from the runs alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from game_methods import ON_TEXT, OURS, REFERENCE, SHAP_PERMUTATION
from game_runs import TOLERANCE, Budget, Results, Run
from workload import print_table

PEERS = ("shap ", "shapiq ")
POINTWISE, SIMULTANEOUS = 0.93, 0.95


class Cells:
    """Runs by family, method and budget."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs: dict[tuple[str, str, str], list[Run]] = {}
        for run in runs:
            self._runs.setdefault((run.family, run.method, run.budget), []).append(run)

    @property
    def families(self) -> list[str]:
        """The families, in the order in which they were run."""
        return list(dict.fromkeys(family for family, _, _ in self._runs))

    def methods(self, family: str) -> list[str]:
        """Return the methods with a run in this family."""
        return list(dict.fromkeys(method for own, method, _ in self._runs if own == family))

    def budgets(self, family: str, method: str) -> list[str]:
        """Return the budgets with a run, the smallest first."""
        found = [
            (own[0], budget)
            for (f, m, budget), own in self._runs.items()
            if (f, m) == (family, method)
        ]
        return [budget for _, budget in sorted(found, key=lambda item: item[0].calls)]

    def runs(self, family: str, method: str, budget: str) -> list[Run]:
        """Return the runs of a cell, none where it is empty."""
        return self._runs.get((family, method, budget), [])

    def mean(self, family: str, method: str, budget: str) -> float:
        """Return the mean error of a cell, NaN where it is empty."""
        return _over(np.mean, [run.error for run in self.runs(family, method, budget)])

    def ratio(self, family: str, budget: str, one: str, other: str) -> float:
        """Return the mean error of one in parts of that of another, on the runs that both have."""
        errors = {(run.game, run.seed): run.error for run in self.runs(family, one, budget)}
        both = [
            (errors[run.game, run.seed], run.error)
            for run in self.runs(family, other, budget)
            if (run.game, run.seed) in errors
        ]
        if not both:
            return float("nan")
        means = np.mean(both, axis=0)
        return float(means[0] / means[1])


def print_errors(results: Results, budgets: Sequence[Budget]) -> None:
    """Print mean and median errors, a table a family."""
    cells = Cells(results.runs)
    names = [str(budget) for budget in budgets]
    for family in cells.families:
        whole = max(len(cells.runs(family, OURS, name)) for name in names) or max(
            len(cells.runs(family, method, name))
            for method in cells.methods(family)
            for name in names
        )
        games = {run.game for run in results.runs if run.family == family}
        for title, statistic in (("mean", np.mean), ("median", np.median)):
            rows = []
            for method in cells.methods(family):
                errors = [[run.error for run in cells.runs(family, method, n)] for n in names]
                if any(errors):
                    rows.append([method, *(_cell(statistic, own, whole) for own in errors)])
            print_table(
                f"{family}: {title} relative squared error, {len(games)} games, {whole} runs a "
                f"cell (fewer: in brackets)",
                ["", *names],
                rows,
            )


def print_bars(results: Results, budgets: Sequence[Budget]) -> None:
    """Print odd_gp beside the reference and beside the best of the peers."""
    cells = Cells(results.runs)
    names = [str(budget) for budget in budgets]
    rows: list[list[object]] = []
    for family in cells.families:
        peers = [method for method in cells.methods(family) if method.startswith(PEERS)]
        rows += [
            [
                f"{family}: odd_gp / numpy reference",
                *(cells.ratio(family, name, OURS, REFERENCE) for name in names),
            ],
            [
                f"{family}: shap Permutation / odd_gp",
                *(cells.ratio(family, name, SHAP_PERMUTATION, OURS) for name in names),
            ],
            [
                f"{family}: best peer / odd_gp",
                *(_best_peer(cells, family, name, peers) for name in names),
            ],
        ]
    print_table(
        "Quotients of mean errors, on the runs that both have (of the best peer fewer than ours: "
        "in brackets)",
        ["", *names],
        rows,
    )


def print_large_budgets(results: Results, family: str, peers_at: Budget, default: Budget) -> None:
    """Print few calls of ours beside many of the peers, on word games."""
    cells = Cells(results.runs)
    rows: list[list[object]] = []
    for method, budget in [(OURS, "2n"), (OURS, "3n"), (OURS, "5n")]:
        rows.append([method, *_large(cells.runs(family, method, budget))])
    rows += [
        [f"{method}, its default", *_large(cells.runs(family, method, str(default)))]
        for method in (*ON_TEXT, SHAP_PERMUTATION)
    ]
    rows += [
        [method, *_large(cells.runs(family, method, str(peers_at)))]
        for method in cells.methods(family)
        if method.startswith(PEERS) and method not in ON_TEXT
    ]
    kept = [row for row in rows if row[1] == row[1]]
    if kept:
        print_table(
            f"{family}: few calls beside {peers_at} (mean relative squared error)",
            ["", "calls", "error", "runs"],
            kept,
        )


def print_monotone(results: Results) -> None:
    """Print where a budget is worse than a smaller one, the mean over a family."""
    cells = Cells(results.runs)
    rows: list[list[object]] = []
    for family in cells.families:
        names = cells.budgets(family, OURS)
        if len(names) < 2:
            continue
        means = [cells.mean(family, OURS, name) for name in names]
        worst = [
            (mean / min(means[:i]), f"{names[i]} after {names[int(np.argmin(means[:i]))]}")
            for i, mean in enumerate(means)
            if i
        ]
        rows.append([family, *max(worst), " ".join(names)])
    if rows:
        print_table(
            "Monotone: the largest quotient of the mean error of odd_gp and that of a smaller "
            "budget (bar: 1.1)",
            ["", "quotient", "where", "budgets"],
            rows,
        )


def print_coverage(results: Results, budgets: Sequence[Budget]) -> None:
    """Print how often 95% intervals hold the exact values."""
    cells = Cells(results.runs)
    names = [str(budget) for budget in budgets if budget.a_unit >= 2]
    rows: list[list[object]] = []
    for family in cells.families:
        for method in cells.methods(family):
            found = [cells.runs(family, method, name) for name in names]
            if not any(run.pointwise is not None for own in found for run in own):
                continue
            rows.append([f"{family}: {method}", *(_covered(own) for own in found)])
    if rows:
        print_table(
            "95% intervals: share of values inside / share of runs with all values inside the "
            f"simultaneous ones / mean half-width in parts of the largest value; ! is below "
            f"{POINTWISE}, or by more than two binomial standard errors below {SIMULTANEOUS}",
            ["", *names],
            rows,
        )


def print_stopping(results: Results) -> None:
    """Print what ``budget="auto"`` spent and whether it kept its promise."""
    rows: list[list[object]] = []
    for family in dict.fromkeys(stop.family for stop in results.stops):
        own = [stop for stop in results.stops if stop.family == family]
        early = [stop for stop in own if not stop.at_cap]
        rows.append(
            [
                family,
                len(own),
                float(np.mean([stop.calls / stop.n_units for stop in own])),
                float(np.median([stop.calls / stop.n_units for stop in own])),
                float(np.mean([stop.at_cap for stop in own])),
                _over(np.mean, [stop.worst <= TOLERANCE for stop in early]),
                float(np.mean([stop.worst <= TOLERANCE for stop in own])),
            ]
        )
    if rows:
        print_table(
            f'budget="auto", tolerance={TOLERANCE}: calls, and the share of runs in which every '
            "unit is within the tolerance",
            [
                "",
                "runs",
                "calls / n (mean)",
                "(median)",
                "at the cap of 20n",
                "within, stopped before the cap",
                "within, all",
            ],
            rows,
        )


def print_left_out(results: Results, skipped: dict[str, str]) -> None:
    """Print which methods and cells are missing, and why."""
    if skipped:
        print("\nLeft out:\n")
        for name, reason in skipped.items():
            print(f"- {name}: {reason}")
    if results.failures:
        print("\nEmpty cells:\n")
        by_reason: dict[tuple[str, str], list[str]] = {}
        for (family, method, budget), reason in results.failures.items():
            by_reason.setdefault((method, reason), []).append(f"{family} {budget}")
        for (method, reason), where in by_reason.items():
            print(f"- {method} ({', '.join(where)}): {reason}")


def _over(statistic: Callable[..., object], values: Sequence[float]) -> float:
    return float(statistic(values)) if values else float("nan")  # type: ignore[arg-type]


def _best_peer(cells: Cells, family: str, budget: str, peers: Sequence[str]) -> str:
    ratios = {peer: cells.ratio(family, budget, peer, OURS) for peer in peers}
    known = {peer: ratio for peer, ratio in ratios.items() if np.isfinite(ratio)}
    if not known:
        return "–"
    best = min(known, key=lambda peer: known[peer])
    n_runs = len(cells.runs(family, best, budget))
    few = f" ({n_runs})" if n_runs < len(cells.runs(family, OURS, budget)) else ""
    return f"{known[best]:.3g} {best.partition(' ')[2]}{few}"


def _cell(statistic: Callable[..., object], errors: Sequence[float], whole: int) -> object:
    value = _over(statistic, errors)
    if not errors or (len(errors) == whole and value < 1e3):
        return value
    shown = f"{value:.3g}" if 1e-3 <= value < 1e3 else f"{value:.0e}"
    return shown if len(errors) == whole else f"{shown} ({len(errors)})"


def _large(runs: Sequence[Run]) -> tuple[float, float, int]:
    return (
        _over(np.mean, [run.calls for run in runs]),
        _over(np.mean, [run.error for run in runs]),
        len(runs),
    )


def _covered(runs: Sequence[Run]) -> str:
    known = [run for run in runs if run.pointwise is not None]
    if not known:
        return "–"
    pointwise = np.mean([run.pointwise for run in known])
    simultaneous = np.mean([run.simultaneous for run in known])
    noise = 2 * np.sqrt(SIMULTANEOUS * (1 - SIMULTANEOUS) / len(known))
    first = "!" if pointwise < POINTWISE else ""
    second = "!" if simultaneous < SIMULTANEOUS - noise else ""
    width = np.mean([run.half_width for run in known])
    return f"{pointwise:.3f}{first} / {simultaneous:.2f}{second} / {width:.2g}"
