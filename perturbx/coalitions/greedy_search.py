"""Which row to ask about next: the greedy A-optimal search under Gaussian process priors.

A prior says how the values at the candidates covary with one another and with some targets, the
quantities that are to be known in the end. What rows leave uncertain of the targets does not
depend on the values found there, so the rows can be chosen before any is asked: given those so
far, the next is the candidate c that lowers the sum of the targets' variances most, by
Σ_t C_t(c)² / V(c), with C_t(c) the posterior covariance of target t with the value at c and V(c)
the posterior variance of that value (A-optimality: Chaloner & Verdinelli 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from perturbx.exceptions import ArgumentError

TIES = 1e-9
"""Relabelling units does not change a row's worth, so many are worth the same: the first of them
is taken, and not the one that rounding favours. So candidates should stand in random order: in
that of binary numbers ties go to regular patterns, which cost up to half as much error again."""

LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Prior:
    """A Gaussian process on the candidates, as far as the search needs it.

    Parameters
    ----------
    column : callable
        From the index of a candidate to the covariances ``(C,)`` of its value with the values at
        all candidates, a white part included (at the candidate itself).
    variance : torch.Tensor, (C,)
        The variances of the values: what `column` says of each candidate and itself.
    with_targets : torch.Tensor, (C, k)
        The covariances of the values with the k targets. A target counts as much as the square of
        its scale, so weights of targets, and of priors, go in here.
    """

    column: Callable[[int], torch.Tensor]
    variance: torch.Tensor
    with_targets: torch.Tensor


def prior_by_distance(
    masks: torch.Tensor, by_distance: torch.Tensor, with_targets: torch.Tensor, *, white: float
) -> Prior:
    """Return a prior whose covariances depend on how many units two masks differ in.

    Parameters
    ----------
    masks : torch.Tensor of bool, (C, n)
        The candidates, all different.
    by_distance : torch.Tensor, (n + 1,)
        The covariance by distance, in float64.
    with_targets : torch.Tensor, (C, k)
        The covariances of the values with the targets, the white part's included.
    white : float
        The variance of the white part: what only the candidate itself tells.
    """
    n_units = masks.shape[1]
    signs = 1.0 - 2.0 * masks.to(torch.float64)

    def column(row: int) -> torch.Tensor:
        distance = ((n_units - signs @ signs[row]) / 2.0).round().to(torch.int64)
        covariance = by_distance[distance]
        covariance[row] += white
        return covariance

    variance = torch.full((len(masks),), float(by_distance[0]) + white, dtype=torch.float64)
    return Prior(column, variance, with_targets)


def greedy_rows(priors: Sequence[Prior], length: int, *, taken: Sequence[int] = ()) -> list[int]:
    """Return the candidates in the order in which they tell most about the targets.

    Parameters
    ----------
    priors : sequence of Prior
        On the same candidates, each with targets of its own. A row is asked once and tells about
        all of them: its worth is the sum over the priors. So they may be independent parts of one
        game of which a row shows each (odd and even), or the guesses to average over.
    length : int
        How many candidates to choose; those of a smaller length come first.
    taken : sequence of int, default=()
        Candidates that are asked already: the search is conditional on them and does not choose
        them.

    Returns
    -------
    list of int
        Indices of candidates, `length` of them, all different.

    Raises
    ------
    ArgumentError
        When there are not so many candidates.

    Examples
    --------
    One target, which is the sum of three values: the row that covaries with another one tells
    most, then the one that does not.

    >>> covariance = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.5, 1.0]])
    >>> prior = Prior(lambda row: covariance[row], torch.ones(3), covariance.sum(1, keepdim=True))
    >>> greedy_rows([prior], 3)
    [1, 0, 2]
    >>> greedy_rows([prior], 2, taken=[1])
    [0, 2]
    """
    n_candidates = len(priors[0].variance)
    if length > n_candidates - len(taken):
        raise ArgumentError(
            f"length: got {length}, but only {n_candidates - len(taken)} candidates are left"
        )
    beliefs = [_Belief(prior, length + len(taken)) for prior in priors]
    for row in taken:
        for belief in beliefs:
            belief.learn(row)
    chosen: list[int] = []
    excluded = list(taken)
    for _ in range(length):
        worth = sum((belief.worth() for belief in beliefs), torch.zeros(()))
        worth[excluded] = -1.0
        best = int((worth >= worth.max() * (1.0 - TIES)).to(torch.uint8).argmax())
        chosen.append(best)
        excluded.append(best)
        for belief in beliefs:
            belief.learn(best)
    return chosen


class _Belief:
    """What one prior believes, given the rows learned so far.

    Conditioning on row after row is a Cholesky factorization of the candidates' covariance with
    the learned ones as pivots: row j of `factor` is its column j, row j of `gains` that column for
    the targets.
    """

    def __init__(self, prior: Prior, length: int) -> None:
        n_candidates, n_targets = prior.with_targets.shape
        self.prior = prior
        self.n_learned = 0
        self.factor = torch.zeros((length, n_candidates), dtype=torch.float64)
        self.gains = torch.zeros((length, n_targets), dtype=torch.float64)
        self.variance = prior.variance.to(torch.float64, copy=True)
        self.with_targets = prior.with_targets.to(torch.float64)
        self.covariance_square = self.with_targets.square().sum(1)

    def worth(self) -> torch.Tensor:
        """Return by how much each candidate ``(C,)`` would lower the targets' variances."""
        return self.covariance_square / self.variance.clamp_min(LEAST_VARIANCE)

    def learn(self, row: int) -> None:
        """Condition on a candidate's value."""
        step = self.n_learned
        factor, gains = self.factor[:step], self.gains[:step]
        own = factor[:, row]
        scale = max(float(self.variance[row]), LEAST_VARIANCE) ** 0.5
        gain = (self.with_targets[row] - own @ gains) / scale
        # Both products with the columns so far in one pass over them.
        past = torch.stack([own, gains @ gain]) @ factor
        column = (self.prior.column(row) - past[0]) / scale
        along = self.with_targets @ gain - past[1]
        self.covariance_square += column * (column * gain.square().sum() - 2.0 * along)
        self.covariance_square.clamp_min_(0.0)
        self.variance -= column.square()
        self.factor[step], self.gains[step] = column, gain
        self.n_learned = step + 1
