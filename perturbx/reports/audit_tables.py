"""The tables of an audit's page: captions, heads for rows and columns, and what is folded away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

from perturbx.reports.audit_charts import Axis
from perturbx.reports.safe_text import one_line, visible

SHOWN: Final = 10
"""Rows of a table that are seen at once; a few more are shown rather than folded."""

MOST: Final = 100
"""Rows of a table that stand in the page at all; the JSON has every one."""

_NAME_LIMIT: Final = 80
_SHORT: Final = 14

Kind: TypeAlias = Literal["text", "number", "plot"]
_CLASSES: Final = {"text": "", "number": ' class="px-number"', "plot": ' class="px-plot"'}


def escaped(text: str) -> str:
    """Return a text for HTML, whatever it holds."""
    return escape(visible(text))


def name(text: object, limit: int = _NAME_LIMIT) -> str:
    """Return a name on one line, whose direction does not touch what stands beside it."""
    return f"<bdi>{escape(one_line(str(text), limit))}</bdi>"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
        Its head, as HTML.
    kind : {"text", "number", "plot"}
        How it is set.
    style : str
        Properties of the table that its charts need.
    """

    title: str
    kind: Kind = "text"
    style: str = ""


def chart_column(axis: Axis) -> Column:
    """Return the column of charts on an axis."""
    return Column(axis.head(), "plot", axis.style)


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Parameters
    ----------
    head : str
        Its head, as HTML.
    cells : tuple of str
        The other cells, as HTML.
    mark : str
        A class of its own: "px-all", "px-none", "px-total" or none.
    """

    head: str
    cells: tuple[str, ...]
    mark: str = ""


def table(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    note: str = "",
    shown: int = SHOWN,
    most: int = MOST,
    kind: str = "",
    beyond: Sequence[Row] | None = None,
    beyond_title: str = "",
) -> str:
    """Return a table, its further rows folded away.

    Parameters
    ----------
    title : str
        The caption, as HTML.
    columns : sequence of Column
        The first one is that of the rows' heads.
    rows : sequence of Row
        The rows.
    note : str
        A second line of the caption, as HTML.
    shown : int
        Rows that are seen at once.
    most : int
        Rows that are folded away at most; it is said how many more there are.
    kind : str
        A class of its own.
    beyond : sequence of Row, optional
        What is folded away; by default the rows that are not shown.
    beyond_title : str
        What that is called.
    """
    if beyond is None:
        cut = shown if len(rows) > shown + 2 else len(rows)
        rows, beyond = rows[:cut], rows[cut:]
        beyond_title = f"{len(beyond):,} more rows"
    drawn = _one(title, columns, rows, note=note, kind=kind)
    if not beyond:
        return drawn
    kept = beyond[:most]
    rest = _one(f"{title} (continued)", columns, kept, note="", kind=kind)
    left = len(beyond) - len(kept)
    if left:
        rest += left_out(left, "rows")
    return (
        f'{drawn}\n<details class="px-more"><summary>{beyond_title} '
        f'<span class="px-hidden">of: {title}</span></summary>\n{rest}</details>'
    )


def _one(
    title: str, columns: Sequence[Column], rows: Sequence[Row], *, note: str, kind: str
) -> str:
    heads = "".join(
        f'<th scope="col"{_CLASSES[column.kind]}>{column.title}</th>' for column in columns
    )
    lines = []
    for row in rows:
        cells = "".join(
            f"<td{_CLASSES[column.kind]}>{cell}</td>"
            for column, cell in zip(columns[1:], row.cells, strict=True)
        )
        mark = f' class="{row.mark}"' if row.mark else ""
        lines.append(f'<tr{mark}><th scope="row">{row.head}</th>{cells}</tr>')
    small = f'<span class="px-about">{note}</span>' if note else ""
    style = "".join(column.style for column in columns)
    attributes = f'class="{f"px-table {kind}".rstrip()}"' + (f' style="{style}"' if style else "")
    return scrolling(
        f"<table {attributes}><caption><b>{title}</b>{small}</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table>",
        title,
        is_short=len(rows) <= _SHORT,
    )


def scrolling(inner: str, label: str, *, is_short: bool = False) -> str:
    """Return what may be wider than the page in a frame that the keyboard can scroll.

    What is short is kept on one sheet of paper.
    """
    kind = "px-scroll px-short" if is_short else "px-scroll"
    return (
        f'<div class="{kind}" role="group" tabindex="0" aria-label="{_bare(label)}">\n{inner}</div>'
    )


def _bare(markup: str) -> str:
    """Return the words of a caption: an attribute holds no elements."""
    words, inside = [], False
    for part in markup.replace("<", "\0<").replace(">", ">\0").split("\0"):
        inside = part.startswith("<")
        if not inside:
            words.append(part)
    return " ".join("".join(words).split()).replace('"', "&quot;")


def left_out(n: int, what: str) -> str:
    """Return a note on what does not stand in the page."""
    return f'<p class="px-note">{n:,} further {what} stand in the JSON of this report.</p>'


def folded(summary: str, inner: str, *, is_open: bool = False) -> str:
    """Return something that is folded away under a line that says what it is."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n{inner}\n</details>"
