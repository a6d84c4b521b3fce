"""Model A where the scorer's noise is known: its variances do not scale with the game.

The covariance of the pairs' values is σ²(K + ηI) + D, D diagonal with the variances of their noise.
One decomposition no longer serves all nuggets, and σ² cannot be profiled out, so σ² gets a grid and
each model a Cholesky factor. All of σ²(K + ηI) is the game, and read out; D is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.gaussian.model_grid import RHOS, distances
from perturbx.surrogates.gaussian.roots import CholeskyRoot
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.surrogates.odd_gp.posterior import (
    Posterior,
    isotropic_readout,
    prior_covariance,
    white_readout,
)

NUGGETS = (1e-3, 5e-2, 0.5)
SCALES = (0.02, 0.06, 0.15, 0.35, 0.7, 1.4, 3.0)
"""σ² in units of the mean square of the values."""

MOST_WEIGHED = 150
"""With more pairs the weights come from so many of them."""

BEST_MODELS = 12
LEAST_WEIGHT = 1e-2


@dataclass(frozen=True)
class _Model:
    rho: float
    nugget: float
    scale: float


MODELS = tuple(_Model(*each) for each in product(RHOS, NUGGETS, SCALES))


def fit_noisy_isotropic(
    masks: torch.Tensor, values: torch.Tensor, noise: torch.Tensor
) -> Posterior:
    """Return the posterior of T texts with P pairs each, one text and output after the other.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    values, noise : torch.Tensor, (T, P, k)
        Their odd values, and the variances of these that are noise.
    """
    n_texts, n_outputs, n_units = len(masks), values.shape[2], masks.shape[2]
    posterior = Posterior(
        torch.empty((n_texts, n_outputs, n_units), dtype=torch.float64),
        torch.empty((n_texts, n_outputs, n_units, n_units), dtype=torch.float64),
        torch.empty_like(values),
        torch.empty((n_texts, n_outputs), dtype=torch.float64),
    )
    for text, output in product(range(n_texts), range(n_outputs)):
        at = text, output
        own = _fit(masks[text], values[text, :, output], noise[text, :, output])
        posterior.values[at], posterior.covariance[at] = own[:2]
        posterior.residuals[text, :, output], posterior.surprise[at] = own[2:]
    return posterior


def _fit(
    masks: torch.Tensor, values: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean, covariance, residuals ``(P,)`` and surprise of one output."""
    n_pairs, n_units = masks.shape
    distance = distances(masks)
    rows = subset(n_pairs, MOST_WEIGHED)
    weights = _weights(distance[rows][:, rows], values[rows], noise[rows], n_units)
    most = weights.topk(BEST_MODELS)
    kept = most.values > min(LEAST_WEIGHT, float(most.values[0]) / 2.0)
    share = most.values[kept] / most.values[kept].sum()

    white = white_kernel(n_units)
    of_white = white_readout(white, masks)
    means, spreads, roots = [], [], []
    for index in most.indices[kept].tolist():
        model = MODELS[index]
        kernel = isotropic_kernel(n_units, model.rho)
        matrix = model.scale * torch.from_numpy(kernel.by_distance)[distance]
        matrix.diagonal().add_(model.scale * model.nugget + noise)
        root = CholeskyRoot(torch.linalg.cholesky(matrix))
        readout = isotropic_readout(kernel, masks) + model.nugget * of_white
        prior = prior_covariance(kernel, n_units)
        prior = prior + model.nugget * prior_covariance(white, n_units)
        moved = root.whiten(model.scale * readout)
        means.append(moved.mT @ root.whiten(values[:, None])[:, 0])
        spreads.append(model.scale * prior - moved.mT @ moved)
        roots.append(root)
    each = torch.stack(means)
    mean = share @ each
    off = each - mean
    covariance = torch.tensordot(share, torch.stack(spreads), dims=1)
    left, variances = roots[0].left_out(values[:, None])
    residuals = left[:, 0]
    surprise = (residuals.square() / variances)[1:].mean()
    return mean, covariance + (off.mT * share) @ off, residuals, surprise


def _weights(
    distance: torch.Tensor, values: torch.Tensor, noise: torch.Tensor, n_units: int
) -> torch.Tensor:
    """Return the weights ``(models,)`` by marginal likelihood, all models equal a priori."""
    n_pairs = len(distance)
    logs = []
    for rho in RHOS:
        kernel = torch.from_numpy(isotropic_kernel(n_units, rho).by_distance)[distance]
        own = [model for model in MODELS if model.rho == rho]
        scale = torch.tensor([model.scale for model in own], dtype=torch.float64)
        nugget = torch.tensor([model.nugget for model in own], dtype=torch.float64)
        matrices = scale[:, None, None] * kernel
        matrices.diagonal(dim1=1, dim2=2).add_((scale * nugget)[:, None] + noise)
        lower = torch.linalg.cholesky(matrices)
        column = values[:, None].expand(len(own), n_pairs, 1)
        along = torch.linalg.solve_triangular(lower, column, upper=False)
        determinants = lower.diagonal(dim1=1, dim2=2).log().sum(1)
        logs.append(-0.5 * along.square().sum((1, 2)) - determinants)
    return torch.softmax(torch.cat(logs), dim=0)
