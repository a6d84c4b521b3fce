"""LIME's line through few units, from its line through all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perturbx.surrogates.attribution import Attribution
from perturbx.symmetric_kernels import lime_size_weights


def keep_largest(attribution: Attribution, n_features: int, kernel_width: float) -> Attribution:
    """Return the line fitted anew to the units with the largest absolute values.

    Under LIME's law all units have one variance and all pairs one covariance, so the fit to the
    chosen ones is a linear function of the values: each gets an equal part of what the others
    explained through them. Errors are those for this choice.

    Parameters
    ----------
    attribution : Attribution
        LIME's line through all units; its covariance is dropped where it has none.
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

    values, errors = np.zeros_like(attribution.values), np.zeros_like(attribution.values)
    covariance = np.zeros((attribution.n_outputs, n_units, n_units))
    for output, own in enumerate(attribution.values.T):
        chosen = np.zeros(n_units, dtype=bool)
        chosen[np.argsort(-np.abs(own), kind="stable")[:n_features]] = True
        refit = np.diag(chosen.astype(float)) + passed_on * np.outer(chosen, ~chosen)
        values[:, output] = refit @ own
        if attribution.covariance is not None:
            covariance[output] = refit @ attribution.covariance[output] @ refit.T
            errors[:, output] = np.sqrt(np.maximum(np.diagonal(covariance[output]), 0.0))
        else:
            # Above so many units what each gets of the others is small beside its own value.
            errors[chosen, output] = attribution.std_errors[chosen, output]
    return replace(
        attribution,
        values=values,
        base_values=attribution.base_values + mean * (attribution.values - values).sum(axis=0),
        std_errors=errors,
        covariance=None if attribution.covariance is None else covariance,
    )
