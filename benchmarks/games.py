"""Error against calls on games whose Shapley values are known, beside shap and shapiq.

    python benchmarks/games.py                      # everything: see benchmarks/README.md
    python benchmarks/games.py --quick              # few games and seeds: about five minutes
    python benchmarks/games.py --json games.json --plot games.png
    python benchmarks/games.py --from games.json --plot games.png      # draw again, run nothing

The tables go to standard output in Markdown, what is being done to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, astuple, fields
from pathlib import Path

import torch
from game_families import FAMILIES, games_of
from game_methods import ON_TEXT, OURS, SHAP_PERMUTATION, Method, all_methods, prototype
from game_plot import draw
from game_runs import Budget, Results, Run, Stop, compare, stop_by_itself
from game_speed import Speed, measure, print_speeds
from game_tables import (
    print_bars,
    print_coverage,
    print_errors,
    print_large_budgets,
    print_left_out,
    print_monotone,
    print_stopping,
)
from workload import note, print_surroundings

from perturbx.coalitions.design_cache import cache_folder

TIMES = (2, 3, 5, 10, 20, 50)
BETWEEN = (Budget(1, 2), Budget(1.5), Budget(4), Budget(7), Budget(15), Budget(30))
"""Budgets of odd_gp alone: more calls must not be worse than fewer."""

PEERS_AT = Budget(0, 512)
SHAP_DEFAULT = Budget(0, 500)
WORDS = "words12"
MADE = (WORDS, "network60", "planted")
MOST_STORED, MOST_MADE = 15, 8


def main() -> None:
    """Run what is asked for, print the tables, and write the files."""
    parser = _parser()
    asked = parser.parse_args()
    torch.set_num_threads(1)
    shared = Path(os.environ.get("PERTURBX_SHARED", Path(__file__).parents[2] / "shared"))
    budgets = [Budget(times) for times in asked.budgets]
    print_surroundings()
    began = time.perf_counter()
    if asked.results is not None:
        results, skipped, speeds = _read(asked.results)
    else:
        results, skipped, speeds = _run(asked, shared, budgets)
    print_errors(results, budgets)
    print_bars(results, budgets)
    print_large_budgets(results, WORDS, PEERS_AT, SHAP_DEFAULT)
    print_monotone(results)
    print_coverage(results, budgets)
    print_stopping(results)
    if speeds:
        print_speeds(speeds)
    print_left_out(results, skipped)
    print(f"\n{len(results.runs):,} runs, {time.perf_counter() - began:,.0f} s")
    if asked.json is not None:
        _write(asked.json, results, skipped, speeds)
    if asked.plot is not None:
        draw(results, [str(budget) for budget in budgets], asked.plot)


def _run(
    asked: argparse.Namespace, shared: Path, budgets: list[Budget]
) -> tuple[Results, dict[str, str], list[Speed]]:
    note("find the methods")
    methods, skipped = all_methods(shared, asked.methods)
    results = Results()
    for family in asked.families:
        most = asked.games or (MOST_MADE if family in MADE else MOST_STORED)
        games = games_of(family, most, shared, asked.cache)
        if not games:
            skipped[f"family {family}"] = f"its data is not in {shared}"
            continue
        for method in methods:
            note(f"{family}: {method.name}")
            plan = _plan(family, method, budgets)
            compare(results, family, games, [method], plan, asked.seeds, asked.allowance)
        if any(method.name == OURS for method in methods):
            note(f"{family}: stopping")
            stop_by_itself(results, family, games, asked.seeds)
    if not asked.methods:
        note("the time of a fit")
        return results, skipped, measure(prototype(shared), quick=asked.quick)
    return results, skipped, []


def _plan(family: str, method: Method, budgets: list[Budget]) -> list[Budget]:
    if method.name == OURS:
        return [*budgets, *BETWEEN]
    if method.name in ON_TEXT:
        return [SHAP_DEFAULT, PEERS_AT] if family == WORDS else []
    if family == WORDS and method.name == SHAP_PERMUTATION:
        return [*budgets, SHAP_DEFAULT, PEERS_AT]
    if family == WORDS and method.maker in ("shap", "shapiq"):
        return [*budgets, PEERS_AT]
    return budgets


def _write(path: Path, results: Results, skipped: dict[str, str], speeds: list[Speed]) -> None:
    record = {
        "columns": [column.name for column in fields(Run)],
        "runs": [astuple(run) for run in results.runs],
        "stops": [asdict(stop) for stop in results.stops],
        "failures": [[*key, reason] for key, reason in results.failures.items()],
        "speeds": [asdict(speed) for speed in speeds],
        "left_out": skipped,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def _read(path: Path) -> tuple[Results, dict[str, str], list[Speed]]:
    record = json.loads(path.read_text(encoding="utf-8"))
    results = Results(
        [Run(**dict(zip(record["columns"], row, strict=True))) for row in record["runs"]],
        {(family, method, budget): why for family, method, budget, why in record["failures"]},
        [Stop(**stop) for stop in record["stops"]],
    )
    return results, record["left_out"], [Speed(**speed) for speed in record["speeds"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action=_Quick, nargs=0, default=False, help="2 games, 2 seeds, 1 s a cell")
    add("--games", type=int, help="of each family at most; by default 15 stored, 8 made ones")
    add("--seeds", type=int, default=8, help="for each game, other ones for each")
    add("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    add("--budgets", nargs="+", type=float, default=list(TIMES), help="calls a unit")
    add(
        "--methods",
        nargs="+",
        default=[],
        help='parts of names, those of shapiq with "shapiq" before them',
    )
    add(
        "--allowance",
        type=float,
        default=3.0,
        help="seconds a cell (method, family, budget) after which slow methods add no more runs",
    )
    add(
        "--cache",
        type=Path,
        default=_default_cache(),
        help="folder of the enumerated sentences",
    )
    add("--json", type=Path, help="write all runs")
    add("--from", dest="results", type=Path, help="read what --json wrote, and run nothing")
    add("--plot", type=Path, help="write the figure, a .png or .svg file")
    return parser


class _Quick(argparse.Action):
    """Other defaults, which later options may change again."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        namespace.quick, namespace.games, namespace.seeds = True, 2, 2
        namespace.allowance = 1.0


def _default_cache() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "benchmarks"


if __name__ == "__main__":
    main()
