"""How far a process may have shrunk values of noisy scores: the line that hardly shrinks any.

A prior under which all units are alike takes what one of them stands out by for noise, and its
posterior variance, right on the average over the prior, does not know of that one. The slopes of a
line with a prior wide enough for any unit have next to no bias, though more noise, so their
distance from the values is an estimate of that bias.
"""

from __future__ import annotations

import torch

WIDEST = 4.0
"""The prior variance of a slope, in units of the values' mean square: a single unit could explain
all of them, at ±½ for kept and removed."""

LEAST_NOISE = 1e-6
"""The least variance of a value's noise, in the same units."""


def of_shrinkage(
    rows: torch.Tensor, values: torch.Tensor, noise: torch.Tensor, found: torch.Tensor
) -> torch.Tensor:
    """Return what the covariance of shrunken values ``(T, k, n)`` lacks, ``(T, k, n, n)``.

    That is dd', with d the distance from the slopes of the line, times the share of the line's
    squared residuals that is noise: without noise nothing was shrunk for it, and 0 is returned.

    Parameters
    ----------
    rows : torch.Tensor, (T, R, n)
        ½ for units kept and -½ for units removed, perhaps centred.
    values, noise : torch.Tensor, (T, R, k)
        Values with a mean square of about 1, and the variances of these that are noise.
    found : torch.Tensor, (T, k, n)
        The values of the units.

    Examples
    --------
    >>> rows = torch.tensor([[[0.5, 0.5], [0.5, -0.5]]]).double()
    >>> values = torch.tensor([[[1.0], [1.0]]]).double()
    >>> found = torch.tensor([[[1.0, 0.0]]]).double()
    >>> of_shrinkage(rows, values, 0.2 + 0.0 * values, found).round(decimals=2)
    tensor([[[[0.6700, 0.0000],
              [0.0000, 0.0000]]]], dtype=torch.float64)
    >>> of_shrinkage(rows, values, 0.0 * values, found).any()
    tensor(False)
    """
    # (T, k, R, n)
    each = rows[:, None] / noise.mT[..., None].clamp_min(LEAST_NOISE)
    precision = each.mT @ rows[:, None]
    precision.diagonal(dim1=-2, dim2=-1).add_(1.0 / WIDEST)
    slopes = torch.linalg.solve(precision, each.mT @ values.mT[..., None])[..., 0]
    left = values - rows @ slopes.mT
    tiny = torch.finfo(values.dtype).tiny
    share = (noise.sum(1) / left.square().sum(1).clamp_min(tiny)).clamp_max(1.0)
    off = slopes - found
    lacking: torch.Tensor = share[..., None, None] * off[..., :, None] * off[..., None, :]
    return lacking
