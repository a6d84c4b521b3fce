"""Model B: a process that learns how relevant each unit is, fitted to each text and output."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch

from perturbx.odd_kernels import white_kernel
from perturbx.surrogates.gaussian.bfgs import Evaluated, Objective, minimize
from perturbx.surrogates.gaussian.relevances import Parameters
from perturbx.surrogates.odd_gp.geometry import Geometry, Scratch
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.surrogates.odd_gp.posterior import (
    Posterior,
    prior_covariance,
    white_readout,
)
from perturbx.surrogates.odd_gp.relevance_kernel import (
    bounds,
    covariance,
    negative_log_posterior,
    product_readout,
    starting_point,
)

MOST_STEPS = 20
LEAST_GAIN = 0.05
"""Of the logarithm of the likelihood: relevances that differ by less are equally likely. More exact
optima cost time and were, on the games at hand, no better."""

STRETCH = 1.5
"""The optimizer moves log relevances by so much where it moves the other parameters by 1: games
whose few relevant units stand out far are then found in fewer steps."""

OF_RELEVANCE, OF_MEAN_RELEVANCE, OF_OTHERS = 1.3, 1.0, (2.0, 2.0, 2.0, 2.0, 5.0, 1.0)
"""Second derivatives that the optimizer begins with: of log b_i around their mean, of all of them
together, and of log η, the logits, log c and log σ². Most are larger than those of games at hand:
smaller ones lead to better optima sooner, and these had more error."""

CELLS_AT_ONCE = 2**18
"""Numbers in the matrices of problems solved together: they should stay in the cache."""


LEAST_ROWS, MOST_ROWS = 100, 300


def rows_for_relevances(n_units: int, n_pairs: int) -> int:
    """Return how many of the pairs choose the relevances; the values are then fitted to all."""
    return min(MOST_ROWS, max(LEAST_ROWS, 4 * n_units, n_pairs // 2))


def fit_relevance(
    masks: torch.Tensor, values: torch.Tensor, noise: torch.Tensor | None = None
) -> Posterior:
    """Return the posterior of T texts with P pairs and k outputs each.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    values : torch.Tensor, (T, P, k)
        Their odd values, not all 0.
    noise : torch.Tensor, (T, P, k), optional
        The variances of the values that are noise.
    """
    n_outputs = values.shape[2]
    each = masks.repeat_interleave(n_outputs, dim=0)
    targets = values.mT.flatten(0, 1)
    variances = None if noise is None else noise.mT.flatten(0, 1)
    points = points_of(each, targets, variances, most_steps=MOST_STEPS, least_gain=LEAST_GAIN)
    own = posterior_at(points, each, targets, variances)
    n_texts, n_pairs = values.shape[:2]
    n_units = masks.shape[2]
    shape = (n_texts, n_outputs)
    return Posterior(
        own.values.reshape(*shape, n_units),
        own.covariance.reshape(*shape, n_units, n_units),
        own.residuals.reshape(*shape, n_pairs).mT,
        own.surprise.reshape(shape),
    )


def points_of(
    masks: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor | None = None,
    *,
    most_steps: int,
    least_gain: float,
) -> torch.Tensor:
    """Return the likeliest parameters of any number of problems, see `likeliest_points`.

    Parameters
    ----------
    masks : torch.Tensor of bool, (b, P, n)
        One coalition of each pair.
    targets, noise : torch.Tensor, (b, P)
        Their odd values, and the variances of these that are noise.
    most_steps, least_gain : int, float
        See `minimize`.
    """
    found = [
        likeliest_points(*some, most_steps=most_steps, least_gain=least_gain)
        for some in _parts(masks, targets, noise)
    ]
    return torch.cat(found)


def posterior_at(
    points: torch.Tensor,
    masks: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor | None = None,
) -> Posterior:
    """Return the posterior of b problems, as texts with one output, at these parameters."""
    starts = range(0, len(points), _at_once(masks))
    some = zip(_parts(masks, targets, noise), starts, strict=True)
    parts = [condition_on_pairs(points[start:][: len(part[1])], *part) for part, start in some]
    mean, covariance, residuals, surprise = (torch.cat(each) for each in zip(*parts, strict=True))
    return Posterior(mean[:, None], covariance[:, None], residuals[:, :, None], surprise[:, None])


def _at_once(masks: torch.Tensor) -> int:
    return max(1, CELLS_AT_ONCE // max(masks.shape[1:]) ** 2)


def _parts(
    masks: torch.Tensor, targets: torch.Tensor, noise: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """Yield what fits into the cache; masks ``(P, n)`` where all problems share them."""
    alike = bool((masks[1:] == masks[:1]).all())
    for start in range(0, len(masks), _at_once(masks)):
        part = slice(start, start + _at_once(masks))
        own = masks[0] if alike else masks[part]
        yield own, targets[part], None if noise is None else noise[part]


def likeliest_points(
    masks: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor | None = None,
    *,
    most_steps: int,
    least_gain: float,
) -> torch.Tensor:
    """Return the parameters ``(b, n + 5)``, or with noise ``(b, n + 6)``, that are likeliest.

    Parameters
    ----------
    masks : torch.Tensor of bool, (P, n) or (b, P, n)
        The pairs, of which some choose the parameters: the same for all problems, or their own.
    targets, noise : torch.Tensor, (b, P)
        Their odd values, and the variances of these that are noise.
    most_steps, least_gain : int, float
        See `minimize`.
    """
    n_pairs, n_units = masks.shape[-2:]
    rows = subset(n_pairs, rows_for_relevances(n_units, n_pairs))
    geometry = _geometry(masks[..., rows, :])
    targets = targets[:, rows]
    noise = None if noise is None else noise[:, rows]

    scratch = Scratch.of_size(*targets.shape)

    def objective(point: torch.Tensor, problems: torch.Tensor) -> Evaluated:
        if len(problems) == len(targets):
            return negative_log_posterior(point, geometry, targets, noise, scratch)
        own = None if noise is None else noise[problems]
        some = geometry.of(problems)
        return negative_log_posterior(point, some, targets[problems], own, scratch)

    start = starting_point(n_units, noise).expand(len(targets), -1)
    return from_start(objective, start, n_units, most_steps=most_steps, least_gain=least_gain)


def _geometry(masks: torch.Tensor) -> Geometry:
    """Return it of masks ``(P, n)`` or ``(b, P, n)``."""
    return Geometry.of_design(masks) if masks.dim() == 2 else Geometry.of_masks(masks)


def from_start(
    objective: Objective,
    start: torch.Tensor,
    n_units: int,
    *,
    most_steps: int,
    least_gain: float,
) -> torch.Tensor:
    """Return the points that `minimize` finds from these, log relevances stretched."""
    low, high = bounds(n_units, noisy=start.shape[1] > n_units + 5)
    stretch = torch.ones_like(low)
    stretch[:n_units] = STRETCH

    def stretched(point: torch.Tensor, problems: torch.Tensor) -> Evaluated:
        value, gradient = objective(point * stretch, problems)
        return value, lambda: gradient() * stretch

    found = minimize(
        stretched,
        start.clamp(low, high) / stretch,
        low / stretch,
        high / stretch,
        most_steps=most_steps,
        least_gain=least_gain,
        metric=_metric(n_units)[: len(low), : len(low)] / torch.outer(stretch, stretch),
    )
    return found * stretch


@lru_cache(maxsize=64)
def _metric(n_units: int) -> torch.Tensor:
    """Return a guess at the inverse Hessian, ``(n + 6, n + 6)``."""
    metric = torch.zeros((n_units + len(OF_OTHERS),) * 2, dtype=torch.float64)
    metric[:n_units, :n_units] = (1.0 / OF_MEAN_RELEVANCE - 1.0 / OF_RELEVANCE) / n_units
    metric.diagonal()[:n_units] += 1.0 / OF_RELEVANCE
    metric.diagonal()[n_units:] = 1.0 / torch.tensor(OF_OTHERS, dtype=torch.float64)
    return metric


def condition_on_pairs(
    points: torch.Tensor, masks: torch.Tensor, targets: torch.Tensor, noise: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what makes a `Posterior`, given all pairs.

    Mean ``(b, n)``, covariance ``(b, n, n)``, residuals ``(b, P)`` and surprise ``(b,)``.

    Parameters
    ----------
    points : torch.Tensor, (b, n + 5), or with noise (b, n + 6)
        The parameters.
    masks, targets, noise : torch.Tensor
        See `likeliest_points`.
    """
    n_pairs, n_units = masks.shape[-2:]
    own = Parameters.unpack(points, n_units)
    geometry = _geometry(masks)
    matrix = covariance(own, geometry)
    matrix.diagonal(dim1=1, dim2=2).add_(own.nugget[:, None])
    if own.scale is not None and noise is not None:
        # In units of σ², as all else below.
        matrix.diagonal(dim1=1, dim2=2).add_(noise / own.scale[:, None])
    lower = torch.linalg.cholesky(matrix)
    inverse = torch.cholesky_inverse(lower)
    divided = inverse @ targets[:, :, None]
    scale = own.scale
    if scale is None:
        scale = (targets[:, None] @ divided).flatten() / n_pairs

    b, w = own.relevances, own.weights[:, :, None, None]
    share = b / b.sum(1, keepdim=True)
    product, product_prior = product_readout(geometry.signs, b)
    alike = own.fall_off[:, None].expand(-1, n_units)
    isotropic, isotropic_prior = product_readout(geometry.signs, alike)
    readout = w[:, 1] * product + w[:, 2] * isotropic
    readout -= geometry.signs * (2.0 * own.weights[:, :1] * share)[:, None]
    prior = w[:, 1] * product_prior + w[:, 2] * isotropic_prior
    prior.diagonal(dim1=1, dim2=2).add_(4.0 * own.weights[:, :1] * share)
    # What no relevance explains is a part of the game, too.
    white, nugget = white_kernel(n_units), own.nugget[:, None, None]
    readout += nugget * white_readout(white, masks)
    prior += nugget * prior_covariance(white, n_units)

    moved = torch.linalg.solve_triangular(lower, readout, upper=False)
    spread = scale[:, None, None] * (prior - moved.mT @ moved)
    precision = inverse.diagonal(dim1=1, dim2=2)
    residuals = divided.squeeze(2) / precision
    surprise = (residuals.square() * precision / scale[:, None])[:, 1:].mean(1)
    return (readout.mT @ divided).squeeze(2), spread, residuals, surprise
