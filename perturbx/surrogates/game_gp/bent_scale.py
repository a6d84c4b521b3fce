"""Which scale makes a game of scores between two bounds simplest, by any rows of it.

The scales are those of `perturbx.surrogates.gaussian.scales`, of scores in parts of their range in
the table. Here no row needs its complement, so the likelihood of a scale
is that of the whole game under processes that depend on distances alone.
"""

from __future__ import annotations

import torch

from perturbx.surrogates.game_gp.posterior import CONSTANT
from perturbx.surrogates.game_gp.whole_game import some_rows
from perturbx.surrogates.gaussian.model_grid import distances, evidence_by_table
from perturbx.surrogates.gaussian.scales import Scales
from perturbx.symmetric_kernels import falling_shares, krawtchouk

MARGINS = (0.003, 0.01, 0.05, 0.2, 0.8)
"""How far the bounds are beyond the ends of the scores, in parts of the range."""

FALL_OFFS = (0.1, 0.25, 0.45, 0.65)
MOST_ROWS = 300


def likeliest_scales(masks: torch.Tensor, values: torch.Tensor) -> tuple[Scales, torch.Tensor]:
    """Return the likeliest bent scale of each column, and its log odds against the straight one.

    Parameters
    ----------
    masks : torch.Tensor of bool, (R, n)
        The rows.
    values : torch.Tensor, (R, c)
        Their scores. The odds are minus infinity where all are equal.
    """
    n_units = masks.shape[1]
    low, high = values.amin(0), values.amax(0)
    flat = high - low <= 1e-12 * values.abs().amax(0)
    high = torch.where(flat, low + 1.0, high)
    rows = some_rows(len(masks), MOST_ROWS)
    part = (values[rows] - low) / (high - low)

    below, above = torch.cartesian_prod(*[torch.tensor(MARGINS, dtype=torch.float64)] * 2).T
    to_low, to_high = part[None] + below[:, None, None], 1.0 - part + above[:, None, None]
    u = torch.cat([part[None], to_low.log() - to_high.log()])
    slope = torch.cat([torch.zeros_like(part)[None], (1.0 / to_low + 1.0 / to_high).log()])
    spread = u.std(1, keepdim=True, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    columns = ((u - u.mean(1, keepdim=True)) / spread).movedim(1, 0).flatten(1)

    orders = krawtchouk(n_units)
    shares = [falling_shares(len(orders), rho) for rho in FALL_OFFS]
    tables = [torch.from_numpy(own @ orders + CONSTANT) for own in shares]
    logs = [own for _, own, _ in evidence_by_table(distances(masks[rows]), columns, tables)]
    evidence = torch.cat(logs).logsumexp(0).view(len(u), -1)
    evidence = evidence + slope.sum(1) - len(part) * spread.log()[:, 0]
    best = evidence[1:].argmax(0)
    odds = evidence[1:].amax(0) - evidence[0]
    return Scales(low, high, below[best], above[best]), odds.masked_fill(flat, -torch.inf)
