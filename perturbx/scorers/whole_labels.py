"""Labels as whole answers: one that begins another is less what goes on as the other one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from perturbx.typing import FloatArray

LEAST_LEFT = 2.0**-40
"""What is left of a label at least, in parts of it: rounding must not make it nothing."""


def whole_label_log_probs(
    labels: Sequence[Sequence[Hashable]], log_probs: Sequence[FloatArray]
) -> FloatArray:
    """Return the log-probability that an answer is each label, and none of the longer ones.

    Parameters
    ----------
    labels : sequence of sequences
        The tokens of each label, all different; those of "1" begin those of "10" to models that
        read digits one by one.
    log_probs : sequence of numpy.ndarray, (n_tokens,)
        What each token has behind those before it.

    Returns
    -------
    numpy.ndarray, (n_labels,)

    Examples
    --------
    >>> found = whole_label_log_probs(["1", "10", "2"], [[-1.0], [-1.0, -0.5], [-2.0]])
    >>> np.exp(found).round(3).tolist(), round(float(np.exp(-1.0) - np.exp(-1.5)), 3)
    ([0.145, 0.223, 0.135], 0.145)
    """
    tokens = [tuple(own) for own in labels]
    found = np.array([float(np.sum(own)) for own in log_probs])
    for i, own in enumerate(tokens):
        longer = [j for j in range(len(tokens)) if j != i and _begins(own, tokens[j])]
        # What begins with a longer label is a part of that already.
        nearest = [
            j for j in longer if not any(_begins(tokens[k], tokens[j]) for k in longer if k != j)
        ]
        goes_on = sum(float(np.exp(np.sum(log_probs[j][len(own) :]))) for j in nearest)
        found[i] += np.log(max(1.0 - goes_on, LEAST_LEFT))
    return found


def _begins(one: tuple[Hashable, ...], other: tuple[Hashable, ...]) -> bool:
    return other[: len(one)] == one
