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
    same_distances,
)
from perturbx.surrogates.odd_gp.odd_part import subset
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
    for distance, texts in same_distances(masks):
        columns = values[texts].movedim(1, 0).reshape(n_pairs, -1)
        models = list(likely_models(distance, columns, tables, rows))
        shape = (len(texts), n_outputs)
        posterior.values[texts], posterior.covariance[texts] = _average(
            models, masks[texts], values[texts]
        )
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
            residuals[:, own] = model.root.left_out_residuals(columns[:, own])
            scale = model.root.whiten(columns[:, own]).square().mean(0)
            variances = model.root.left_out_variances()[:, None] * scale
            surprise[own] = (residuals[1:, own].square() / variances[1:]).mean(0)
    return residuals, surprise


def _average(
    models: list[GridModel], masks: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(T, k, n)`` and the covariance ``(T, k, n, n)`` over all models.

    Parameters
    ----------
    models : list of GridModel
        Their weights add up to 1 for every text's outputs.
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    targets : torch.Tensor, (T, P, k)
        Values of the pairs.
    """
    n_texts, n_pairs, n_units = masks.shape
    shape = (n_texts, targets.shape[2])
    white = white_kernel(n_units)
    of_white = white_readout(white, masks)
    readouts = {
        rho: isotropic_readout(isotropic_kernel(n_units, rho), masks)
        for rho in {model.rho for model in models}
    }
    mean = torch.zeros((*shape, n_units), dtype=torch.float64)
    covariance = torch.zeros((*shape, n_units, n_units), dtype=torch.float64)
    parts = []
    for model in models:
        weights = model.weights.reshape(shape)
        texts = torch.nonzero(weights.any(1)).flatten()
        weight = weights[texts][:, :, None]
        # What no order explains is a part of the game, too.
        readout = readouts[model.rho][texts] + model.nugget * of_white[texts]
        prior = prior_covariance(isotropic_kernel(n_units, model.rho), n_units)
        prior = prior + model.nugget * prior_covariance(white, n_units)
        moved, along = model.root.whiten(readout), model.root.whiten(targets[texts])
        own, known = along.mT @ moved, moved.mT @ moved
        scale = along.square().sum(1) / n_pairs
        mean[texts] += weight * own
        covariance[texts] += (weight * scale[:, :, None])[..., None] * (prior - known)[:, None]
        parts.append((texts, weight, own))
    for texts, weight, own in parts:
        off = own - mean[texts]
        covariance[texts] += (weight * off)[..., :, None] * off[..., None, :]
    return mean, covariance
