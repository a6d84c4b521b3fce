"""What is behind a gap in sentences: swapped terms, words, and what would help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from perturbx.fairness.gap_sentences import ALPHA, clearest, named, only, told_level
from perturbx.fairness.grouping import EVERYONE
from perturbx.fairness.wording import (
    NO_WORDS,
    gap,
    listed,
    number,
    percent,
    quoted,
    unit_of_gap,
    wording,
)

if TYPE_CHECKING:
    import pandas as pd


def swap_sentences(attribute: str, swaps: pd.DataFrame, level: float, enough: int) -> Iterator[str]:
    """Say what swapping the identity terms of texts does to decisions and scores."""
    fair = only(swaps, attribute=attribute, kind="symmetric", term=EVERYONE)
    fair = fair[fair["n"] > 0]
    for outcome in dict.fromkeys(fair["outcome"]):
        rows = only(fair, outcome=outcome)
        for _, row in only(rows, group_a=EVERYONE, group_b=EVERYONE).iterrows():
            moved = number(row["mean_absolute_shift"])
            head = (
                f"{attribute}: with the identity terms of a text swapped for those of another "
                f"group, and nothing else changed, "
            )
            if row["flip_rate"] == row["flip_rate"]:
                head += (
                    f"the decision on {quoted(outcome)} changes in {percent(row['flip_rate'])} of "
                    f"{row['n']:,} swapped texts ({told_level(level)} interval "
                    f"{percent(row['flip_low'])} to {percent(row['flip_high'])}); "
                    f"the score moves by {moved} on average"
                )
            else:
                head += (
                    f"the score for {quoted(outcome)} moves by {moved} on average, over "
                    f"{row['n']:,} swapped texts"
                )
            yield f"{head}.{_of_pair(rows, level, enough)}"


def _of_pair(rows: pd.DataFrame, level: float, enough: int) -> str:
    """Tell between which groups the score moves most, where that is beyond chance among all."""
    pairs = rows[(rows["group_a"] != EVERYONE) & (rows["n"] >= enough)]
    # An interval for as many looks as there are pairs (Bonferroni).
    normal = NormalDist()
    wider = normal.inv_cdf(1 - ALPHA / 2 / max(len(pairs), 1)) / normal.inv_cdf((1 + level) / 2)
    pairs = pairs[2 * pairs["mean_shift"].abs() > wider * (pairs["high"] - pairs["low"])]
    if not len(pairs):
        return ""
    worst = pairs.loc[pairs["mean_shift"].abs().idxmax()]
    shift, low, high = (number(worst[end], sign="+") for end in ("mean_shift", "low", "high"))
    return (
        f" It moves most from {quoted(worst['group_a'])} to {quoted(worst['group_b'])}: by {shift} "
        f"({told_level(level)} interval {low} to {high}; {worst['n']:,} swapped texts)."
    )


def word_sentences(
    attribute: str, own: pd.DataFrame, frames: Mapping[str, pd.DataFrame]
) -> Iterator[str]:
    """Say which words the clearest gap in mean scores comes from."""
    sure = only(own[own["p_value"] < ALPHA], metric="mean_score")
    for outcome in dict.fromkeys(sure["outcome"]):
        worst = clearest(only(sure, outcome=outcome))
        about = {"attribute": attribute} | {
            name: worst[name] for name in ("outcome", "group_a", "group_b")
        }
        kinds = only(frames["categories"], **about)
        if not len(kinds):
            continue
        total = float(kinds["contribution"].sum())
        sides = (worst["group_a"], worst["group_b"])
        sign = -1 if total < 0 else 1
        high, low = map(named, sides[::sign])
        parts = _told(kinds["category"], sign * kinds["contribution"], total, NO_WORDS.get)
        words = only(frames["words"], **about)
        words = words[~words["word"].str.startswith("(")]
        words = words[(words["low"] > 0) | (words["high"] < 0)]
        top = _told(words["word"], sign * words["contribution"], total, quoted)[:5]
        tail = f" Single words that weigh most: {', '.join(top)}." if top else ""
        yield (
            f"{attribute}: the mean score for {quoted(outcome)} is {number(abs(total))} higher in "
            f"{high} than in {low}. By kinds of words, this adds up from: "
            f"{'; '.join(parts[:4])}{f'; {len(parts) - 4} more' * (len(parts) > 4)}.{tail}"
        )


def _told(
    names: Iterable[str],
    values: Iterable[float],
    total: float,
    named: Callable[[str], str | None],
) -> list[str]:
    """Return the parts of a total with their names, the largest first; those that are none out."""
    parts = sorted(zip(names, values, strict=True), key=lambda part: -abs(part[1]))
    shown = [(own, number(value, sign="+", size=abs(total))) for own, value in parts]
    return [f"{named(own) or own} {value}" for own, value in shown if value.strip("0.")]


def advice_sentences(attribute: str, own: pd.DataFrame, advice: pd.DataFrame) -> Iterator[str]:
    """Say what would help where there is a gap, or that nothing did."""
    known = advice[(advice["attribute"] == attribute) & advice["gap_after"].notna()]
    answered = own[own["metric"] != "refusal_rate"]
    sure = set(answered[answered["p_value"] < ALPHA]["outcome"])
    for outcome in dict.fromkeys(name for name in known["outcome"] if name in sure):
        rows = only(known, outcome=outcome)
        better = rows[rows["gap_high"] < rows["gap_before"]]
        if not len(better):
            tried = listed(map(quoted, dict.fromkeys(rows["remedy"])))
            yield (
                f"{attribute}, {quoted(outcome)}: of what was tried on these texts ({tried}), "
                f"nothing narrows the largest gap beyond doubt."
            )
            continue
        yield _remedy(attribute, better.loc[better["gap_after"].idxmin()])


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
