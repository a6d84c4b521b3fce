"""What an audit comes to, in sentences that need no statistics to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from perturbx.fairness.grouping import EVERYONE

if TYPE_CHECKING:
    import pandas as pd

VerdictKind: TypeAlias = Literal["gap", "no gap", "too few", "counterfactual", "words", "advice"]

ALPHA: Final = 0.05
"""A gap with a smaller adjusted p-value is said to be one."""

_WORDS: Final[Mapping[str, tuple[str, str, bool]]] = {
    "demographic_parity": ("are given the outcome {outcome}", "selection rate", True),
    "equal_opportunity": ("that deserve {outcome} are given it", "true positive rate", True),
    "fpr": ("that do not deserve {outcome} are given it", "false positive rate", True),
    "fnr": ("that deserve {outcome} are denied it", "false negative rate", True),
    "accuracy": ("are judged rightly on {outcome}", "accuracy", True),
    "mean_score": ("score {value} for {outcome} on average", "mean score", False),
    "subgroup_auc": ("are ranked with an AUC of {value}", "AUC within the group", False),
    "bpsn_auc": (
        "that do not deserve {outcome}, beside others that do: AUC {value}",
        "BPSN AUC",
        False,
    ),
    "bnsp_auc": (
        "that deserve {outcome}, beside others that do not: AUC {value}",
        "BNSP AUC",
        False,
    ),
    "mean_error": ("are predicted {value} too high on average", "mean error", False),
    "mean_absolute_error": ("are off by {value} on average", "mean absolute error", False),
    "equalized_odds": ("", "larger gap of true and false positive rates", True),
}
"""How each gap is told: of texts, its name, and whether it is one of shares."""

NAMES: Final[Mapping[str, str]] = {
    "selection_rate": "selection rate",
    "base_rate": "share of positives",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
    "fnr": "false negative rate",
    "precision": "precision",
    "accuracy": "accuracy",
    "mean_score": "mean score",
    "calibration": "mean score less share of positives",
    "brier_score": "Brier score",
    "mean_error": "mean error",
    "mean_absolute_error": "mean absolute error",
    "subgroup_auc": "AUC within the group",
    "bpsn_auc": "BPSN AUC",
    "bnsp_auc": "BNSP AUC",
    "fped": "false positive equality difference",
    "fned": "false negative equality difference",
    "subgroup_auc_mean": "generalised mean of AUCs within groups",
    "bpsn_auc_mean": "generalised mean of BPSN AUCs",
    "bnsp_auc_mean": "generalised mean of BNSP AUCs",
    **{gap: words[1] for gap, words in _WORDS.items() if gap not in ("fpr", "fnr", "accuracy")},
    "demographic_parity": "selection rate",
    "equal_opportunity": "true positive rate",
}
"""The measures in words."""


@dataclass(frozen=True)
class Verdict:
    """One sentence of a report.

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


def verdicts_of(facts: Mapping[str, Any], frames: Mapping[str, pd.DataFrame]) -> tuple[Verdict, ...]:
    """Return the verdicts of a report: of every attribute its clearest gap of each kind, or none."""
    level = f"{facts.get('level', 0.95):.0%}"
    found: list[Verdict] = []
    gaps = frames["gaps"]
    differences = gaps[gaps["kind"] == "difference"]
    for attribute in dict.fromkeys(frames["groups"]["attribute"]):
        own = differences[differences["attribute"] == attribute]
        found += _of_gaps(attribute, own, frames["metrics"], level)
        found += _of_swaps(attribute, frames["counterfactual"])
        found += _of_words(attribute, frames["categories"], frames["words"], own)
        found += _of_advice(attribute, frames["advice"])
    order = {"gap": 0, "counterfactual": 1, "words": 2, "advice": 3, "no gap": 4, "too few": 5}
    return tuple(sorted(found, key=lambda verdict: order[verdict.kind]))


def _of_gaps(
    attribute: str, own: pd.DataFrame, metrics: pd.DataFrame, level: str
) -> Iterator[Verdict]:
    sure = own[own["p_value"] < ALPHA]
    sure = sure[sure["metric"] != "equalized_odds"]
    for (outcome, metric), rows in sure.groupby(["outcome", "metric"], sort=False):
        worst = rows.loc[(rows["value"] / rows["detectable"]).abs().idxmax()]
        more = len(rows) - 1
        text = _sentence(attribute, str(outcome), str(metric), worst, metrics, level)
        if more:
            text += f" {_number_word(more).capitalize()} more pair{'s' * (more > 1)} of groups differ in it."
        yield Verdict("gap", attribute, text)
    tested = own[own["p_value"].notna()]
    if len(tested) and not len(sure):
        seen = tested.groupby("metric", sort=False)["detectable"].min()
        could = "; ".join(
            f"{NAMES.get(str(metric), str(metric))} {size:.2g}"
            for metric, size in seen.items()
            if metric in ("demographic_parity", "equal_opportunity", "fpr", "mean_score", "mean_error")
        )
        yield Verdict(
            "no gap",
            attribute,
            f"{attribute}: no gap was found beyond chance. These data would have shown, in 80 of "
            f"100 cases, gaps of at least: {could}. Smaller ones may exist.",
        )
    few = metrics[(metrics["attribute"] == attribute) & (metrics["note"] == "too few")]
    names = [name for name in dict.fromkeys(few["group"]) if name != EVERYONE]
    if names:
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} others" if len(names) > 6 else "")
        yield Verdict(
            "too few",
            attribute,
            f"{attribute}: too few texts to measure everything about {shown}; the cells say so.",
        )


def _sentence(
    attribute: str, outcome: str, metric: str, row: Any, metrics: pd.DataFrame, level: str
) -> str:
    told, name, is_share = _WORDS[metric]
    measure = {"demographic_parity": "selection_rate", "equal_opportunity": "tpr"}.get(metric, metric)
    values = []
    for group in (row["group_a"], row["group_b"]):
        wanted = "subgroup_auc" if group == EVERYONE and measure.endswith("_auc") else measure
        cell = metrics[
            (metrics["attribute"] == attribute)
            & (metrics["outcome"] == outcome)
            & (metrics["metric"] == wanted)
            & (metrics["group"] == group)
        ]
        values.append(float(cell["value"].iloc[0]))
    shown = [f"{value:.1%}" if is_share else f"{value:.3g}" for value in values]
    a, b = _of_group(row["group_a"]), _of_group(row["group_b"])
    quoted = f"“{outcome}”"
    if is_share:
        words = told.format(outcome=quoted)
        head = f"{shown[0]} of texts {a} {words}, against {shown[1]} of texts {b}"
    else:
        first = told.format(outcome=quoted, value=shown[0])
        head = f"texts {a} {first}, texts {b} {shown[1]}"
    value, low, high = (_points(row[end], is_share) for end in ("value", "low", "high"))
    unit = " percentage points" if is_share else ""
    p = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.3f}"
    return (
        f"{attribute}, {name}: {head}. The gap is {value}{unit} ({level} interval {low} to {high}; "
        f"{p}, adjusted for all gaps tested)."
    )


def _of_group(group: str) -> str:
    return "of all groups together" if group == EVERYONE else f"of the group “{group}”"


def _points(value: float, is_share: bool) -> str:
    return f"{100 * value:+.1f}" if is_share else f"{value:+.3g}"


def _number_word(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if number < len(words) else str(number)


def _of_swaps(attribute: str, swaps: pd.DataFrame) -> Iterator[Verdict]:
    own = swaps[
        (swaps["attribute"] == attribute)
        & (swaps["term"] == EVERYONE)
        & (swaps["group_a"] == EVERYONE)
        & (swaps["kind"] == "symmetric")
    ]
    for _, row in own.iterrows():
        yield Verdict(
            "counterfactual",
            attribute,
            f"{attribute}: with the identity terms of a text swapped for those of another group, "
            f"and nothing else, the decision on “{row['outcome']}” changes in "
            f"{row['flip_rate']:.1%} of {row['n']:,} texts (interval {row['flip_low']:.1%} to "
            f"{row['flip_high']:.1%}); the score moves by {row['mean_absolute_shift']:.3g} on "
            f"average.",
        )


def _of_words(
    attribute: str, categories: pd.DataFrame, words: pd.DataFrame, gaps: pd.DataFrame
) -> Iterator[Verdict]:
    sure = gaps[(gaps["metric"] == "mean_score") & (gaps["p_value"] < ALPHA)]
    if not len(sure):
        return
    worst = sure.loc[(sure["value"] / sure["detectable"]).abs().idxmax()]
    about = {name: worst[name] for name in ("outcome", "group_a", "group_b")}

    def of_pair(table: pd.DataFrame) -> pd.DataFrame:
        own = table[table["attribute"] == attribute]
        for name, value in about.items():
            own = own[own[name] == value]
        return own

    kinds, own = of_pair(categories), of_pair(words)
    own = own[~own["word"].str.startswith("(")]
    if not len(kinds) or not len(own):
        return
    named = kinds[~kinds["category"].str.startswith("(")]
    parts = "; ".join(
        f"{row['category']} {row['contribution']:+.3g}"
        for _, row in named.reindex(named["contribution"].abs().sort_values(ascending=False).index)
        .head(3)
        .iterrows()
    )
    top = own[(own["low"] > 0) | (own["high"] < 0)].head(5)
    listed = ", ".join(f"“{row['word']}” {row['contribution']:+.3g}" for _, row in top.iterrows())
    tail = f" Single words: {listed}." if listed else ""
    yield Verdict(
        "words",
        attribute,
        f"{attribute}: of the gap of {worst['value']:+.3g} in mean score between "
        f"“{about['group_a']}” and “{about['group_b']}”, words account as follows: {parts}.{tail}",
    )


def _of_advice(attribute: str, advice: pd.DataFrame) -> Iterator[Verdict]:
    own = advice[(advice["attribute"] == attribute) & advice["gap_after"].notna()]
    own = own[own["gap_high"] < own["gap_before"]]
    if not len(own):
        return
    best = own.loc[own["gap_after"].idxmin()]
    accuracy = ""
    if best["accuracy_after"] == best["accuracy_after"]:
        accuracy = (
            f", and accuracy from {best['accuracy_before']:.1%} to {best['accuracy_after']:.1%}"
        )
    yield Verdict(
        "advice",
        attribute,
        f"{attribute}: what would help most, by estimate: {best['remedy']} would bring the largest "
        f"gap in {NAMES.get(best['metric'], best['metric'])} from {best['gap_before']:.3g} to "
        f"{best['gap_after']:.3g} (interval {best['gap_low']:.3g} to {best['gap_high']:.3g})"
        f"{accuracy}.",
    )
