"""Gates: conditions on the gaps of a report under which a build fails."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from perturbx.exceptions import ArgumentError
from perturbx.fairness.gaps import EQUALIZED_ODDS, MEASURE_OF_GAP

if TYPE_CHECKING:
    from perturbx.fairness.report import FairnessReport

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM: Final = re.compile(
    r"\s*(?:(?P<attribute>[^:]+?)\s*:\s*)?(?P<metric>\w+?)_(?P<kind>difference|ratio)\s*"
    r"(?P<operator>>=|<=|>|<)\s*(?P<limit>[-+.\deE]+)\s*"
)
GATED: Final = (*MEASURE_OF_GAP, EQUALIZED_ODDS)


@dataclass(frozen=True)
class Gate:
    """A condition under which a report fails: ``equal_opportunity_difference > 0.1``.

    A difference is taken without its sign, a ratio as the smaller over the larger, so the
    condition holds whichever group comes first.

    Parameters
    ----------
    metric, kind : str
        Which gaps it looks at.
    comparison : str
        ">", ">=", "<" or "<=".
    limit : float
        What they are compared with.
    attribute : str, optional
        Only the gaps of this attribute.

    Examples
    --------
    >>> Gate.read("gender: demographic_parity_ratio < 0.8")
    Gate(metric='demographic_parity', kind='ratio', comparison='<', limit=0.8, attribute='gender')
    """

    metric: str
    kind: str
    comparison: str
    limit: float
    attribute: str | None = None

    @classmethod
    def read(cls, text: str) -> Gate:
        """Return the gate that a text describes.

        Raises
        ------
        ArgumentError
            It describes none.
        """
        match = _FORM.fullmatch(text)
        limit = None
        if match:
            try:
                limit = float(match["limit"])
            except ValueError:
                match = None
        if match is None or limit is None or match["metric"] not in GATED:
            raise ArgumentError(
                f"gate: expected METRIC_difference or METRIC_ratio, a comparison and a number, as "
                f"in 'equal_opportunity_difference > 0.1', with an attribute in front or not "
                f"('gender: ...'); metrics are {', '.join(GATED)}; got {text!r}"
            )
        return cls(match["metric"], match["kind"], match["operator"], limit, match["attribute"])

    def failures(self, report: FairnessReport, *, confident: bool = False) -> list[str]:
        """Return a line for each gap that meets the condition.

        Parameters
        ----------
        report : FairnessReport
            What is looked at.
        confident : bool, default=False
            Only where the whole interval meets it.

        Raises
        ------
        ArgumentError
            The report has no such gap at all: a gate that never looks at anything is a mistake.
        """
        gaps = report.gaps
        about = gaps if self.attribute is None else gaps[gaps["attribute"] == self.attribute]
        own = about[(about["metric"] == self.metric) & (about["kind"] == self.kind)]
        if self.metric == "refusal_rate" and report.facts.get("n_refused") == 0 and len(about):
            return []
        if not own["value"].notna().any():
            where = f" of {self.attribute!r}" if self.attribute is not None else ""
            pairs = zip(gaps["metric"], gaps["kind"], strict=True)
            there = sorted({f"{metric}_{kind}" for metric, kind in pairs})
            of = ", ".join(map(repr, dict.fromkeys(gaps["attribute"])))
            raise ArgumentError(
                f"gate: the report has no {self.metric}_{self.kind}{where}; it has "
                f"{', '.join(there) or 'no gaps'} of {of or 'no attribute'}"
            )
        meets = _OPERATORS[self.comparison]
        lines = []
        for _, row in own[own["value"].notna()].iterrows():
            sizes = self._sizes(row)
            tested = sizes if confident else sizes[:1]
            if all(meets(size, self.limit) for size in tested):
                lines.append(
                    f"{row['attribute']}, {row['outcome']}: {self.metric}_{self.kind} of "
                    f"{row['group_a']} and {row['group_b']} is {sizes[0]:.4g} "
                    f"[{min(sizes[1:]):.4g}, {max(sizes[1:]):.4g}] {self.comparison} {self.limit:g}"
                )
        return lines

    def _sizes(self, row: Any) -> tuple[float, float, float]:
        """Return the size of a gap and of the ends of its interval, without its sign."""
        value, low, high = (float(row[name]) for name in ("value", "low", "high"))
        if self.kind == "difference":
            nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
            return abs(value), nearest, max(abs(low), abs(high))
        ends = _below_one(low), _below_one(high)
        return _below_one(value), 1.0 if low <= 1 <= high else max(ends), min(ends)

    def __str__(self) -> str:
        head = f"{self.attribute}: " if self.attribute else ""
        return f"{head}{self.metric}_{self.kind} {self.comparison} {self.limit:g}"


def _below_one(ratio: float) -> float:
    """Return a ratio as the smaller over the larger; that of nothing to something is 0."""
    return min(ratio, 1 / ratio) if ratio else 0.0
