"""A Gaussian process on the even half of a game, and the interactions that it implies.

Three parts: interactions of pairs in proportion to how relevant both units are (b_i b_j, with
b_i = |φ_i|^p of the Shapley values: what matters alone tends to matter together), an isotropic
part whose orders fall off as ρ, and a white part. p, the share of the first part, ρ and the nugget
are averaged by marginal likelihood; the mean of the game is unknown with a flat prior. Pairs for
which the table speaks loudly get a variance of their own (see `sparse_terms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch

from perturbx.surrogates.gaussian.model_grid import RHOS, distances
from perturbx.surrogates.interactions.even_kernels import even_kernel, white_weights
from perturbx.surrogates.interactions.sparse_terms import Conditioned, strong_terms

NUGGETS = (1e-6, 1e-3, 1e-2, 5e-2, 0.2, 0.5, 1.0)
FOLLOWING = ((0.0, 0.0), *product((1.0, 2.0), (0.3, 0.7, 0.95)))
"""Powers p of the Shapley values, and shares of the variance that follow them."""

LEAST_RELEVANCE = 0.05
"""In root mean squares of the Shapley values: a unit worth nothing alone may matter together."""

STEPS_TO_NOISE = 4
"""A nugget is raised to the known noise, by the scale of the step before: else a rough process
takes small noise for the game, and 95% intervals hold down to half of the values."""

LEAST_WEIGHT = 1e-3

MOST_ROWS = 300
"""With more pairs the weights come from so many of them, and the best models are fitted to all."""

BEST_MODELS = 4

FOLDS = 5
"""Parts of the rows that are predicted from the others. Not row by row: in designs of `OddPairs`
the even values of a game of pairs follow a linear relation, by which any one of them is known from
the others while next to nothing is known of the interactions."""


@dataclass(frozen=True, eq=False)
class EvenFit:
    """Interactions of the pairs of units, in the order of ``triu_indices``.

    Parameters
    ----------
    values, variances : torch.Tensor, (n (n - 1) / 2,)
        Posterior means and variances.
    residuals : torch.Tensor, (P,)
        Each value minus its prediction from the other folds, by the likeliest model.
    kernel : torch.Tensor, (P, P)
        The covariance of the values in the likeliest model.
    nugget : float
        Its nugget.
    """

    values: torch.Tensor
    variances: torch.Tensor
    residuals: torch.Tensor
    kernel: torch.Tensor
    nugget: float


@dataclass(frozen=True)
class _Model:
    """One point of the grid: ``nll`` up to what all points share."""

    power: float
    share: float
    rho: float
    nugget: float
    nll: float


class _Rows:
    """Coalitions ``(P, n)``, and what kernels and readouts are made of."""

    def __init__(self, masks: torch.Tensor, relevances: torch.Tensor) -> None:
        self.n_units = masks.shape[1]
        signs = 1.0 - 2.0 * masks.to(torch.float64)
        first, second = torch.triu_indices(self.n_units, self.n_units, 1)
        self.distance = distances(masks)
        self.products = signs[:, first] * signs[:, second]
        size = masks.sum(1, keepdim=True)
        self.others = size - masks[:, first].to(torch.int64) - masks[:, second].to(torch.int64)
        root_mean_square = relevances.square().mean().sqrt().clamp_min(1e-300)
        relative = relevances / root_mean_square + LEAST_RELEVANCE
        self.relevance = relative[first] * relative[second]

    def following(self, power: float) -> torch.Tensor:
        """Return the variance of each pair's product, of 1 in all."""
        weights = self.relevance**power
        return weights / weights.sum()

    def kernel(
        self, power: float, share: float, rho: float, terms: Sequence[tuple[int, float]]
    ) -> torch.Tensor:
        """Return the covariance ``(P, P)`` of the values, without the nugget."""
        table = torch.from_numpy(even_kernel(self.n_units, rho).by_distance)
        kernel = (1.0 - share) * table[self.distance]
        if share:
            kernel += share * (self.products * self.following(power)) @ self.products.mT
        for term, variance in terms:
            kernel += variance * torch.outer(self.products[:, term], self.products[:, term])
        return kernel

    def readout(
        self, power: float, share: float, rho: float, terms: Sequence[tuple[int, float]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the covariances ``(P, m)`` with the interactions, and their prior variances."""
        prior = even_kernel(self.n_units, rho)
        readout = (1.0 - share) * torch.from_numpy(prior.readout)[self.others]
        variance = torch.full((self.products.shape[1],), (1.0 - share) * prior.variance).double()
        if share:
            readout = readout + 4.0 * share * self.following(power)
            variance = variance + 16.0 * share * self.following(power)
        for term, own in terms:
            readout[:, term] += 4.0 * own
            variance[term] += 16.0 * own
        return self.products * readout, variance

    @property
    def white(self) -> tuple[torch.Tensor, float]:
        """Return the same of a white process."""
        weights, variance = white_weights(self.n_units)
        return self.products * torch.from_numpy(weights)[self.others], variance


def fit_even(
    masks: torch.Tensor, values: torch.Tensor, relevances: torch.Tensor, noise: float
) -> EvenFit:
    """Return the interactions that the pairs of one table imply.

    Parameters
    ----------
    masks : torch.Tensor of bool, (P, n)
        One coalition of each pair, n at least 2.
    values : torch.Tensor, (P,)
        The even values, with mean 0 and mean square 1.
    relevances : torch.Tensor, (n,)
        The absolute Shapley values, in any units.
    noise : float
        The variance of the values that is noise.
    """
    everything = _Rows(masks, relevances)
    some = everything
    few = values
    if len(masks) > MOST_ROWS:
        rows = torch.randperm(len(masks), generator=torch.Generator().manual_seed(0))[:MOST_ROWS]
        some, few = _Rows(masks[rows], relevances), values[rows]
    models = _grid(some, few, (), noise)
    best = min(models, key=lambda model: model.nll)
    kernel = some.kernel(best.power, best.share, best.rho, ())
    terms = strong_terms(Conditioned.of(kernel, best.nugget, few, has_mean=True), some.products)
    if terms:
        models = _grid(some, few, terms, noise)
    models.sort(key=lambda model: model.nll)
    least = models[0].nll
    kept = [model for model in models if model.nll - least < -torch.tensor(LEAST_WEIGHT).log()]
    if some is not everything:
        kept = kept[:BEST_MODELS]
    return _average(everything, values, kept, terms, noise)


def _grid(
    rows: _Rows, values: torch.Tensor, terms: Sequence[tuple[int, float]], noise: float
) -> list[_Model]:
    """Return all points of the grid with their marginal likelihoods.

    A nugget holds the known noise at least.
    """
    points = [(*following, rho) for following, rho in product(FOLLOWING, RHOS)]
    kernels = torch.stack([rows.kernel(*point, terms) for point in points])
    squares, vectors = torch.linalg.eigh(kernels)
    ones = vectors.sum(1)
    along = (vectors.mT @ values[:, None]).squeeze(2)
    free = len(values) - 1
    nuggets = torch.tensor(NUGGETS, dtype=torch.float64).expand(len(points), -1)
    scale = torch.full_like(nuggets, torch.inf)
    for _ in range(STEPS_TO_NOISE if noise else 1):
        nuggets = torch.maximum(nuggets, noise / scale)
        # (points, nuggets, P)
        shifted = squares.clamp_min(0.0)[:, None] + nuggets[..., None]
        of_ones = (ones.square()[:, None] / shifted).sum(2)
        mean = ((ones * along)[:, None] / shifted).sum(2) / of_ones
        rest = along[:, None] - mean[..., None] * ones[:, None]
        scale = (rest.square() / shifted).sum(2) / free
    nll = 0.5 * (free * scale.log() + shifted.log().sum(2) + of_ones.log())
    return [
        _Model(*point, float(nuggets[i, j]), float(nll[i, j]))
        for i, point in enumerate(points)
        for j in range(len(NUGGETS))
    ]


def _average(
    rows: _Rows,
    values: torch.Tensor,
    models: Sequence[_Model],
    terms: Sequence[tuple[int, float]],
    noise: float,
) -> EvenFit:
    """Return the average of the models, the likeliest first, with the spread between them."""
    white, white_variance = rows.white
    weights = torch.softmax(-torch.tensor([model.nll for model in models]).double(), dim=0)
    means, variances = [], []
    for model in models:
        point = (model.power, model.share, model.rho, terms)
        inverse = Conditioned.of(rows.kernel(*point), model.nugget, values, has_mean=True).inverse
        solved = inverse @ values
        scale = float(values @ solved) / (len(values) - 1)
        # The nugget is a part of the game as far as it is not noise.
        signal = min(max(1.0 - noise / max(model.nugget * scale, 1e-300), 0.0), 1.0) * model.nugget
        readout, prior = rows.readout(*point)
        readout = readout + signal * white
        means.append(readout.mT @ solved)
        known = (readout * (inverse @ readout)).sum(0)
        variances.append(scale * (prior + signal * white_variance - known).clamp_min(0.0))
    mean = torch.einsum("m,mp->p", weights, torch.stack(means))
    spread = (torch.stack(means) - mean).square()
    best = models[0]
    kernel = rows.kernel(best.power, best.share, best.rho, terms)
    return EvenFit(
        values=mean,
        variances=torch.einsum("m,mp->p", weights, torch.stack(variances) + spread),
        residuals=_left_out(Conditioned.of(kernel, best.nugget, values, has_mean=True)),
        kernel=kernel,
        nugget=best.nugget,
    )


def _left_out(process: Conditioned) -> torch.Tensor:
    """Return the errors ``(P,)`` of values that are predicted from the other folds.

    Rasmussen & Williams 2006, 5.4.2, with more than one row at once.
    """
    solved = process.inverse @ process.targets
    errors = torch.empty_like(solved)
    shuffled = torch.randperm(len(solved), generator=torch.Generator().manual_seed(0))
    for rows in shuffled.tensor_split(min(FOLDS, len(solved))):
        errors[rows] = torch.linalg.solve(process.inverse[rows][:, rows], solved[rows])
    return errors
