"""Weights for training anew in which groups and labels are independent, and what they would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from perturbx.fairness.effects import folds_of
from perturbx.fairness.remedies import Case
from perturbx.typing import FloatArray, IntArray

REMEDY: Final = "training anew with reweighed rows"
MOST_ROWS: Final = 20_000


def reweighing(case: Case) -> tuple[list[dict[str, Any]], FloatArray]:
    """Return the weight of each group and label, and that of each row.

    ``w(g, y) = P(g) P(y) / P(g, y)`` (Kamiran & Calders 2012, "Data preprocessing techniques for
    classification without discrimination", as in AIF360's Reweighing). A row of several groups has
    the mean of their weights, one of none or without a label the weight 1.

    Parameters
    ----------
    case : Case
        Groups and labels.

    Returns
    -------
    rows : list of dict
        The table of weights; empty without labels.
    weights : numpy.ndarray, (n_rows,)
        The weight of each row.
    """
    judged = case.judged
    ones = np.ones(len(judged))
    if judged.labels is None or judged.decisions is None or len(case.groups) < 2:
        return [], ones
    members = case.members.astype(np.float64)
    counts = np.stack([members.T @ (judged.labels == side) for side in (1.0, 0.0)])
    total = counts.sum()
    # Of a table of groups and labels: the product of the margins over the cell.
    weight = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / (total * counts)
    rows = [
        {
            "attribute": case.attribute.name,
            "outcome": case.outcome,
            "group": case.attribute.groups[group],
            "label": label,
            "weight": float(weight[side, number]),
            "n": int(counts[side, number]),
        }
        for number, group in enumerate(case.groups)
        for side, label in enumerate(("positive", "negative"))
    ]
    n_groups = np.diff(case.members.indptr)
    of_row = np.where(judged.labels == 1, members @ weight[0], members @ weight[1])
    known = (n_groups > 0) & np.isfinite(judged.labels)
    return rows, np.where(known, of_row / np.maximum(n_groups, 1), 1.0)


def reweighing_advice(
    case: Case,
    weights: FloatArray,
    rows: IntArray,
    row_weights: FloatArray,
    texts: Sequence[str],
    model: Any,
) -> list[dict[str, Any]]:
    """Return what training anew with such weights would do, on texts left out of the training.

    A scikit-learn pipeline is trained anew itself; what cannot be is stood in for by TF-IDF with
    logistic regression, trained without the weights and with them.

    Parameters
    ----------
    case : Case
        Groups, labels and decisions.
    weights : numpy.ndarray, (n_rows,)
        See `reweighing`.
    rows, row_weights : numpy.ndarray, (n,)
        The rows whose texts are given, and for how many each speaks.
    texts : sequence of str
        Those texts.
    model : object
        The model that is audited.
    """
    labels = case.judged.labels
    if labels is None or case.judged.decisions is None or len(case.groups) < 2:
        return []
    known = np.flatnonzero(np.isfinite(labels[rows]))[:MOST_ROWS]
    rows, row_weights = rows[known], row_weights[known]
    truth = labels[rows].astype(int)
    if len(np.unique(truth)) < 2:
        return []
    chosen = [texts[i] for i in known]
    fold = folds_of(len(rows), None if case.clusters is None else case.clusters[rows], case.seed)
    estimator, parameter, basis = _estimator(model)
    decided = {}
    for name, factor in (("before", np.ones(len(rows))), ("after", weights[rows])):
        found = np.empty(len(rows))
        for half in (0, 1):
            train, test = np.flatnonzero(fold != half), np.flatnonzero(fold == half)
            if len(np.unique(truth[train])) < 2 or not len(test):
                return []
            try:
                fitted = _fitted(
                    estimator,
                    [chosen[i] for i in train],
                    truth[train],
                    parameter,
                    (factor * row_weights)[train],
                )
                said = fitted.predict([chosen[i] for i in test])
                found[test] = np.asarray(said, dtype=np.float64)
            except Exception as error:
                # Half of the texts may have no word in common, a step of the user's own may not be
                # trained by a copy of it: no reason to end an audit that is paid for.
                return _without_estimate(case, rows, row_weights, basis, error)
        decided[name] = case.effects(found, rows=rows, weights=row_weights)
    return [
        case.row(
            REMEDY,
            metric,
            decided["before"][metric],
            decided["after"][metric],
            basis=basis,
            detail="trained on one half, judged on the other; the figure before is that of the "
            "same training without weights",
            n=len(rows),
        )
        for metric in decided["before"]
    ]


def _without_estimate(
    case: Case, rows: IntArray, row_weights: FloatArray, basis: str, error: Exception
) -> list[dict[str, Any]]:
    decisions = case.judged.decisions
    assert decisions is not None
    now = case.effects(decisions[rows], rows=rows, weights=row_weights)
    detail = f"no estimate: {error}"
    return [
        case.row(REMEDY, metric, now[metric], None, basis=basis, detail=detail, n=len(rows))
        for metric in now
    ]


def _estimator(model: Any) -> tuple[Any, str, str]:
    """Return what is trained, the name of its parameter for weights, and what it is."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.utils.validation import has_fit_parameter

    if isinstance(model, Pipeline) and has_fit_parameter(model.steps[-1][1], "sample_weight"):
        return model, f"{model.steps[-1][0]}__sample_weight", "the same pipeline, trained anew"
    # Pairs of characters see what words are in scripts without spaces.
    stand_in = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), max_features=50_000),
        LogisticRegression(C=10, max_iter=1000),
    )
    basis = "a stand-in (TF-IDF and logistic regression), as the model cannot be trained here"
    return stand_in, "logisticregression__sample_weight", basis


def _fitted(
    estimator: Any, texts: list[str], truth: IntArray, parameter: str, weights: FloatArray
) -> Any:
    from sklearn.base import clone

    return clone(estimator).fit(texts, truth, **{parameter: weights})
