"""AUCs of groups that rows are dealt to at random, all groups in one pass a draw."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from perturbx.fairness.statistics.permutation import Exchange
from perturbx.typing import FloatArray, IntArray


def permuted_aucs(
    scores: FloatArray,
    labels: FloatArray,
    members: scipy.sparse.csr_array,
    exchange: Exchange,
    n: int,
    seed: int,
) -> FloatArray:
    """Return the AUCs of every group after random deals.

    Parameters
    ----------
    scores, labels : numpy.ndarray, (n_rows,)
        Labels are 1.0, 0.0 or NaN; rows without a label count nowhere.
    members : scipy.sparse.csr_array of bool, (n_rows, n_groups)
        Who belongs where; the last entry of the result is everyone.
    exchange : Exchange
        Who may change places.
    n, seed : int
        How often, and of which random numbers.

    Returns
    -------
    numpy.ndarray, (3, n_groups + 1, n)
        Subgroup, BPSN and BNSP AUC (see `GroupAucs`); for everyone, the AUC of all rows each time.
    """
    n_groups = members.shape[1]
    known = np.flatnonzero(np.isfinite(labels))
    by_score = known[np.argsort(scores[known], kind="stable")]
    positive, negative = labels[by_score] == 1, labels[by_score] == 0
    tie = np.cumsum(np.diff(scores[by_score], prepend=scores[by_score[:1]]) != 0)
    below = _below(tie, negative)
    above = float(positive.sum()) - _below(tie, positive)
    n_positive, n_negative = float(positive.sum()), float(negative.sum())
    found = np.full((3, n_groups + 1, n), np.nan)
    rng = np.random.default_rng(seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        found[:, -1] = float(below @ positive) / (np.float64(n_positive) * n_negative)
        for draw, order in enumerate(exchange.orders(n, rng)):
            dealt = members[order[by_score]]
            row = np.repeat(np.arange(len(by_score)), np.diff(dealt.indptr))
            group = dealt.indices.astype(np.int64)
            # Entries come in the order of scores, and stay in it within each group.
            sort = np.argsort(group, kind="stable")
            group, row = group[sort], row[sort]
            is_p, is_n = positive[row].astype(np.float64), negative[row].astype(np.float64)
            own_below = _below(group * (int(tie[-1]) + 1 if len(tie) else 1) + tie[row], is_n)
            start = np.concatenate([[0.0], np.cumsum(is_n)])[np.searchsorted(group, group)]
            of_p = np.bincount(group, weights=is_p, minlength=n_groups)
            of_n = np.bincount(group, weights=is_n, minlength=n_groups)
            own = np.bincount(group, weights=is_p * (own_below - start), minlength=n_groups)
            won = np.bincount(group, weights=is_n * above[row], minlength=n_groups)
            lost = np.bincount(group, weights=is_p * below[row], minlength=n_groups)
            found[0, :-1, draw] = own / (of_p * of_n)
            found[1, :-1, draw] = (won - own) / ((n_positive - of_p) * of_n)
            found[2, :-1, draw] = (lost - own) / (of_p * (n_negative - of_n))
    found[~np.isfinite(found)] = np.nan
    return found


def _below(tie: IntArray, counted: FloatArray | np.typing.NDArray[np.bool_]) -> FloatArray:
    """Return how many counted entries stand below each, those of its own tie by half.

    Entries of a tie stand side by side.
    """
    block = np.cumsum(np.diff(tie, prepend=tie[:1]) != 0)
    inside = np.bincount(block, weights=counted)
    before = np.cumsum(inside) - inside
    below: FloatArray = (before + inside / 2)[block]
    return below
