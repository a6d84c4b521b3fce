"""How much a share of sampled answers may be off, from all answers of a table together."""

from __future__ import annotations

import numpy as np

from perturbx.typing import FloatArray, IntArray, MaskMatrix, ScoreMatrix

PENALTY = 0.1
"""The inverse of the penalty on the line's weights: with one answer a mask it must be stiff."""

PRIOR_ANSWERS = 20.0
"""How many answers the line's prediction counts for beside those of the mask itself. On exact
games with 12 and 14 units, 8 and 20 gave the smallest errors and intervals that hold."""

LEAST = 1e-4
"""The least variance of a single answer."""


def vote_variances(masks: MaskMatrix, shares: ScoreMatrix, samples: IntArray) -> ScoreMatrix:
    """Return the variance of each share of sampled answers; never 0.

    A mask that was asked once has a share of 0 or 1, of which its own variance p (1 - p) / r says
    nothing. So a line of the units through all answers (logistic, with a penalty) predicts p, and
    counts as so many answers beside those of the mask: with the Beta distribution that this makes
    for p, the variance is E[p (1 - p)] / r.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (n_masks, n_units)
        The masks.
    shares : numpy.ndarray, (n_masks, n_outputs)
        The share of the answers that name each output.
    samples : numpy.ndarray of int64, (n_masks,)
        The answers to each mask.

    Returns
    -------
    numpy.ndarray, (n_masks, n_outputs)

    Examples
    --------
    >>> masks = np.array([[True], [False]])
    >>> vote_variances(masks, np.array([[1.0], [0.0]]), np.array([1, 1])).round(2)
    array([[0.24],
           [0.24]])
    """
    variances = np.empty_like(shares)
    for output in range(shares.shape[1]):
        votes = shares[:, output] * samples
        predicted = _predicted(masks, votes, samples)
        for_it = votes + PRIOR_ANSWERS * predicted
        against = samples - votes + PRIOR_ANSWERS * (1.0 - predicted)
        both = for_it + against
        spread = for_it * against / (both * (both + 1.0))
        variances[:, output] = np.maximum(spread, LEAST) / samples
    return variances


def _predicted(masks: MaskMatrix, votes: FloatArray, samples: IntArray) -> FloatArray:
    """Return the probability ``(n_masks,)`` that a logistic line of the units expects."""
    from sklearn.linear_model import LogisticRegression

    # Half an answer for and against, spread over the masks: no class is empty.
    share = 0.5 / len(masks)
    if not masks.shape[1]:
        return np.full(len(masks), (votes.sum() + 0.5) / (samples.sum() + 1.0))
    rows = np.concatenate([masks, masks]) * 2.0 - 1.0
    weights = np.concatenate([votes + share, samples - votes + share])
    named = np.repeat([1, 0], len(masks))
    line = LogisticRegression(C=PENALTY).fit(rows, named, sample_weight=weights)
    predicted: FloatArray = line.predict_proba(masks * 2.0 - 1.0)[:, 1]
    return predicted
