"""What all reports of an audit share: the rows of its tables as plain values, and their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from perturbx.fairness.frames import FRAMES, records
from perturbx.fairness.gap_sentences import ALPHA, told_level
from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.verdicts import KINDS, Verdict, attributes_of
from perturbx.fairness.wording import NO_WORDS, gap_rank

if TYPE_CHECKING:
    from perturbx.fairness.report import FairnessReport

Record: TypeAlias = Mapping[str, Any]

MAIN_MEASURES: Final = (
    "selection_rate",
    "tpr",
    "fpr",
    "mean_score",
    "bpsn_auc",
    "bnsp_auc",
    "subgroup_auc",
    "mean_error",
    "mean_absolute_error",
    "refusal_rate",
)
"""What is shown of every group at once; other measures are folded away."""


@dataclass(frozen=True, eq=False)
class AuditView:
    """A report, ready to be shown.

    Parameters
    ----------
    report : FairnessReport
        The report.
    prefix : str
        Before all names of places in the page.
    """

    report: FairnessReport
    prefix: str = "px"

    @property
    def facts(self) -> Mapping[str, Any]:
        """How the audit came about."""
        return self.report.facts

    @cached_property
    def rows(self) -> Mapping[str, list[dict[str, Any]]]:
        """The rows of every table as plain values."""
        return {name: records(self.report.frames[name]) for name in FRAMES}

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """What groups differ in."""
        return attributes_of(self.report.frames)

    @property
    def measured(self) -> tuple[str, ...]:
        """Those of which there are gaps."""
        return tuple(dict.fromkeys(row["attribute"] for row in self.rows["gaps"]))

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """What is audited."""
        tables = ("metrics", "gaps", "counterfactual", "representatives")
        return tuple(dict.fromkeys(row["outcome"] for table in tables for row in self.rows[table]))

    @cached_property
    def verdicts(self) -> list[tuple[str, list[Verdict]]]:
        """The verdicts under the headings of their kinds."""
        every = self.report.verdicts
        by_kind = [(title, [v for v in every if v.kind == kind]) for kind, title in KINDS.items()]
        return [(title, found) for title, found in by_kind if found]

    @staticmethod
    def foremost(verdicts: Sequence[Verdict], most: int) -> tuple[list[Verdict], list[Verdict]]:
        """Return the first verdicts of every attribute, about `most` in all, and the others."""
        if len(verdicts) <= most + 1:
            return list(verdicts), []
        each = max(1, most // len({verdict.attribute for verdict in verdicts}))
        seen: Counter[str] = Counter()
        sides: tuple[list[Verdict], list[Verdict]] = ([], [])
        for verdict in verdicts:
            sides[seen[verdict.attribute] >= each].append(verdict)
            seen[verdict.attribute] += 1
        return sides

    @property
    def level(self) -> str:
        """The level of the intervals, in percent."""
        return told_level(float(self.facts.get("level", 0.95)))

    def of(self, table: str, **wanted: Any) -> list[dict[str, Any]]:
        """Return the rows of a table that hold these values."""
        return [
            row
            for row in self.rows[table]
            if all(row[name] == value for name, value in wanted.items())
        ]

    def gaps_of(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return differences with their ratios, the clearest first; what is unknown last."""
        found = self.of("gaps", **wanted)

        def pair(row: dict[str, Any]) -> tuple[Any, ...]:
            # The ratio of something to nothing is told the other way round.
            groups = frozenset((row["group_a"], row["group_b"]))
            return (row["attribute"], row["outcome"], row["metric"], groups)

        ratios = {pair(row): row for row in found if row["kind"] == "ratio"}
        differences = [
            row | {"ratio": ratios.get(pair(row), {})}
            for row in found
            if row["kind"] == "difference"
        ]
        return sorted(differences, key=_clarity)

    @property
    def title(self) -> str:
        """What the page is called."""
        model, data = self.facts.get("model"), self.facts.get("dataset")
        about = " on ".join(str(part) for part in (model, data) if part)
        return f"Fairness audit{': ' if about else ''}{about}"

    @property
    def time(self) -> str:
        """When it was done, to the minute."""
        said = str(self.facts.get("time") or "")
        try:
            moment = datetime.fromisoformat(said)
        except ValueError:
            return said
        return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def _clarity(row: Record) -> tuple[Any, ...]:
    finding = findings(row)
    place = list(FINDINGS).index(finding)
    size = abs(row["value"] or 0.0) / (row["detectable"] or 1.0)
    return place, -size if finding == "differs" else 0.0, gap_rank(row["metric"]), -size


FINDINGS: Final[Mapping[str, str]] = {
    "differs": f"beyond chance, with all comparisons of this audit considered (adjusted p below "
    f"{ALPHA})",
    "may be chance": "it would count if it were the only comparison, but among so many one like "
    "it is to be expected",
    "none found": "no gap beyond chance, which does not say that there is none",
    "not tested": "a gap without a test",
    "too few": "too few texts to say anything",
    "no value": "the measure has no value in one of the groups",
}
"""What is said of a gap, the clearest first."""


def findings(row: Record) -> str:
    """Return what is to be said of a gap."""
    if row["value"] is None:
        return "too few" if row["note"] == "too few" else "no value"
    if row["p_value"] is None:
        return "not tested"
    if row["p_value"] < ALPHA:
        return "differs"
    alone = row["p_unadjusted"]
    return "may be chance" if alone is not None and alone < ALPHA else "none found"


def finite(value: float | None) -> float:
    """Return a number, not a number for none."""
    return float("nan") if value is None else float(value)


def pair_of(row: Record) -> tuple[str, str]:
    """Return the groups that a row compares."""
    return row["group_a"], row["group_b"]


def is_total(row: Record) -> bool:
    """Say whether a row of swaps is that of all terms of a pair of groups, or of all groups."""
    return bool(row["term"] == EVERYONE)


def distinct(rows: Iterable[Record], *names: str) -> list[tuple[Any, ...]]:
    """Return the values of some columns that occur together, each once, in their order."""
    return list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))


def by_size(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Return rows with the largest values first, whatever their sign."""
    return sorted(rows, key=lambda row: -abs(row[column] or 0.0))


def is_word(row: Record) -> bool:
    """Say whether a row of words is that of a word, not of what no word explains."""
    return row["category"] not in NO_WORDS
