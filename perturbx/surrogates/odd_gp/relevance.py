"""Model B: a process that learns how relevant each unit is, fitted to each text and output."""

from __future__ import annotations

import torch

from perturbx.odd_kernels import white_kernel
from perturbx.surrogates.odd_gp.bfgs import minimize
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.surrogates.odd_gp.posterior import (
    Posterior,
    prior_covariance,
    signal_of_nugget,
    white_readout,
)
from perturbx.surrogates.odd_gp.relevance_kernel import (
    Parameters,
    bounds,
    covariance,
    negative_log_posterior,
    product_readout,
    starting_point,
)

MOST_STEPS = 20
LEAST_GAIN = 0.1
"""Of the logarithm of the likelihood: relevances that differ by less are equally likely."""

CELLS_AT_ONCE = 2**18
"""Numbers in the matrices of problems solved together: they should stay in the cache."""


LEAST_ROWS, MOST_ROWS = 100, 300


def rows_for_relevances(n_units: int, n_pairs: int) -> int:
    """Return how many of the pairs choose the relevances; the values are then fitted to all."""
    return min(MOST_ROWS, max(LEAST_ROWS, 4 * n_units, n_pairs // 2))


def fit_relevance(masks: torch.Tensor, values: torch.Tensor, noise: torch.Tensor) -> Posterior:
    """Return the posterior of T texts with P pairs and k outputs each.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    values : torch.Tensor, (T, P, k)
        Their odd values, not all 0.
    noise : torch.Tensor, (T, k)
        The variance of the values that is noise.
    """
    n_texts, n_pairs, n_units = masks.shape
    n_outputs = values.shape[2]
    texts = torch.arange(n_texts).repeat_interleave(n_outputs)
    targets = values.mT.flatten(0, 1)
    rows = subset(n_pairs, rows_for_relevances(n_units, n_pairs))
    mean = torch.empty((len(texts), n_units), dtype=torch.float64)
    spread = torch.empty((len(texts), n_units, n_units), dtype=torch.float64)
    at_once = max(1, CELLS_AT_ONCE // max(n_pairs, n_units) ** 2)
    for start in range(0, len(texts), at_once):
        part = slice(start, start + at_once)
        own = masks[texts[part]]
        points = _fit(own[:, rows], targets[part][:, rows])
        mean[part], spread[part] = _condition(
            Parameters.unpack(points), own, targets[part], noise.flatten()[part]
        )
    shape = (n_texts, n_outputs)
    return Posterior(mean.reshape(*shape, n_units), spread.reshape(*shape, n_units, n_units))


def _fit(masks: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the parameters ``(b, n + 5)`` that the pairs make likeliest."""
    signs, distance = _geometry(masks)
    n_units = masks.shape[2]
    low, high = bounds(n_units)

    def objective(point: torch.Tensor, problems: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(problems) == len(targets):
            return negative_log_posterior(point, signs, distance, targets)
        return negative_log_posterior(point, signs[problems], distance[problems], targets[problems])

    start = starting_point(n_units).expand(len(targets), -1).clamp(low, high)
    return minimize(objective, start, low, high, most_steps=MOST_STEPS, least_gain=LEAST_GAIN)


def _geometry(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the signs ``(b, P, n)`` and the distances ``(b, P, P)`` of pairs."""
    signs = 1.0 - 2.0 * masks.to(torch.float64)
    return signs, ((masks.shape[2] - signs @ signs.mT) / 2.0).round().to(torch.int64)


def _condition(
    own: Parameters, masks: torch.Tensor, targets: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(b, n)`` and the covariance ``(b, n, n)`` given all pairs."""
    n_pairs, n_units = masks.shape[1:]
    signs, distance = _geometry(masks)
    lower = torch.linalg.cholesky(covariance(own, signs, distance).matrix)
    white_targets = torch.linalg.solve_triangular(lower, targets[:, :, None], upper=False)
    scale = white_targets.square().sum((1, 2)) / n_pairs

    b, w = own.relevances, own.weights[:, :, None, None]
    share = b / b.sum(1, keepdim=True)
    product, product_prior = product_readout(signs, b)
    alike = own.fall_off[:, None].expand(-1, n_units)
    isotropic, isotropic_prior = product_readout(signs, alike)
    readout = w[:, 0] * -2.0 * signs * share[:, None] + w[:, 1] * product + w[:, 2] * isotropic
    prior = w[:, 0] * 4.0 * torch.diag_embed(share)
    prior = prior + w[:, 1] * product_prior + w[:, 2] * isotropic_prior
    white = white_kernel(n_units)
    signal = signal_of_nugget(own.nugget, noise, scale)[:, None, None]
    readout = readout + signal * white_readout(white, masks)
    prior = prior + signal * prior_covariance(white, n_units)

    moved = torch.linalg.solve_triangular(lower, readout, upper=False)
    mean = (moved.mT @ white_targets).squeeze(2)
    return mean, scale[:, None, None] * (prior - moved.mT @ moved)
