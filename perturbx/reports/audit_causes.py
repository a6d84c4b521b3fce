"""Why groups differ, on an audit's page: the gap in mean scores split into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final, TypeAlias

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import NO_WORDS, number
from perturbx.reports.audit_charts import Axis, bar, dot
from perturbx.reports.audit_groups import by_outcome, group_name, interval, pair_name
from perturbx.reports.audit_tables import Column, Row, chart_column, folded, left_out, name, table
from perturbx.reports.audit_view import (
    AuditView,
    Record,
    by_size,
    distinct,
    finite,
    is_word,
    pair_of,
)
from perturbx.reports.safe_text import one_line

Pair: TypeAlias = tuple[str, str]

_PAIRS_SHOWN: Final = 2
_PAIRS_FOLDED: Final = 18
_WORDS: Final = 25
"""Words of a pair that are folded away: there are hundreds, and the last ones tell nothing."""


def causes_section(view: AuditView, attribute: str) -> str:
    """Return the gap in mean scores by kinds of words and by words, pair by pair."""
    rows = view.of("categories", attribute=attribute)
    words = view.of("words", attribute=attribute)
    order = [
        (row["outcome"], *pair_of(row))
        for row in view.gaps_of(attribute=attribute, metric="mean_score")
    ]

    def of_outcome(outcome: str) -> str:
        parts, of_words = _pairs_of(rows, outcome), _pairs_of(words, outcome)
        places = {pair[1:]: place for place, pair in enumerate(order) if pair[0] == outcome}
        pairs = sorted(parts, key=lambda pair: places.get(pair, len(places)))

        def drawn(pair: Pair) -> str:
            title = f"Words behind the gap: {_plain_pair(pair)}"
            found = word_table(title, of_words.get(pair, []), view.level, _of_texts(pair))
            return f"{_sum(parts[pair], view.level)}\n{found}"

        return _by_pair(pairs, drawn)

    return by_outcome(view, rows, of_outcome)


def _pairs_of(rows: Sequence[dict[str, Any]], outcome: str) -> dict[Pair, list[dict[str, Any]]]:
    """Return the rows of one outcome by the groups that they compare."""
    found: dict[Pair, list[dict[str, Any]]] = {}
    for row in rows:
        if row["outcome"] == outcome:
            found.setdefault(pair_of(row), []).append(row)
    return found


def _plain_pair(pair: Sequence[str]) -> str:
    return " less ".join(map(group_name, pair))


def _by_pair(pairs: Sequence[Pair], drawn: Callable[[Pair], str]) -> str:
    """Return the first pairs as they are, the next ones folded away."""
    blocks = [drawn(pair) for pair in pairs[:_PAIRS_SHOWN]]
    rest = pairs[_PAIRS_SHOWN : _PAIRS_SHOWN + _PAIRS_FOLDED]
    if rest:
        each = [folded(_plain_pair(pair), drawn(pair)) for pair in rest]
        left = len(pairs) - len(blocks) - len(rest)
        each += [left_out(left, "pairs")] if left else []
        blocks.append(folded(f"{len(rest)} more pairs of groups", "\n".join(each)))
    return "\n".join(blocks)


def _of_texts(pair: Pair) -> tuple[str, str]:
    first, second = (f"Texts of {group_name(group)}" for group in pair)
    return first, second


def _sum(rows: list[dict[str, Any]], level: str) -> str:
    """Return the parts of a gap, each bar beginning where the one before it ends."""
    rows = sorted(rows, key=lambda row: (row["category"] in NO_WORDS, -abs(row["contribution"])))
    starts, total = [], 0.0
    for row in rows:
        starts.append(total)
        total += row["contribution"]
    ends = [total, *starts]
    for start, row in zip(starts, rows, strict=True):
        ends += [start + finite(row[end]) for end in ("low", "high")]
    size = max((abs(end) for end in ends if end == end), default=1.0)

    def signed(value: float) -> str:
        return number(value, sign="+", size=size)

    axis = Axis.of(ends, lambda value: f"{value:+g}" if value else "0")
    lines = []
    for start, row in zip(starts, rows, strict=True):
        low, high = finite(row["low"]), finite(row["high"])
        said = interval(row["low"], row["high"], signed) if high > low else "–"
        if not high > low:
            low = high = float("nan")
        value, part = row["contribution"], NO_WORDS.get(row["category"])
        label = f"{part or one_line(row['category'])}: {signed(value)}"
        drawn = bar(axis, start, start + value, start + low, start + high, label=label, kind="step")
        lines.append(
            Row(
                f'<span class="px-quiet">{part}</span>' if part else name(row["category"]),
                (signed(value), said, drawn),
            )
        )
    drawn = bar(axis, 0.0, total, label=f"The gap: {signed(total)}", kind="total")
    lines.append(Row("The gap, all together", (signed(total), "", drawn), "px-total"))
    columns = [
        Column("Kind of words"),
        Column("Adds", "number"),
        Column(f"{level} interval", "number"),
        chart_column(axis),
    ]
    return table(
        f"Gap in mean scores: {pair_name(rows[0])}",
        columns,
        lines,
        note="Each bar begins where the one above it ends; together they are the gap.",
        shown=99,
        kind="px-middling",
    )


def word_table(
    title: str, rows: list[dict[str, Any]], level: str, texts: tuple[str, str], *, note: str = ""
) -> str:
    """Return what single words add, the largest first.

    Parameters
    ----------
    title : str
        The caption, as HTML.
    rows : list of dict
        Rows of "words" or "false_positives".
    level : str
        Of the intervals.
    texts : tuple of str
        The heads of the columns that count texts, as HTML.
    note : str
        A second line of the caption.
    """
    words = by_size([row for row in rows if is_word(row)], "contribution")
    shown = [
        finite(row[end]) for row in words[: _WORDS + 12] for end in ("contribution", "low", "high")
    ]
    size = max((abs(end) for end in shown if end == end), default=1.0)

    def signed(value: float) -> str:
        return number(value, sign="+", size=size)

    axis = Axis.of(shown, lambda value: f"{value:+g}" if value else "0")
    lines = []
    for row in words:
        value, low, high = (finite(row[end]) for end in ("contribution", "low", "high"))
        label = f"{one_line(row['word'])}: {signed(value)}"
        drawn = bar(axis, 0.0, value, low, high, label=label)
        said = interval(row["low"], row["high"], signed)
        counts = (f"{row['n_a']:,}", f"{row['n_b']:,}")
        kind = name(row["category"])
        lines.append(Row(name(row["word"]), (kind, signed(value), said, *counts, drawn)))
    columns = [
        Column("Word"),
        Column("Kind"),
        Column("Adds", "number"),
        Column(f"{level} interval", "number"),
        Column(texts[0], "number"),
        Column(texts[1], "number"),
        chart_column(axis),
    ]
    return table(title, columns, lines, note=note, most=_WORDS)


def terms_section(view: AuditView, attribute: str) -> str:
    """Return what one occurrence of each identity term adds, by the groups of the texts."""
    rows = _without_repeats(view.of("identity_terms", attribute=attribute))

    def of_outcome(outcome: str) -> str:
        own = by_size([row for row in rows if row["outcome"] == outcome], "attribution")
        order = {key: place for place, key in enumerate(distinct(own, "word", "category"))}
        own.sort(key=lambda row: (order[row["word"], row["category"]], row["group"] != EVERYONE))
        return _terms(own, view.level)

    return by_outcome(view, rows, of_outcome)


def _without_repeats(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of terms but those of all texts that are a single group's again."""

    def key(row: Record) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("outcome", "word", "category", "n", "attribution"))

    of_groups = {key(row) for row in rows if row["group"] != EVERYONE}
    return [row for row in rows if row["group"] != EVERYONE or key(row) not in of_groups]


def _terms(rows: list[dict[str, Any]], level: str) -> str:
    ends = [finite(row[end]) for row in rows for end in ("attribution", "low", "high")]
    size = max((abs(end) for end in ends if end == end), default=1.0)

    def signed(value: float) -> str:
        return number(value, sign="+", size=size)

    axis = Axis.of(ends, lambda value: f"{value:+g}" if value else "0")
    lines = []
    for row in rows:
        value, low, high = (finite(row[end]) for end in ("attribution", "low", "high"))
        label = f"{one_line(row['word'])}, {one_line(row['group'])}: {signed(value)}"
        drawn = dot(axis, value, low, high, label=label, strong=low > 0 or high < 0)
        said = interval(row["low"], row["high"], signed)
        about = (name(row["category"]), group_name(row["group"]))
        cells = (*about, signed(value), said, f"{row['n']:,}", drawn)
        lines.append(Row(name(row["word"]), cells, "px-all" if row["group"] == EVERYONE else ""))
    columns = [
        Column("Term"),
        Column("Kind"),
        Column("In texts of"),
        Column("Adds", "number"),
        Column(f"{level} interval", "number"),
        Column("Texts", "number"),
        chart_column(axis),
    ]
    return table(
        "What one identity term adds to a score",
        columns,
        lines,
        note="The average over its occurrences, by the group of the text it stands in.",
        shown=14,
    )


def false_positives_section(view: AuditView, attribute: str) -> str:
    """Return the words that drive false positives in one group more than in another."""
    rows = view.of("false_positives", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = _pairs_of([row for row in rows if is_word(row)], outcome)

        def drawn(pair: Pair) -> str:
            return word_table(
                f"In false positives: {_plain_pair(pair)}",
                own[pair],
                view.level,
                _of_texts(pair),
                note=f"Above 0, the word adds more to texts of {group_name(pair[0])} that are "
                f"wrongly given {escape(one_line(outcome, 60))}.",
            )

        return _by_pair(list(own), drawn)

    return by_outcome(view, rows, of_outcome)


Section = Callable[[AuditView, str], str]
"""A section of an attribute: the view and the attribute to HTML, empty for nothing to show."""
