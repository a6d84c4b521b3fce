"""How likely a design is to ask about a coalition, and what that means for weights and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.special import gammaln

from perturbx.exceptions import SurrogateError
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


Weighting: TypeAlias = "Callable[[ScoreTable], tuple[FloatArray, FloatArray]]"
"""From a table to a weight (or its logarithm) for each row, ``(n_masks,)``, and the factor
``(n_masks,)`` from the square of what the row moves to its sampling variance: 1 - p for rows
drawn once, 1 / count for draws with replacement."""


NOT_DRAWN = ("leave_one_out", "owen_exact")
"""Designs without chance: their rows stand for no others."""

TOGETHER = ("owen", "owen_exact", "grouped_leverage", "refined")
"""Designs that keep the units of a group together: of the coalitions of a size they ask about some
kinds only, so the share of a size that is there is nobody's probability."""

OTHERS = (
    "use 'odd_gp', which takes any pairs of complements, 'banzhaf_gp' or 'lime', which take any "
    "rows, or what the rows were bought for ('owen', 'permutation', 'leave_one_out')"
)


def log_binomial(n: int, k: IntArray) -> FloatArray:
    """Return the logarithms of the binomial coefficients C(n, k)."""
    result: FloatArray = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return result


def holds_all(table: ScoreTable) -> bool:
    """Say whether all ``2 ** n_units`` coalitions are in the table (its rows are distinct)."""
    return len(table) == 1 << table.n_units


def check_chance(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where a design without chance has left coalitions out."""
    if table.design in NOT_DRAWN and not holds_all(table):
        raise SurrogateError(
            f"{name} needs coalitions drawn by chance; the design {table.design!r} left none of "
            f"its {len(table)} to chance, so they tell nothing of the others; {OTHERS}"
        )


def check_inclusion(table: ScoreTable, name: str) -> None:
    """Raise a `SurrogateError` where `log_inclusion` is no probability of the rows.

    As far as the name of the design tells: the rows of other tables are believed to be a sample,
    but where they are all coalitions of some sizes and none of the others every error would be 0.
    """
    if holds_all(table):
        return
    check_chance(table, name)
    if table.design in TOGETHER:
        raise SurrogateError(
            f"{name} needs coalitions of a size to be equally likely; the design "
            f"{table.design!r} keeps groups of units together; {OTHERS}"
        )
    if not _own_unseen_share(table).any():
        raise SurrogateError(
            f"{name} needs a sample of the coalitions; the table (design {table.design!r}) has all "
            f"of some sizes and none of the others, of which it tells nothing; {OTHERS}"
        )


def log_inclusion(table: ScoreTable) -> FloatArray:
    """Return the logarithm ``(n_masks,)`` of the probability that each row is in the table.

    The design's own probabilities where it has them. Elsewhere (merged tables, draws with
    replacement) the share of all coalitions of that size which the table holds: exact for every
    design that treats the units alike, given the number of rows of each size. Which tables have
    neither is told by `check_inclusion`.
    """
    if holds_all(table):
        return np.zeros(len(table))
    by_size = _log_share_of_size(table)
    if table.probabilities is None:
        return by_size
    given = np.log(np.maximum(table.probabilities, np.finfo(float).tiny))
    # Of a thousand units, the probabilities of the middle sizes are below the least float64.
    return np.where(table.probabilities > 0, given, by_size)


def unseen_share(table: ScoreTable) -> FloatArray:
    """Return the finite-population factor ``(n_masks,)``, 1 - p, of rows drawn only once each.

    A row taken for certain has no sampling error. Where a run was cut short, less is there than
    the design promised: the smaller of the promise and the share of that size counts. Where there
    is no promise, the sizes that are there stand for those that are missing altogether, so p is
    taken times their part of all sizes: of custom tables that held two sizes whole and half of two
    others, intervals of 95% held 64 to 78% of the values without this, and 97% with it.
    """
    share = _own_unseen_share(table)
    if table.probabilities is None and not holds_all(table):
        there = np.bincount(table.masks.sum(axis=1), minlength=table.n_units + 1)[1:-1] > 0
        share = 1.0 - (1.0 - share) * there.mean()
    return share


def _own_unseen_share(table: ScoreTable) -> FloatArray:
    log_p = np.minimum(log_inclusion(table), _log_share_of_size(table))
    share: FloatArray = -np.expm1(np.minimum(log_p, 0.0))
    # Less is the rounding of the binomial coefficients: all coalitions of that size are there.
    return np.where(share < 1e-9, 0.0, share)


def spread_of_draws(table: ScoreTable) -> FloatArray:
    """Return the factor ``(n_masks,)`` from a row's squared score to its sampling variance.

    For fits that weight each row by its count. A row drawn c times with replacement carries c
    times the weight, but c draws' worth of variance, hence 1 / c; rows of a design with known
    probabilities have their finite-population factor.
    """
    if table.probabilities is not None or (holds_all(table) and bool((table.counts == 1).all())):
        return unseen_share(table)
    share: FloatArray = 1.0 / np.maximum(table.counts, 1)
    return share


def come_in_pairs(table: ScoreTable, pairs: IntArray) -> bool:
    """Say whether a coalition and its complement were drawn as one.

    They were if no row was drawn more often than its complement. What the design says is no help:
    one that was cut short does not say so any more, and single draws that found all coalitions
    have every complement.
    """
    whole = pairs[pairs[:, 1] >= 0]
    return bool((table.counts[whole[:, 0]] == table.counts[whole[:, 1]]).all())


def _log_share_of_size(table: ScoreTable) -> FloatArray:
    sizes = table.masks.sum(axis=1)
    there = np.bincount(sizes, minlength=table.n_units + 1)[sizes]
    result: FloatArray = np.log(there) - log_binomial(table.n_units, sizes)
    return result
