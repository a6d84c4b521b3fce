"""What would help, on an audit's page: remedies, weights for training; and representative texts."""

from __future__ import annotations

from html import escape

from perturbx.fairness.wording import gap, number, percent, unit_of_gap, wording
from perturbx.reports.audit_groups import by_outcome, group_name, interval
from perturbx.reports.audit_tables import Column, Row, escaped, folded, name, table
from perturbx.reports.audit_view import AuditView, Record, finite

_TEXT_LIMIT = 600
_DETAIL_LIMIT = 90
_TEXTS = 5


def advice_section(view: AuditView, attribute: str) -> str:
    """Return what remedies would do, before and after, marked as estimates."""
    rows = view.of("advice", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = [row for row in rows if row["outcome"] == outcome]
        columns = [
            Column("Remedy"),
            Column("Largest gap in"),
            Column("Gap before", "number"),
            Column("Gap after, by estimate", "number"),
            Column("Accuracy before", "number"),
            Column("Accuracy after, by estimate", "number"),
            Column("Texts", "number"),
            Column("How it was estimated"),
        ]
        return table(
            "Estimates of what remedies would do",
            columns,
            [_remedy(row) for row in own],
            note=f"Estimates on texts like these, not measurements of a changed model, with their "
            f"{view.level} intervals. Gaps in shares of texts are in percentage points.",
            kind="px-wide",
            shown=12,
        )

    return by_outcome(view, rows, of_outcome)


def _remedy(row: Record) -> Row:
    metric = row["metric"]

    def of_gap(value: float) -> str:
        return gap(value, metric)

    how = f'<span class="px-how">{escaped(row["basis"])}</span>'
    if len(row["detail"]) > _DETAIL_LIMIT:
        how += folded("Settings", f'<span class="px-how">{escaped(row["detail"])}</span>')
    elif row["detail"]:
        how += f' <span class="px-how">{escaped(row["detail"])}</span>'
    before = f"{of_gap(finite(row['gap_before']))}"
    accuracy = percent(finite(row["accuracy_before"]))
    if row["gap_after"] is None:
        cells = ('<span class="px-why">no estimate</span>', accuracy, "–")
    else:
        cells = (
            f"<b>{of_gap(row['gap_after'])}</b>"
            + _beside(interval(row["gap_low"], row["gap_high"], of_gap)),
            accuracy,
            percent(finite(row["accuracy_after"]))
            + _beside(interval(row["accuracy_low"], row["accuracy_high"], percent)),
        )
    told = escape(wording(metric).name)
    unit = " (points)" if unit_of_gap(metric) else ""
    return Row(
        name(row["remedy"], 120),
        (f"{told}{unit}", before, *cells, f"{row['n']:,}", how),
        "px-none" if row["gap_after"] is None else "",
    )


def _beside(said: str) -> str:
    return "" if said == "–" else f' <span class="px-beside">({said})</span>'


def weights_section(view: AuditView, attribute: str) -> str:
    """Return the weights with which groups and labels would be independent in training."""
    rows = view.of("reweighing", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        lines = [
            Row(
                group_name(row["group"]),
                (name(row["label"]), f"{row['weight']:.3f}", f"{row['n']:,}"),
            )
            for row in rows
            if row["outcome"] == outcome
        ]
        columns = [Column("Group"), Column("Label"), Column("Weight", "number")]
        return table(
            "Weights of texts in training",
            [*columns, Column("Texts", "number")],
            lines,
            note="With these weights, the label is as frequent in every group: above 1 where a "
            "group has the label more rarely than others.",
            kind="px-narrow",
        )

    return by_outcome(view, rows, of_outcome)


def representatives_section(view: AuditView) -> str:
    """Return the texts that together show the most of what words do."""
    rows = view.rows["representatives"]

    def of_outcome(outcome: str) -> str:
        items = [_text(row) for row in rows if row["outcome"] == outcome]
        shown = '<ol class="px-cases">\n' + "\n".join(items[:_TEXTS]) + "\n</ol>"
        rest = items[_TEXTS:]
        if not rest:
            return shown
        more = f'<ol class="px-cases" start="{_TEXTS + 1}">\n' + "\n".join(rest) + "\n</ol>"
        return shown + folded(f"{len(rest)} more texts", more)

    return by_outcome(view, rows, of_outcome).replace("<h4>", "<h3>").replace("</h4>", "</h3>")


def _text(row: Record) -> str:
    text = row["text"]
    if len(text) > _TEXT_LIMIT:
        text = text[:_TEXT_LIMIT] + " …"
    facts = [
        f"Score <b>{number(finite(row['score']))}</b>",
        f"groups: {name(row['groups'], 200) if row['groups'] else 'none'}",
        f"words that matter most: {name(row['words'], 300) if row['words'] else 'none'}",
    ]
    return (
        f'<li><blockquote dir="auto">{escaped(text)}</blockquote>\n'
        f'<p class="px-quiet">{"; ".join(facts)} (text {row["row"]:,})</p></li>'
    )
