"""Links: the scale on which a score is explained, from the scorer's own number."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp, softmax

from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.typing import Link, ScoreKind, ScoreMatrix

LINKS: tuple[Link, ...] = ("identity", "probability", "log_prob", "log_odds")

CLIP = 1e-12
"""Probabilities are kept this far from 0 and 1 before a logarithm, so a sure answer is finite."""


TINY = 1e-300
"""The smallest -log p, where a log-probability was rounded to 0."""


def apply_link(
    values: ScoreMatrix,
    variances: ScoreMatrix | None,
    *,
    link: Link,
    kind: ScoreKind,
    exclusive: bool,
) -> tuple[ScoreMatrix, ScoreMatrix | None]:
    """Return the scores on the scale of `link`, and their variances by the delta method.

    Parameters
    ----------
    values : numpy.ndarray, (n_variants, n_outputs)
        The scorer's own numbers, all outputs of them (a softmax needs every class).
    variances : numpy.ndarray, (n_variants, n_outputs), optional
        Their variances.
    link : {"identity", "probability", "log_prob", "log_odds"}
        The scale that is wanted.
    kind : {"logit", "probability", "log_prob", "value"}
        What the numbers are. A "value" counts as a probability where all values lie in [0, 1].
    exclusive : bool
        Logits of mutually exclusive classes go through a softmax, others through a sigmoid.

    Raises
    ------
    ArgumentError
        `link` is unknown.
    CapabilityError
        The numbers cannot be read as probabilities.

    Examples
    --------
    >>> values, _ = apply_link(
    ...     np.array([[0.0, 0.0]]), None, link="probability", kind="logit", exclusive=True
    ... )
    >>> values
    array([[0.5, 0.5]])
    """
    if link not in LINKS:
        raise ArgumentError(f"link: expected one of {', '.join(LINKS)}; got {link!r}")
    if link == "identity":
        return values, variances
    if kind == "logit":
        return _from_logits(values, variances, link, exclusive and values.shape[1] > 1)
    if kind == "log_prob":
        return _from_log_probs(values, variances, link)
    if kind == "similarity":
        raise CapabilityError(
            f"link={link!r}: needs probabilities, and a similarity of texts is none; use "
            f"link='identity'"
        )
    if values.size and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 1):
        raise CapabilityError(
            f"link={link!r}: needs probabilities, and this model's numbers run from "
            f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}; use link='identity'"
        )
    return _from_probabilities(values, variances, link)


def _from_logits(
    values: ScoreMatrix, variances: ScoreMatrix | None, link: Link, classes: bool
) -> tuple[ScoreMatrix, ScoreMatrix | None]:
    log_p = log_softmax(values, axis=1) if classes else log_expit(values)
    p = np.exp(log_p)
    if link == "probability":
        out, factor = (softmax(values, axis=1) if classes else expit(values)), p
    elif link == "log_prob":
        out, factor = log_p, np.ones_like(p)
    else:
        out, factor = _log_odds(values) if classes else values, 1 / np.maximum(1 - p, CLIP)
    if variances is None:
        return out, None
    if not classes:
        return out, _scaled(variances, factor * (1 - p))
    jacobian = factor[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
    return out, np.einsum("mij,mj->mi", jacobian**2, variances)


def _log_odds(values: ScoreMatrix) -> ScoreMatrix:
    """Return each logit less the log-sum-exp of the others, without forming 1 - p."""
    others = np.where(np.eye(values.shape[1], dtype=bool), -np.inf, values[:, None, :])
    result: ScoreMatrix = values - logsumexp(others, axis=2)
    return result


def _from_log_probs(
    values: ScoreMatrix, variances: ScoreMatrix | None, link: Link
) -> tuple[ScoreMatrix, ScoreMatrix | None]:
    """Return the scores without rounding 1 - p: a sure answer has finite log-odds."""
    p = np.exp(values)
    if link == "log_prob":
        return values, variances
    if link == "probability":
        return p, _scaled(variances, p)
    rest = -np.expm1(np.minimum(values, -TINY))
    return values - np.log(rest), _scaled(variances, 1 / np.maximum(rest, CLIP))


def _from_probabilities(
    values: ScoreMatrix, variances: ScoreMatrix | None, link: Link
) -> tuple[ScoreMatrix, ScoreMatrix | None]:
    if link == "probability":
        return values, variances
    if variances is not None and ((values <= 0) | (values >= 1))[variances > 0].any():
        raise CapabilityError(
            f"link={link!r}: shares of sampled answers can be 0 or 1, which have no logarithm; use "
            f"link='probability'"
        )
    p = np.clip(values, CLIP, 1 - CLIP)
    if link == "log_prob":
        return np.log(p), _scaled(variances, 1 / p)
    return logit(p), _scaled(variances, 1 / (p * (1 - p)))


def _scaled(variances: ScoreMatrix | None, slope: ScoreMatrix) -> ScoreMatrix | None:
    return None if variances is None else variances * slope**2
