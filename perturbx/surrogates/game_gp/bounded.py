"""Model C: a process that learns relevances on a bent scale, for scores between two bounds.

Probabilities near 0 or 1 hold interactions of all orders that their log-odds do not. So on the
scale of `bent_scale` the game is simpler; but what is wanted are values of the scores, and no line
through these follows from a line through bent ones. Therefore the mean scores of model C are taken
at further masks (`further_masks`), and model B, whose values are known in closed form, is
conditioned on these beside the rows of the table: the nearer it comes to model C, the less it
matters that the further masks are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch

from perturbx.surrogates.game_gp.further_masks import further_masks
from perturbx.surrogates.game_gp.posterior import Posterior, alike, white_readout
from perturbx.surrogates.game_gp.relevance import (
    fit_parameters,
    read_out,
    relevance_covariance,
    signs_of,
)
from perturbx.surrogates.gaussian.relevances import Parameters
from perturbx.surrogates.gaussian.scales import Scales
from perturbx.symmetric_kernels import SymmetricFunctional

LEAST_ROWS = 300
"""So many rows choose relevances at least, where there are so many: with half of 300 the values'
errors are larger by 2%."""

MOST_SHARE = 0.8
"""Model C's share where it predicts rows left out clearly better. On sentences of 20 to 28 words
.7 to 1 have the same error, but without the others' the intervals cover too little."""

CAUTION = 1.3
"""Model C's variances are multiplied by it: neither its scale nor its relevances are known. Without
it intervals of 95% covered 89% to 93% on games of sentiment and images with 20 calls a unit."""

EVENS = 1.5
TRUST, MOST_TRUST = 0.03, 5.0
"""Half of that share is left where its squared errors for rows left out are `EVENS` times model
B's, and the odds fall by this power of the quotient: so much a row, until so much. Scores that take
few values crowd at the ends, too, and look likely on a bent scale that they do not have."""


MOST_SURPRISE = 20.0
"""Model C's variances are also multiplied by the quotient of its squared errors for rows left out
and what it believed of them, where that is above 1, until so much."""


def fit_bounded(
    functional: SymmetricFunctional, masks: torch.Tensor, values: torch.Tensor, scales: Scales
) -> tuple[Posterior, torch.Tensor]:
    """Return the values of one text, ``(c, n + 1)``, with their covariance, and their weight.

    Parameters
    ----------
    functional : SymmetricFunctional
        What is wanted.
    masks : torch.Tensor of bool, (R, n)
        The rows of one text, its units in the order of `further_masks.order_of_units`.
    values : torch.Tensor, (R, c)
        Their scores, centred, and without noise.
    scales : Scales
        One for each of the c columns.

    Returns
    -------
    Posterior
        Values and covariance.
    share : torch.Tensor, (c,)
        How much model C counts beside those on the straight scale, from 0 to 1: the better it
        predicts rows that are left out, compared with model B, the more.
    """
    bent = scales.bend(values)
    centre, size = bent.mean(0), bent.std(0, correction=0)
    bent = (bent - centre) / size
    on_bent, on_straight = (
        fit_parameters(masks[None], each[None], least_rows=LEAST_ROWS) for each in (bent, values)
    )
    further = further_masks(masks)
    means, covariances, shares = [], [], []
    for column in range(values.shape[1]):
        expected = _expected(_one(on_bent, column), masks, further, bent[:, column])
        scale = scales.of(torch.tensor([column]))
        mean = centre[column] + size[column] * expected.mean
        variance = size[column].square() * expected.variance
        scores = scale.straighten(mean[:, None], variance[:, None])
        own = _one(on_straight, column)
        middle, narrow = _left_out(_one(on_bent, column), masks, bent[:, column])
        theirs, _ = _left_out(own, masks, values[:, column])
        middle = centre[column] + size[column] * middle
        narrow = size[column].square() * narrow
        ours = scale.straighten(middle[:, None], narrow[:, None])[:, 0]
        shares.append(_share(values[:, column] - ours, values[:, column] - theirs))
        believed = scale.slope(ours[:, None], narrow[:, None])[:, 0].square() * narrow
        surprise = (values[:, column] - ours).square().mean() / believed.mean()
        known = torch.cat([values[:, column : column + 1], scores])
        value, left_open, weights = _read(functional, own, torch.cat([masks, further]), known)
        # What model C does not know of the further masks, through the slope of the scale.
        slope = size[column] * scale.slope(scores, variance[:, None])
        weights = slope * weights[len(masks) :]
        means.append(value)
        caution = CAUTION * surprise.clamp(1.0, MOST_SURPRISE)
        covariances.append(caution * (left_open + expected.spread_of(weights)))
    return Posterior(torch.stack(means), torch.stack(covariances)), torch.stack(shares)


@dataclass(frozen=True, eq=False)
class _Expected:
    """What a process says of M masks, given R rows.

    Parameters
    ----------
    mean, variance : torch.Tensor, (M,)
        Of each of them.
    scale : torch.Tensor
        σ².
    prior, moved : torch.Tensor, (M, M) and (R, M)
        Their covariance is σ² (prior - movedᵀ moved).
    """

    mean: torch.Tensor
    variance: torch.Tensor
    scale: torch.Tensor
    prior: torch.Tensor
    moved: torch.Tensor

    def spread_of(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the covariance ``(n, n)`` of sums with weights ``(M, n)``."""
        known = self.moved @ weights
        return self.scale * (weights.mT @ (self.prior @ weights) - known.mT @ known)


def _expected(
    own: Parameters, masks: torch.Tensor, further: torch.Tensor, values: torch.Tensor
) -> _Expected:
    """Return what values ``(R,)`` of masks let expect of further ones."""
    n_rows = len(masks)
    matrix = relevance_covariance(own, torch.cat([masks, further])[None])[0]
    lower = torch.linalg.cholesky(matrix[:n_rows, :n_rows])
    along = torch.linalg.solve_triangular(lower, values[:, None], upper=False)
    moved = torch.linalg.solve_triangular(lower, matrix[:n_rows, n_rows:], upper=False)
    prior, scale = matrix[n_rows:, n_rows:], along.square().mean()
    variance = scale * (prior.diagonal() - moved.square().sum(0)).clamp_min(0.0)
    return _Expected((moved.mT @ along)[:, 0], variance, scale, prior, moved)


def _left_out(
    own: Parameters, masks: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return means and variances ``(R,)`` of values of masks, each left out."""
    lower = torch.linalg.cholesky(relevance_covariance(own, masks[None])[0])
    inverse = torch.cholesky_inverse(lower)
    variances = 1.0 / inverse.diagonal()
    divided = inverse @ values
    return values - divided * variances, (values @ divided) / len(values) * variances


def _share(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Return model C's share by its errors and model B's for rows that are left out, ``(R,)``."""
    tiny = torch.finfo(ours.dtype).tiny
    quotient = ours.square().mean().clamp_min(tiny) / theirs.square().mean().clamp_min(tiny)
    trust = min(TRUST * len(ours), MOST_TRUST)
    return MOST_SHARE * (trust * (log(EVENS) - quotient.log())).sigmoid()


def _read(
    functional: SymmetricFunctional, own: Parameters, masks: torch.Tensor, scores: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return values ``(n + 1,)``, what is left open ``(n, n)``, and weights ``(m, n)`` of scores.

    Model B given the scores ``(m, 1)`` of masks ``(m, n)``; its nugget is a part of the game.
    """
    n_units = masks.shape[1]
    lower = torch.linalg.cholesky(relevance_covariance(own, masks[None])[0])
    readout, prior = read_out(functional, own, signs_of(masks)[None])
    readout = readout[0] + own.nugget * white_readout(functional, masks)
    white = torch.from_numpy(functional.white_prior)
    prior = prior[0] + own.nugget * alike(white[0], white[1], n_units)
    moved = torch.linalg.solve_triangular(lower, readout, upper=False)
    along = torch.linalg.solve_triangular(lower, scores, upper=False)
    moved_units = moved[:, :n_units]
    left_open = along.square().mean() * (prior - moved_units.mT @ moved_units)
    weights = torch.linalg.solve_triangular(lower.mT, moved_units, upper=True)
    return (moved.mT @ along)[:, 0], left_open, weights


def _one(own: Parameters, column: int) -> Parameters:
    """Return the parameters of one column."""
    only = slice(column, column + 1)
    return Parameters(own.relevances[only], own.nugget[only], own.weights[only], own.fall_off[only])
