"""An audit in the terminal: the verdicts, and the gaps that matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from perturbx.fairness.wording import gap, group_name, p_value, wording
from perturbx.reports.audit_groups import interval
from perturbx.reports.audit_view import AuditView, Record, findings, finite
from perturbx.reports.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from perturbx.fairness.report import FairnessReport

VERDICTS: Final = 6
"""Verdicts of a kind that are printed."""

GAPS: Final = 10
"""Gaps that are printed."""

NARROW: Final = 72
"""With fewer columns than these a table of gaps has no room for words beside the numbers."""


def print_audit(report: FairnessReport, console: Console | None = None) -> None:
    """Print the verdicts of a report and its clearest gaps.

    Parameters
    ----------
    report : FairnessReport
        What was found.
    console : rich.console.Console, optional
        Where it goes; the standard output by default.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    view = AuditView(report)
    console = Console() if console is None else console
    console.print(Text(one_line(view.title, 120), style="bold"))
    console.print(Text(_facts(view), style="dim"))
    for note in view.facts.get("notes") or ():
        console.print(Text(f"Note: {one_line(str(note))}", style="yellow"))
    for title, found in view.verdicts:
        console.print(Text(f"\n{title}", style="bold"))
        first, rest = view.foremost(found, VERDICTS)
        for verdict in first:
            console.print(Padding(Text(f"• {one_line(verdict.text)}"), (0, 0, 0, 2)))
        if rest:
            console.print(Text(f"    and {len(rest)} more", style="dim"))
    if not view.verdicts:
        console.print(Text("Nothing was measured."))
    gaps = [row for row in view.gaps_of() if row["value"] is not None]
    if gaps:
        console.print(Text("\nThe clearest gaps", style="bold"))
        if console.width < NARROW:
            for row in gaps[:GAPS]:
                console.print(Padding(Text(f"• {_in_words(view, row)}"), (0, 0, 0, 2)))
        else:
            console.print(_gaps(view, gaps))
        if len(gaps) > GAPS:
            console.print(Text(f"    and {len(gaps) - GAPS:,} more in the report", style="dim"))


def _facts(view: AuditView) -> str:
    facts = view.facts
    said = [
        f"{facts['n_texts']:,} texts" if isinstance(facts.get("n_texts"), int) else "",
        f"{facts['n_refused']:,} refused" if facts.get("n_refused") else "",
        f"{facts['n_labelled']:,} labelled" if isinstance(facts.get("n_labelled"), int) else "",
        f"{facts['n_calls']:,} inputs" if isinstance(facts.get("n_calls"), int) else "",
    ]
    return " · ".join(part for part in said if part)


def _gaps(view: AuditView, rows: Sequence[Record]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    many = len(view.outcomes) > 1
    for title in ("", *(["outcome"] if many else []), "gap in", "groups"):
        table.add_column(title, overflow="fold")
    for title in ("gap", f"{view.level} interval", "adjusted p"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows[:GAPS]:
        cells = [Text(cell) for cell in _cells(row, many=many)]
        table.add_row(*cells, style="bold" if findings(row) == "differs" else "")
    return table


def _in_words(view: AuditView, row: Record) -> str:
    *words, value, between, p, found = _cells(row, many=len(view.outcomes) > 1)
    return f"{', '.join(words)}: {value} ({view.level} interval {between}; adjusted p {p}), {found}"


def _cells(row: Record, *, many: bool) -> list[str]:
    metric = row["metric"]

    def shown(value: float) -> str:
        return gap(value, metric, sign="+")

    unit = " (points)" if wording(metric).is_share else ""
    pair = " less ".join(one_line(group_name(row[g]), 40) for g in ("group_a", "group_b"))
    return [
        one_line(row["attribute"], 30),
        *([one_line(row["outcome"], 30)] if many else []),
        f"{wording(metric).name}{unit}",
        pair,
        shown(finite(row["value"])),
        interval(row["low"], row["high"], shown),
        p_value(finite(row["p_value"])),
        findings(row),
    ]
