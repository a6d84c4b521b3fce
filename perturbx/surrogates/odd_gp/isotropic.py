"""Model A: an isotropic process plus a white one, averaged over how fast its orders fall off.

For each ρ (fall-off) and η (nugget), with y the values of the pairs, K the covariance by distance
and Φ, W the covariances of the pairs' values with the Shapley values::

    σ² = yᵀ(K + ηI)⁻¹y / P           nll = ½[P log σ² + log|K + ηI|]
    φ  = (Φ + ηW)ᵀ(K + ηI)⁻¹y        Cov = σ²[prior - (Φ + ηW)ᵀ(K + ηI)⁻¹(Φ + ηW)]

averaged with weights exp(-nll) (see `perturbx.surrogates.gaussian.model_grid`); the covariance
takes in how much the models differ.
"""

from __future__ import annotations

import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.gaussian.model_grid import (
    MOST_DECOMPOSED,
    RHOS,
    GridModel,
    likely_models,
)
from perturbx.surrogates.odd_gp.geometry import Geometry
from perturbx.surrogates.odd_gp.odd_part import same_masks, subset
from perturbx.surrogates.odd_gp.posterior import (
    Posterior,
    isotropic_readout,
    prior_covariance,
    white_readout,
)


def fit_isotropic(masks: torch.Tensor, values: torch.Tensor) -> Posterior:
    """Return the posterior of T texts with P pairs each.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    values : torch.Tensor, (T, P, k)
        Their odd values without noise, not all 0.

    Returns
    -------
    Posterior
        The mean over all models; residuals and surprise are those of the likeliest one.
    """
    n_texts, n_pairs, n_units = masks.shape
    n_outputs = values.shape[2]
    posterior = Posterior(
        torch.empty((n_texts, n_outputs, n_units), dtype=torch.float64),
        torch.empty((n_texts, n_outputs, n_units, n_units), dtype=torch.float64),
        torch.empty_like(values),
        torch.empty((n_texts, n_outputs), dtype=torch.float64),
    )
    tables = [torch.from_numpy(isotropic_kernel(n_units, rho).by_distance) for rho in RHOS]
    rows = subset(n_pairs, MOST_DECOMPOSED)
    for own, texts in same_masks(masks):
        columns = values[texts].movedim(1, 0).reshape(n_pairs, -1)
        models = list(likely_models(Geometry.of_design(own).distance, columns, tables, rows))
        shape = (len(texts), n_outputs)
        mean, covariance = _average(models, own, columns)
        posterior.values[texts] = mean.view(*shape, n_units)
        posterior.covariance[texts] = covariance.view(*shape, n_units, n_units)
        residuals, surprise = _left_out(models, columns)
        posterior.residuals[texts] = residuals.reshape(n_pairs, *shape).movedim(0, 1)
        posterior.surprise[texts] = surprise.reshape(shape)
    return posterior


def _left_out(models: list[GridModel], columns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return residuals ``(P, T * k)`` and surprise ``(T * k,)`` by the likeliest models."""
    residuals = torch.empty_like(columns)
    surprise = torch.empty(columns.shape[1], dtype=torch.float64)
    for model in models:
        own = model.is_likeliest
        if own.any():
            left, variances = model.root.left_out(columns[:, own])
            residuals[:, own] = left
            scale = model.root.whiten(columns[:, own]).square().mean(0)
            surprise[own] = (left[1:].square() / variances[1:, None]).mean(0) / scale
    return residuals, surprise


def _average(
    models: list[GridModel], masks: torch.Tensor, columns: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(c, n)`` and the covariance ``(c, n, n)`` over all models.

    Parameters
    ----------
    models : list of GridModel
        Their weights add up to 1 for every column.
    masks : torch.Tensor of bool, (P, n)
        One coalition of each pair.
    columns : torch.Tensor, (P, c)
        Values of the pairs.
    """
    n_pairs, n_units = masks.shape
    white = white_kernel(n_units)
    of_white, white_prior = white_readout(white, masks), prior_covariance(white, n_units)
    readouts = {
        rho: isotropic_readout(isotropic_kernel(n_units, rho), masks)
        for rho in {model.rho for model in models}
    }
    means, spreads, scales = [], [], []
    for model in models:
        # What no order explains is a part of the game, too.
        readout = readouts[model.rho] + model.nugget * of_white
        prior = prior_covariance(isotropic_kernel(n_units, model.rho), n_units)
        moved, along = model.root.whiten(readout), model.root.whiten(columns)
        means.append(along.mT @ moved)
        spreads.append(prior + model.nugget * white_prior - moved.mT @ moved)
        scales.append(along.square().sum(0) / n_pairs)
    # (c, models)
    weights = torch.stack([model.weights for model in models], dim=1)
    each = torch.stack(means, dim=1)
    mean = (weights[:, None] @ each).squeeze(1)
    off = each - mean[:, None]
    covariance = (weights * torch.stack(scales, dim=1)) @ torch.stack(spreads).flatten(1)
    between = (off * weights[:, :, None]).mT @ off
    return mean, between.add_(covariance.view_as(between))
