"""Samplers by name."""

from __future__ import annotations

from perturbx.coalitions.bernoulli import GlimeSizes, LimeSizes, Uniform
from perturbx.coalitions.exhaustive import Exhaustive
from perturbx.coalitions.kernel import Kernel
from perturbx.coalitions.leave_one_out import LeaveOneOut
from perturbx.coalitions.leverage import Leverage
from perturbx.coalitions.odd_pairs import OddPairs
from perturbx.coalitions.owen import Owen
from perturbx.coalitions.permutation import Permutation
from perturbx.coalitions.sampler import BatchSampler
from perturbx.exceptions import ArgumentError
from perturbx.typing import Sampler

SAMPLERS: dict[str, type[BatchSampler]] = {
    sampler.name: sampler
    for sampler in (
        Exhaustive,
        Leverage,
        OddPairs,
        Kernel,
        Permutation,
        Owen,
        Uniform,
        LimeSizes,
        GlimeSizes,
        LeaveOneOut,
    )
}
"""The samplers of this package; each works without arguments."""


def as_sampler(sampler: str | Sampler) -> Sampler:
    """Return the sampler of a name, or the sampler itself.

    Parameters
    ----------
    sampler : str or Sampler
        One of the names in `SAMPLERS`, or any object with
        ``sample(players, budget, generator)``.

    Returns
    -------
    Sampler
        With default options where a name was given.

    Raises
    ------
    ArgumentError
        If the name is unknown, or the object cannot sample.

    Examples
    --------
    >>> as_sampler("leverage")
    Leverage()
    """
    if isinstance(sampler, str):
        if sampler in SAMPLERS:
            return SAMPLERS[sampler]()
    elif isinstance(sampler, Sampler) and not isinstance(sampler, type):
        return sampler
    raise ArgumentError(
        f"sampler: expected one of {', '.join(map(repr, SAMPLERS))}, or an object with "
        f"sample(players, budget, generator); got {sampler!r}"
    )
