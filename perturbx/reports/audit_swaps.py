"""Swapped identity terms on an audit's page: how often decisions change, and the worst cases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Final

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import number, percent
from perturbx.reports.audit_charts import Axis, dot
from perturbx.reports.audit_groups import by_outcome, group_name, interval
from perturbx.reports.audit_tables import Column, Row, chart_column, escaped, folded, name, table
from perturbx.reports.audit_view import AuditView, Record, finite, is_total
from perturbx.reports.safe_text import one_line

_TOKEN: Final = re.compile(r"[^\W\u2e80-\u9fff\uac00-\ud7ff]+|\s+|.", re.DOTALL)
"""Words, white space, and single characters: of Chinese, Japanese and Korean as well."""

_COMPARED: Final = 2_000
"""Beyond so many pieces what differs is one piece."""

_KEPT: Final = 160
"""Characters of an unchanged stretch that stay at each side of a change."""

_CASES: Final = 6

_JOINED: Final = 2
"""Characters between two changes that are marked with them."""

_KINDS: Final = {
    "symmetric": "",
    "asymmetric": "the text may mean another thing afterwards, so a change may be right",
}


def swaps_section(view: AuditView, attribute: str) -> str:
    """Return how often decisions change, by pairs of groups and by terms."""
    rows = view.of("counterfactual", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = [row for row in rows if row["outcome"] == outcome]
        blocks = []
        for kind in dict.fromkeys(row["kind"] for row in own):
            some = [row for row in own if row["kind"] == kind]
            said = _KINDS.get(kind, kind)
            note = escaped(f"{said[:1].upper()}{said[1:]}.") if said else ""
            title = "" if kind == "symmetric" else f", {kind} swaps"
            totals = sorted(
                (r for r in some if is_total(r)), key=lambda r: r["group_a"] != EVERYONE
            )
            terms = [row for row in some if not is_total(row)]
            blocks.append(_flips(f"By groups{title}", totals, view.level, note, of_terms=False))
            if terms:
                blocks.append(_flips(f"By terms{title}", terms, view.level, note, of_terms=True))
        return "\n".join(blocks)

    return by_outcome(view, rows, of_outcome)


def _flips(title: str, rows: Sequence[Record], level: str, note: str, *, of_terms: bool) -> str:
    decided = any(row["flip_rate"] is not None for row in rows)
    value, low, high = (
        ("flip_rate", "flip_low", "flip_high")
        if decided
        else (
            "mean_shift",
            "low",
            "high",
        )
    )
    ends = [finite(row[end]) for row in rows for end in (value, low, high)]
    moved = [finite(row[end]) for row in rows for end in ("mean_shift", "low", "high")]
    size = max((abs(end) for end in moved if end == end), default=1.0)
    axis = Axis.of(ends, (lambda v: f"{100 * v:g}%") if decided else (lambda v: f"{v:+g}"))

    def signed(value: float) -> str:
        return number(value, sign="+", size=size)

    def line(row: Record) -> Row:
        is_all = row["group_a"] == EVERYONE
        if of_terms:
            head = f"{name(row['term'])} → {name(row['replacement'])}"
            said = f"{one_line(row['term'])} to {one_line(row['replacement'])}"
        elif is_all:
            head = said = "all swaps"
        else:
            head = f"{group_name(row['group_a'])} → {group_name(row['group_b'])}"
            said = f"{one_line(row['group_a'])} to {one_line(row['group_b'])}"
        shown = percent(finite(row[value])) if decided else signed(finite(row[value]))
        drawn = dot(
            axis, *(finite(row[end]) for end in (value, low, high)), label=f"{said}: {shown}"
        )
        flips = (
            (percent(finite(row[value])), interval(row[low], row[high], percent)) if decided else ()
        )
        shift = (signed(finite(row["mean_shift"])), interval(row["low"], row["high"], signed))
        absolute = number(finite(row["mean_absolute_shift"]), size=size)
        cells = (f"{row['n']:,}", *flips, *shift, absolute, drawn)
        return Row(head, cells, "px-all" if is_all else "")

    columns = [
        Column("Term → what stands in for it" if of_terms else "From → to"),
        Column("Swaps", "number"),
        *([Column("Decision changes", "number"), Column(f"{level} interval", "number")] * decided),
        Column("Mean shift of score", "number"),
        Column(f"{level} interval", "number"),
        Column("Mean size of shift", "number"),
        chart_column(axis),
    ]
    return table(title, columns, list(map(line, rows)), note=note, kind="px-wide", shown=12)


def worst_section(view: AuditView, attribute: str) -> str:
    """Return the swaps that move the score most, with both texts."""
    rows = view.of("worst_cases", attribute=attribute)

    def of_outcome(outcome: str) -> str:
        own = [row for row in rows if row["outcome"] == outcome]
        cases = [f"<li>{_case(row)}</li>" for row in own]
        shown, rest = cases[:_CASES], cases[_CASES:]
        blocks = ['<ol class="px-cases">\n' + "\n".join(shown) + "\n</ol>"]
        if rest:
            more = f'<ol class="px-cases" start="{_CASES + 1}">\n' + "\n".join(rest) + "\n</ol>"
            blocks.append(folded(f"{len(rest)} more cases", more))
        return "\n".join(blocks)

    return by_outcome(view, rows, of_outcome)


def _case(row: Record) -> str:
    size = max(abs(row["score"] or 0.0), abs(row["swapped_score"] or 0.0))
    scores = [number(finite(row[end]), size=size) for end in ("score", "swapped_score")]
    shift = number(finite(row["shift"]), sign="+", size=size)
    flipped = ' <b class="px-flip">The decision changes.</b>' if row["flipped"] else ""
    kind = _KINDS.get(row["kind"])
    before, after = marked(row["text"], row["swapped_text"])
    return (
        f'<p class="px-case-head">{name(row["term"])} → {name(row["replacement"])} '
        f'<span class="px-quiet">({group_name(row["group_a"])} → {group_name(row["group_b"])}, '
        f"text {row['row']:,})</span></p>\n"
        f'<dl class="px-both"><div><dt>As it is <span class="px-score">{scores[0]}</span></dt>'
        f'<dd dir="auto">{before}</dd></div>\n'
        f'<div><dt>Swapped <span class="px-score">{scores[1]}</span></dt>'
        f'<dd dir="auto">{after}</dd></div></dl>\n'
        f"<p>The score moves by {shift}.{flipped}{f' Note: {kind}.' if kind else ''}</p>"
    )


def marked(before: str, after: str) -> tuple[str, str]:
    """Return two texts as HTML, with what differs marked; long stretches between are cut.

    Examples
    --------
    >>> marked("she is", "he is")
    ('<del>she</del> is', '<ins>he</ins> is')
    """
    sides: tuple[list[str], list[str]] = ([], [])
    parts = list(_differences(before, after))
    for place, (is_equal, *own) in enumerate(parts):
        for side, tag, part in zip(sides, ("del", "ins"), own, strict=True):
            if is_equal:
                side.append(escaped(_cut(part, place > 0, place < len(parts) - 1)))
            elif part:
                side.append(f"<{tag}>{escaped(part)}</{tag}>")
    return "".join(sides[0]), "".join(sides[1])


def _cut(text: str, follows: bool, precedes: bool) -> str:
    """Return an unchanged stretch without its middle, or without its end far from a change."""
    head, tail = _KEPT * follows, _KEPT * precedes
    if not head and not tail:
        head = 4 * _KEPT
    if len(text) <= head + tail + 20:
        return text
    return f"{text[:head]} … {text[len(text) - tail :]}"


def _differences(before: str, after: str) -> Iterator[tuple[bool, str, str]]:
    first, second = _TOKEN.findall(before), _TOKEN.findall(after)
    head = _alike(first, second)
    tail = _alike(first[head:][::-1], second[head:][::-1])
    ends = len(first) - tail, len(second) - tail
    if head:
        yield True, "".join(first[:head]), "".join(first[:head])
    a, b = first[head : ends[0]], second[head : ends[1]]
    if max(len(a), len(b)) > _COMPARED:
        yield False, "".join(a), "".join(b)
    else:
        found = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
        yield from _gathered(
            [(tag == "equal", "".join(a[i:j]), "".join(b[k:m])) for tag, i, j, k, m in found]
        )
    if tail:
        yield True, "".join(first[ends[0] :]), "".join(second[ends[1] :])


def _gathered(parts: Sequence[tuple[bool, str, str]]) -> list[tuple[bool, str, str]]:
    """Return the parts with changes joined that stand in one word: two signs of three are no word.

    Examples
    --------
    >>> _gathered([(False, "中", ""), (True, "年", "年"), (False, "", "老的")])
    [(False, '中年', '年老的')]
    """
    joined: list[tuple[bool, str, str]] = []
    for is_equal, old, new in parts:
        if not is_equal and len(joined) > 1 and joined[-1][0] and _is_short(joined[-1][1]):
            (_, between, _), (_, first, second) = joined.pop(), joined.pop()
            old, new = first + between + old, second + between + new
        joined.append((is_equal, old, new))
    return joined


def _is_short(text: str) -> bool:
    return len(text) <= _JOINED and not any(char.isspace() for char in text)


def _alike(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Return how many items two lists have in common from their beginning."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    )
