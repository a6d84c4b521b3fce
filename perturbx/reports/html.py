"""Explanations as HTML: a page of its own, or a fragment for a notebook. No script, no network."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from math import isfinite
from typing import TYPE_CHECKING

from perturbx.reports.output_view import (
    LEADING,
    OutputView,
    output_views,
    row_labels,
    top_confidence,
)
from perturbx.reports.safe_text import direction, one_line, segment_parts, visible
from perturbx.units.units import FRAME

if TYPE_CHECKING:
    from perturbx.explanation import Explanation

_ROWS = 10
_LABEL_LIMIT = 60
_TITLE_LIMIT = 200
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="perturbx">
<main>
<h1>{title}</h1>
{cards}
</main>
</body>
</html>
"""
_FRAGMENT = """<div class="perturbx" lang="en">
<style>
{style}</style>
{cards}
</div>
"""


def render_html(explanations: Sequence[Explanation], *, standalone: bool) -> str:
    """Return the explanations as HTML, a card for each text.

    Every unit is tinted by its value, blue where it raises the score and orange where it lowers
    it, and underlined by it: a solid line up, a dotted line down. The value with its standard
    error shows on hover, and on focus by keyboard, click or tap. Tabs switch between outputs.

    Parameters
    ----------
    explanations : sequence of Explanation
        One per text.
    standalone : bool
        A whole page; else a fragment, whose rules touch nothing around it. The names of a
        fragment's tabs are random, as one document may hold several.
    """
    style = _style()
    prefix = "px" if standalone else f"px-{secrets.token_hex(4)}"
    many = len(explanations) > 1
    cards = [
        _card(explanation, f"{prefix}-{i}", f"Text {i + 1}" if many else "")
        for i, explanation in enumerate(explanations)
    ]
    body = "\n".join(cards) or '<p class="px-empty">No texts were explained.</p>'
    if not standalone:
        return _FRAGMENT.format(style=style, cards=body)
    title = f"Explanations of {len(explanations)} texts" if many else "Explanation"
    return _PAGE.format(title=title, style=style, cards=body)


@cache
def _style() -> str:
    return (resources.files("perturbx.reports") / "style.css").read_text(encoding="utf-8")


def _card(explanation: Explanation, name: str, heading: str) -> str:
    views = output_views(explanation)
    head = f"<h2>{heading}</h2>\n" if heading else ""
    if len(views) == 1:
        panel = _panel(explanation, views[0], only=True)
        return f'<section class="px-card">\n{head}{panel}\n</section>'
    shown = explanation.column()
    is_said = explanation.response is not None
    runs = f' dir="{direction(explanation.response or "")}"' if is_said else ""
    said = _said([view.name for view in views]) if is_said else map(_named, views)
    tabs = "\n".join(
        f'<input class="px-pick" type="radio" name="{name}" id="{name}-{j}"'
        f"{' checked' if j == shown else ''}>"
        f'<label class="px-tab" for="{name}-{j}" title="{_tab_title(view, is_said)}">'
        f"{tab}</label>\n"
        f"{_panel(explanation, view, only=False)}"
        for j, (view, tab) in enumerate(zip(views, said, strict=True))
    )
    kind = "px-tabs px-said" if is_said else "px-tabs"
    note = '<p class="px-ask">Choose a part of the response:</p>\n' if is_said else ""
    parts = f'<div class="{kind}"{runs}>\n{tabs}\n</div>'
    return f'<section class="px-card">\n{head}{note}{parts}\n</section>'


def _named(view: OutputView) -> str:
    return f"<b>{_bdi(view.name)}</b> {view.number(view.score)}"


def _tab_title(view: OutputView, is_said: bool) -> str:
    """Return what a tab does not show: the score of a part of a response, else all of a name."""
    if is_said:
        return view.number(view.score)
    return escape(one_line(view.name, _TITLE_LIMIT))


def _said(names: Sequence[str]) -> list[str]:
    """Return the parts of a response, whole: the tabs together are what was said.

    A part that comes again has a number in its name, and none in what was said.
    """
    said: list[str] = []
    for name in names:
        part, _, number = name.rpartition(" (")
        again = said.count(part) + 1
        said.append(part if again > 1 and number == f"{again})" else name)
    return [f"<bdi>{_escaped(part)}</bdi>" for part in said]


def _panel(explanation: Explanation, view: OutputView, *, only: bool) -> str:
    blocks = [_header(explanation, view), _text(explanation, view)]
    if view.largest:
        blocks += [_legend(view), _top(explanation, view)]
    return f'<div class="{"px-only" if only else "px-panel"}">\n' + "\n".join(blocks) + "\n</div>"


def _header(explanation: Explanation, view: OutputView) -> str:
    badge = '<span class="px-badge">predicted</span>' if view.predicted else ""
    fit, cut = escape(view.fit), explanation.cut_short_by
    facts = {
        view.scale: view.number(view.score),
        "base value": view.number(view.base_value),
        "method": escape(explanation.method),
        "calls": f"{explanation.n_calls}"
        + (f', <span class="px-poor">cut short by {cut}</span>' if cut else ""),
        "quality": f'<span class="px-poor">{fit}</span>' if fit.startswith("poor") else fit,
    }
    pairs = "".join(f"<div><dt>{term}</dt><dd>{fact}</dd></div>" for term, fact in facts.items())
    return (
        f'<p class="px-title"><b>{_bdi(view.name, _TITLE_LIMIT)}</b>{badge}</p>\n'
        f'<dl class="px-facts">{pairs}</dl>'
    )


def _text(explanation: Explanation, view: OutputView) -> str:
    units = explanation.units
    if not units.text:
        return '<p class="px-empty">The text is empty.</p>'
    tips = [
        f"{one_line(label, _LABEL_LIMIT)}: {view.with_error(unit)}"
        for unit, label in enumerate(units.labels)
    ]
    language = _language(units.locale)
    segments = []
    for parts in segment_parts(units):
        spans = "".join(
            f'<span class="px-frame">{_escaped(part)}</span>'
            if owner == FRAME
            else _unit(part, tips[owner], float(view.strengths[owner]))
            for owner, part in parts
        )
        segments.append(f'<div class="px-text" dir="auto"{language}>{spans}</div>')
    return "\n".join(segments)


def _language(locale: str) -> str:
    """Return the attribute of a text in one language, of ICU's name for it; else nothing."""
    tag = locale.partition("@")[0].replace("_", "-")
    return f' lang="{escape(tag)}"' if tag and "," not in tag else ""


def _unit(part: str, tip: str, strength: float) -> str:
    """Return the part tinted, but for the white space at its ends."""
    core = part.strip() or part
    before, _, after = part.partition(core)
    sign = " px-up" if strength > 0 else " px-down" if strength < 0 else ""
    tip = escape(tip)
    return (
        f'{_escaped(before)}<span class="px-unit{sign}" style="--w:{abs(strength):.2f}" '
        f'tabindex="0" title="{tip}" data-tip="{tip}">{_escaped(core)}</span>{_escaped(after)}'
    )


def _legend(view: OutputView) -> str:
    low, high = view.signed(-view.largest), view.signed(view.largest)
    return (
        f'<div class="px-legend"><span>lowers it {low}</span><span class="px-ramp"></span>'
        f"<span>{high} raises it</span></div>"
    )


def _top(explanation: Explanation, view: OutputView) -> str:
    labels, order = row_labels(explanation.units, _LABEL_LIMIT), view.order[:_ROWS]
    ends = [
        float(view.values[unit]) + side * _finite(view.std_errors[unit])
        for unit in order
        for side in (-1, 1)
    ]
    low, high = min(0.0, *ends), max(0.0, *ends)

    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    rows = []
    for unit in order:
        value, error = float(view.values[unit]), _finite(view.std_errors[unit])
        left, right = sorted((at(0.0), at(value)))
        sign = "px-up" if value > 0 else "px-down"
        whisker = (
            f'<span class="px-whisker" style="left:{at(value - error):.1f}%;'
            f'width:{at(value + error) - at(value - error):.1f}%"></span>'
            if error
            else ""
        )
        unclear = "" if view.clear[unit] else ' class="px-unclear"'
        rows.append(
            f'<tr><th scope="row">{_bdi(labels[unit])}</th>'
            f"<td{unclear}>{view.signed(value)}</td>"
            f'<td class="px-error">{view.error(view.std_errors[unit])}</td>'
            f'<td class="px-chart"><span class="px-axis" style="--zero:{at(0.0):.1f}%">'
            f'<span class="px-bar {sign}" style="left:{left:.1f}%;width:{right - left:.1f}%">'
            f"</span>{whisker}</span></td></tr>"
        )
    count, total, std_error = view.rest(_ROWS)
    if count:
        rows.append(
            f'<tr class="px-rest"><th scope="row">{count} other{"s" * (count != 1)}, together</th>'
            f"<td>{view.signed(total)}</td>"
            f'<td class="px-error">{view.error(std_error)}</td><td></td></tr>'
        )
    note = "± is one standard error, as are the whiskers" if view.std_errors.any() else ""
    sure = top_confidence(explanation, view, f"the first {LEADING}")
    if sure:
        note += f"; {sure}"
    caption = f"<caption>{note}</caption>" if note else ""
    return f'<table class="px-top">{caption}<tbody>\n' + "\n".join(rows) + "\n</tbody></table>"


def _finite(error: float) -> float:
    return float(error) if isfinite(error) else 0.0


def _escaped(text: str) -> str:
    return escape(visible(text))


def _bdi(label: str, limit: int = _LABEL_LIMIT) -> str:
    """Return a label whose direction does not touch what stands beside it."""
    return f"<bdi>{escape(one_line(label, limit))}</bdi>"
