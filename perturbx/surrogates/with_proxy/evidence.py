"""How well what a proxy leaves of a game goes with an isotropic process: marginal likelihoods.

For fall-offs ρ and nuggets η, with y the odd values of P pairs and K their covariance by distance
(see `perturbx.surrogates.gaussian.model_grid`)::

    log p(y) = log Σ_ρη exp(-½[P log σ² + log|K + ηI|])     σ² = yᵀ(K + ηI)⁻¹y / P

Where the noise of the scores is known, with D its variances, σ² has a grid::

    log p(y) = log Σ_ρησ² exp(-½[yᵀCy + log|C⁻¹|])          C⁻¹ = σ²(K + ηI) + D
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from perturbx.odd_kernels import isotropic_kernel
from perturbx.surrogates.gaussian.model_grid import MOST_DECOMPOSED, NUGGETS, RHOS, distances
from perturbx.surrogates.odd_gp.noisy_isotropic import NUGGETS as NUGGETS_WITH_NOISE
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.typing import FloatArray, MaskMatrix

SCALES = (1e-4, 1e-3, 5e-3, 0.02, 0.06, 0.15, 0.35, 0.7, 1.4, 3.0)
"""σ² in units of the mean square of the paid values: a good proxy leaves little of it."""

LEAST_SCALE = 1e-20
"""Of σ², in the same units: less is rounding."""


def log_evidence(masks: MaskMatrix, columns: FloatArray, noise: FloatArray) -> FloatArray:
    """Return the log marginal likelihood ``(c,)`` of each column, but for a common constant.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (P, n)
        One coalition of each pair.
    columns : numpy.ndarray, (P, c)
        Odd values of several games on these pairs, in units of the first game's root mean square.
    noise : numpy.ndarray, (P,)
        The variances of the values that are noise, the same for all games; zeros for none.

    Examples
    --------
    >>> import numpy as np
    >>> masks = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], bool)
    >>> additive = masks @ np.array([1.0, 0.5, 0.2, 0.3]) - 1.0
    >>> columns = np.stack([additive, additive + [0.5, -0.5, 0.5, -0.5]], axis=1)
    >>> smooth, rough = log_evidence(masks, columns, np.zeros(4))
    >>> bool(smooth > rough)
    True
    """
    rows = subset(len(masks), MOST_DECOMPOSED)
    distance = distances(torch.from_numpy(masks[rows]))
    values = torch.from_numpy(columns[rows])
    known = torch.from_numpy(noise[rows])
    logs = _with_noise if bool(known.any()) else _without_noise
    each = torch.stack(list(logs(distance, values, known, masks.shape[1])))
    total: FloatArray = torch.logsumexp(each, dim=0).numpy()
    return total


def _without_noise(
    distance: torch.Tensor, values: torch.Tensor, _: torch.Tensor, n_units: int
) -> Iterator[torch.Tensor]:
    """Yield log p(y) for each model: one decomposition serves all nuggets."""
    n_pairs = len(distance)
    for rho in RHOS:
        table = torch.from_numpy(isotropic_kernel(n_units, rho).by_distance)
        squares, vectors = torch.linalg.eigh(table[distance])
        along = (vectors.mT @ values).square()
        for nugget in NUGGETS:
            shifted = squares.clamp_min(0.0) + nugget
            scale = ((along / shifted[:, None]).sum(0) / n_pairs).clamp_min(LEAST_SCALE)
            yield -0.5 * (n_pairs * scale.log() + shifted.log().sum())


def _with_noise(
    distance: torch.Tensor, values: torch.Tensor, noise: torch.Tensor, n_units: int
) -> Iterator[torch.Tensor]:
    """Yield log p(y) for each model: each needs a factor of its own."""
    for rho in RHOS:
        table = torch.from_numpy(isotropic_kernel(n_units, rho).by_distance)
        for nugget in NUGGETS_WITH_NOISE:
            matrix = table[distance]
            matrix.diagonal().add_(nugget)
            for scale in SCALES:
                lower = torch.linalg.cholesky(scale * matrix + torch.diag(noise))
                along = torch.linalg.solve_triangular(lower, values, upper=False)
                yield -0.5 * along.square().sum(0) - lower.diagonal().log().sum()
