"""Two audits held against each other: which gaps moved beyond noise, and whether words agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import false_discovery_control, norm, spearmanr

from perturbx.exceptions import ArgumentError
from perturbx.fairness.contributions import BASE, SAMPLING, UNEXPLAINED
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.explanations import Explanations
    from perturbx.fairness.report import FairnessReport

_KEYS: Final = ("attribute", "outcome", "metric", "kind", "group_a", "group_b")
_PAIR: Final = ("attribute", "outcome", "group_a", "group_b")
_PARTS: Final = {
    "attributes": ["attribute"],
    "outcomes": ["outcome"],
    "groups": ["group_a", "group_b"],
    "metrics": ["metric", "kind"],
}
N_DRAWS: Final = 1_000


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs between two reports.

    Parameters
    ----------
    gaps : pandas.DataFrame
        A row for every gap that both have: its keys, ``first``, ``second``, ``change`` (of a ratio:
        the quotient), ``low``, ``high``, ``p_value`` (adjusted: of the gaps said to have moved, at
        most a share of 1 - level has not), ``moved``.
    words : pandas.DataFrame
        For every pair of groups that both split into words: rank agreement (Spearman) of the words'
        contributions, ``agreement``, ``low``, ``high``, ``n_words``.
    only_first, only_second : int
        How many gaps only one of them has.
    """

    gaps: pd.DataFrame
    words: pd.DataFrame
    only_first: int
    only_second: int

    @property
    def moved(self) -> pd.DataFrame:
        """The gaps that moved beyond noise."""
        return self.gaps[self.gaps["moved"]]

    def __str__(self) -> str:
        moved = self.moved
        lines = [f"{len(moved)} of {len(self.gaps)} gaps moved beyond noise"]
        for _, row in moved.iterrows():
            lines.append(
                f"{row['attribute']}, {row['outcome']}: {row['metric']}_{row['kind']} of "
                f"{row['group_a']} and {row['group_b']} went from {row['first']:+.3g} to "
                f"{row['second']:+.3g} (change {row['change']:+.3g}, interval {row['low']:+.3g} to "
                f"{row['high']:+.3g}; p = {row['p_value']:.2g})"
            )
        if self.only_first or self.only_second:
            lines.append(
                f"{self.only_first} gaps are in the first report only, {self.only_second} in the "
                f"second only"
            )
        for _, row in self.words.iterrows():
            lines.append(
                f"{row['attribute']}, {row['outcome']}: the words behind the gap of "
                f"{row['group_a']} and {row['group_b']} agree by {row['agreement']:+.2f} (rank "
                f"correlation of {row['n_words']} words, interval {row['low']:+.2f} to "
                f"{row['high']:+.2f})"
            )
        return "\n".join(lines)


def compare(first: FairnessReport, second: FairnessReport, *, level: float = 0.95) -> Comparison:
    """Return which gaps differ between two reports beyond noise.

    Parameters
    ----------
    first, second : FairnessReport
        Of two data sets, models, versions or dates. Their errors are taken for independent: where
        both audits used the same texts, a change is more certain than is said here.
    level : float, default=0.95
        The confidence of intervals and decisions.

    Raises
    ------
    ArgumentError
        They have no gap in common, or `level` is not between 0 and 1.

    Notes
    -----
    The standard error of a gap is its interval's width over that of the normal distribution; a
    ratio is compared by its logarithm. p-values are adjusted by Benjamini and Hochberg (1995).
    """
    if not (isinstance(level, Real) and 0 < level < 1):
        raise ArgumentError(f"level: expected a number between 0 and 1; got {level!r}")
    kept = [*_KEYS, "value", "low", "high"]
    known = [_with_errors(report.gaps)[kept] for report in (first, second)]
    both = known[0].merge(known[1], on=list(_KEYS), suffixes=("_1", "_2"))
    if not len(both):
        raise ArgumentError(f"the reports have no gap in common; {_first_difference(*known)}")
    is_ratio = both["kind"].to_numpy() == "ratio"
    size = {}
    for side, report in (("_1", first), ("_2", second)):
        ends = both[[f"{end}{side}" for end in ("value", "low", "high")]].to_numpy(float, copy=True)
        ends[is_ratio] = np.log(ends[is_ratio])
        own = float(report.facts.get("level", 0.95))
        size[side] = ends[:, 0], (ends[:, 2] - ends[:, 1]) / (2 * norm.ppf((1 + own) / 2))
    change = size["_2"][0] - size["_1"][0]
    error = np.hypot(size["_1"][1], size["_2"][1])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, np.abs(change) / error, np.where(change == 0, 0.0, np.inf))
    p_values = false_discovery_control(2 * norm.sf(z))
    half = norm.ppf((1 + level) / 2) * error
    ends = np.stack([change, change - half, change + half])
    ends[:, is_ratio] = np.exp(ends[:, is_ratio])
    table = both[list(_KEYS)].assign(
        first=both["value_1"],
        second=both["value_2"],
        change=ends[0],
        low=ends[1],
        high=ends[2],
        p_value=p_values,
        moved=p_values < 1 - level,
    )
    order = np.argsort(p_values, kind="stable")
    return Comparison(
        table.iloc[order].reset_index(drop=True),
        _agreement_of_words(first, second, level),
        len(known[0]) - len(both),
        len(known[1]) - len(both),
    )


def _first_difference(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """Return what tells the gaps of two reports apart, of those that are alike until there."""
    if not (len(first) and len(second)):
        return f"the {'second' if len(first) else 'first'} has none with an interval"
    there: list[list[str]] = []
    for name, keys in _PARTS.items():
        joined = [gaps[keys].astype(str).agg(" / ".join, axis=1) for gaps in (first, second)]
        there = [sorted(set(own)) for own in joined]
        common = set(there[0]) & set(there[1])
        if not common:
            return f"their {name} are {there[0]} and {there[1]}"
        first, second = (
            gaps[own.isin(common)] for gaps, own in zip((first, second), joined, strict=True)
        )
    return "no two of them are of the same attribute, outcome, groups and metric"


def _with_errors(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the gaps with an interval; a ratio of nothing to something has no logarithm."""
    is_known = gaps["value"].notna() & gaps["low"].notna() & gaps["high"].notna()
    return gaps[is_known & ~((gaps["kind"] == "ratio") & (gaps["low"] <= 0))]


def _agreement_of_words(
    first: FairnessReport, second: FairnessReport, level: float
) -> pd.DataFrame:
    import pandas as pd

    keys = [*_PAIR, "word", "category"]
    known = [r.words[~r.words["word"].isin((BASE, UNEXPLAINED, SAMPLING))] for r in (first, second)]
    both = known[0].merge(known[1], on=keys, suffixes=("_1", "_2"))
    rows = []
    for pair, own in both.groupby(list(_PAIR), sort=False):
        values, errors = [], []
        for side, report in (("_1", first), ("_2", second)):
            values.append(own[f"contribution{side}"].to_numpy(float))
            width = own[f"high{side}"].to_numpy(float) - own[f"low{side}"].to_numpy(float)
            used = float(report.facts.get("level", 0.95))
            errors.append(np.nan_to_num(width) / (2 * norm.ppf((1 + used) / 2)))
        found = rank_agreement(values[0], values[1], errors[0], errors[1], level=level)
        if found is not None:
            names = dict(zip(_PAIR, pair if isinstance(pair, tuple) else (pair,), strict=True))
            rows.append(
                names
                | dict(zip(("agreement", "low", "high"), found, strict=True))
                | {"n_words": len(own)}
            )
    return pd.DataFrame(rows, columns=[*_PAIR, "agreement", "low", "high", "n_words"])


def rank_agreement(
    first: FloatArray,
    second: FloatArray,
    first_errors: FloatArray,
    second_errors: FloatArray,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float] | None:
    """Return the rank correlation of two rankings with an interval for what their errors do to it.

    Parameters
    ----------
    first, second : numpy.ndarray, (n,)
        What is ranked.
    first_errors, second_errors : numpy.ndarray, (n,)
        Standard errors.
    level : float, default=0.95
        Of the interval: of Spearman's correlation over normal draws around the values.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    (value, low, high), or None where fewer than three are ranked or all are equal.

    Examples
    --------
    >>> import numpy as np
    >>> rank_agreement(np.arange(4.0), np.arange(4.0) ** 2, np.zeros(4), np.zeros(4))
    (1.0, 1.0, 1.0)
    """
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    value = float(spearmanr(first, second).statistic)
    rng = np.random.default_rng(seed)
    shape = (N_DRAWS, len(first))
    drawn_1 = first + first_errors * rng.standard_normal(shape)
    drawn_2 = second + second_errors * rng.standard_normal(shape)
    draws = _row_correlations(_ranks(drawn_1), _ranks(drawn_2))
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    # Noise on noise: draws agree less than the values do.
    return value, min(float(low), value), max(float(high), value)


def _ranks(values: FloatArray) -> FloatArray:
    from scipy.stats import rankdata

    ranks: FloatArray = rankdata(values, axis=1)
    return ranks


def _row_correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    a = first - first.mean(axis=1, keepdims=True)
    b = second - second.mean(axis=1, keepdims=True)
    below = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(axis=1) / below)


def compare_explanations(
    first: Sequence[Any] | Explanations,
    second: Sequence[Any] | Explanations,
    *,
    output: str | int | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return how far two sets of explanations of the same texts agree in the ranks of the units.

    Parameters
    ----------
    first, second : sequence of Explanation
        Of the same texts cut into the same units, by two models, methods or seeds.
    output : str or int, optional
        Which output; the one that the first says is the highest, by default.
    level : float, default=0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        A row per text: ``text``, ``agreement`` (Spearman), ``low``, ``high``, ``n_units``; NaN for
        texts with fewer than three units.

    Raises
    ------
    ArgumentError
        The texts or their units differ.
    """
    import pandas as pd

    if len(first) != len(second):
        raise ArgumentError(
            f"second: expected {len(first)} explanations, as many as in first; got {len(second)}"
        )
    rows = []
    for number, (one, two) in enumerate(zip(first, second, strict=True)):
        if one.text != two.text or one.units.spans != two.units.spans:
            raise ArgumentError(f"second[{number}]: is of another text or of other units")
        named = one.top_output if output is None else output
        columns = one.column(named), two.column(named)
        found = rank_agreement(
            one.values[:, columns[0]],
            two.values[:, columns[1]],
            np.nan_to_num(one.std_errors[:, columns[0]]),
            np.nan_to_num(two.std_errors[:, columns[1]]),
            level=level,
            seed=number,
        )
        value, low, high = (np.nan,) * 3 if found is None else found
        rows.append(
            {
                "text": number,
                "agreement": value,
                "low": low,
                "high": high,
                "n_units": one.units.n_units,
            }
        )
    return pd.DataFrame(rows, columns=["text", "agreement", "low", "high", "n_units"])
