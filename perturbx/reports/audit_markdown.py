"""An audit as Markdown: the verdicts, the main tables and the limits, for a review or a README."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import gap, group_name, measured, number, p_value, percent, wording
from perturbx.reports import audit_prose as prose
from perturbx.reports.audit_groups import interval
from perturbx.reports.audit_view import (
    MAIN_MEASURES,
    AuditView,
    Record,
    by_size,
    findings,
    finite,
    is_total,
    is_word,
)
from perturbx.reports.safe_text import one_line

if TYPE_CHECKING:
    from perturbx.fairness.report import FairnessReport

ROWS: Final = 12
"""Rows of a table; the page and the JSON have more."""

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~$&])")
_START: Final = re.compile(r"^(?:\d+[.)]|[-+=#])(?=$|[-+=#\s])")
"""What would begin a list, a heading or a line across the page."""


def render_audit_markdown(report: FairnessReport) -> str:
    """Return a report as Markdown (CommonMark with tables).

    Parameters
    ----------
    report : FairnessReport
        What was found.
    """
    view = AuditView(report)
    blocks = [f"# {_plain(view.title, 200)}", *_facts(view), *_verdicts(view)]
    for attribute in view.attributes:
        blocks += [f"## By {_plain(attribute)}", *_attribute(view, attribute)]
    blocks += ["## Method"]
    blocks += [f"**{_plain(title)}.** {_plain(said, None)}" for title, said in prose.method(view)]
    facts = [*prose.data(view), *prose.decisions(view)]
    blocks += ["## Data", "\n".join(f"- {_plain(k)}: {_plain(v, 300)}" for k, v in facts)]
    blocks += ["## Limits", "\n".join(f"- {_plain(own, None)}" for own in prose.limits(view))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _plain(text: object, limit: int | None = 80) -> str:
    """Return a text on one line in which nothing is markup."""
    line = _SPECIAL.sub(r"\\\1", one_line(str(text), limit))
    return _START.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def _facts(view: AuditView) -> Iterator[str]:
    known = {
        "Texts": view.facts.get("n_texts"),
        "Refused": view.facts.get("n_refused") or None,
        "With a label": view.facts.get("n_labelled"),
        "Date": view.time,
    }
    said = [
        f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {_plain(value)}"
        for key, value in known.items()
        if value not in (None, "")
    ]
    yield " · ".join(said)
    yield "\n".join(f"> {_plain(note, None)}" for note in view.facts.get("notes") or ())


def _verdicts(view: AuditView) -> Iterator[str]:
    yield "## What was found"
    if not view.verdicts:
        yield "Nothing was measured."
    for title, found in view.verdicts:
        yield f"### {_plain(title)}"
        yield "\n".join(f"- {_plain(verdict.text, None)}" for verdict in found)


def _attribute(view: AuditView, attribute: str) -> Iterator[str]:
    for outcome in view.outcomes:
        own = {"attribute": attribute, "outcome": outcome}
        name = f": {_plain(outcome)}" if len(view.outcomes) > 1 else ""
        tables = (
            ("Measures by group", _measures(view.of("metrics", **own), view.level)),
            ("Gaps between groups", _gaps(view.gaps_of(**own), view.level)),
            ("What words add to the clearest gap", _words(view, attribute, outcome)),
            ("Swapped identity terms", _swaps(view.of("counterfactual", **own), view.level)),
            ("What would help (estimates)", _advice(view.of("advice", **own))),
        )
        for title, table in tables:
            if table:
                yield f"### {title}{name}"
                yield table


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: int = 0,
    most: int = ROWS,
    more: str = "more rows stand in the HTML and JSON reports",
) -> str:
    """Return a table whose last columns are numbers; nothing for no rows.

    Parameters
    ----------
    heads : sequence of str
        The heads of the columns.
    rows : iterable of sequence of str
        The cells, escaped.
    numbers : int
        How many columns, the last ones, are numbers.
    most : int
        Rows at most.
    more : str
        What is said of the others.
    """
    every = list(rows)
    if not every:
        return ""
    rule = ["---"] * (len(heads) - numbers) + ["---:"] * numbers
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, rule, *every[:most])]
    if len(every) > most:
        lines.append(f"\n{len(every) - most:,} {more}.")
    return "\n".join(lines)


def _measures(rows: Sequence[Record], level: str) -> str:
    names = dict.fromkeys(row["metric"] for row in rows if row["group"] != EVERYONE)
    main = [metric for metric in MAIN_MEASURES if metric in names]
    groups = dict.fromkeys(row["group"] for row in rows if row["metric"] in names)
    cells = {(row["group"], row["metric"]): row for row in rows}
    order = sorted(groups, key=lambda group: group != EVERYONE)
    lines = [
        [_plain(group_name(group)), *(_measure(cells.get((group, m)), m) for m in main)]
        for group in order
    ]
    heads = ["Group", *(f"{wording(metric).name} ({level} interval)" for metric in main)]
    return table(heads, lines, numbers=len(main), most=2 * ROWS) if main else ""


def _measure(row: Record | None, metric: str) -> str:
    if row is None or row["value"] is None:
        return (row["note"] if row else "") or "–"

    def shown(value: float) -> str:
        return measured(value, metric)

    said = interval(row["low"], row["high"], shown)
    return f"{shown(row['value'])} ({said})" if said != "–" else shown(row["value"])


def _gaps(rows: Sequence[Record], level: str) -> str:
    lines = []
    for row in rows:
        if row["value"] is None:
            continue

        def shown(value: float, metric: str = row["metric"]) -> str:
            return gap(value, metric, sign="+")

        unit = " (points)" if wording(row["metric"]).is_share else ""
        pair = f"{group_name(row['group_a'])} less {group_name(row['group_b'])}"
        lines.append(
            [
                f"{wording(row['metric']).name}{unit}",
                _plain(pair, 120),
                f"**{findings(row)}**" if findings(row) == "differs" else findings(row),
                shown(row["value"]),
                interval(row["low"], row["high"], shown),
                _plain(p_value(finite(row["p_value"]))),
                gap(finite(row["detectable"]), row["metric"]),
            ]
        )
    heads = ["Gap in", "Groups", "Finding", "Gap", f"{level} interval", "Adjusted p", "Seen from"]
    return table(heads, lines, numbers=4)


def _words(view: AuditView, attribute: str, outcome: str) -> str:
    own = {"attribute": attribute, "outcome": outcome}
    for row in view.gaps_of(**own, metric="mean_score"):
        pair = {name: row[name] for name in ("group_a", "group_b")}
        words = [row for row in view.of("words", **own, **pair) if is_word(row)]
        if words:
            said = f"{group_name(pair['group_a'])} less {group_name(pair['group_b'])}"
            signed: Callable[[float], str] = _signed
            lines = [
                [
                    _plain(word["word"]),
                    _plain(word["category"]),
                    signed(finite(word["contribution"])),
                    interval(word["low"], word["high"], signed),
                ]
                for word in by_size(words, "contribution")
            ]
            heads = [f"Word ({_plain(said, 120)})", "Kind", "Adds", f"{view.level} interval"]
            return table(heads, lines, numbers=2)
    return ""


def _signed(value: float) -> str:
    return number(value, sign="+")


def _swaps(rows: Sequence[Record], level: str) -> str:
    lines = []
    for row in sorted(rows, key=lambda row: row["group_a"] != EVERYONE):
        if not is_total(row):
            continue
        is_all = row["group_a"] == EVERYONE
        pair = "all swaps" if is_all else f"{row['group_a']} → {row['group_b']}"
        flips = interval(row["flip_low"], row["flip_high"], percent)
        shift = interval(row["low"], row["high"], _signed)
        lines.append(
            [
                _plain(pair, 120),
                _plain(row["kind"]),
                f"{row['n']:,}",
                f"{percent(finite(row['flip_rate']))} ({flips})" if flips != "–" else "–",
                f"{_signed(finite(row['mean_shift']))} ({shift})",
            ]
        )
    heads = ["From → to", "Kind", "Swaps", f"Decision changes ({level} interval)"]
    return table([*heads, f"Mean shift of score ({level} interval)"], lines, numbers=3)


def _advice(rows: Sequence[Record]) -> str:
    lines = []
    for row in rows:
        metric = row["metric"]
        after = "no estimate"
        if row["gap_after"] is not None:
            ends = (gap(finite(row[f"gap_{end}"]), metric) for end in ("low", "high"))
            after = f"{gap(row['gap_after'], metric)} ({' to '.join(ends)})"
        accuracy = [percent(finite(row[f"accuracy_{end}"])) for end in ("before", "after")]
        unit = " (points)" if wording(metric).is_share else ""
        before = gap(finite(row["gap_before"]), metric)
        name = f"{wording(metric).name}{unit}"
        lines.append([_plain(row["remedy"]), name, before, after, " → ".join(accuracy)])
    heads = ["Remedy", "Largest gap in", "Before", "After (estimate, interval)", "Accuracy"]
    return table(heads, lines, numbers=3)
