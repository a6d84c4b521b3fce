"""The measures in words, and numbers as people read them: the same in sentences and in tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Any, Final

from perturbx.fairness.grouping import EVERYONE


@dataclass(frozen=True)
class Wording:
    """How a measure, or the gap in it, is told.

    Parameters
    ----------
    name : str
        What it is called.
    meaning : str
        What it is, in a clause that needs no statistics.
    is_share : bool
        It is a share of texts, told in percent; gaps in it are told in percentage points.
    """

    name: str
    meaning: str
    is_share: bool = False


MEASURES: Final[Mapping[str, Wording]] = {
    "selection_rate": Wording(
        "selection rate", "the share of texts for which the model decides for the outcome", True
    ),
    "tpr": Wording(
        "true positive rate",
        "of the texts labelled with the outcome, the share that the model finds",
        True,
    ),
    "fpr": Wording(
        "false positive rate",
        "of the texts not labelled with the outcome, the share for which the model wrongly "
        "decides for it",
        True,
    ),
    "fnr": Wording(
        "false negative rate",
        "of the texts labelled with the outcome, the share that the model misses",
        True,
    ),
    "accuracy": Wording(
        "accuracy", "the share of texts for which the decision agrees with the label", True
    ),
    "precision": Wording(
        "precision",
        "of the texts for which the model decides for the outcome, the share labelled with it",
        True,
    ),
    "base_rate": Wording(
        "share of positives", "the share of texts labelled with the outcome, whoever judges", True
    ),
    "mean_score": Wording("mean score", "the average of the model's score for the outcome"),
    "calibration": Wording(
        "calibration",
        "the mean score less the share of positives: above 0, the model promises too much",
    ),
    "brier_score": Wording(
        "Brier score", "the mean squared distance of score and label: lower is better"
    ),
    "subgroup_auc": Wording(
        "AUC within the group",
        "how often a text of the group labelled with the outcome outscores one of the group that "
        "is not: 1 is perfect, 0.5 is chance",
    ),
    "bpsn_auc": Wording(
        "BPSN AUC",
        "how often a text of other groups labelled with the outcome outscores one of this group "
        "that is not: low where this group's texts score too high",
    ),
    "bnsp_auc": Wording(
        "BNSP AUC",
        "how often a text of this group labelled with the outcome outscores one of other groups "
        "that is not: low where this group's texts score too low",
    ),
    "mean_error": Wording(
        "mean error", "the average of prediction less truth: above 0, predictions are too high"
    ),
    "mean_absolute_error": Wording(
        "mean absolute error", "how far predictions are from the truth, on average"
    ),
    "refusal_rate": Wording(
        "refusal rate",
        "the share of all texts to which the model gives no answer, whatever the outcome; the "
        "other measures are of the texts that it answers",
        True,
    ),
    "fped": Wording(
        "false positive equality difference",
        "the sum over groups of how far their false positive rate is from that of all texts",
    ),
    "fned": Wording(
        "false negative equality difference",
        "the sum over groups of how far their false negative rate is from that of all texts",
    ),
    "subgroup_auc_mean": Wording(
        "generalised mean of AUCs within groups", "a mean that is close to the worst group"
    ),
    "bpsn_auc_mean": Wording(
        "generalised mean of BPSN AUCs", "a mean that is close to the worst group"
    ),
    "bnsp_auc_mean": Wording(
        "generalised mean of BNSP AUCs", "a mean that is close to the worst group"
    ),
}
"""Every measure of a group, and of all groups, in the order in which they are told."""

_OF_GAPS: Final[Mapping[str, Wording]] = {
    "demographic_parity": Wording(
        "selection rate",
        "no gap in selection rates: the model decides for the outcome as often",
        True,
    ),
    "equal_opportunity": Wording(
        "true positive rate",
        "no gap in true positive rates: texts labelled with it are found as often",
        True,
    ),
    "equalized_odds": Wording(
        "equalized odds",
        "no gap in true and in false positive rates; the larger one is shown, without a sign",
        True,
    ),
}

GAP_ORDER: Final = (
    "refusal_rate",
    "demographic_parity",
    "equal_opportunity",
    "fpr",
    "fnr",
    "equalized_odds",
    "accuracy",
    "mean_score",
    "bpsn_auc",
    "bnsp_auc",
    "subgroup_auc",
    "mean_error",
    "mean_absolute_error",
)
"""The gaps in the order in which they are told."""

SENTENCES: Final[Mapping[str, str]] = {
    "demographic_parity": "the model decides for {o} in {x} of the texts {a}, against {y} {b}",
    "equal_opportunity": "of the texts labelled {o}, the model finds {x} {a}, against {y} {b}",
    "fpr": "of the texts not labelled {o}, the model wrongly decides for it in {x} {a}, "
    "against {y} {b}",
    "fnr": "of the texts labelled {o}, the model misses {x} {a}, against {y} {b}",
    "accuracy": "decisions on {o} agree with the labels in {x} of the texts {a}, against {y} {b}",
    "mean_score": "the score for {o} is {x} on average {a}, against {y} {b}",
    "subgroup_auc": "texts labelled {o} are told from others with an AUC of {x} {a}, against {y} "
    "{b} (1 is perfect, 0.5 is chance)",
    "bpsn_auc": "texts not labelled {o} are told from labelled ones of other groups with an AUC of "
    "{x} {a}, against {y} {b} (the lower it is, the more texts of a group score too high)",
    "bnsp_auc": "texts labelled {o} are told from unlabelled ones of other groups with an AUC of "
    "{x} {a}, against {y} {b} (the lower it is, the more texts of a group score too low)",
    "mean_error": "predictions of {o} less the true values are {x} on average {a}, against {y} {b}",
    "mean_absolute_error": "predictions of {o} miss the true values by {x} on average {a}, "
    "against {y} {b}",
    "refusal_rate": "the model refuses {x} of the texts {a}, against {y} {b}",
}
"""How a gap is told: {x} in the group {a}, which is the higher, against {y} in {b}."""

MEASURE_OF_GAP: Final[Mapping[str, str]] = {
    "demographic_parity": "selection_rate",
    "equal_opportunity": "tpr",
}
"""The measure that a gap is one of, where it has another name."""

NO_WORDS: Final[Mapping[str, str]] = {
    "(base value)": "score of texts without words",
    "(not explained)": "not explained by words",
    "(sampling)": "all texts less those explained",
}
"""What the parts of a gap are called that come from no word."""


def wording(metric: str) -> Wording:
    """Return how a measure or a gap is told; one that is not known is told by its own name."""
    return MEASURES.get(metric) or _OF_GAPS.get(metric) or Wording(metric.replace("_", " "), "")


def gap_rank(metric: str) -> int:
    """Return the place of a gap among all, in the order in which they are told."""
    return GAP_ORDER.index(metric) if metric in GAP_ORDER else len(GAP_ORDER)


def number(value: float, *, sign: str = "-", size: float | None = None) -> str:
    """Return a score with as many decimals as its size asks for; a value that is none is a dash.

    Parameters
    ----------
    value : float
        The number.
    sign : {"-", "+"}
        "+" marks the positive, too.
    size : float, optional
        The largest number beside it, whose decimals it shares.

    Examples
    --------
    >>> number(0.12345), number(-1234.5), number(0.5, sign="+"), number(0.00012)
    ('0.123', '-1,234', '+0.500', '0.00012')
    """
    if not isfinite(value):
        return "–"
    scale = abs(value) if size is None or not isfinite(size) else max(abs(value), size)
    if scale >= 1e9 or 0 < scale < 1e-4:
        return f"{value:{sign}.1e}"
    small = 3 if scale >= 0.01 or not scale else 4 if scale >= 0.001 else 5
    decimals = next((d for limit, d in ((10, small), (100, 2), (1000, 1)) if scale < limit), 0)
    return _unsigned_zero(f"{value:{sign},.{decimals}f}")


def percent(value: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.1234), percent(1.0), percent(0.00012)
    ('12.3%', '100.0%', '0.01%')
    """
    return f"{_hundredths(value, '-')}%" if isfinite(value) else "–"


def points(value: float, *, sign: str = "-") -> str:
    """Return a difference of shares in percentage points, without the unit.

    Examples
    --------
    >>> points(0.0691, sign="+"), points(-0.2)
    ('+6.9', '-20.0')
    """
    return _hundredths(value, sign) if isfinite(value) else "–"


def _hundredths(value: float, sign: str) -> str:
    # What one decimal would show as 0 is none.
    decimals = 1 if value == 0 or abs(value) >= 0.0005 else min(-floor(log10(abs(value))) - 2, 9)
    return _unsigned_zero(f"{100 * value:{sign}.{decimals}f}")


def _unsigned_zero(shown: str) -> str:
    return shown if any(digit in shown for digit in "123456789") else shown.lstrip("+-")


def measured(value: float, metric: str, *, size: float | None = None) -> str:
    """Return a measure as it is told: a share in percent, else a number."""
    return percent(value) if wording(metric).is_share else number(value, size=size)


def gap(value: float, metric: str, *, sign: str = "-", size: float | None = None) -> str:
    """Return a gap as it is told, without the unit: see `unit_of_gap`."""
    if wording(metric).is_share:
        return points(value, sign=sign)
    return number(value, sign=sign, size=size)


def unit_of_gap(metric: str) -> str:
    """Return the unit of a gap, with the space before it, or nothing."""
    return " percentage points" if wording(metric).is_share else ""


def p_value(value: float) -> str:
    """Return a p-value: near 0.05 with one more digit, as that decides what is said of a gap.

    Examples
    --------
    >>> p_value(0.0002), p_value(0.0234), p_value(0.0497), p_value(float("nan"))
    ('< 0.001', '0.023', '0.0497', '–')
    """
    if not isfinite(value):
        return "–"
    if value < 0.001:
        return "< 0.001"
    n_digits = 4 if 0.0495 <= value < 0.0505 else 3 if value < 0.1 else 2
    return f"{value:.{n_digits}f}"


def quoted(name: Any) -> str:
    """Return a name in quotes."""
    return f"“{name}”"


def listed(names: Iterable[Any], *, most: int = 6, last: str = "and") -> str:
    """Return names as a list in a sentence, cut to the first few.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed("abcde", most=2), listed(["a", "b"], last="or")
    ('a, b and c', 'a, b and 3 others', 'a or b')
    """
    every = [str(name) for name in names]
    if len(every) > most + 1:
        every = [*every[:most], f"{len(every) - most} others"]
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} {last} {every[-1]}"


def group_name(group: str) -> str:
    """Return the name of a group as it is shown beside others."""
    return "all texts" if group == EVERYONE else group
