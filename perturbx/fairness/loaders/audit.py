"""The audit sets of this project."""

from __future__ import annotations

from typing import Final, Literal

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, one_of, read_rows

AUDIT: Final = Source(
    "the audit set",
    "CC0-1.0",
    "the perturbx authors",
    "datasets/audit_en.csv and audit_zh.csv of the perturbx repository",
)
_COLUMNS: Final = (
    "text",
    "sentiment",
    "toxic",
    "attribute",
    "group",
    "term",
    "template",
    "language",
)
_LABELS: Final = {"sentiment": {"positive": 1, "negative": 0}, "toxic": {"1": 1, "0": 0}}


def load_audit_set(
    path: PathArgument, label: Literal["sentiment", "toxic"] = "sentiment"
) -> LabelledTexts:
    """Load an audit set of ours, or one made in its manner.

    Parameters
    ----------
    path : path
        The CSV file: columns ``text, sentiment, toxic, attribute, group, term, template,
        language``.
    label : "sentiment" or "toxic", default="sentiment"
        What the labels are: 1 is positive, or toxic.

    Returns
    -------
    LabelledTexts
        A row is of one attribute and has None in the others; clusters: the template. Extra
        columns: ``term`` (the identity term as it stands in the text), ``attribute``,
        ``sentiment``, ``toxic``, ``language``.

    Raises
    ------
    ArgumentError
        Another label, another file, a column that is missing, or an unknown label in a row.
    """
    if label not in _LABELS:
        raise ArgumentError(f"label: expected 'sentiment' or 'toxic'; got {label!r}")
    rows = list(read_rows(path, AUDIT, _COLUMNS))
    labels = [one_of(row[label], _LABELS[label], label, path, AUDIT) for row in rows]
    attributes = dict.fromkeys(row["attribute"] for row in rows)
    return LabelledTexts(
        [row["text"] for row in rows],
        labels,
        groups={
            name: [row["group"] if row["attribute"] == name else None for row in rows]
            for name in attributes
        },
        clusters=[row["template"] for row in rows],
        name=f"audit set ({', '.join(dict.fromkeys(row['language'] for row in rows))})",
        licence=AUDIT.line,
        extra={
            name: [row[name] for row in rows]
            for name in ("term", "attribute", "sentiment", "toxic", "language")
        },
    )
