"""All models of a game without noise: A and B on the straight scale, A and C on a bent one."""

from __future__ import annotations

import torch

from perturbx.surrogates.gaussian.scales import LEAST_ODDS, Scales
from perturbx.surrogates.odd_gp.averaging import average, average_bounded
from perturbx.surrogates.odd_gp.bounded import (
    LEAST_GAIN,
    STEPS_OF_ODD,
    Bent,
    fit_bounded,
    of_size_one,
)
from perturbx.surrogates.odd_gp.isotropic import fit_isotropic
from perturbx.surrogates.odd_gp.links import likeliest_scales
from perturbx.surrogates.odd_gp.odd_part import order_by_rows, same_masks
from perturbx.surrogates.odd_gp.posterior import Posterior
from perturbx.surrogates.odd_gp.relevance import fit_relevance, points_of, posterior_at

MANY_PAIRS = 12
"""With more pairs a unit, model B counts beside model C, too: with fewer it adds little to A (1%
less error at 10 pairs a unit, 2 to 6% at 25), and its relevances take a sixth of the time."""


def fit_mixture(masks: torch.Tensor, values: torch.Tensor, means: torch.Tensor) -> Posterior:
    """Return the posterior of T texts with P pairs and k outputs each.

    Parameters
    ----------
    masks : torch.Tensor of bool, (T, P, n)
        One coalition of each pair.
    values, means : torch.Tensor, (T, P, k)
        ½[v(S) - v(N∖S)], not all 0, and ½[v(S) + v(N∖S)].
    """
    # Texts with the same design share what follows from it.
    order = order_by_rows(masks)
    masks = masks.gather(2, order[:, None].expand_as(masks))
    isotropic = fit_isotropic(masks, values)
    n_texts, n_pairs, n_outputs = values.shape
    low, high, below, above, odds = torch.empty((5, n_texts, n_outputs), dtype=torch.float64)
    straight = torch.empty((n_texts, n_outputs), dtype=torch.int64)
    for own_masks, texts in same_masks(masks):
        columns = [each[texts].movedim(1, 0).reshape(n_pairs, -1) for each in (values, means)]
        scales, of_texts, models = likeliest_scales(own_masks, *columns)
        parts = (scales.low, scales.high, scales.below, scales.above, of_texts, models)
        for whole, part in zip((low, high, below, above, odds, straight), parts, strict=True):
            whole[texts] = part.view(len(texts), n_outputs)

    is_bent = odds > LEAST_ODDS
    posterior = isotropic.like()
    at = (~is_bent).nonzero(as_tuple=True)
    if len(at[0]):
        own = fit_relevance(masks[at[0]], values[at[0], :, at[1]][:, :, None])
        posterior.put(at, average(isotropic.of(at), own))
    at = is_bent.nonzero(as_tuple=True)
    if len(at[0]):
        own_masks, on_straight = masks[at[0]], isotropic.of(at)
        odd, even = (part[at[0], :, at[1]] for part in (values, means))
        bent = Bent.of_scores(odd, even, Scales(low[at], high[at], below[at], above[at]))
        targets = [of_size_one(bent.odd)]
        if n_pairs > MANY_PAIRS * masks.shape[2]:
            targets.append(odd)
        points = points_of(
            own_masks.repeat(len(targets), 1, 1),
            torch.cat(targets),
            most_steps=STEPS_OF_ODD,
            least_gain=LEAST_GAIN,
        )
        if len(targets) > 1:
            own = posterior_at(points[len(odd) :], own_masks, odd)
            on_straight = average(on_straight, own)
        bounded = fit_bounded(own_masks, odd, bent, points[: len(odd)], straight[at])
        posterior.put(at, average_bounded(on_straight, *bounded))
    return posterior.reordered(order.argsort(dim=1))
