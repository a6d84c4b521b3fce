"""What pairs of complements show of a game: its odd half and its even half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.stacks import complement_pairs
from perturbx.typing import FloatArray, MaskMatrix

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

LEAST_PAIRS = 3
MOST_PAIRS = 1500
"""More pairs are cut to so many at random: a covariance of them takes a second to factorize."""


@dataclass(frozen=True, eq=False)
class Halves:
    """The pairs of a table.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (P, n_units)
        One coalition of each pair.
    odd, even : numpy.ndarray, (P, n_outputs)
        ½[v(S) - v(N∖S)] and ½[v(S) + v(N∖S)].
    noise : numpy.ndarray, (n_outputs,)
        The mean variance of either that is noise of the scorer.
    """

    masks: MaskMatrix
    odd: FloatArray
    even: FloatArray
    noise: FloatArray


def halves(table: ScoreTable) -> Halves:
    """Return the pairs of a table; rows whose complement is missing are left out.

    Raises
    ------
    SurrogateError
        There are less than three pairs.
    """
    pairs = complement_pairs(table.masks)
    pairs = pairs[pairs[:, 1] >= 0]
    if len(pairs) < LEAST_PAIRS:
        raise SurrogateError(
            f"interactions need coalitions that stand beside their complements, and the "
            f"{len(table)} rows of the table hold {len(pairs)} such pairs; draw some with the "
            f"estimator 'odd_gp' or 'leverage'"
        )
    if len(pairs) > MOST_PAIRS:
        pairs = pairs[np.sort(np.random.default_rng(0).permutation(len(pairs))[:MOST_PAIRS])]
    first, second = pairs.T
    noise = np.zeros(table.n_outputs)
    if table.variances is not None:
        noise = (table.variances[first] + table.variances[second]).mean(axis=0) / 4.0
    return Halves(
        masks=table.masks[first],
        odd=(table.scores[first] - table.scores[second]) / 2.0,
        even=(table.scores[first] + table.scores[second]) / 2.0,
        noise=noise,
    )
