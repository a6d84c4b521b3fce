"""The mean of both models, with more weight on model B where it predicts pairs left out better."""

from __future__ import annotations

from math import log

import torch

from perturbx.surrogates.odd_gp.further_pairs import n_further
from perturbx.surrogates.odd_gp.posterior import Posterior

# Model B chooses a relevance for each unit, so its errors for pairs left out look smaller than they
# are: the more so the fewer the pairs are for each unit, and the more of the game nothing explains.
# Its share moves from a half only where its errors are smaller by more than that. These numbers
# were chosen on half of the games at hand and made more cautious after a look at the others; those
# for the variances, below, were chosen on all of them.
LEAST_ADVANTAGE = 0.8
"""Of the logarithm of the ratio of squared errors, at as many pairs as units; it falls with the
third power of the pairs for each unit."""

SLOWNESS, SLOWNESS_BY_ERROR = 0.3, 20.0
"""How large an advantage has to be to count: the second for each part of variance unexplained."""

LEAST_SURPRISE, FULL_SURPRISE = 0.8, 1.0
"""Surprise of model B between which its errors are believed: a smaller one shows that it learned
its relevances from the very pairs that it is to predict."""

TAIL, HEAVIEST_TAIL = 0.06, 10.0
"""Variances grow by the first for each unit of excess kurtosis of the errors for pairs left out, up
to the second: what the pairs at hand did not show is more than normal errors would hide."""

SHARE_OF_BOUNDED = 0.6
"""Model C's share where it predicts pairs left out as exactly as the others."""

TRUST, MOST_TRUST = 0.03, 2.0
"""The share's odds grow by this power of the quotient of squared errors: so much a pair, until so
much. Errors for pairs left out depend on each other, and are not those of the values."""

CAUTION = 1.25
"""Variances grow by this on a bent scale: that its bounds were guessed shows in no other part."""

LEAST_RATIO = 0.1
"""Errors for pairs left out that are smaller than by this factor, squared, are not believed."""


def average(isotropic: Posterior, relevance: Posterior) -> Posterior:
    """Return the weighted mean of two posteriors.

    The covariance takes in what both say of their errors and a quarter of the square of their
    distance, whatever the weights: these are not known either.
    """
    share = share_of_relevance(isotropic.residuals, relevance.residuals, relevance.values.shape[2])
    off = relevance.values - isotropic.values
    residuals = torch.lerp(isotropic.residuals, relevance.residuals, share[:, None])
    belief = (relevance.surprise - LEAST_SURPRISE) / (FULL_SURPRISE - LEAST_SURPRISE)
    of_errors = 0.5 + (share - 0.5) * belief.clamp(0.0, 1.0)
    covariance = torch.lerp(isotropic.covariance, relevance.covariance, of_errors[:, :, None, None])
    covariance = covariance + 0.25 * off[..., :, None] * off[..., None, :]
    return Posterior(
        values=isotropic.values + share[:, :, None] * off,
        covariance=covariance * (1.0 + TAIL * _excess_kurtosis(residuals))[:, :, None, None],
        residuals=residuals,
        surprise=torch.lerp(isotropic.surprise, relevance.surprise, share),
    )


def share_of_relevance(
    isotropic: torch.Tensor, relevance: torch.Tensor, n_units: int
) -> torch.Tensor:
    """Return model B's weight, ``(T, k)``, from a half to 1, by residuals ``(T, P, k)``.

    The pair of the ends does not count: no other pair is like it.
    """
    n_pairs = isotropic.shape[1]
    tiny = torch.finfo(isotropic.dtype).tiny
    theirs = isotropic[:, 1:].square().mean(1).clamp_min(tiny)
    ours = relevance[:, 1:].square().mean(1).clamp_min(tiny)
    advantage = (theirs / ours).log() - LEAST_ADVANTAGE * (n_units / n_pairs) ** 3
    slowness = SLOWNESS + SLOWNESS_BY_ERROR * ours
    return 1.0 - 0.5 * (-advantage.clamp_min(0.0) / slowness).exp()


def average_bounded(
    straight: Posterior,
    values: torch.Tensor,
    left_open: torch.Tensor,
    residuals: torch.Tensor,
) -> Posterior:
    """Return the weighted mean of a posterior on the straight scale and of model C's values.

    The errors of both for pairs left out say by how much the errors of the mean are smaller than
    those on the straight scale, whose covariance is scaled by that.

    Parameters
    ----------
    straight : Posterior
        Of b problems, as texts with one output.
    values, left_open, residuals : torch.Tensor, (b, n), (b, n, n), (b, P)
        Of model C: the second is the covariance of what further pairs do not tell.
    """
    n_pairs = residuals.shape[1]
    tiny = torch.finfo(residuals.dtype).tiny
    theirs = straight.residuals[:, 1:, 0].square().mean(1).clamp_min(tiny)
    ours = residuals[:, 1:].square().mean(1).clamp_min(tiny)
    odds = log(SHARE_OF_BOUNDED / (1.0 - SHARE_OF_BOUNDED))
    trust = min(TRUST * n_pairs, MOST_TRUST)
    share = (odds + trust * (theirs / ours).log()).sigmoid()[:, None]
    off = values[:, None] - straight.values
    mean = straight.values + share[:, :, None] * off
    left = torch.lerp(straight.residuals, residuals[:, :, None], share[:, None])
    smaller = (left[:, 1:, 0].square().mean(1) / theirs).clamp(LEAST_RATIO, 1.0)
    # What few further pairs show of many pairs' game is known no better than before.
    smaller = smaller ** min(1.0, n_further(n_pairs) / n_pairs)
    covariance = straight.covariance * smaller[:, None, None, None] + left_open[:, None]
    covariance = covariance + 0.25 * off[..., :, None] * off[..., None, :]
    return Posterior(
        values=mean,
        covariance=covariance * (CAUTION + TAIL * _excess_kurtosis(left))[:, :, None, None],
        residuals=left,
        surprise=straight.surprise,
    )


def _excess_kurtosis(residuals: torch.Tensor) -> torch.Tensor:
    """Return it for ``(T, P, k)`` as ``(T, k)``, between 0 and the most that counts."""
    squares = residuals[:, 1:].square()
    spread = squares.mean(1).square().clamp_min(torch.finfo(residuals.dtype).tiny)
    return (squares.square().mean(1) / spread - 3.0).clamp(0.0, HEAVIEST_TAIL)
