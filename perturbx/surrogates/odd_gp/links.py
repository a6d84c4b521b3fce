"""Bent scales: scores that lie between two bounds are simpler games once these are taken away.

A probability near 0 or 1 hardly moves whatever is removed, so games of probabilities hold
interactions of all orders that are none of the log-odds. Which bounds a scorer has is not known
here, so they are guessed from the scores: with x the score in parts of its range in the table,

    u = log(x + a) - log(1 + b - x)

for margins a and b of a grid, small where scores crowd at an end. How likely each guess is says
the marginal likelihood of the scores, the density of u times du/dx (warped processes: Snelson,
Rasmussen & Ghahramani 2004), under processes that depend on distances alone (`model_grid`): one for
the odd part of u, one for the even part. The straight scale is one of the guesses.
"""

from __future__ import annotations

from functools import lru_cache
from math import log

import numpy as np
import torch

from perturbx.odd_kernels import isotropic_kernel
from perturbx.surrogates.fit_quality import ROUNDING
from perturbx.surrogates.gaussian.model_grid import NUGGETS, evidence_by_table
from perturbx.surrogates.gaussian.scales import Scales
from perturbx.surrogates.odd_gp.geometry import Geometry
from perturbx.surrogates.odd_gp.odd_part import subset
from perturbx.symmetric_kernels import falling_shares, krawtchouk

MARGINS = (0.01, 0.05, 0.2, 0.8)

FALL_OFFS = (0.1, 0.45)
MOST_ROWS = 100
"""So many pairs tell the likeliest scale; odds between two are large where they matter."""

MEAN_VARIANCE = 4.0
"""Of the even part's mean, in parts of the part's variance."""

EVEN_ORDERS = 8


def likeliest_scales(
    masks: torch.Tensor, odd: torch.Tensor, even: torch.Tensor
) -> tuple[Scales, torch.Tensor, torch.Tensor]:
    """Return the likeliest bent scale of each column, its odds, and what the straight one says.

    Parameters
    ----------
    masks : torch.Tensor of bool, (P, n)
        One coalition of each pair.
    odd, even : torch.Tensor, (P, c)
        ½[v(S) - v(N∖S)] and ½[v(S) + v(N∖S)].

    Returns
    -------
    scales : Scales
        One for each column.
    log_odds : torch.Tensor, (c,)
        Of it against the straight scale; minus infinity where all scores are equal.
    straight : torch.Tensor of int, (c,)
        Which of `straight_models` is the likeliest for the odd part on the straight scale.
    """
    n_units, n_columns = masks.shape[1], odd.shape[1]
    scores = torch.stack([even + odd, even - odd])
    low, high = scores.amin((0, 1)), scores.amax((0, 1))
    flat = high - low <= 1e-12 * scores.abs().amax((0, 1))
    high = torch.where(flat, low + 1.0, high)

    rows = subset(len(masks), MOST_ROWS)
    part = (scores[:, rows] - low) / (high - low)
    # (margins, 2, rows, columns)
    margins = torch.tensor(MARGINS, dtype=torch.float64)[:, None, None, None]
    to_low, to_high = (part + margins).log(), (1.0 + margins - part).log()
    bent = (to_low[:, None] - to_high).flatten(0, 1)
    # du/dx of each pair of margins
    below, above = to_low.sum((1, 2)), to_high.sum((1, 2))
    widths = 1.0 + margins + margins.mT.flatten()
    density = part.shape[0] * part.shape[1] * widths.log().view(-1, 1)
    density = density - (below[:, None] + above).flatten(0, 1)
    # The straight scale is the first.
    density = torch.cat([torch.zeros_like(low)[None], density])
    evidence = density
    u = torch.cat([part[None], bent])
    of_odd, of_even = (u[:, 0] - u[:, 1]) / 2.0, (u[:, 0] + u[:, 1]) / 2.0
    of_even = of_even - of_even.mean(1, keepdim=True)
    # Where all complements add up to the same, what is left is rounding, and tells nothing: such a
    # scale has no even part, and half of the density is all that counts of it.
    has_none = of_even.abs().amax(1) <= ROUNDING * u.abs().amax((1, 2))
    of_none = -len(of_even[0]) * log(ROUNDING) - density / 2.0

    distance = Geometry.of_design(masks[rows]).distance
    straight = torch.zeros(n_columns, dtype=torch.int64)
    for each, tables in ((of_odd, _odd_tables(n_units)), (of_even, _even_tables(n_units))):
        columns = each.movedim(1, 0).flatten(1)
        by_table = {
            index: own for index, own, _ in evidence_by_table(distance, columns, list(tables))
        }
        of_models = torch.cat([by_table[index] for index in range(len(tables))])
        of_models = of_models.view(-1, *evidence.shape)
        of_part = of_models.logsumexp(0)
        if each is of_odd:
            straight = of_models[:, 0].argmax(0)
        else:
            of_part = torch.where(has_none, of_none, of_part)
        evidence = evidence + of_part
    best = evidence[1:].argmax(0)
    odds = evidence[1:].amax(0) - evidence[0]
    likeliest = margins.flatten()[torch.stack([best // len(MARGINS), best % len(MARGINS)])]
    scales = Scales(low, high, likeliest[0], likeliest[1])
    return scales, odds.masked_fill(flat, -torch.inf), straight


def straight_models() -> list[tuple[float, float]]:
    """Return the (ρ, η) that `likeliest_scales` tells apart."""
    return [(rho, nugget) for rho in FALL_OFFS for nugget in NUGGETS]


@lru_cache(maxsize=64)
def _odd_tables(n_units: int) -> torch.Tensor:
    """Return the covariances of odd parts by distance, ``(FALL_OFFS, n + 1)``."""
    return torch.stack(
        [torch.from_numpy(isotropic_kernel(n_units, rho).by_distance) for rho in FALL_OFFS]
    )


@lru_cache(maxsize=64)
def _even_tables(n_units: int) -> torch.Tensor:
    """Return the covariances of even parts by distance, ``(FALL_OFFS, n + 1)``."""
    table = krawtchouk(n_units)[2 : 2 * EVEN_ORDERS + 1 : 2]
    shares = [falling_shares(len(table) + 1, rho**2)[1:] for rho in FALL_OFFS]
    return torch.from_numpy(np.stack(shares) @ table) + MEAN_VARIANCE
