"""What an audit comes to, in sentences that need no statistics to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import (
    MEASURE_OF_GAP,
    NO_WORDS,
    SENTENCES,
    gap,
    gap_rank,
    listed,
    measured,
    number,
    p_value,
    percent,
    quoted,
    unit_of_gap,
    wording,
)

if TYPE_CHECKING:
    import pandas as pd

VerdictKind: TypeAlias = Literal["gap", "no gap", "too few", "counterfactual", "words", "advice"]

ALPHA: Final = 0.05
"""A gap with a smaller adjusted p-value is said to be one."""

KINDS: Final[Mapping[VerdictKind, str]] = {
    "gap": "What differs between groups",
    "counterfactual": "What swapping identity terms shows",
    "words": "Because of which words",
    "advice": "What would help (estimates)",
    "no gap": "Where no gap was found, and what size would have been seen",
    "too few": "Where there are too few texts to tell",
}
"""The kinds of verdicts in the order in which they are told, with a heading for each."""

_MIRRORED: Final[Mapping[str, str]] = {"fnr": "equal_opportunity"}
"""Gaps that say what another one says already."""


@dataclass(frozen=True)
class Verdict:
    """One sentence of a report, or a few.

    Parameters
    ----------
    kind : {"gap", "no gap", "too few", "counterfactual", "words", "advice"}
        What it says.
    attribute : str
        Which groups it is about.
    text : str
        The sentence.
    """

    kind: VerdictKind
    attribute: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


def verdicts_of(
    facts: Mapping[str, Any], frames: Mapping[str, pd.DataFrame]
) -> tuple[Verdict, ...]:
    """Return the verdicts of a report, those of a kind together, attribute by attribute."""
    level = percent(facts.get("level", 0.95)).replace(".0%", "%")
    enough = int(facts.get("min_group_size") or 10)
    found: list[Verdict] = []
    gaps = frames["gaps"]
    differences = gaps[gaps["kind"] == "difference"]
    for attribute in attributes_of(frames):
        own = _only(differences, attribute=attribute)
        found += _of_gaps(attribute, own, frames["metrics"], level)
        found += _of_no_gaps(attribute, own)
        found += _of_few(attribute, own, frames, enough)
        found += _of_swaps(attribute, frames["counterfactual"], level, enough)
        found += _of_words(attribute, own, frames)
        found += _of_advice(attribute, own, frames["advice"])
    order = list(KINDS)
    return tuple(sorted(found, key=lambda verdict: order.index(verdict.kind)))


def attributes_of(frames: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """Return what groups differ in: what was measured, then what was swapped only."""
    tables = ("groups", "counterfactual", "words", "identity_terms", "advice")
    return tuple(dict.fromkeys(name for table in tables for name in frames[table]["attribute"]))


def _only(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
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


def _of_gaps(
    attribute: str, own: pd.DataFrame, metrics: pd.DataFrame, level: str
) -> Iterator[Verdict]:
    sure = sure_gaps(own)
    for outcome in dict.fromkeys(own["outcome"]):
        of_outcome = _only(sure, outcome=outcome)
        for metric in dict.fromkeys(of_outcome["metric"]):
            rows = _only(of_outcome, metric=metric)
            worst = clearest(rows)
            text = _sentence(attribute, worst, metrics, level)
            if (more := len(rows) - 1) > 0:
                text += (
                    f" {more} other comparison{'s' * (more > 1)} of groups show{'s' * (more < 2)}"
                )
                text += " such a gap, too."
            yield Verdict("gap", attribute, text)


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
        pair = " and ".join(_named(group) for group in groups)
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
    cell = _only(metrics, attribute=attribute, outcome=outcome, metric=measure, group=group)
    return float(cell["value"].iloc[0]) if len(cell) else float("nan")


def _within(group: str) -> str:
    return "overall" if group == EVERYONE else f"in the group {quoted(group)}"


def _named(group: str) -> str:
    return "all texts" if group == EVERYONE else quoted(group)


def _of_no_gaps(attribute: str, own: pd.DataFrame) -> Iterator[Verdict]:
    """Say where nothing was found; outcomes of which the same is to be said are one sentence."""
    tested = own[own["p_value"].notna() & (own["metric"] != "equalized_odds")]
    alike: dict[tuple[str, ...], list[str]] = {}
    for outcome in dict.fromkeys(tested["outcome"]):
        rows = _only(tested, outcome=outcome)
        sure = set(rows[rows["p_value"] < ALPHA]["metric"])
        rest = tuple(
            metric
            for metric in sorted(set(rows["metric"]) - sure, key=gap_rank)
            if _MIRRORED.get(metric) not in set(rows["metric"])
        )
        if rest:
            alike.setdefault(rest, []).append(outcome)
    for rest, outcomes in alike.items():
        rows = tested[tested["outcome"].isin(outcomes)]
        could = "; ".join(_detectable(_only(rows, metric=metric), metric) for metric in rest)
        yield Verdict(
            "no gap",
            attribute,
            f"{attribute}, {listed(map(quoted, outcomes))}: no gap beyond chance was found in "
            f"{listed((wording(metric).name for metric in rest), most=12, last='or')}. With such "
            f"data, 80 of 100 audits would have found gaps of: {could}. Smaller ones may exist"
            f"{_OF_SMALL * (' to ' in could)}.",
        )


_OF_SMALL: Final = "; the larger sizes are those for small groups"


def _detectable(rows: pd.DataFrame, metric: str) -> str:
    """Tell the gap that would have been found, for the pair that tells most and the one least.

    Where groups are held against all texts, the extremes are no pair that was chosen beforehand.
    """
    with_all = rows[rows["group_b"] == EVERYONE]
    rows = with_all if len(with_all) else rows
    least, most = (
        gap(float(end), metric) for end in (rows["detectable"].min(), rows["detectable"].max())
    )
    sizes = least if least == most else f"{least} to {most}"
    return f"{wording(metric).name} {sizes}{unit_of_gap(metric)}"


def _of_few(
    attribute: str, own: pd.DataFrame, frames: Mapping[str, pd.DataFrame], enough: int
) -> Iterator[Verdict]:
    groups = _only(frames["groups"], attribute=attribute)
    groups = groups[groups["group"] != EVERYONE]
    if not len(own) and len(groups):
        held = [quoted(name) for name in groups[groups["n"] > 0]["group"]]
        yield Verdict(
            "too few",
            attribute,
            f"{attribute}: there was nothing to compare; texts were found of "
            f"{listed(held) or 'no group'}{' only' * (len(held) == 1)}.",
        )
        return
    few = _only(frames["metrics"], attribute=attribute, note="too few")
    few = few[few["group"] != EVERYONE]
    known = set(_only(frames["metrics"], attribute=attribute, note="")["group"])
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
            yield Verdict("too few", attribute, f"{attribute}: {what} {listed(some)}, as {why}.")


def _of_swaps(attribute: str, swaps: pd.DataFrame, level: str, enough: int) -> Iterator[Verdict]:
    fair = _only(swaps, attribute=attribute, kind="symmetric", term=EVERYONE)
    fair = fair[fair["n"] > 0]
    for outcome in dict.fromkeys(fair["outcome"]):
        rows = _only(fair, outcome=outcome)
        for _, row in _only(rows, group_a=EVERYONE, group_b=EVERYONE).iterrows():
            moved = number(row["mean_absolute_shift"])
            head = (
                f"{attribute}: with the identity terms of a text swapped for those of another "
                f"group, and nothing else changed, "
            )
            if row["flip_rate"] == row["flip_rate"]:
                head += (
                    f"the decision on {quoted(outcome)} changes in {percent(row['flip_rate'])} of "
                    f"{row['n']:,} swapped texts ({level} interval {percent(row['flip_low'])} to "
                    f"{percent(row['flip_high'])}); the score moves by {moved} on average"
                )
            else:
                head += (
                    f"the score for {quoted(outcome)} moves by {moved} on average, over "
                    f"{row['n']:,} swapped texts"
                )
            yield Verdict("counterfactual", attribute, f"{head}.{_of_pair(rows, level, enough)}")


def _of_pair(rows: pd.DataFrame, level: str, enough: int) -> str:
    """Tell between which groups the score moves most, where that is beyond chance among all."""
    pairs = rows[(rows["group_a"] != EVERYONE) & (rows["n"] >= enough)]
    # An interval for as many looks as there are pairs (Bonferroni).
    normal = NormalDist()
    wider = normal.inv_cdf(1 - ALPHA / 2 / max(len(pairs), 1)) / normal.inv_cdf(1 - ALPHA / 2)
    pairs = pairs[2 * pairs["mean_shift"].abs() > wider * (pairs["high"] - pairs["low"])]
    if not len(pairs):
        return ""
    worst = pairs.loc[pairs["mean_shift"].abs().idxmax()]
    shift, low, high = (number(worst[end], sign="+") for end in ("mean_shift", "low", "high"))
    return (
        f" It moves most from {quoted(worst['group_a'])} to {quoted(worst['group_b'])}: by {shift} "
        f"({level} interval {low} to {high}; {worst['n']:,} swapped texts)."
    )


def _of_words(
    attribute: str, own: pd.DataFrame, frames: Mapping[str, pd.DataFrame]
) -> Iterator[Verdict]:
    sure = _only(own[own["p_value"] < ALPHA], metric="mean_score")
    for outcome in dict.fromkeys(sure["outcome"]):
        worst = clearest(_only(sure, outcome=outcome))
        about = {"attribute": attribute} | {
            name: worst[name] for name in ("outcome", "group_a", "group_b")
        }
        kinds = _only(frames["categories"], **about)
        if not len(kinds):
            continue
        total = float(kinds["contribution"].sum())
        sides = (worst["group_a"], worst["group_b"])
        sign = -1 if total < 0 else 1
        high, low = map(_named, sides[::sign])
        parts = [
            f"{NO_WORDS.get(name, name)} {number(sign * value, sign='+')}"
            for name, value in _by_size(kinds["category"], kinds["contribution"])
        ]
        words = _only(frames["words"], **about)
        words = words[~words["word"].str.startswith("(")]
        words = words[(words["low"] > 0) | (words["high"] < 0)]
        top = [
            f"{quoted(word)} {number(sign * value, sign='+')}"
            for word, value in _by_size(words["word"], words["contribution"])[:5]
        ]
        tail = f" Single words that weigh most: {', '.join(top)}." if top else ""
        yield Verdict(
            "words",
            attribute,
            f"{attribute}: the mean score for {quoted(outcome)} is {number(abs(total))} higher in "
            f"{high} than in {low}. By kinds of words, this adds up from: "
            f"{'; '.join(parts[:4])}{f'; {len(parts) - 4} more' * (len(parts) > 4)}.{tail}",
        )


def _by_size(names: Iterable[str], values: Iterable[float]) -> list[tuple[str, float]]:
    return sorted(zip(names, values, strict=True), key=lambda pair: -abs(pair[1]))


def _of_advice(attribute: str, own: pd.DataFrame, advice: pd.DataFrame) -> Iterator[Verdict]:
    known = advice[(advice["attribute"] == attribute) & advice["gap_after"].notna()]
    sure = set(own[own["p_value"] < ALPHA]["outcome"])
    for outcome in dict.fromkeys(name for name in known["outcome"] if name in sure):
        rows = _only(known, outcome=outcome)
        better = rows[rows["gap_high"] < rows["gap_before"]]
        if not len(better):
            tried = listed(map(quoted, dict.fromkeys(rows["remedy"])))
            yield Verdict(
                "advice",
                attribute,
                f"{attribute}, {quoted(outcome)}: of what was tried on these texts ({tried}), "
                f"nothing narrows the largest gap beyond doubt.",
            )
            continue
        yield Verdict(
            "advice", attribute, _remedy(attribute, better.loc[better["gap_after"].idxmin()])
        )


def _remedy(attribute: str, best: Any) -> str:
    metric, accuracy = best["metric"], ""
    before, after, low, high = (
        gap(best[f"gap_{end}"], metric) for end in ("before", "after", "low", "high")
    )
    if best["accuracy_after"] == best["accuracy_after"]:
        accuracy = (
            f", with accuracy going from {percent(best['accuracy_before'])} to "
            f"{percent(best['accuracy_after'])}"
        )
    return (
        f"{attribute}, {quoted(best['outcome'])}: {quoted(best['remedy'])} is estimated to bring "
        f"the largest gap in {wording(metric).name} from {before} to {after}{unit_of_gap(metric)} "
        f"(interval {low} to {high}){accuracy}. Estimated on {best['n']:,} of these texts; "
        f"measure again after any change."
    )
