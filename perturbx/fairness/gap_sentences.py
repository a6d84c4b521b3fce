"""The gaps of an audit in sentences: what differs, what was not found, what could not be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import (
    MEASURE_OF_GAP,
    SENTENCES,
    gap,
    gap_rank,
    listed,
    measured,
    p_value,
    percent,
    quoted,
    unit_of_gap,
    wording,
)

if TYPE_CHECKING:
    import pandas as pd

ALPHA: Final = 0.05
"""A gap with a smaller adjusted p-value is said to be one."""

_MIRRORED: Final[Mapping[str, str]] = {"fnr": "equal_opportunity"}
"""Gaps that say what another one says already."""


_OF_SMALL: Final = "; the larger sizes are those for small groups"


def told_level(level: float) -> str:
    """Return the level of an interval in percent."""
    return percent(level).replace(".0%", "%")


def only(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the rows of a table that hold these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table


def clearest(rows: pd.DataFrame) -> Any:
    """Return the gap that is largest beside what chance makes of it."""
    size = (rows["value"] / rows["detectable"]).abs()
    return rows.loc[(size if size.notna().any() else rows["value"].abs()).idxmax()]


def sure_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the gaps that are beyond chance, each thing once: in the order they are told."""
    sure = rows[rows["p_value"] < ALPHA]
    found = set(zip(sure["outcome"], sure["metric"], strict=True))

    def is_told(outcome: str, metric: str) -> bool:
        if metric == "equalized_odds":
            return not {(outcome, "equal_opportunity"), (outcome, "fpr")} & found
        return (outcome, _MIRRORED.get(metric)) not in found

    told = [is_told(o, m) for o, m in zip(sure["outcome"], sure["metric"], strict=True)]
    return sure.loc[told].sort_values(
        "metric", key=lambda names: names.map(gap_rank), kind="stable"
    )


def gap_sentences(
    attribute: str, own: pd.DataFrame, metrics: pd.DataFrame, level: str
) -> Iterator[str]:
    """Say what differs: of every outcome and measure the clearest gap."""
    sure = sure_gaps(own)
    for outcome in dict.fromkeys(own["outcome"]):
        of_outcome = only(sure, outcome=outcome)
        for metric in dict.fromkeys(of_outcome["metric"]):
            rows = only(of_outcome, metric=metric)
            worst = clearest(rows)
            text = _sentence(attribute, worst, metrics, level)
            if (more := len(rows) - 1) > 0:
                text += (
                    f" {more} other comparison{'s' * (more > 1)} of groups show{'s' * (more < 2)}"
                )
                text += " such a gap, too."
            yield text


def _sentence(attribute: str, row: Any, metrics: pd.DataFrame, level: str) -> str:
    metric, outcome = str(row["metric"]), str(row["outcome"])
    name, unit = wording(metric).name, unit_of_gap(metric)
    groups, ends = [row["group_a"], row["group_b"]], [row["value"], row["low"], row["high"]]
    if row["value"] < 0:
        groups, ends = groups[::-1], [-row["value"], -row["high"], -row["low"]]
    shown = [
        measured(_measure_of(metrics, attribute, outcome, metric, group), metric)
        for group in groups
    ]
    if metric in SENTENCES and "–" not in shown:
        said = SENTENCES[metric].format(
            o=quoted(outcome), x=shown[0], y=shown[1], a=_within(groups[0]), b=_within(groups[1])
        )
        head = f"{attribute}, {name}: {said}."
    else:
        pair = " and ".join(named(group) for group in groups)
        head = f"{attribute}, {name} for {quoted(outcome)}: {pair} differ."
    value, low, high = (gap(end, metric) for end in ends)
    p = p_value(row["p_value"])
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    return f"{head} The gap is {value}{unit} ({level} interval {low} to {high}; adjusted {p})."


def _measure_of(
    metrics: pd.DataFrame, attribute: str, outcome: str, metric: str, group: str
) -> float:
    measure = MEASURE_OF_GAP.get(metric, metric)
    if group == EVERYONE and measure.endswith("_auc"):
        measure = "subgroup_auc"
    cell = only(metrics, attribute=attribute, outcome=outcome, metric=measure, group=group)
    return float(cell["value"].iloc[0]) if len(cell) else float("nan")


def _within(group: str) -> str:
    return "overall" if group == EVERYONE else f"in the group {quoted(group)}"


def named(group: str) -> str:
    """Return the name of a group as it stands in a sentence."""
    return "all texts" if group == EVERYONE else quoted(group)


def no_gap_sentences(attribute: str, own: pd.DataFrame) -> Iterator[str]:
    """Say where nothing was found; outcomes of which the same is to be said are one sentence."""
    tested = own[own["p_value"].notna() & (own["metric"] != "equalized_odds")]
    alike: dict[tuple[str, ...], list[str]] = {}
    for outcome in dict.fromkeys(tested["outcome"]):
        rows = only(tested, outcome=outcome)
        sure = set(rows[rows["p_value"] < ALPHA]["metric"])
        rest = tuple(
            metric
            for metric in sorted(set(rows["metric"]) - sure, key=gap_rank)
            if _MIRRORED.get(metric) not in set(rows["metric"])
        )
        # Refusals stand beside an outcome, but are of none.
        n_of_none = rest.count("refusal_rate")
        for some in filter(None, (rest[:n_of_none], rest[n_of_none:])):
            alike.setdefault(some, []).append(outcome)
    for rest, outcomes in alike.items():
        rows = tested[tested["outcome"].isin(outcomes)]
        about = "" if "refusal_rate" in rest else f", {listed(map(quoted, outcomes))}"
        told = {metric: _detectable(only(rows, metric=metric), metric) for metric in rest}
        could = "; ".join(filter(None, told.values()))
        blind = [wording(metric).name for metric, size in told.items() if not size]
        text = (
            f"{attribute}{about}: no gap beyond chance was found in "
            f"{listed((wording(metric).name for metric in rest), most=12, last='or')}."
        )
        if could:
            text += (
                f" With such data, 80 of 100 audits would have found gaps of: {could}. Smaller "
                f"ones may exist{_OF_SMALL * (' to ' in could)}."
            )
        if blind:
            text += (
                f" In {listed(blind, most=12, last='or')} a gap of no size would have been found."
            )
        yield text


def _detectable(rows: pd.DataFrame, metric: str) -> str:
    """Tell the gap that would have been found, for the pair that tells most and the one least.

    Nothing where none would.

    Where groups are held against all texts, the extremes are no pair that was chosen beforehand.
    """
    with_all = rows[rows["group_b"] == EVERYONE]
    rows = with_all if len(with_all) else rows
    if rows["detectable"].isna().all():
        return ""
    least, most = (
        gap(float(end), metric) for end in (rows["detectable"].min(), rows["detectable"].max())
    )
    sizes = least if least == most else f"{least} to {most}"
    return f"{wording(metric).name} {sizes}{unit_of_gap(metric)}"


def few_sentences(
    attribute: str, own: pd.DataFrame, frames: Mapping[str, pd.DataFrame], enough: int
) -> Iterator[str]:
    """Say what could not be told, as there are too few texts."""
    groups = only(frames["groups"], attribute=attribute)
    groups = groups[groups["group"] != EVERYONE]
    if not len(own) and len(groups):
        held = [quoted(name) for name in groups[groups["n"] > 0]["group"]]
        yield (
            f"{attribute}: there was nothing to compare; texts were found of "
            f"{listed(held) or 'no group'}{' only' * (len(held) == 1)}."
        )
        return
    few = only(frames["metrics"], attribute=attribute, note="too few")
    few = few[few["group"] != EVERYONE]
    known = set(only(frames["metrics"], attribute=attribute, note="")["group"])
    names = list(dict.fromkeys(few["group"]))
    fewer = f"fewer than {enough} texts"
    for partly, what in (
        (False, "nothing is said about"),
        (True, "some measures are left out for"),
    ):
        some = [quoted(name) for name in names if (name in known) == partly]
        if some:
            each = "each" if len(some) > 1 else "it"
            why = f"they would stand on {fewer}" if partly else f"there are {fewer} of {each}"
            yield f"{attribute}: {what} {listed(some)}, as {why}."
