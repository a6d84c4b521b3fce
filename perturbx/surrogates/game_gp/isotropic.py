"""Model A: an isotropic process plus a white one, averaged over how fast its orders fall off.

For each ρ (fall-off) and η (nugget), with y the values of the rows, K their covariance by distance
and Φ, W the covariances of the rows' values with what is wanted::

    σ² = yᵀ(K + ηI)⁻¹y / R           nll = ½[R log σ² + log|K + ηI|]
    β  = (Φ + ηW)ᵀ(K + ηI)⁻¹y        Cov = σ²[prior - (Φ + ηW)ᵀ(K + ηI)⁻¹(Φ + ηW)]

averaged with weights exp(-nll) (see `perturbx.surrogates.gaussian.model_grid`); the covariance
takes in how much the models differ.
"""

from __future__ import annotations

import torch

from perturbx.surrogates.game_gp.posterior import (
    CONSTANT,
    Posterior,
    alike,
    by_size,
    signal_of_nugget,
    white_readout,
)
from perturbx.surrogates.game_gp.whole_game import some_rows
from perturbx.surrogates.gaussian.model_grid import (
    MOST_DECOMPOSED,
    RHOS,
    GridModel,
    likely_models,
    same_distances,
)
from perturbx.symmetric_kernels import SymmetricFunctional, falling_shares, krawtchouk


def fit_isotropic(
    functional: SymmetricFunctional,
    masks: torch.Tensor,
    values: torch.Tensor,
    noise: torch.Tensor,
) -> tuple[Posterior, torch.Tensor]:
    """Return the posterior of T texts with R rows each, and the residuals of rows left out.

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

    Returns
    -------
    Posterior
        Values and covariance.
    residuals : torch.Tensor, (T, R, k)
        Each value minus its prediction from the other rows, by the likeliest model.
    """
    n_texts, n_rows, n_units = masks.shape
    n_outputs = values.shape[2]
    posterior = Posterior(
        torch.empty((n_texts, n_outputs, n_units + 1), dtype=torch.float64),
        torch.empty((n_texts, n_outputs, n_units, n_units), dtype=torch.float64),
    )
    residuals = torch.empty_like(values)
    orders = krawtchouk(n_units)
    shares = [falling_shares(functional.n_orders, rho) for rho in RHOS]
    tables = [torch.from_numpy(own @ orders + CONSTANT) for own in shares]
    rows = some_rows(n_rows, MOST_DECOMPOSED)
    for distance, texts in same_distances(masks):
        columns = values[texts].movedim(1, 0).reshape(n_rows, -1)
        models = list(likely_models(distance, columns, tables, rows))
        mean, covariance = _average(functional, models, masks[texts], columns, noise[texts])
        posterior.values[texts] = mean
        posterior.covariance[texts] = covariance
        left_out = torch.empty_like(columns)
        for model in models:
            if model.is_likeliest.any():
                own = columns[:, model.is_likeliest]
                left_out[:, model.is_likeliest] = model.root.left_out_residuals(own)
        residuals[texts] = left_out.reshape(n_rows, len(texts), n_outputs).movedim(0, 1)
    return posterior, residuals


def _average(
    functional: SymmetricFunctional,
    models: list[GridModel],
    masks: torch.Tensor,
    columns: torch.Tensor,
    noise: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(T, k, n + 1)`` and the covariance ``(T, k, n, n)`` over all models."""
    n_texts, n_rows, n_units = masks.shape
    targets = columns.reshape(n_rows, n_texts, -1).movedim(1, 0)
    white = white_readout(functional, masks)
    mean = torch.zeros((*noise.shape, n_units + 1), dtype=torch.float64)
    covariance = torch.zeros((*noise.shape, n_units, n_units), dtype=torch.float64)
    parts = []
    for model in models:
        weights = model.weights.reshape(noise.shape)
        texts = torch.nonzero(weights.any(1)).flatten()
        weight = weights[texts][:, :, None]
        own, spread = _condition(
            functional, model, masks[texts], white[texts], targets[texts], noise[texts]
        )
        mean[texts] += weight * own
        covariance[texts] += weight[..., None] * spread
        parts.append((texts, weight, own))
    for texts, weight, own in parts:
        off = (own - mean[texts])[..., :n_units]
        covariance[texts] += (weight * off)[..., :, None] * off[..., None, :]
    return mean, covariance


def _condition(
    functional: SymmetricFunctional,
    model: GridModel,
    masks: torch.Tensor,
    white: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one model's mean ``(T, k, n + 1)`` and covariance ``(T, k, n, n)``."""
    n_rows, n = masks.shape[1:]
    shares = falling_shares(functional.n_orders, model.rho)
    tables = shares @ functional.readout
    tables[2] += CONSTANT
    # Side by side: how much of the white part counts differs from output to output.
    readouts = torch.cat([by_size(tables, masks), white], dim=2)
    white_readouts, white_targets = model.root.whiten(readouts), model.root.whiten(targets)
    scale = white_targets.square().sum(1) / n_rows
    signal = signal_of_nugget(torch.tensor(model.nugget), noise, scale)
    moved = white_targets.mT @ white_readouts
    mean = moved[..., : n + 1] + signal[..., None] * moved[..., n + 1 :]

    isotropic, own = white_readouts[..., :n], white_readouts[..., n + 1 : -1]
    cross = (isotropic.mT @ own)[:, None]
    signal = signal[..., None, None]
    known = (isotropic.mT @ isotropic)[:, None] + signal * (cross + cross.mT)
    known = known + signal.square() * (own.mT @ own)[:, None]
    of_orders = torch.from_numpy(functional.prior @ shares)
    of_white = torch.from_numpy(functional.white_prior)
    prior = alike(of_orders[0], of_orders[1], n) + signal * alike(of_white[0], of_white[1], n)
    return mean, scale[:, :, None, None] * (prior - known)
