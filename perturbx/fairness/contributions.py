"""What each word adds to each text's score, and what the words add to a gap between groups.

Shapley values add up to the score less the score of no words, so the mean score of a group is the
mean of those base values plus, for each word, the mean of what it adds; and the gap between two
groups is split into the differences of these, without a rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import scipy.sparse
from scipy.stats import t as student_t

from perturbx.explanations import Explanations
from perturbx.fairness.sampling import Sample
from perturbx.typing import FloatArray, IntArray

BASE: Final = "(base value)"
"""The row of a decomposition for the scores of the texts without any word."""

UNEXPLAINED: Final = "(not explained)"
"""The row for what the values leave of the scores: nothing, for Shapley values."""

SAMPLING: Final = "(sampling)"
"""The row for the gap of all texts less that of the texts explained."""

OTHER: Final = "other words"
"""The category of words that no lexicon knows."""

Categories = Callable[[str], Sequence[tuple[int, int, str]]]
"""A text to the spans in it that have a category."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each word adds to the score of one outcome, text by text.

    Parameters
    ----------
    words : tuple of (str, str)
        Each word, casefolded, with its category: a word of two meanings is two.
    values : scipy.sparse.csr_array, (n_texts, n_words)
        What it adds, all occurrences together.
    counts : scipy.sparse.csr_array, (n_texts, n_words)
        How often it occurs.
    scores, base_values : numpy.ndarray, (n_texts,)
        The score of each text, and that of it without any word.
    sample : Sample
        Which rows the texts are, and for how many each speaks.
    clusters : numpy.ndarray of int64, (n_texts,)
        Texts that stand or fall together.
    """

    words: tuple[tuple[str, str], ...]
    values: scipy.sparse.csr_array
    counts: scipy.sparse.csr_array
    scores: FloatArray
    base_values: FloatArray
    sample: Sample
    clusters: IntArray

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories of the words, each once."""
        return tuple(dict.fromkeys(category for _, category in self.words))

    @cached_property
    def category_values(self) -> scipy.sparse.csr_array:
        """The values ``(n_texts, n_categories)`` of all words of a category together."""
        place = {category: number for number, category in enumerate(self.categories)}
        columns = [place[category] for _, category in self.words]
        gather = scipy.sparse.csr_array(
            (np.ones(len(columns)), (np.arange(len(columns)), columns)),
            shape=(len(columns), len(place)),
        )
        return (self.values @ gather).tocsr()


def contributions(
    explanations: Explanations,
    output: int,
    categories: Categories,
    sample: Sample,
    clusters: IntArray,
) -> Contributions:
    """Return what the words add, from explanations of one output.

    Parameters
    ----------
    explanations : Explanations
        One per text of the sample.
    output : int
        The column that is read.
    categories : callable
        The spans of a text that have a category.
    sample : Sample
        Which rows the texts are.
    clusters : numpy.ndarray of int64, (n_texts,)
        Their clusters.
    """
    place: dict[tuple[str, str], int] = {}
    rows, columns, entries = [], [], []
    for row, explanation in enumerate(explanations):
        spans = categories(explanation.text)
        for unit, label in enumerate(explanation.units.labels):
            word = (label.casefold(), _category(explanation.units.first_spans[unit], spans))
            rows.append(row)
            columns.append(place.setdefault(word, len(place)))
            entries.append((explanation.values[unit, output], 1.0))
    numbers = np.array(entries, dtype=np.float64).reshape(-1, 2)
    shape = (len(explanations), len(place))
    values, counts = (
        scipy.sparse.coo_array((column, (rows, columns)), shape=shape).tocsr()
        for column in numbers.T
    )
    return Contributions(
        tuple(place),
        values,
        counts,
        np.array([explanation.scores[output] for explanation in explanations]),
        np.array([explanation.base_values[output] for explanation in explanations]),
        sample,
        clusters,
    )


def _category(span: tuple[int, int], spans: Sequence[tuple[int, int, str]]) -> str:
    start, stop = span
    for first, last, category in spans:
        if first < stop and start < last:
            return category
    return OTHER


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a comparison: the weights of its texts, which add up to 1."""

    weights: FloatArray

    @classmethod
    def of(cls, sample: Sample, is_member: Any) -> _Side:
        weights = sample.weights * is_member
        total = weights.sum()
        return cls(weights / total if total else weights)


def decompose(
    found: Contributions,
    in_a: Any,
    in_b: Any,
    *,
    level: float,
    gap: float | None = None,
    share: float = 1.0,
) -> dict[str, list[dict[str, Any]]]:
    """Split the gap between the mean scores of two groups into words and into categories.

    Parameters
    ----------
    found : Contributions
        What the words add to the texts.
    in_a, in_b : numpy.ndarray of bool, (n_texts,)
        Who belongs to which group; a text may belong to both.
    level : float
        Of the intervals.
    gap : float, optional
        The gap of all texts, of which those explained are a sample.
    share : float, default=1.0
        How large a part of all texts those are: of what sampling leaves, the standard error is that
        of the gap of the sample times ``sqrt(1 - share)``.

    Returns
    -------
    dict
        "words" and "categories": rows with ``word`` (or none), ``category``, ``contribution``,
        ``low``, ``high``, ``n_a``, ``n_b``; each list adds up to the gap.

    Notes
    -----
    The interval of a difference of weighted means is that of the linearised, cluster-robust
    variance, C / (C - 1) times the sum over the C clusters of the squared sums of
    ``w_i (x_i - mean)`` (Binder 1983, "On the variances of asymptotically normal estimators from
    complex surveys"), with Student's t of as many degrees of freedom as the side with fewer
    clusters has, less one; of a single one there is no interval. The errors of the attributions
    themselves are in it, as they make the texts differ more.
    """
    a, b = _Side.of(found.sample, in_a), _Side.of(found.sample, in_b)
    # A side of a single cluster has residuals that add up to nothing: that is no certainty.
    n_clusters = min(len(np.unique(found.clusters[side.weights > 0])) for side in (a, b))
    factor = float(student_t.ppf((1 + level) / 2, n_clusters - 1)) if n_clusters > 1 else np.nan

    def parts(values: Any) -> tuple[FloatArray, FloatArray]:
        return _difference(values, a.weights, b.weights, found.clusters)

    def row(word: str, category: str, value: float, error: float, n: Any) -> dict[str, Any]:
        half = factor * error
        return {
            "word": word,
            "category": category,
            "contribution": float(value),
            "low": float(value - half),
            "high": float(value + half),
            "n_a": int(n[0]),
            "n_b": int(n[1]),
        }

    texts = (int((a.weights > 0).sum()), int((b.weights > 0).sum()))
    base, base_error = parts(_column(found.base_values))
    rest, rest_error = parts(_column(found.scores - found.base_values - _sums(found.values)))
    special = [row(BASE, BASE, base[0], base_error[0], texts)]
    if abs(rest[0]) > 1e-9:
        special.append(row(UNEXPLAINED, UNEXPLAINED, rest[0], rest_error[0], texts))
    if gap is not None:
        own, own_error = parts(_column(found.scores))
        missed = gap - float(own[0])
        if abs(missed) > 1e-12:
            error = float(own_error[0] * np.sqrt(max(1 - share, 0.0)))
            special.append(row(SAMPLING, SAMPLING, missed, error, texts))

    holds = (found.counts > 0).T.astype(np.int64)
    in_words = [holds @ (side.weights > 0).astype(np.int64) for side in (a, b)]
    values, errors = parts(found.values)
    order = np.argsort(-np.abs(values), kind="stable")
    seen = [i for i in order if in_words[0][i] or in_words[1][i]]
    words = [
        row(word, category, values[i], errors[i], (in_words[0][i], in_words[1][i]))
        for i in seen
        for word, category in found.words[i : i + 1]
    ]
    gathered, gathered_errors = parts(found.category_values)
    categories = [
        row("", category, gathered[i], gathered_errors[i], texts)
        for i, category in enumerate(found.categories)
    ]
    return {"words": [*words, *special], "categories": [*categories, *special]}


def _column(values: FloatArray) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array(values[:, None])


def _sums(values: scipy.sparse.csr_array) -> FloatArray:
    return np.asarray(values.sum(axis=1), dtype=np.float64).ravel()


def _difference(
    values: scipy.sparse.csr_array,
    weights_a: FloatArray,
    weights_b: FloatArray,
    clusters: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Return weighted means of the columns in a less those in b, with their standard errors."""
    mean_a, mean_b = values.T @ weights_a, values.T @ weights_b
    _, cluster = np.unique(clusters, return_inverse=True)
    cluster = cluster.ravel()
    n_clusters = int(cluster.max(initial=-1)) + 1
    shape = (n_clusters, len(clusters))

    def gather(weights: FloatArray) -> scipy.sparse.csr_array:
        return scipy.sparse.csr_array((weights, (cluster, np.arange(len(cluster)))), shape=shape)

    # The sum over clusters of (A - B^a mean_a + B^b mean_b)², term by term: A is sparse.
    sums = (gather(weights_a - weights_b) @ values).tocsr()
    of_a = np.bincount(cluster, weights=weights_a, minlength=n_clusters)
    of_b = np.bincount(cluster, weights=weights_b, minlength=n_clusters)
    total = (
        np.asarray(sums.multiply(sums).sum(axis=0)).ravel()
        - 2 * mean_a * (sums.T @ of_a)
        + 2 * mean_b * (sums.T @ of_b)
        + mean_a**2 * (of_a @ of_a)
        + mean_b**2 * (of_b @ of_b)
        - 2 * mean_a * mean_b * (of_a @ of_b)
    )
    used = int(((of_a > 0) | (of_b > 0)).sum())
    variance = np.maximum(total, 0.0) * (used / max(used - 1, 1))
    # What is left of equal numbers by rounding is no error.
    variance[variance < 1e-24 * np.maximum(mean_a**2 + mean_b**2, 1e-300)] = 0.0
    return mean_a - mean_b, np.sqrt(variance)


def mean_attributions(
    found: Contributions, groups: Sequence[tuple[str, Any]], *, level: float
) -> list[dict[str, Any]]:
    """Return what a single occurrence of each identity term adds on average, group by group.

    Parameters
    ----------
    found : Contributions
        What the words add to the texts.
    groups : sequence of (str, numpy.ndarray of bool)
        Names of groups, and who belongs to them.
    level : float
        Of the intervals.
    """
    rows = []
    terms = [i for i, (_, category) in enumerate(found.words) if category != OTHER]
    values, counts = found.values.tocsc(), found.counts.tocsc()
    for number in terms:
        word, category = found.words[number]
        texts = counts.indices[counts.indptr[number] : counts.indptr[number + 1]]
        occurrences = counts.data[counts.indptr[number] : counts.indptr[number + 1]]
        worth = values[:, [number]].toarray().ravel()[texts]
        for group, is_member in groups:
            inside = np.asarray(is_member)[texts]
            weights = found.sample.weights[texts][inside]
            if not inside.any():
                continue
            below = weights * occurrences[inside]
            mean = float(weights @ worth[inside] / below.sum())
            cluster = np.unique(found.clusters[texts][inside], return_inverse=True)[1].ravel()
            parts = np.bincount(
                cluster, weights=(weights * worth[inside] - mean * below) / below.sum()
            )
            n_clusters = len(parts)
            error = np.nan
            if n_clusters > 1:
                error = float(np.sqrt(n_clusters / (n_clusters - 1) * np.sum(parts**2)))
                error *= float(student_t.ppf((1 + level) / 2, n_clusters - 1))
            rows.append(
                {
                    "word": word,
                    "category": category,
                    "group": group,
                    "attribution": mean,
                    "low": mean - error,
                    "high": mean + error,
                    "n": int(inside.sum()),
                }
            )
    return rows
