"""Model B: a process that learns how relevant each unit is, fitted to each text and output."""

from __future__ import annotations

from dataclasses import replace

import torch

from perturbx.surrogates.game_gp.posterior import (
    CONSTANT,
    Posterior,
    alike,
    signal_of_nugget,
    white_readout,
)
from perturbx.surrogates.game_gp.relevance_kernel import (
    bounds,
    covariance,
    negative_log_posterior,
    product_prior,
    product_readout,
)
from perturbx.surrogates.game_gp.whole_game import some_rows
from perturbx.surrogates.gaussian.bfgs import Evaluated, minimize
from perturbx.surrogates.gaussian.model_grid import distances
from perturbx.surrogates.gaussian.relevances import Parameters, prior_means
from perturbx.symmetric_kernels import SymmetricFunctional

MOST_STEPS = 20
LEAST_GAIN = 0.1
"""Of the logarithm of the likelihood: relevances that differ by less are equally likely."""

STEPS_TO_NOISE = 4
"""A nugget holds the known noise at least, whatever relevances made of it: it is raised to that, by
the scale of the step before. Without it 95% intervals of LIME's line held 83 to 85% of the values
at 20 calls a unit, where the noise was half of the scores' spread; with it 94 to 95%."""

CELLS_AT_ONCE = 2**18
"""Numbers in the matrices of problems solved together: they should stay in the cache."""

LEAST_ROWS, MOST_ROWS = 150, 400


def rows_for_relevances(n_units: int, n_rows: int, least: int = LEAST_ROWS) -> int:
    """Return how many of the rows choose the relevances; the values are then fitted to all."""
    return min(MOST_ROWS, max(least, 8 * n_units, n_rows // 2))


def fit_relevance(
    functional: SymmetricFunctional,
    masks: torch.Tensor,
    values: torch.Tensor,
    noise: torch.Tensor,
) -> Posterior:
    """Return the posterior of T texts with R rows and k outputs each.

    Parameters
    ----------
    functional : SymmetricFunctional
        What is wanted.
    masks : torch.Tensor of bool, (T, R, n)
        The coalitions.
    values : torch.Tensor, (T, R, k)
        Their values, not all 0.
    noise : torch.Tensor, (T, k)
        The variance of the values that is noise.
    """
    n_texts, n_rows, n_units = masks.shape
    n_outputs = values.shape[2]
    texts = torch.arange(n_texts).repeat_interleave(n_outputs)
    targets = values.mT.flatten(0, 1)
    rows = some_rows(n_rows, rows_for_relevances(n_units, n_rows))
    mean = torch.empty((len(texts), n_units + 1), dtype=torch.float64)
    spread = torch.empty((len(texts), n_units, n_units), dtype=torch.float64)
    at_once = max(1, CELLS_AT_ONCE // max(n_rows, n_units) ** 2)
    for start in range(0, len(texts), at_once):
        part = slice(start, start + at_once)
        own = masks[texts[part]]
        points = _fit(own[:, rows], targets[part][:, rows])
        mean[part], spread[part] = _condition(
            functional,
            Parameters.unpack(points, n_units),
            own,
            targets[part],
            noise.flatten()[part],
        )
    shape = (n_texts, n_outputs)
    return Posterior(mean.reshape(*shape, n_units + 1), spread.reshape(*shape, n_units, n_units))


def fit_parameters(
    masks: torch.Tensor, values: torch.Tensor, *, least_rows: int = LEAST_ROWS
) -> Parameters:
    """Return what the rows of one text ``(1, R, n)`` make likeliest, for each of its k outputs.

    Parameters
    ----------
    masks : torch.Tensor of bool, (1, R, n)
        The coalitions.
    values : torch.Tensor, (1, R, k)
        Their values.
    least_rows : int, default=150
        So many rows choose the parameters at least, where there are so many.
    """
    n_rows, n_units = masks.shape[1:]
    rows = some_rows(n_rows, rows_for_relevances(n_units, n_rows, least_rows))
    targets = values[0].T
    points = _fit(masks.expand(len(targets), -1, -1)[:, rows], targets[:, rows])
    return Parameters.unpack(points, n_units)


def relevance_covariance(
    own: Parameters, masks: torch.Tensor, others: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the covariance of masks ``(b, m, n)`` with one another, or with other ones."""
    theirs = None if others is None else signs_of(others)
    return covariance(own, signs_of(masks), distances(masks, others), theirs).matrix


def _fit(masks: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the parameters ``(b, n + 5)`` that the rows make likeliest."""
    signs, distance = signs_of(masks), distances(masks)
    n_units = masks.shape[2]
    low, high = bounds(n_units)

    def objective(point: torch.Tensor, problems: torch.Tensor) -> Evaluated:
        own = (signs, distance, targets)
        if len(problems) < len(targets):
            own = (signs[problems], distance[problems], targets[problems])
        value, gradient = negative_log_posterior(point, *own)
        return value, lambda: gradient

    start = prior_means(n_units).expand(len(targets), -1).clamp(low, high)
    return minimize(objective, start, low, high, most_steps=MOST_STEPS, least_gain=LEAST_GAIN)


def signs_of(masks: torch.Tensor) -> torch.Tensor:
    """Return -1 for units kept and +1 for units removed."""
    return 1.0 - 2.0 * masks.to(torch.float64)


def _condition(
    functional: SymmetricFunctional,
    own: Parameters,
    masks: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(b, n + 1)`` and the covariance ``(b, n, n)`` given all rows."""
    n_rows, n_units = masks.shape[1:]
    signs = signs_of(masks)
    distance = distances(masks)
    scale = torch.full_like(noise, torch.inf)
    for _ in range(STEPS_TO_NOISE if noise.any() else 1):
        own = replace(own, nugget=torch.maximum(own.nugget, noise / scale))
        lower = torch.linalg.cholesky(covariance(own, signs, distance).matrix)
        white_targets = torch.linalg.solve_triangular(lower, targets[:, :, None], upper=False)
        scale = white_targets.square().sum((1, 2)) / n_rows
    signal = signal_of_nugget(own.nugget, noise, scale)[:, None, None]
    readout, prior = read_out(functional, own, signs)
    white = torch.from_numpy(functional.white_prior)
    readout = readout + signal * white_readout(functional, masks)
    prior = prior + signal * alike(white[0], white[1], n_units)

    moved = torch.linalg.solve_triangular(lower, readout, upper=False)
    mean = (moved.mT @ white_targets).squeeze(2)
    moved = moved[..., :n_units]
    return mean, scale[:, None, None] * (prior - moved.mT @ moved)


def read_out(
    functional: SymmetricFunctional, own: Parameters, signs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return covariances with the rows' values ``(b, R, n + 1)``, and a priori ``(b, n, n)``.

    Parameters
    ----------
    functional : SymmetricFunctional
        What is wanted.
    own : Parameters
        Of b problems.
    signs : torch.Tensor, (b, R, n)
        See `signs_of`.
    """
    n_units = signs.shape[2]
    w = own.weights[:, :, None, None]
    same = own.fall_off[:, None].expand(-1, n_units)
    readout = w[:, 1] * product_readout(functional, signs, own.relevances)
    readout += w[:, 2] * product_readout(functional, signs, same)
    prior = w[:, 1] * product_prior(functional, own.relevances)
    prior += w[:, 2] * product_prior(functional, same)
    # Of an additive game the line is the game itself, whatever the functional: p_1 = -2, q_1 = 0.
    linear = own.relevances / own.relevances.sum(1, keepdim=True)
    p, base = float(functional.with_unit[1]), float(functional.of_base[1])
    q = float(functional.without_unit[1])
    terms = signs * linear[:, None]
    level = terms.sum(2, keepdim=True)
    line = torch.cat([(p - q) * terms + q * level, base * level], dim=2)
    readout += w[:, 0] * line
    readout[..., -1] += CONSTANT
    of_linear = linear[:, :, None] + linear[:, None]
    of_linear = (p - q) ** 2 * torch.diag_embed(linear) + q * (p - q) * of_linear + q**2
    return readout, prior + w[:, 0] * of_linear
