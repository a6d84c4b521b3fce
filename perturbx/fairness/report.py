"""`FairnessReport`: what an audit found, as tables and as sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perturbx.exceptions import TableError
from perturbx.fairness.frames import FRAMES, frame, records
from perturbx.fairness.verdicts import Verdict, verdicts_of

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.fairness.comparison import Comparison

FORMAT: Final = "perturbx.FairnessReport/1"


@dataclass(frozen=True, eq=False)
class FairnessReport:
    """What an audit found.

    Parameters
    ----------
    facts : mapping
        How it came about: the model, the data, the parameters, the calls, the time. JSON values.
    frames : mapping of str to pandas.DataFrame
        The tables; `perturbx.fairness.frames.FRAMES` says what stands in each column.

    Attributes
    ----------
    groups, metrics, gaps, words, categories, identity_terms, false_positives : pandas.DataFrame
        The tables by name.
    counterfactual, worst_cases, representatives, advice, reweighing : pandas.DataFrame
        The tables by name.
    """

    facts: Mapping[str, Any]
    frames: Mapping[str, pd.DataFrame]

    def __getattr__(self, name: str) -> pd.DataFrame:
        frames = self.__dict__.get("frames", {})
        if name in frames:
            table: pd.DataFrame = frames[name]
            return table
        raise AttributeError(f"a FairnessReport has no {name!r}; its tables are {list(frames)}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.frames})

    def __repr__(self) -> str:
        n_sure = sum(verdict.kind == "gap" for verdict in self.verdicts)
        return (
            f"FairnessReport({self.facts.get('n_texts', 0):,} texts, "
            f"{len(self.frames['gaps'])} gaps, {n_sure} of {len(self.verdicts)} verdicts say that "
            f"groups differ)"
        )

    def __str__(self) -> str:
        return "\n".join(verdict.text for verdict in self.verdicts)

    def _repr_html_(self) -> str:
        from perturbx.reports.audit_html import render_audit

        return render_audit(self, standalone=False)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What it comes to, in sentences, the clearest first."""
        return verdicts_of(self.facts, self.frames)

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return dict(self.frames)

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """Return one self-contained HTML page, and write it to `path` where given."""
        from perturbx.reports.audit_html import render_audit

        return _written(render_audit(self, standalone=True), path)

    def to_markdown(self, path: str | PathLike[str] | None = None) -> str:
        """Return the verdicts and the main tables as Markdown, and write it to `path`."""
        from perturbx.reports.audit_markdown import render_audit_markdown

        return _written(render_audit_markdown(self), path)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON (see ``reports/audit.schema.json``)."""
        return {
            "format": FORMAT,
            "facts": dict(self.facts),
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "frames": {name: records(table) for name, table in self.frames.items()},
        }

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the report as JSON, and write it to `path` where given."""
        return _written(
            json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1), path
        )

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FairnessReport:
        """Return the report that `to_dict` wrote.

        Raises
        ------
        TableError
            It is none, or a table lacks a column.
        """
        if not isinstance(record, Mapping):
            raise TableError(f"record: expected an object, got {type(record).__name__}")
        if record.get("format") != FORMAT:
            raise TableError(f"record: expected format {FORMAT}, got {record.get('format')!r}")
        try:
            frames = {name: frame(name, record["frames"][name]) for name in FRAMES}
            return cls(dict(record["facts"]), frames)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise TableError(f"record: lacks {error}") from error

    @classmethod
    def from_json(cls, text: str) -> FairnessReport:
        """Return the report that `to_json` wrote (the text of it, not a path).

        Raises
        ------
        TableError
            It is none.
        """
        try:
            record = json.loads(text.removeprefix("\ufeff"))  # a mark that some editors put first
        except (ValueError, RecursionError) as error:
            raise TableError(f"text: is not JSON ({error})") from error
        return cls.from_dict(record)

    def compare(self, other: FairnessReport, *, level: float = 0.95) -> Comparison:
        """Return which gaps differ between this report and another one beyond noise.

        Parameters
        ----------
        other : FairnessReport
            Of a second data set, a second model or version, or a later date.
        level : float, default=0.95
            The confidence with which a difference is said to be one.
        """
        from perturbx.fairness.comparison import compare

        return compare(self, other, level=level)


def _written(text: str, path: str | PathLike[str] | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
