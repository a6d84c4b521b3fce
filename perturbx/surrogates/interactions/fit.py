"""`fit_interactions`: from a table of scores to pairwise interactions."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.extreme_scores import divided, exponents
from perturbx.surrogates.fit_quality import ROUNDING
from perturbx.surrogates.inclusion import holds_all
from perturbx.surrogates.interactions.even_process import fit_even
from perturbx.surrogates.interactions.halves import Halves, halves
from perturbx.surrogates.interactions.interactions import Interactions, Term
from perturbx.surrogates.interactions.larger_sets import (
    candidates,
    odd_process,
    terms_of_sets,
)
from perturbx.surrogates.odd_gp import OddGP
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

MOST_UNITS = 256
"""More units have more pairs than anyone reads: the covariances would not fit in memory."""

RULE_OF_THREE = 3.0

INFLATION = 0.5
"""Variances are multiplied by 1 + INFLATION n / P: the hyperparameters are not known either."""


def fit_interactions(table: ScoreTable) -> Interactions:
    """Return the pairwise Shapley interaction values of a game, from any table of pairs.

    Every coalition counts together with its complement: interactions of pairs depend on
    ½[v(S) + v(N∖S)] alone, Shapley values on ½[v(S) - v(N∖S)], so a table bought for Shapley
    values has interactions for nothing.

    Parameters
    ----------
    table : ScoreTable
        Scores as they are: a link is applied before.

    Returns
    -------
    Interactions
        Exact where the table holds all coalitions; errors are then 0, or what the variances of a
        noisy model come to.

    Raises
    ------
    SurrogateError
        The table lacks pairs of complements or one of the ends, or has too many units.

    Notes
    -----
    The index is that of Grabisch & Roubens 1999, the mean over S ⊆ N∖{i, j} of uniform size of
    v(S+i+j) - v(S+i) - v(S+j) + v(S). Errors are posterior standard deviations of a Gaussian
    process (see `even_process`), widened by 1 + n / 2P for P pairs; for intervals take Student's t
    with P / 2 degrees of freedom, as `Interactions.confidence_interval` does. Known noise of the
    scorer shrinks the one pair that stands out, and its distance from what the values tell of it
    alone is a part of the errors then: without that, intervals held it in 8 to 90% of the runs.
    What no interaction explains of a game that is not noisy shrinks it, too, and is in no error: of
    all pairs 95% intervals hold 93 to 98%, of the strongest pair of labels 70 to 90%, of one beside
    white noise 45 to 65%, of a sparse game at 4 calls a unit 36 to 72%, and of a logistic function
    of 12 units at up to 20 calls a unit 52 to 76%.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[s >> unit & 1 for unit in range(3)] for s in range(8)], bool)
    >>> scores = 2.0 * masks[:, :1] + masks[:, 1:2] * masks[:, 2:3]
    >>> fit_interactions(ScoreTable(masks, scores, ("y",))).values[0].round(2)
    array([[0., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    n_units = table.n_units
    if n_units > MOST_UNITS:
        raise SurrogateError(
            f"interactions: {n_units} units have {n_units * (n_units - 1) // 2} pairs, and at most "
            f"{MOST_UNITS} units are dealt with; take coarser units"
        )
    powers = exponents(table)
    found = _fitted(divided(table, powers))
    return found.multiplied(np.ldexp(1.0, powers)) if powers.any() else found


def _fitted(table: ScoreTable) -> Interactions:
    n_units, n_outputs = table.n_units, table.n_outputs
    if n_units < 2:
        nothing = np.zeros((n_outputs, n_units, n_units))
        return Interactions(nothing, nothing.copy(), "exact", table.n_calls)
    if holds_all(table):
        return Interactions(_exact(table), np.sqrt(_exact_variances(table)), "exact", table.n_calls)
    (odd,) = OddGP().fit([table])
    pairs = halves(table)
    fits = [_fit_output(pairs, k, np.abs(odd.values[:, k])) for k in range(n_outputs)]
    total = np.square(pairs.even - pairs.even.mean(axis=0)).sum()
    return Interactions(
        np.stack([fit.values for fit in fits]),
        np.sqrt(np.stack([fit.variances for fit in fits])),
        "even_gp",
        table.n_calls,
        dof=len(pairs.masks) / 2.0,
        r2=1.0 - sum(fit.unexplained for fit in fits) / float(total) if total > 0 else None,
        terms=tuple(fit.terms for fit in fits),
    )


@dataclass(frozen=True, eq=False)
class _Output:
    """Values and variances ``(n, n)`` of one output, in units of its scores."""

    values: FloatArray
    variances: FloatArray
    unexplained: float
    terms: tuple[Term, ...]


def _fit_output(pairs: Halves, output: int, relevances: FloatArray) -> _Output:
    even = pairs.even[:, output] - pairs.even[:, output].mean()
    odd = pairs.odd[:, output]
    n_pairs, n_units = pairs.masks.shape
    masks, relevant = torch.from_numpy(pairs.masks), torch.from_numpy(relevances)
    largest = max(np.abs(pairs.even[:, output]).max(), np.abs(odd).max())
    terms: list[Term] = []
    strength = relevant / relevant.max().clamp_min(1e-300)
    scale = float(np.sqrt(np.square(even).mean()))
    values = variances = np.zeros((n_units, n_units))
    unexplained = 0.0
    if scale <= ROUNDING * largest:
        variances = np.full((n_units, n_units), _of_constant(odd) ** 2)
        np.fill_diagonal(variances, 0.0)
    else:
        noise = float(pairs.noise[output]) / scale**2
        targets = torch.from_numpy(even / scale)
        fit = fit_even(masks, targets, relevant, noise)
        widened = fit.variances * (1.0 + INFLATION * n_units / n_pairs)
        if noise:
            widened = widened + _of_shrinkage(fit.values, masks, targets, noise)
        values = _square(fit.values, n_units) * scale
        variances = _square(widened, n_units) * scale**2
        unexplained = float(fit.residuals.square().sum()) * scale**2
        together = torch.from_numpy(np.abs(values).max(axis=1))
        strength = strength + together / together.max().clamp_min(1e-300)
        sets = candidates(strength, 4)
        terms += terms_of_sets(
            fit.kernel, fit.nugget, targets, masks, sets, scale=scale, has_mean=True
        )
    scale = float(np.sqrt(np.square(odd).mean()))
    if scale > ROUNDING * largest:
        targets = torch.from_numpy(odd / scale)
        noise = float(pairs.noise[output]) / scale**2
        kernel, nugget = odd_process(masks, targets, relevant, noise)
        sets = candidates(strength, 3)
        terms += terms_of_sets(kernel, nugget, targets, masks, sets, scale=scale, has_mean=False)
    terms.sort(key=lambda term: -abs(term.value))
    return _Output(values, variances, unexplained, tuple(terms))


def _of_shrinkage(
    found: torch.Tensor, masks: torch.Tensor, targets: torch.Tensor, noise: float
) -> torch.Tensor:
    """Return what the variances of interactions lack that noise has shrunk, in their order.

    As in `perturbx.surrogates.gaussian.shrinkage`, the one pair that stands out is taken for noise,
    and the variances do not know of it. What the values, of mean square 1, tell of each pair of
    units alone, 4 times their mean product with x_i x_j, is not shrunk; the square of its distance
    counts as far as the values are noise.
    """
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    alone = 4.0 * signs.mT @ (targets[:, None] * signs) / len(targets)
    first, second = torch.triu_indices(len(alone), len(alone), 1)
    return min(noise, 1.0) * (alone[first, second] - found).square()


def _of_constant(odd: FloatArray) -> float:
    """Return a standard error of interactions where ½[v(S) + v(N∖S)] is the same for all pairs.

    Of many different scores that shows that the game is additive. Labels can do so by chance: with
    a confidence of 95%, less than 3 in P of the other pairs differ (the rule of three), by no more
    than the largest |½[v(S) - v(N∖S)]|; an interaction is a mean of sums of four.
    """
    n_pairs = len(odd)
    largest = float(np.abs(odd).max(initial=0.0))
    n_levels = len(np.unique(np.round(np.abs(odd) / (largest or 1.0), 9)))
    if n_levels > n_pairs // 2:
        return 0.0
    return 4.0 * largest * RULE_OF_THREE / n_pairs / 2.0


def _square(pairs: torch.Tensor, n_units: int) -> FloatArray:
    """Return values of pairs of units as a symmetric matrix."""
    matrix = np.zeros((n_units, n_units))
    matrix[np.triu_indices(n_units, 1)] = pairs.numpy()
    both: FloatArray = matrix + matrix.T
    return both


def _exact(table: ScoreTable) -> FloatArray:
    """Return the interactions ``(k, n, n)`` of a table of all coalitions, by their definition."""
    n_units = table.n_units
    order = np.argsort(table.masks @ (1 << np.arange(n_units)))
    scores = table.scores[order]
    for unit in range(n_units):
        halves_ = scores.reshape(-1, 2, 1 << unit, table.n_outputs)
        removed, kept = halves_[:, 0], halves_[:, 1]
        scores = np.stack([removed + kept, removed - kept], axis=1).reshape(scores.shape)
    walsh = scores / 2**n_units
    terms = table.masks[order]
    size = terms.sum(axis=1)
    weight = np.where((size % 2 == 0) & (size > 0), 4.0 / np.maximum(size - 1.0, 1.0), 0.0)
    holds = terms.astype(np.float64)
    values: FloatArray = np.einsum("tk,ti,tj->kij", walsh * weight[:, None], holds, holds)
    for matrix in values:
        np.fill_diagonal(matrix, 0.0)
    return values


def _exact_variances(table: ScoreTable) -> FloatArray:
    """Return what the scores' variances come to in `_exact`'s interactions: ``(k, n, n)``.

    Of each pair a score counts with t! (n-t-2)! / (n-1)!, for the t others that are kept.
    """
    n_units = table.n_units
    variances = np.zeros((table.n_outputs, n_units, n_units))
    if table.variances is None:
        return variances
    # The squared weights of t = 0 .. n-2 others; 0 outside, where there is no such pair.
    inside = [((n_units - 1) * comb(n_units - 2, others)) ** -2.0 for others in range(n_units - 1)]
    square = np.array([*inside, 0.0, 0.0, 0.0])
    kept, removed = table.masks.astype(float), (~table.masks).astype(float)
    sizes = table.masks.sum(axis=1)
    for own, variance in zip(variances, table.variances.T, strict=True):
        one_of_them = (kept * (variance * square[sizes - 1])[:, None]).T @ removed
        own += (kept * (variance * square[sizes - 2])[:, None]).T @ kept
        own += (removed * (variance * square[sizes])[:, None]).T @ removed
        own += one_of_them + one_of_them.T
        np.fill_diagonal(own, 0.0)
    return variances
