"""Model A: an isotropic process plus a white one, averaged over how fast its orders fall off.

For each ρ (fall-off) and η (nugget), with y the values of the rows, K their covariance by distance
and Φ, W the covariances of the rows' values with what is wanted::

    σ² = yᵀ(K + ηI)⁻¹y / R           nll = ½[R log σ² + log|K + ηI|]
    β  = (Φ + ηW)ᵀ(K + ηI)⁻¹y        Cov = σ²[prior - (Φ + ηW)ᵀ(K + ηI)⁻¹(Φ + ηW)]

averaged with weights exp(-nll); the covariance takes in how much the models differ. As in
`perturbx.surrogates.odd_gp.isotropic`, but of the game with all its orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from perturbx.surrogates.game_gp.posterior import (
    CONSTANT,
    Posterior,
    alike,
    by_size,
    signal_of_nugget,
    white_readout,
)
from perturbx.surrogates.game_gp.whole_game import distances, some_rows
from perturbx.surrogates.odd_gp.posterior import CholeskyRoot, Root, SpectralRoot
from perturbx.symmetric_kernels import SymmetricFunctional, falling_shares, krawtchouk
from perturbx.typing import FloatArray

RHOS = (0.02, 0.1, 0.25, 0.45, 0.65, 0.85)
NUGGETS = (1e-6, 1e-3, 1e-2, 5e-2, 0.2, 0.5)

MOST_DECOMPOSED = 300
"""With more rows the weights come from so many of them, and the best models are fitted to all."""

BEST_MODELS = 4
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class _Model:
    """One ρ and η, with its weight ``(T * k,)`` for each text's outputs."""

    shares: FloatArray
    nugget: float
    root: Root
    weights: torch.Tensor
    is_likeliest: torch.Tensor


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
    for distance, texts in _same_distances(masks):
        columns = values[texts].movedim(1, 0).reshape(n_rows, -1)
        models = list(_models(distance, columns, functional))
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


def _same_distances(masks: torch.Tensor) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield the distances ``(R, R)`` of rows, and the texts whose rows have these distances."""
    found: dict[bytes, tuple[torch.Tensor, list[int]]] = {}
    for text, own in enumerate(masks):
        distance = distances(own)
        key = hashlib.blake2b(distance.to(torch.int32).numpy().tobytes()).digest()
        found.setdefault(key, (distance, []))[1].append(text)
    yield from found.values()


def _models(
    distance: torch.Tensor, columns: torch.Tensor, functional: SymmetricFunctional
) -> Iterator[_Model]:
    """Yield the models that count for any of the columns ``(R, T * k)``."""
    n_rows = len(distance)
    rows = some_rows(n_rows, MOST_DECOMPOSED)
    orders = krawtchouk(functional.n_units)
    shares = [falling_shares(functional.n_orders, rho) for rho in RHOS]
    tables = [torch.from_numpy(own @ orders + CONSTANT) for own in shares]
    few = distance[rows][:, rows]
    squares, vectors = torch.linalg.eigh(torch.stack([table[few] for table in tables]))
    nuggets = torch.tensor(NUGGETS, dtype=torch.float64)
    # (rhos, nuggets, rows) and (rhos, rows, columns)
    shifted = squares.clamp_min(0.0)[:, None] + nuggets[:, None]
    along = (vectors.mT @ columns[rows]).square()
    scale = (1.0 / shifted) @ along / len(few)
    nll = 0.5 * (len(few) * scale.log() + shifted.log().sum(2, keepdim=True))
    weights = torch.softmax(-nll.flatten(0, 1), dim=0)
    likeliest = weights.argmax(0)
    weights = _those_that_count(weights, decomposed=len(few) == n_rows)
    for index in torch.nonzero(weights.any(1)).flatten().tolist():
        by_rho, by_nugget = divmod(index, len(NUGGETS))
        root: Root
        if len(few) == n_rows:
            root = SpectralRoot(shifted[by_rho, by_nugget], vectors[by_rho])
        else:
            matrix = tables[by_rho][distance]
            matrix.diagonal().add_(NUGGETS[by_nugget])
            root = CholeskyRoot(torch.linalg.cholesky(matrix))
        yield _Model(shares[by_rho], NUGGETS[by_nugget], root, weights[index], likeliest == index)


def _those_that_count(weights: torch.Tensor, *, decomposed: bool) -> torch.Tensor:
    """Return the weights ``(models, columns)`` without those of models not worth their time."""
    if decomposed:
        kept = weights > LEAST_WEIGHT
    else:
        kept = weights >= weights.topk(BEST_MODELS, dim=0).values[-1]
    weights = torch.where(kept, weights, 0.0)
    return weights / weights.sum(0)


def _average(
    functional: SymmetricFunctional,
    models: list[_Model],
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
    model: _Model,
    masks: torch.Tensor,
    white: torch.Tensor,
    targets: torch.Tensor,
    noise: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one model's mean ``(T, k, n + 1)`` and covariance ``(T, k, n, n)``."""
    n_rows, n = masks.shape[1:]
    tables = model.shares @ functional.readout
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
    of_orders = torch.from_numpy(functional.prior @ model.shares)
    of_white = torch.from_numpy(functional.white_prior)
    prior = alike(of_orders[0], of_orders[1], n) + signal * alike(of_white[0], of_white[1], n)
    return mean, scale[:, :, None, None] * (prior - known)
