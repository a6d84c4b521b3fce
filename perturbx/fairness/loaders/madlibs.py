"""Madlibs: templates filled with identity terms (Dixon et al., 2018)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import (
    PathArgument,
    Source,
    one_of,
    read_rows,
    text_in,
)
from perturbx.typing import Span

Language = Literal["en", "zh"]

MADLIBS: Final = Source(
    "madlibs",
    "CC BY 4.0",
    "Dixon et al. (2018), Measuring and mitigating unintended bias in text classification",
    "https://github.com/conversationai/unintended-ml-bias-analysis",
)

_COLUMNS: Final[Mapping[str, tuple[str, str, str]]] = {
    "en": ("Text", "Label", "Template"),
    "zh": ("phrase", "toxicity", "template"),
}
_LABELS: Final = {"BAD": 1, "NOT_BAD": 0, "toxic": 1, "nontoxic": 0}

_CLOSED: Final[Mapping[str, Mapping[str, re.Pattern[str]]]] = {
    "en": {
        "verb_adj": re.compile(r"\S+ (?P<term>.+)"),
        "am_hate_adj": re.compile(r"i (?:am|hate) (?P<term>.+)"),
        "being_adj": re.compile(r"Being (?P<term>.+) is \S+\."),
        "name_adj": re.compile(r"\S+ is a \S+ (?P<term>.+)"),
        "you_are_adj": re.compile(r"You are a \S+ (?P<term>.+)"),
        "you_occupation": re.compile(r"You are a \S+ (?P<term>.+)"),
    },
    "zh": {
        "am_identity": re.compile(r"我是(?:一名)?(?P<term>.+)"),
        "hate_identity": re.compile(r"我讨厌(?P<term>.+)"),
        "verb_adj": re.compile(r".+ (?P<term>\S+)"),
        "being_identity": re.compile(r"(?:作为(?:一名)?|做)(?P<term>.+?)(?:我感到|我感觉|很).+"),
    },
}
"""Templates in which fixed words stand around the slot."""

_OCCUPATION: Final = "you_occupation"
"""The template whose slot holds occupations; those of all others hold identities."""


def load_madlibs(path: PathArgument, language: Language = "en") -> LabelledTexts:
    """Load the madlibs, 77,000 English or 37,000 Chinese texts.

    The set says which template a text is of, not which term is in it. The term is read from the
    text: where fixed words stand around the slot, what they leave over; where they do not (Chinese
    has no spaces), the longest term so found elsewhere that ends the text; and for Chinese
    occupations, what follows a beginning that is met with identities too.

    Parameters
    ----------
    path : path
        The CSV file: columns ``Text, Label, Template`` (English) or ``template, toxicity, phrase``
        (Chinese).
    language : "en" or "zh", default="en"
        The language, which names the columns and templates.

    Returns
    -------
    LabelledTexts
        Label 1 is toxic ("BAD"). Attributes: ``identity`` and ``occupation``, the term in the slot
        (None in the rows of the other); clusters: the text with the term left out ("_" in its
        place), as texts of one such frame differ in their term only. Every row is kept; rows whose
        term could not be told have None in both, and `notes` counts them, as it does texts that
        come twice. Extra columns: ``frame``, and ``template``, the kind of sentence.

    Raises
    ------
    ArgumentError
        Another language, another file, a column that is missing, or an unknown label.
    """
    if language not in _COLUMNS:
        raise ArgumentError(f"language: expected 'en' or 'zh'; got {language!r}")
    text_column, label_column, template_column = _COLUMNS[language]
    texts, labels, templates = [], [], []
    for row in read_rows(path, MADLIBS, _COLUMNS[language]):
        texts.append(text_in(row, text_column, path, MADLIBS))
        labels.append(one_of(row[label_column], _LABELS, label_column, path, MADLIBS))
        templates.append(row[template_column])
    slots = _slots(texts, templates, language)
    terms = [slot and text[slot[0] : slot[1]] for text, slot in zip(texts, slots, strict=True)]
    frames = [
        slot and f"{text[: slot[0]]}_{text[slot[1] :]}"
        for text, slot in zip(texts, slots, strict=True)
    ]
    is_work = [template == _OCCUPATION for template in templates]
    return LabelledTexts(
        texts,
        labels,
        groups={
            "identity": [None if w else t for t, w in zip(terms, is_work, strict=True)],
            "occupation": [t if w else None for t, w in zip(terms, is_work, strict=True)],
        },
        clusters=[frame or template for frame, template in zip(frames, templates, strict=True)],
        name=f"madlibs ({language})",
        licence=MADLIBS.line,
        extra={"frame": frames, "template": templates},
        notes=_notes(texts, terms),
    )


def _slots(texts: Sequence[str], templates: Sequence[str], language: Language) -> list[Span | None]:
    """Return where the term of each text is; None where it cannot be told."""
    closed = _CLOSED[language]
    slots: list[Span | None] = []
    for text, template in zip(texts, templates, strict=True):
        match = closed[template].fullmatch(text) if template in closed else None
        slots.append(match and match.span("term"))
    identities = {
        text[slot[0] : slot[1]]
        for text, template, slot in zip(texts, templates, slots, strict=True)
        if slot and template != _OCCUPATION
    }
    sizes = sorted(set(map(len, identities)), reverse=True)
    beginnings: set[str] = set()
    for row, (text, template) in enumerate(zip(texts, templates, strict=True)):
        if slots[row] is None and template != _OCCUPATION:
            size = next((n for n in sizes if text[-n:] in identities and n < len(text)), None)
            if size is not None:
                slots[row] = (len(text) - size, len(text))
                beginnings.add(text[:-size])
    for row, (text, template) in enumerate(zip(texts, templates, strict=True)):
        if slots[row] is None and template == _OCCUPATION:
            # The longest beginning: "可爱的" before "可爱", so that no occupation begins with 的.
            cut = next((n for n in range(len(text) - 1, 0, -1) if text[:n] in beginnings), None)
            slots[row] = None if cut is None else (cut, len(text))
    return slots


def _notes(texts: Sequence[str], terms: Sequence[str | None]) -> tuple[str, ...]:
    notes = []
    if n_unknown := sum(term is None for term in terms):
        notes.append(f"{n_unknown} of {len(texts)} rows: the term in the slot could not be told")
    if n_twice := sum(n - 1 for n in Counter(texts).values()):
        notes.append(f"{n_twice} of {len(texts)} texts come twice")
    return tuple(notes)
