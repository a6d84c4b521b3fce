"""A fitted scikit-learn estimator that takes texts, as a scorer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.scorers.outputs import checked, checked_names, default_names, texts_of
from perturbx.scorers.scores import Scores
from perturbx.typing import InputKind, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants

Method = Literal["predict_proba", "decision_function", "predict"]
METHODS: tuple[Method, ...] = ("predict_proba", "decision_function", "predict")


class SklearnScorer:
    """A fitted estimator or pipeline, by the most telling of its methods.

    ``predict_proba`` gives probabilities named by ``classes_``; else ``decision_function`` gives
    margins (one column, named by the second class, where there are two classes); else ``predict``
    gives a regressor's numbers, or a vote of 0 or 1 for each class of a classifier. Where several
    labels can hold at once, each is a column; with several outputs, each output of two classes is
    one column: that of its second class.

    Parameters
    ----------
    estimator : estimator
        Fitted on texts; anything with one of the three methods will do.
    output_names : sequence of str, optional
        A name per output, instead of the estimator's classes.
    name : str, optional
        A name for the record; the class names of the estimator otherwise.

    Raises
    ------
    ArgumentError
        If the estimator is not fitted or cannot predict.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from perturbx.maskers.variants import Variants
    >>> model = make_pipeline(CountVectorizer(), MultinomialNB())
    >>> scorer = SklearnScorer(model.fit(["good film", "bad film"], ["pos", "neg"]))
    >>> scorer.output_names
    ('neg', 'pos')
    >>> scorer.score(Variants(texts=["good"])).values.round(2)
    array([[0.33, 0.67]])
    """

    accepts: tuple[InputKind, ...] = ("text",)

    def __init__(
        self,
        estimator: Any,
        *,
        output_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        _check_fitted(estimator)
        self.estimator = estimator
        self.model_id = _name(estimator) if name is None else name
        self._reading = _reading(estimator)
        known = self._reading.names
        self._given_names = checked_names(output_names, None if known is None else len(known))
        self._n_outputs = None if known is None else len(known)

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """Return the classes, or the names given; None before the first score of a regressor."""
        if self._given_names is not None or self._n_outputs is None:
            return self._given_names
        return self._reading.names or default_names(self._n_outputs)

    @property
    def kind(self) -> ScoreKind:
        """Return "probability", or "value" for margins and regressors."""
        return self._reading.kind

    @property
    def exclusive(self) -> bool:
        """Return whether exactly one class holds; False where several labels can."""
        return self._reading.exclusive

    def score(self, variants: Variants) -> Scores:
        """Return one row of numbers per variant.

        Raises
        ------
        ScoringError
            If the estimator returns something that is no score for each text.
        """
        texts = texts_of(variants, self.model_id)
        if not texts:
            values = np.empty((0, self._n_outputs or 0))
            return Scores(values, kind=self.kind, exclusive=self.exclusive)
        with warnings.catch_warnings():
            # about feature names and the like: said at fitting time, once is enough
            warnings.filterwarnings("ignore", module=r"sklearn\b")
            answer = getattr(self.estimator, self._reading.method)(texts)
        values = checked(
            self._reading.columns(answer),
            len(texts),
            self._n_outputs,
            source=self.model_id,
        )
        checked_names(self._given_names, values.shape[1])
        self._n_outputs = values.shape[1]
        return Scores(values, kind=self.kind, exclusive=self.exclusive)

    def __repr__(self) -> str:
        return f"SklearnScorer({self.model_id}, method={self._reading.method!r})"


@dataclass(frozen=True, eq=False)
class _Reading:
    """How an estimator is asked, and how its answer becomes columns.

    `targets` holds the classes of each output: one array for most classifiers, several for a
    multi-output one, none for a regressor.
    """

    method: Method
    targets: list[np.ndarray]
    names: tuple[str, ...] | None
    multilabel: bool

    @property
    def kind(self) -> ScoreKind:
        is_vote = self.method == "predict" and bool(self.targets)
        return "probability" if self.method == "predict_proba" or is_vote else "value"

    @property
    def exclusive(self) -> bool:
        return not self.multilabel and len(self.targets) < 2

    def columns(self, answer: Any) -> Any:
        """Return the answer as ``(m, n_outputs)``."""
        if self.method == "predict" and self.targets and not self.multilabel:
            predicted = np.asarray(answer).reshape(-1, len(self.targets))
            votes = [
                predicted[:, [output]] == classes for output, classes in enumerate(self.targets)
            ]
            return votes[0] if self.exclusive else _positive_columns(votes)
        if self.method == "predict_proba" and len(self.targets) > 1 and isinstance(answer, list):
            return _positive_columns(answer)
        return answer


def _reading(estimator: Any) -> _Reading:
    method = next((name for name in METHODS if callable(getattr(estimator, name, None))), None)
    if method is None:
        raise ArgumentError(
            f"model: {_name(estimator)} has no predict_proba, decision_function or predict"
        )
    final = _final_step(estimator)
    targets = _targets(estimator, final)
    multilabel = len(targets) == 1 and _is_multilabel(final)
    if not targets:
        names = None
    elif len(targets) > 1:
        names = _names_of_outputs(targets)
    elif method == "decision_function" and not multilabel:
        names = _names_of_margins(targets[0], getattr(final, "decision_function_shape", "ovr"))
    else:
        names = tuple(map(str, targets[0]))
    return _Reading(method, targets, names, multilabel)


def _targets(estimator: Any, final: Any) -> list[np.ndarray]:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        # a clustering's predictions are labels, not amounts
        labels = getattr(final, "labels_", None)
        return [] if labels is None else [np.unique(labels)]
    is_multi_output = isinstance(classes, list) and all(np.ndim(item) for item in classes)
    return [np.asarray(item) for item in (classes if is_multi_output else [classes])]


def _is_multilabel(final: Any) -> bool:
    if hasattr(final, "multilabel_"):
        return bool(final.multilabel_)
    # MLPClassifier and RidgeClassifier say it only here
    binarizer = getattr(final, "_label_binarizer", None)
    return str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def _names_of_outputs(targets: Sequence[np.ndarray]) -> tuple[str, ...]:
    names: list[str] = []
    for output, classes in enumerate(targets):
        if set(classes.tolist()) == {0, 1}:
            names.append(str(output))
        else:
            shown = classes[1:] if len(classes) == 2 else classes
            names += [f"{output}={label}" for label in shown]
    return tuple(names)


def _names_of_margins(classes: np.ndarray, shape: str) -> tuple[str, ...]:
    if len(classes) == 2:
        return (str(classes[1]),)
    if shape == "ovo":
        return tuple(f"{first} vs {second}" for first, second in combinations(classes, 2))
    return tuple(map(str, classes))


def _positive_columns(matrices: Sequence[Any]) -> np.ndarray:
    """Return the second column of each two-class output and all columns of the others."""
    arrays = [np.asarray(matrix) for matrix in matrices]
    return np.hstack([array[:, 1:] if array.shape[1] == 2 else array for array in arrays])


def _final_step(estimator: Any) -> Any:
    """Return what does the predicting inside pipelines and searches."""
    if hasattr(estimator, "best_estimator_"):
        return _final_step(estimator.best_estimator_)
    steps = getattr(estimator, "steps", None)
    return _final_step(steps[-1][1]) if steps else estimator


def _name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    if not steps:
        return type(estimator).__name__
    return f"{type(estimator).__name__}({', '.join(_name(step) for _, step in steps)})"


def _check_fitted(estimator: Any) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if inspect.isclass(estimator):
        raise ArgumentError(f"model: expected a fitted estimator, got the class {estimator!r}")
    if not isinstance(estimator, BaseEstimator):
        return  # it follows no convention that could be checked
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise ArgumentError(
            f"model: {_name(estimator)} is not fitted; call fit(texts, labels) first"
        ) from error
