"""What a process learns that knows how relevant each unit is: its parameters and their priors.

The priors are normal, of log b_i around the mean of all log b_i, of that mean, of log η, of the
logits of w and of log c; 1.5 and 3 are what B = Σ b_i and cn are expected to be, whatever n.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
import torch

from perturbx.typing import FloatArray

MEAN_RELEVANCE, SPREAD_OF_MEAN = 1.5, 1.5
NUGGET, SPREAD_OF_NUGGET = 3e-3, 3.0
SPREAD_OF_LOGITS = 2.0
FALL_OFF, SPREAD_OF_FALL_OFF = 3.0, 1.0


@dataclass(frozen=True, eq=False)
class Parameters:
    """What such a process learns, for b problems.

    Parameters
    ----------
    relevances : torch.Tensor, (b, n)
        b_i.
    nugget, fall_off : torch.Tensor, (b,)
        η and c.
    weights : torch.Tensor, (b, 3)
        w, adding up to 1.
    scale : torch.Tensor, (b,), optional
        σ²; None where it is profiled out.
    """

    relevances: torch.Tensor
    nugget: torch.Tensor
    weights: torch.Tensor
    fall_off: torch.Tensor
    scale: torch.Tensor | None = None

    @classmethod
    def unpack(cls, point: torch.Tensor, n_units: int) -> Parameters:
        """Return the parameters at ``(b, n + 5)``: log b, log η, logits of w, log c.

        Log σ² follows where the values are noisy, ``(b, n + 6)``.
        """
        # A few numbers, of which numpy is done sooner than torch. All logits are small.
        positive = torch.from_numpy(np.exp(point.numpy()))
        weights = positive[:, n_units + 1 : n_units + 4]
        weights = torch.from_numpy(weights.numpy() / weights.numpy().sum(1, keepdims=True))
        scale = positive[:, n_units + 5] if point.shape[1] > n_units + 5 else None
        return cls(
            positive[:, :n_units], positive[:, n_units], weights, positive[:, n_units + 4], scale
        )


@lru_cache(maxsize=256)
def prior_means(n_units: int) -> torch.Tensor:
    """Return the means of the priors, ``(n + 5,)``."""
    values = [log(MEAN_RELEVANCE / n_units)] * n_units
    values += [log(NUGGET), 0.0, 0.0, 0.0, log(FALL_OFF / n_units)]
    return torch.tensor(values, dtype=torch.float64)


def inner(one: torch.Tensor, other: torch.Tensor) -> FloatArray:
    """Return the sums ``(b,)`` of the products of the entries of matrices ``(b, R, Q)``."""
    sums: FloatArray = np.einsum("bij,bij->b", one.numpy(), other.numpy())
    return sums
