"""LIME's line through few units, from its line through all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perturbx.surrogates.attribution import Attribution
from perturbx.symmetric_kernels import lime_size_weights
from perturbx.typing import FloatArray

DRAWS = 500
"""Pairs of opposite draws behind the errors, which are then 2 to 3% off."""


def keep_largest(attribution: Attribution, n_features: int, kernel_width: float) -> Attribution:
    """Return the line fitted anew to the units with the largest absolute values.

    Under LIME's law all units have one variance and all pairs one covariance, so the fit to the
    chosen ones is a linear function of the values: each gets an equal part of what the others
    explained through them.

    Errors are those of the choice, too: values are drawn from their errors' distribution, and the
    line is fitted anew to the largest of each draw. With the choice taken for granted, intervals of
    95% for three of ten units held all values at once in 55 to 85% of the runs with 3 rows a unit,
    and whichever units were chosen passed for the three largest.

    Parameters
    ----------
    attribution : Attribution
        LIME's line through all units; where it has no covariance, neither has the result.
    n_features : int
        How many units are chosen for each output, fewer than there are.
    kernel_width : float
        The width of the kernel.
    """
    n_units = attribution.n_units
    kept = np.arange(n_units + 1.0)
    weights = lime_size_weights(n_units, kernel_width)
    mean = weights @ kept / n_units
    both = weights @ (kept * (kept - 1.0)) / (n_units * (n_units - 1))
    between = both - mean**2
    passed_on = between / (mean - both + n_features * between)

    def refitted(lines: FloatArray) -> FloatArray:
        """Return lines ``(m, n_units)`` through all units as lines through few."""
        largest = np.argsort(-np.abs(lines), axis=1, kind="stable")[:, :n_features]
        chosen = np.zeros(lines.shape, dtype=bool)
        np.put_along_axis(chosen, largest, True, axis=1)
        others = np.where(chosen, 0.0, lines).sum(axis=1, keepdims=True)
        return np.where(chosen, lines + passed_on * others, 0.0)

    values = refitted(attribution.values.T).T
    draws = np.random.default_rng(0).standard_normal((DRAWS, n_units))
    draws = np.concatenate([draws, -draws])
    errors = np.empty_like(values)
    covariances: list[FloatArray] = []
    for output, own in enumerate(attribution.values.T):
        if attribution.covariance is None:
            drawn = draws * attribution.std_errors[:, output]
        else:
            squares, axes = np.linalg.eigh(attribution.covariance[output])
            drawn = draws @ ((axes * np.sqrt(np.maximum(squares, 0.0))) @ axes.T)
        off = refitted(own + drawn) - values[:, output]
        errors[:, output] = np.sqrt(np.square(off).mean(axis=0))
        if attribution.covariance is not None:
            covariances.append(off.T @ off / len(off))
    return replace(
        attribution,
        values=values,
        base_values=attribution.base_values + mean * (attribution.values - values).sum(axis=0),
        std_errors=errors,
        covariance=np.stack(covariances) if covariances else None,
    )
