"""An audit as HTML: a page of its own, or a fragment for a notebook. No script, no network."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from perturbx.fairness.verdicts import Verdict
from perturbx.reports import audit_prose as prose
from perturbx.reports.audit_causes import (
    Section,
    causes_section,
    false_positives_section,
    terms_section,
)
from perturbx.reports.audit_groups import gaps_section, groups_section, measures_section
from perturbx.reports.audit_remedies import (
    advice_section,
    representatives_section,
    weights_section,
)
from perturbx.reports.audit_swaps import swaps_section, worst_section
from perturbx.reports.audit_tables import Column, Row, folded, name, table
from perturbx.reports.audit_view import AuditView
from perturbx.reports.safe_text import one_line, visible

if TYPE_CHECKING:
    from perturbx.fairness.report import FairnessReport

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}@page {{ size: A4; margin: 16mm 14mm; }}
</style>
</head>
<body class="perturbx px-audit">
<a class="px-skip" href="#{prefix}-main">Skip to the findings</a>
<header>
<h1>{heading}</h1>
{facts}
</header>
<div class="px-columns">
{contents}
<main id="{prefix}-main" tabindex="-1">
{sections}
</main>
</div>
<footer><p>{footer}</p></footer>
</body>
</html>
"""
_FRAGMENT: Final = """<div class="perturbx px-audit px-part" lang="en">
<style>
{style}</style>
<h2 class="px-h1">{heading}</h2>
{facts}
{contents}
{sections}
</div>
"""

_OF_ATTRIBUTE: Final[tuple[tuple[str, str, Section], ...]] = (
    ("groups", "Groups", groups_section),
    ("metrics", "Measures by group", measures_section),
    ("gaps", "Gaps between groups", gaps_section),
    ("categories", "Why: the gap in mean scores, word by word", causes_section),
    ("identity_terms", "Why: what identity terms add", terms_section),
    ("false_positives", "Why: words that drive false positives", false_positives_section),
    ("counterfactual", "Swapped identity terms", swaps_section),
    ("worst_cases", "Worst cases", worst_section),
    ("advice", "What would help (estimates)", advice_section),
    ("reweighing", "Weights for training anew", weights_section),
)
"""The sections of an attribute: the table that each is about, its heading, and how it is drawn."""

_VERDICTS: Final = 9
"""Verdicts of a kind that are seen at once."""

_QUOTED: Final = re.compile(r"“([^”]*)”")


@dataclass(frozen=True)
class _Part:
    """A section of the page."""

    place: str
    title: str
    body: str
    parts: tuple[_Part, ...] = ()


def render_audit(report: FairnessReport, *, standalone: bool) -> str:
    """Return a report as HTML: the verdicts in words, then the tables and charts behind them.

    Parameters
    ----------
    report : FairnessReport
        What was found.
    standalone : bool
        A whole page; else a fragment, whose rules touch nothing around it. The places in a
        fragment have random names, as one document may hold several.
    """
    view = AuditView(report, "px" if standalone else f"px-{secrets.token_hex(4)}")
    parts = list(_parts(view))
    return (_PAGE if standalone else _FRAGMENT).format(
        title=escape(one_line(view.title, 120)),
        heading=_heading(view),
        style=_style(),
        prefix=view.prefix,
        facts=_facts(view),
        contents=_contents(view, parts),
        sections="\n".join(_section(part) for part in parts),
        footer=_footer(view),
    )


@cache
def _style() -> str:
    folder = resources.files("perturbx.reports")
    names = ("style.css", "audit.css")
    return "".join((folder / own).read_text(encoding="utf-8") for own in names)


def _heading(view: AuditView) -> str:
    model, data = view.facts.get("model"), view.facts.get("dataset")
    about = " on ".join(name(part) for part in (model, data) if part)
    return f"Fairness audit{f': {about}' if about else ''}"


def _facts(view: AuditView) -> str:
    facts = view.facts
    known = {
        "Model": facts.get("model"),
        "Data": facts.get("dataset"),
        "Texts": _count(facts.get("n_texts")),
        "Refused": _count(facts.get("n_refused") or None),
        "With a label": _count(facts.get("n_labelled")),
        "Audited": ", ".join(view.outcomes[:8])
        + (f" and {len(view.outcomes) - 8} more" if len(view.outcomes) > 8 else ""),
        "Groups by": ", ".join(view.attributes[:8])
        + (f" and {len(view.attributes) - 8} more" if len(view.attributes) > 8 else ""),
        "Date": view.time,
    }
    pairs = "".join(
        f"<div><dt>{key}</dt><dd>{name(value, 200)}</dd></div>"
        for key, value in known.items()
        if value not in (None, "")
    )
    notes = "".join(f"<li>{name(note, 1_000)}</li>" for note in facts.get("notes") or ())
    warned = f'<div class="px-notes"><p>Please note</p><ul>{notes}</ul></div>' if notes else ""
    return f'<dl class="px-about-facts">{pairs}</dl>\n{warned}'


def _count(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) else value


def _footer(view: AuditView) -> str:
    version, seconds = view.facts.get("perturbx"), view.facts.get("seconds")
    made = f"Made with perturbx {name(version)}" if version else "Made with perturbx"
    if isinstance(seconds, int | float):
        made += f" in {seconds:,.0f} seconds"
    return (
        f"{made}. The same figures, and all rows of long tables, stand in the JSON of this report."
    )


def _parts(view: AuditView) -> Iterator[_Part]:
    place = view.prefix
    yield _Part(f"{place}-verdicts", "What was found", _verdicts(view))
    for number_, attribute in enumerate(view.attributes):
        own = f"{place}-a{number_}"
        parts = tuple(
            _Part(f"{own}-{key}", title, drawn(view, attribute))
            for key, title, drawn in _OF_ATTRIBUTE
            if view.of(key, attribute=attribute)
        )
        yield _Part(own, f"By {name(attribute)}", "", parts)
    if view.rows["representatives"]:
        yield _Part(
            f"{place}-texts",
            "Texts that show the most of what words do",
            representatives_section(view),
        )
    yield _Part(f"{place}-method", "Method", _method(view))
    yield _Part(f"{place}-data", "Data", _data(view))
    items = "".join(f"<li>{escape(limit)}</li>" for limit in prose.limits(view))
    yield _Part(f"{place}-limits", "Limits", f'<ul class="px-prose">{items}</ul>')


def _section(part: _Part, level: int = 2) -> str:
    inner = "\n".join(_section(own, level + 1) for own in part.parts)
    # Landmarks are few: one for each part of the page.
    named = f' aria-labelledby="{part.place}"' if level == 2 else ""
    return (
        f'<section{named}>\n<h{level} id="{part.place}">{part.title}</h{level}>\n'
        f"{part.body}{inner}\n</section>"
    )


def _contents(view: AuditView, parts: list[_Part]) -> str:
    def item(part: _Part) -> str:
        inner = "".join(map(item, part.parts))
        below = f"<ul>{inner}</ul>" if inner else ""
        return f'<li><a href="#{part.place}">{part.title}</a>{below}</li>'

    return (
        f'<nav class="px-contents" aria-labelledby="{view.prefix}-contents">\n'
        f'<p id="{view.prefix}-contents">Contents</p>\n'
        f"<ul>{''.join(map(item, parts))}</ul>\n</nav>"
    )


def _verdicts(view: AuditView) -> str:
    if not view.verdicts:
        return "<p>Nothing was measured.</p>"
    blocks = []
    for title, found in view.verdicts:
        kind = found[0].kind.replace(" ", "-")
        first, rest = view.foremost(found, _VERDICTS)
        more = folded(f"{len(rest)} more", _items(rest)) if rest else ""
        blocks.append(
            f'<div class="px-verdicts px-is-{kind}">\n<h3>{escape(title)}</h3>\n'
            f"{_items(first)}\n{more}</div>"
        )
    note = (
        f'<p class="px-note">An interval says how far a figure may be off because only some texts '
        f"were seen ({view.level} of such intervals hold the true figure). The adjusted p is the "
        f"chance of meeting so clear a gap anywhere in an audit of groups that do not differ.</p>"
    )
    return "\n".join([*blocks, note])


def _items(verdicts: Sequence[Verdict]) -> str:
    lines = "\n".join(f"<li>{_verdict(verdict)}</li>" for verdict in verdicts)
    return f"<ul>\n{lines}\n</ul>"


def _verdict(verdict: Verdict) -> str:
    """Return a sentence: what it is about stands out, names keep their direction to themselves."""
    start = verdict.text.find(": ", len(verdict.attribute))
    head, rest = verdict.text[: start + 1], verdict.text[start + 1 :]
    return f"<b>{_sentence(head)}</b>{_sentence(rest)}" if start > 0 else _sentence(verdict.text)


def _sentence(text: str) -> str:
    line = escape(" ".join(visible(text).split()))
    line = line.replace("p &lt; ", "p&nbsp;&lt;&nbsp;").replace("p = ", "p&nbsp;=&nbsp;")
    spaces = " " if text[:1].isspace() else ""
    return spaces + _QUOTED.sub(r"“<bdi>\1</bdi>”", line)


def _method(view: AuditView) -> str:
    steps = "".join(
        f"<dt>{escape(title)}</dt><dd>{_sentence(said)}</dd>" for title, said in prose.method(view)
    )
    measures = "".join(
        f"<dt>{escape(title[:1].upper() + title[1:])}</dt><dd>{escape(said)}</dd>"
        for title, said in prose.measures(view)
    )
    sources = "".join(f"<li>{escape(own)}</li>" for own in prose.sources(view))
    return (
        f'<dl class="px-prose">{steps}</dl>\n'
        + (f'<h3>What is measured</h3>\n<dl class="px-prose">{measures}</dl>\n' if measures else "")
        + (f'<h3>Sources</h3>\n<ul class="px-prose">{sources}</ul>' if sources else "")
    )


def _data(view: AuditView) -> str:
    pairs = "".join(
        f"<div><dt>{escape(key)}</dt><dd>{name(value, 300)}</dd></div>"
        for key, value in prose.data(view)
    )
    rows = [
        Row(name(own.get("name", "")), (*_outcome(own),))
        for own in view.facts.get("outcomes") or ()
        if isinstance(own, dict)
    ]
    columns = [Column("Outcome"), Column("Decision"), Column("Score"), Column("Labels of it")]
    drawn = table("What was audited", columns, rows, kind="px-narrow") if rows else ""
    return f'<dl class="px-about-facts">{pairs}</dl>\n{drawn}'


def _outcome(own: dict[str, Any]) -> Iterator[str]:
    yield escape(prose.decided(own))
    link = name(own.get("link") or "")
    yield f"{link}{' (a probability)' if own.get('is_probability') else ''}"
    labels = own.get("positive_labels") or ()
    yield ", ".join(name(label) for label in list(dict.fromkeys(map(str, labels)))[:8]) or "–"
