"""The groups of an audit's page: how large they are, what was measured, and the gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import (
    MEASURES,
    gap,
    measured,
    number,
    p_value,
    wording,
)
from perturbx.reports.audit_charts import Axis, dot
from perturbx.reports.audit_tables import SHOWN, Column, Row, chart_column, folded, name, table
from perturbx.reports.audit_view import (
    FINDINGS,
    MAIN_MEASURES,
    AuditView,
    Record,
    findings,
    finite,
)
from perturbx.reports.safe_text import one_line

_ORIGINS: Final = {
    "column": "from a column of the data",
    "text": "from words in the texts",
    "intersection": "from two groups at once",
}
_AT_ENDS: Final = 5


def by_outcome(view: AuditView, rows: Sequence[Record], drawn: Callable[[str], str]) -> str:
    """Return something for each outcome, the first one unfolded; of a single one without a name."""
    outcomes = list(dict.fromkeys(row["outcome"] for row in rows))
    if len(view.outcomes) < 2:
        return "".join(map(drawn, outcomes))
    return "\n".join(
        folded(f"<h4>Outcome: {name(outcome)}</h4>", drawn(outcome), is_open=place == 0)
        for place, outcome in enumerate(outcomes)
    )


def group_name(group: str) -> str:
    """Return the name of a group as HTML."""
    return "all texts" if group == EVERYONE else name(group)


def pair_name(row: Record) -> str:
    """Return what is compared: the first group less the second, as HTML."""
    return f"{group_name(row['group_a'])} less {group_name(row['group_b'])}"


def interval(low: float | None, high: float | None, shown: Callable[[float], str]) -> str:
    """Return an interval in words, or a dash."""
    if low is None or high is None:
        return "–"
    return f"{shown(low)} to {shown(high)}"


def groups_section(view: AuditView, attribute: str) -> str:
    """Return the table of the groups with their sizes."""
    rows = view.of("groups", attribute=attribute)
    lines = [
        Row(
            group_name(row["group"]),
            (
                f"{row['n']:,}",
                f"{row['n_labelled']:,}",
                _ORIGINS.get(row["origin"], name(row["origin"])),
            ),
            "px-all" if row["group"] == EVERYONE else "",
        )
        for row in sorted(rows, key=lambda row: row["group"] != EVERYONE)
    ]
    columns = [Column("Group"), Column("Texts", "number"), Column("With a label", "number")]
    return table(
        "Texts of each group",
        [*columns, Column("How known")],
        lines,
        kind="px-narrow",
        note="A text may belong to several groups, or to none.",
        shown=12,
    )


def measures_section(view: AuditView, attribute: str) -> str:
    """Return a table with a chart for every measure; the lesser ones are folded away."""
    rows = view.of("metrics", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = [row for row in rows if row["outcome"] == outcome]
        names = dict.fromkeys(row["metric"] for row in own)
        of_groups = [
            m for m in names if any(r["group"] != EVERYONE for r in own if r["metric"] == m)
        ]
        main = [metric for metric in MAIN_MEASURES if metric in of_groups]
        known = [metric for metric in MEASURES if metric in of_groups and metric not in main]
        lesser = [*known, *(m for m in of_groups if m not in main and m not in MEASURES)]
        blocks = [_tiles(own, main, view.level)]
        if lesser:
            said = ", ".join(wording(metric).name for metric in lesser)
            blocks.append(folded(f"More measures: {escape(said)}", _tiles(own, lesser, view.level)))
        overall = [row for row in own if row["metric"] not in of_groups]
        if overall:
            blocks.append(_overall(overall, view.level))
        return "\n".join(blocks)

    return by_outcome(view, rows, of_outcome)


def _tiles(rows: Sequence[Record], metrics: Sequence[str], level: str) -> str:
    tiles = [_measure([row for row in rows if row["metric"] == m], m, level) for m in metrics]
    inner = "\n".join(f"<div>{tile}</div>" for tile in tiles)
    return f'<div class="px-tiles">\n{inner}\n</div>'


def _measure(rows: list[Record], metric: str, level: str) -> str:
    told = wording(metric)
    ends = [finite(row[end]) for row in rows for end in ("value", "low", "high")]
    size = max((abs(end) for end in ends if end == end), default=1.0)

    def shown(value: float) -> str:
        return measured(value, metric, size=size)

    def on_axis(value: float) -> str:
        return f"{100 * value:g}%" if told.is_share else f"{value:,g}"

    axis = Axis.of(ends, on_axis, zero=told.is_share or metric == "mean_score")
    everyone = [row for row in rows if row["group"] == EVERYONE]
    groups = [row for row in rows if row["group"] != EVERYONE]
    reference = finite(everyone[0]["value"]) if everyone else float("nan")

    def line(row: Record) -> Row:
        is_all = row["group"] == EVERYONE
        if row["value"] is None:
            why = "too few" if row["note"] == "too few" else "no value"
            cells = (f'<span class="px-why">{why}</span>', "–")
            return Row(group_name(row["group"]), (*cells, f"{row['n']:,}", _drawn(row)), "px-none")
        said = interval(row["low"], row["high"], shown)
        cells = (shown(row["value"]), said)
        return Row(
            group_name(row["group"]),
            (*cells, f"{row['n']:,}", _drawn(row)),
            "px-all" if is_all else "",
        )

    def _drawn(row: Record) -> str:
        value, low, high = (finite(row[end]) for end in ("value", "low", "high"))
        is_all = row["group"] == EVERYONE
        who = "all texts" if is_all else row["group"]
        label = f"{who}: {shown(value)}, interval {interval(row['low'], row['high'], shown)}"
        return dot(
            axis,
            value,
            low,
            high,
            label=one_line(label, 200),
            reference=reference,
            strong=not is_all,
        )

    columns = [
        Column("Group"),
        Column("Value", "number"),
        Column(f"{level} interval", "number"),
        Column("Texts", "number"),
        chart_column(axis),
    ]
    title = escape(_capital(told.name))
    note = escape(_capital(told.meaning)) + "." if told.meaning else ""
    if len(groups) <= 2 * _AT_ENDS + 2:
        return table(
            title, columns, [*map(line, everyone), *map(line, groups)], note=note, shown=99
        )
    ranked = sorted(
        (row for row in groups if row["value"] is not None), key=lambda row: -row["value"]
    )
    cut = ranked if len(ranked) <= 2 * _AT_ENDS else ranked[:_AT_ENDS] + ranked[-_AT_ENDS:]
    if len(ranked) > 2 * _AT_ENDS:
        note += f" The {_AT_ENDS} highest and the {_AT_ENDS} lowest of {len(ranked)} groups:"
    return table(
        title,
        columns,
        [*map(line, everyone), *map(line, cut)],
        note=note,
        beyond=list(map(line, groups)),
        beyond_title=f"All {len(groups)} groups",
    )


def _overall(rows: Sequence[Record], level: str) -> str:
    lines = [
        Row(
            escape(_capital(wording(row["metric"]).name)),
            (
                number(finite(row["value"])),
                interval(row["low"], row["high"], number),
                escape(wording(row["metric"]).meaning),
            ),
        )
        for row in rows
    ]
    columns = [Column("Measure"), Column("Value", "number"), Column(f"{level} interval", "number")]
    return table("All groups summed up", [*columns, Column("What it is")], lines, kind="px-narrow")


def gaps_section(view: AuditView, attribute: str) -> str:
    """Return the gaps: shares, scores and AUCs apart, as each has a scale of its own."""
    rows = view.gaps_of(attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = [row for row in rows if row["outcome"] == outcome]
        kinds: dict[str, list[dict[str, Any]]] = {}
        for row in own:
            kinds.setdefault(_scale_of(row["metric"]), []).append(row)
        return "\n".join(
            _gaps(title, kinds[title], view.level) for title in _SCALES if title in kinds
        )

    said = "; ".join(
        f"<b>{finding}</b>: {escape(meaning)}"
        for finding, meaning in FINDINGS.items()
        if any(findings(row) == finding for row in rows)
    )
    note = f'<p class="px-note">{said}.</p>\n' if said else ""
    return note + by_outcome(view, rows, of_outcome)


_SCALES: Final = (
    "Gaps in shares of texts, in percentage points",
    "Gaps in scores",
    "Gaps in AUCs",
)


def _scale_of(metric: str) -> str:
    if wording(metric).is_share:
        return _SCALES[0]
    return _SCALES[2 if metric.endswith("_auc") else 1]


def _gaps(title: str, rows: list[dict[str, Any]], level: str) -> str:
    ends = [finite(row[end]) for row in rows for end in ("value", "low", "high")]
    size = max((abs(end) for end in ends if end == end), default=1.0)
    is_share = title == _SCALES[0]

    def on_axis(value: float) -> str:
        return f"{100 * value:+g}" if is_share and value else f"{value:+g}" if value else "0"

    axis = Axis.of(ends, on_axis)
    columns = [
        Column("Gap in"),
        Column("Groups"),
        Column("Finding"),
        Column("Gap", "number"),
        Column(f"{level} interval", "number"),
        Column("Adjusted p", "number"),
        Column("Seen from", "number"),
        Column("Ratio", "number"),
        chart_column(axis),
    ]
    n_sure = sum(findings(row) == "differs" for row in rows)
    known = sum(row["value"] is not None for row in rows) or len(rows)
    cut = min(known, max(SHOWN, min(2 * SHOWN, n_sure)))
    cut = known if known <= cut + 2 else cut
    lines = [_gap(row, axis, size) for row in rows]
    few = len(rows) - known
    return table(
        title,
        columns,
        lines[:cut],
        note="“Seen from” is the size of a gap that would be found in 80 of 100 such data sets.",
        kind="px-wide",
        shown=cut,
        beyond=lines[cut:],
        beyond_title=f"{len(rows) - cut:,} {'comparisons' if cut == known else 'more comparisons'}"
        + (f", {few:,} of them without a value" if few and cut < known else "")
        + (" without a value" if cut == known else ""),
    )


def _gap(row: dict[str, Any], axis: Axis, size: float) -> Row:
    metric, finding = row["metric"], findings(row)
    value, low, high = (finite(row[end]) for end in ("value", "low", "high"))

    def signed(value: float) -> str:
        sign = "-" if metric == "equalized_odds" else "+"
        return gap(value, metric, sign=sign, size=size)

    ratio = row["ratio"]
    said = f'<span class="px-finding px-{finding.replace(" ", "-")}">{finding}</span>'
    if row["value"] is None:
        cells = (said, "–", "–", "–", "–", "–")
    else:
        cells = (
            said,
            signed(value),
            interval(row["low"], row["high"], signed),
            p_value(finite(row["p_value"])),
            gap(finite(row["detectable"]), metric, size=size),
            _ratio(ratio),
        )
    groups = " less ".join(
        "all texts" if group == EVERYONE else group for group in (row["group_a"], row["group_b"])
    )
    label = f"{wording(metric).name}, {groups}: {signed(value)}"
    drawn = dot(axis, value, low, high, label=one_line(label, 200), strong=finding == "differs")
    return Row(
        escape(wording(metric).name),
        (pair_name(row), *cells, drawn),
        "px-none" if row["value"] is None else "",
    )


def _ratio(row: dict[str, Any]) -> str:
    if not row or row["value"] is None:
        return "–"
    ends = interval(row["low"], row["high"], "{:.2f}".format)
    return f'{row["value"]:.2f} <span class="px-beside">({ends})</span>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
