"""Model A: an isotropic process plus a white one, averaged over how fast its orders fall off.

For each ρ (fall-off) and η (nugget), with y the values of the pairs, K the covariance by distance
and Φ, W the covariances of the pairs' values with the Shapley values::

    σ² = yᵀ(K + ηI)⁻¹y / P           nll = ½[P log σ² + log|K + ηI|]
    φ  = (Φ + ηW)ᵀ(K + ηI)⁻¹y        Cov = σ²[prior - (Φ + ηW)ᵀ(K + ηI)⁻¹(Φ + ηW)]

averaged with weights exp(-nll); the covariance takes in how much the models differ. Covariances
depend on distances alone, so texts with the same design but for the names of the units share one
decomposition for each ρ, which also serves all outputs and nuggets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from perturbx.odd_kernels import isotropic_kernel, white_kernel
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.surrogates.odd_gp.posterior import (
    CholeskyRoot,
    Posterior,
    Root,
    SpectralRoot,
    isotropic_readout,
    prior_covariance,
    white_readout,
)

RHOS = (0.02, 0.1, 0.25, 0.45, 0.65, 0.85)
NUGGETS = (1e-6, 1e-3, 1e-2, 5e-2, 0.2, 0.5)

MOST_DECOMPOSED = 300
"""With more pairs the weights come from so many of them, and the best models are fitted to all."""

BEST_MODELS = 4
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class _Model:
    """One ρ and η, with its weight ``(T * k,)`` for each text's outputs."""

    rho: float
    nugget: float
    root: Root
    weights: torch.Tensor
    is_likeliest: torch.Tensor


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
    for distance, texts in _same_distances(masks):
        columns = values[texts].movedim(1, 0).reshape(n_pairs, -1)
        models = list(_models(distance, columns, n_units))
        shape = (len(texts), n_outputs)
        posterior.values[texts], posterior.covariance[texts] = _average(
            models, masks[texts], values[texts]
        )
        residuals, surprise = _left_out(models, columns)
        posterior.residuals[texts] = residuals.reshape(n_pairs, *shape).movedim(0, 1)
        posterior.surprise[texts] = surprise.reshape(shape)
    return posterior


def _left_out(models: list[_Model], columns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
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


def _same_distances(masks: torch.Tensor) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield the distances ``(P, P)`` of pairs, and the texts whose pairs have these distances."""
    found: dict[bytes, tuple[torch.Tensor, list[int]]] = {}
    n_units = masks.shape[2]
    for text, own in enumerate(masks):
        signs = 1.0 - 2.0 * own.to(torch.float64)
        distance = ((n_units - signs @ signs.mT) / 2.0).round().to(torch.int32)
        key = hashlib.blake2b(distance.numpy().tobytes()).digest()
        found.setdefault(key, (distance, []))[1].append(text)
    yield from found.values()


def _models(distance: torch.Tensor, columns: torch.Tensor, n_units: int) -> Iterator[_Model]:
    """Yield the models that count for any of the columns ``(P, T * k)``."""
    n_pairs = len(distance)
    rows = subset(n_pairs, MOST_DECOMPOSED)
    tables = [isotropic_kernel(n_units, rho).by_distance for rho in RHOS]
    few = distance[rows][:, rows]
    squares, vectors = torch.linalg.eigh(torch.stack([torch.from_numpy(t)[few] for t in tables]))
    nuggets = torch.tensor(NUGGETS, dtype=torch.float64)
    # (rhos, nuggets, rows) and (rhos, rows, columns)
    shifted = squares.clamp_min(0.0)[:, None] + nuggets[:, None]
    along = (vectors.mT @ columns[rows]).square()
    scale = (1.0 / shifted) @ along / len(few)
    nll = 0.5 * (len(few) * scale.log() + shifted.log().sum(2, keepdim=True))
    weights = torch.softmax(-nll.flatten(0, 1), dim=0)
    likeliest = weights.argmax(0)
    weights = _those_that_count(weights, decomposed=len(few) == n_pairs)
    for index in torch.nonzero(weights.any(1)).flatten().tolist():
        by_rho, by_nugget = divmod(index, len(NUGGETS))
        root: Root
        if len(few) == n_pairs:
            root = SpectralRoot(shifted[by_rho, by_nugget], vectors[by_rho])
        else:
            matrix = torch.from_numpy(tables[by_rho])[distance]
            matrix.diagonal().add_(NUGGETS[by_nugget])
            root = CholeskyRoot(torch.linalg.cholesky(matrix))
        yield _Model(RHOS[by_rho], NUGGETS[by_nugget], root, weights[index], likeliest == index)


def _those_that_count(weights: torch.Tensor, *, decomposed: bool) -> torch.Tensor:
    """Return the weights ``(models, columns)`` without those of models not worth their time."""
    if decomposed:
        kept = weights > LEAST_WEIGHT
    else:
        kept = weights >= weights.topk(BEST_MODELS, dim=0).values[-1]
    weights = torch.where(kept, weights, 0.0)
    return weights / weights.sum(0)


def _average(
    models: list[_Model], masks: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean ``(T, k, n)`` and the covariance ``(T, k, n, n)`` over all models.

    Parameters
    ----------
    models : list of _Model
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
