"""The JSON Schema of an audit's report, made from the tables that the report is made of.

``python -m perturbx.reports.audit_schema`` writes ``audit.schema.json`` anew.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final, get_args

from perturbx.fairness.frames import FRAMES, Column
from perturbx.fairness.report import FORMAT
from perturbx.fairness.verdicts import VerdictKind

NAME: Final = "audit.schema.json"

_TYPES: Final = {
    "text": "string",
    "number": ["number", "null"],
    "count": "integer",
    "flag": "boolean",
}

_OUTCOME: Final = {
    "name": ("string", "the output"),
    "threshold": (["number", "null"], "the score from which on the model decides for it"),
    "link": (["string", "null"], "the scale of its score"),
    "is_probability": ("boolean", "its score is a probability"),
    "positive_labels": (["array", "null"], "the labels that are this outcome"),
}

_FACTS: Final = {
    "model": (["string", "null"], "the model that was audited"),
    "dataset": (["string", "null"], "the name of the data set"),
    "n_texts": ("integer", "texts that were scored"),
    "n_refused": ("integer", "further texts, to which the model gave no answer"),
    "n_labelled": ("integer", "texts with a label"),
    "n_calls": ("integer", "distinct inputs that the model was given"),
    "task": ("string", "classification or regression"),
    "level": ("number", "the confidence of intervals"),
    "min_group_size": ("integer", "the fewest texts behind a figure"),
    "n_resamples": ("integer", "how often texts were weighed anew for intervals"),
    "n_permutations": ("integer", "how often groups were dealt out anew for tests"),
    "compare": (["string", "object"], "which groups were compared"),
    "clusters": (["string", "boolean", "null"], "by what texts stand or fall together"),
    "n_clusters": (["integer", "null"], "how many such clusters there are"),
    "lexicons": ("array", "the word lists that were used"),
    "n_explained": ("integer", "texts that were explained word by word"),
    "n_swapped_texts": ("integer", "texts with swapped identity terms"),
    "explainer": (["string", "null"], "what explained them"),
    "masker": (["string", "null"], "how words were taken out"),
    "seed": (["integer", "null"], "of all random numbers"),
    "perturbx": ("string", "the version of perturbx"),
    "time": ("string", "when the audit was done (ISO 8601)"),
    "seconds": ("number", "how long it took"),
    "notes": ("array", "what a reader should know"),
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `FairnessReport.to_json` writes.

    Examples
    --------
    >>> rows = schema()["properties"]["frames"]["properties"]["groups"]["items"]
    >>> rows["required"]
    ['attribute', 'group', 'origin', 'n', 'n_labelled']
    """
    facts: dict[str, Any] = {
        name: {"type": kind, "description": meaning} for name, (kind, meaning) in _FACTS.items()
    }
    facts["outcomes"] = {
        "description": "what was audited",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                name: {"type": kind, "description": meaning}
                for name, (kind, meaning) in _OUTCOME.items()
            },
            "required": ["name"],
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{FORMAT.replace('.', ':', 1).replace('/', ':')}",
        "title": "FairnessReport",
        "description": "What an audit by perturbx.FairnessAudit found. A number that is not known "
        "is null.",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "facts": {
                "description": "how the audit came about; each may be missing",
                "type": "object",
                "properties": facts,
            },
            "verdicts": {
                "description": "what it comes to, in sentences, the clearest first",
                "type": "array",
                "items": _object(
                    {
                        "kind": {"enum": list(get_args(VerdictKind))},
                        "attribute": {"type": "string", "description": "what groups differ in"},
                        "text": {"type": "string", "description": "the sentence"},
                    }
                ),
            },
            "frames": {
                "description": "the tables, a row an object",
                **_object(
                    {
                        name: {"type": "array", "items": _object(_properties(columns))}
                        for name, columns in FRAMES.items()
                    }
                ),
            },
        },
        "required": ["format", "facts", "verdicts", "frames"],
        "additionalProperties": False,
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _properties(columns: tuple[Column, ...]) -> dict[str, Any]:
    return {
        column.name: {"type": _TYPES[column.kind], "description": column.meaning}
        for column in columns
    }


def schema_text() -> str:
    """Return the schema as it stands in the package."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write the schema anew."""
    path = Path(str(resources.files("perturbx.reports"))) / NAME
    path.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
