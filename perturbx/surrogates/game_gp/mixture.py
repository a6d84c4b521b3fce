"""All models of a game: A and B on the straight scale, C beside them on a bent one."""

from __future__ import annotations

import torch

from perturbx.surrogates.game_gp.bent_scale import likeliest_scales
from perturbx.surrogates.game_gp.bounded import fit_bounded
from perturbx.surrogates.game_gp.further_masks import order_of_units
from perturbx.surrogates.game_gp.isotropic import fit_isotropic
from perturbx.surrogates.game_gp.posterior import Posterior
from perturbx.surrogates.game_gp.relevance import fit_relevance
from perturbx.surrogates.gaussian.scales import LEAST_ODDS
from perturbx.symmetric_kernels import SymmetricFunctional

SHARE_OF_RELEVANCE = 2.0 / 3.0
"""The weight of the process that learns relevances; on games of texts and images it has the lesser
error, and both together the least."""


def fit_mixture(
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
        The variance of the values that is noise. Where there is some the scale stays straight.

    Returns
    -------
    Posterior
        Values and covariance.
    residuals : torch.Tensor, (T, R, k)
        Of the likeliest isotropic model.
    """
    isotropic, left_out = fit_isotropic(functional, masks, values, noise)
    relevance = fit_relevance(functional, masks, values, noise)
    share = torch.full(noise.shape, SHARE_OF_RELEVANCE, dtype=torch.float64)
    posterior = _mean_of(isotropic, relevance, share)
    for text, own in enumerate(masks):
        scales, odds = likeliest_scales(own, values[text])
        is_bent = (odds > LEAST_ODDS) & (noise[text] == 0.0)
        if not is_bent.any():
            continue
        order = order_of_units(own)
        bounded, share = fit_bounded(
            functional, own[:, order], values[text][:, is_bent], scales.of(is_bent)
        )
        bounded = bounded.reordered(order.argsort())
        straight = Posterior(posterior.values[text, is_bent], posterior.covariance[text, is_bent])
        both = _mean_of(straight, bounded, share)
        posterior.values[text, is_bent] = both.values
        posterior.covariance[text, is_bent] = both.covariance
    return posterior, left_out


def _mean_of(one: Posterior, other: Posterior, share: torch.Tensor) -> Posterior:
    """Return the mean of two models, by the other's shares, with what sets them apart."""
    share = share[..., None]
    off = other.values - one.values
    mean = one.values + share * off
    share, off = share[..., None], off[..., :-1]
    covariance = one.covariance.lerp(other.covariance, share)
    covariance += share * (1.0 - share) * off[..., :, None] * off[..., None, :]
    return Posterior(mean, covariance)
