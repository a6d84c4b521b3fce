"""What would help, and by how much: every figure is an estimate, on rows it was not fitted to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator

from perturbx.exceptions import MissingExtraError
from perturbx.fairness.effects import (
    MEASURES,
    Effect,
    effects_of,
    folds_of,
    large_groups,
)
from perturbx.fairness.grouping import Attribute
from perturbx.fairness.statistics.measures import Judged
from perturbx.typing import FloatArray, IntArray

COMMON: Final = "one threshold for all groups"
PER_GROUP: Final = {
    "demographic_parity": "a threshold for each group, for equal selection rates",
    "equal_opportunity": "a threshold for each group, for equal true positive rates",
}
_CONSTRAINTS: Final = {
    "demographic_parity": "demographic_parity",
    "equal_opportunity": "true_positive_rate_parity",
}
LOSS: Final = 0.01
"""The accuracy that a common threshold may cost."""

N_THRESHOLDS: Final = 200

FACTOR: Final = 1.5
"""By so much a common threshold may change how often the outcome is decided for."""


@dataclass(frozen=True, eq=False)
class Case:
    """One attribute and one outcome for which remedies are estimated.

    Parameters
    ----------
    attribute : Attribute
        The groups.
    outcome : str
        The outcome.
    threshold : float, optional
        The threshold as it is; None where the highest output decides.
    judged : Judged
        Scores, decisions and labels.
    clusters : numpy.ndarray of int64, (n_rows,), optional
        Rows that stand or fall together.
    level : float
        Of the intervals.
    n_resamples, seed, min_group_size : int
        See `FairnessAudit`.
    """

    attribute: Attribute
    outcome: str
    threshold: float | None
    judged: Judged
    clusters: IntArray | None
    level: float
    n_resamples: int
    seed: int
    min_group_size: int

    def effects(
        self,
        decisions: FloatArray,
        *,
        rows: IntArray | None = None,
        weights: FloatArray | None = None,
    ) -> dict[str, Effect]:
        """Return the effect of other decisions on all rows, or on some with their weights."""
        at = np.arange(len(self.judged)) if rows is None else rows
        labels = self.judged.labels
        return effects_of(
            decisions,
            None if labels is None else labels[at],
            self.members[at].tocsr(),
            weights=weights,
            clusters=None if self.clusters is None else self.clusters[at],
            n_resamples=self.n_resamples,
            seed=self.seed,
        )

    @property
    def groups(self) -> IntArray:
        """The groups that are large enough."""
        return large_groups(self.attribute.members, self.judged.labels, self.min_group_size)

    @property
    def members(self) -> scipy.sparse.csr_array:
        """Who belongs to those."""
        return scipy.sparse.csr_array(self.attribute.members[:, self.groups])

    def row(
        self,
        remedy: str,
        metric: str,
        before: Effect,
        after: Effect | None,
        *,
        basis: str,
        detail: str,
        n: int,
    ) -> dict[str, Any]:
        """Return a row of the table of advice."""
        nothing = {
            f"{what}_{end}": np.nan
            for what in ("gap", "accuracy")
            for end in ("after", "low", "high")
        }
        return {
            "attribute": self.attribute.name,
            "outcome": self.outcome,
            "remedy": remedy,
            "metric": metric,
            "gap_before": before.gap,
            "accuracy_before": before.accuracy,
            **(nothing if after is None else after.ends(self.level)),
            "n": n,
            "basis": basis,
            "detail": detail,
        }


def threshold_advice(case: Case) -> list[dict[str, Any]]:
    """Return what other thresholds would do, fitted on one half and judged on the other.

    Raises
    ------
    MissingExtraError
        fairlearn is not installed (extra ``fairness``).
    """
    judged = case.judged
    if judged.decisions is None or judged.labels is None or len(case.groups) < 2:
        return []
    fold = folds_of(len(judged), case.clusters, case.seed)
    labelled = np.isfinite(judged.labels)
    in_group = np.diff(case.members.indptr)
    before = case.effects(judged.decisions)
    rows = []
    chosen: Sequence[tuple[str, str, Callable[[Any, Any], tuple[FloatArray, str]]]] = [
        (COMMON, metric, _common(case, metric)) for metric in MEASURES
    ] + [(name, metric, _per_group(case, metric)) for metric, name in PER_GROUP.items()]
    for remedy, metric, fitted in chosen:
        about: dict[str, Any] = {
            "basis": "fitted on one half of the rows, judged on the other",
            "n": len(judged),
        }
        if remedy != COMMON and in_group.max(initial=0) > 1:
            why = "some texts belong to several groups, and would have several thresholds"
            rows.append(case.row(remedy, metric, before[metric], None, detail=why, **about))
            continue
        # Thresholds are fitted to rows with labels, and decide of those without one as well.
        decided = in_group > 0 if remedy != COMMON else np.ones(len(judged), dtype=bool)
        usable = labelled & decided
        decisions = judged.decisions.copy()
        details = []
        for half in (0, 1):
            try:
                there, told = fitted(usable & (fold != half), decided & (fold == half))
            except ValueError as error:
                details = [f"no estimate: {error}"]
                break
            decisions[decided & (fold == half)] = there
            details.append(told)
        failed = len(details) < 2
        after = None if failed else case.effects(decisions)[metric]
        detail = details[0] if failed else "; ".join(dict.fromkeys(details))
        rows.append(case.row(remedy, metric, before[metric], after, detail=detail, **about))
    return rows


def _common(case: Case, metric: str) -> Callable[[Any, Any], tuple[FloatArray, str]]:
    """Return a function that finds the common threshold with the smallest gap on some rows."""
    judged = case.judged
    assert judged.decisions is not None
    assert judged.labels is not None
    decisions, labels, members = judged.decisions, judged.labels, case.members

    def fitted(train: Any, test: Any) -> tuple[FloatArray, str]:
        scores, truth = judged.scores[train], labels[train]
        of = members[np.flatnonzero(train)].astype(np.float64)
        if metric == "equal_opportunity":
            of = of.multiply((truth == 1)[:, None]).tocsr()
        sizes = np.asarray(of.sum(axis=0)).ravel()
        if (sizes == 0).any():
            raise ValueError("a group has no row in one half")
        tried = np.unique(np.quantile(scores, np.linspace(0, 1, N_THRESHOLDS)))
        # How many of the thresholds each score reaches; sums from above are rows that are chosen.
        reached = np.searchsorted(tried, scores, "right")
        entries = of.tocoo()
        rates = np.stack(
            [
                _chosen(reached[entries.coords[0][own]], entries.data[own], len(tried))
                for own in (entries.coords[1] == group for group in range(of.shape[1]))
            ]
        )
        rates /= sizes[:, None]
        gap = rates.max(axis=0) - rates.min(axis=0)
        n_true = _chosen(reached, truth, len(tried))
        n_chosen = _chosen(reached, np.ones(len(truth)), len(tried))
        right = (n_true + (len(truth) - truth.sum()) - (n_chosen - n_true)) / len(truth)
        least = float((decisions[train] == truth).mean()) - LOSS
        # Deciding for nobody has no gap, and is no remedy.
        share, now = n_chosen / len(truth), float(decisions[train].mean())
        allowed = (right >= least) & (share >= now / FACTOR) & (share <= now * FACTOR)
        if not allowed.any():
            raise ValueError("no common threshold keeps the accuracy and decides as often")
        best = float(tried[np.flatnonzero(allowed)[np.argmin(gap[allowed])]])
        return (judged.scores[test] >= best).astype(np.float64), f"threshold {best:.3g}"

    return fitted


def _chosen(reached: IntArray, weights: FloatArray, n: int) -> FloatArray:
    """Return the weight of the rows that reach each of `n` thresholds."""
    counts = np.bincount(reached, weights=weights, minlength=n + 1)
    return np.asarray(np.cumsum(counts[::-1])[::-1][1:], dtype=np.float64)


def _per_group(case: Case, metric: str) -> Callable[[Any, Any], tuple[FloatArray, str]]:
    """Return a function that fits fairlearn's `ThresholdOptimizer` to some rows."""
    try:
        from fairlearn.postprocessing import ThresholdOptimizer
    except ImportError as error:
        raise MissingExtraError("fairlearn", "fairness") from error

    judged = case.judged
    assert judged.labels is not None
    labels = judged.labels
    names = np.array([case.attribute.groups[i] for i in case.groups], dtype=object)

    def fitted(train: Any, test: Any) -> tuple[FloatArray, str]:
        group = np.full(len(judged), "", dtype=object)
        coo = case.members.tocoo()
        group[coo.coords[0]] = names[coo.coords[1]]
        if not set(group[test]) <= set(group[train]):
            # fairlearn would decide against all of them.
            raise ValueError("a group has no row with a label in one half")
        optimizer = ThresholdOptimizer(
            estimator=_GivenScores(),
            constraints=_CONSTRAINTS[metric],
            objective="accuracy_score",
            prefit=True,
            predict_method="predict",
        )
        with warnings.catch_warnings():
            # Of the estimator, which has nothing to fit.
            warnings.simplefilter("ignore")
            optimizer.fit(
                judged.scores[train][:, None],
                labels[train].astype(int),
                sensitive_features=group[train],
            )
            decided = optimizer.predict(
                judged.scores[test][:, None],
                sensitive_features=group[test],
                random_state=case.seed % 2**31,
            )
        return np.asarray(decided, dtype=np.float64), _thresholds(optimizer)

    return fitted


class _GivenScores(BaseEstimator):  # type: ignore[misc]
    """An estimator whose predictions are the scores that it is given."""

    def fit(self, X: Any, y: Any = None) -> _GivenScores:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0]


def _thresholds(optimizer: Any) -> str:
    """Return the thresholds of an optimizer in words; two with a share: decided at random."""
    parts = []
    for name, rule in optimizer.interpolated_thresholder_.interpolation_dict.items():
        said = []
        for number in (0, 1):
            share, operation = rule[f"p{number}"], rule[f"operation{number}"]
            if share > 1e-6:
                said.append(f"{operation.operator} {operation.threshold:.3g} ({share:.0%})")
        parts.append(f"{name}: {' or '.join(said)}")
    shown = "; ".join(parts[:12])
    return shown + (f"; and {len(parts) - 12} other groups" if len(parts) > 12 else "")


def reading_advice(
    case: Case, remedy: str, rows: IntArray, weights: FloatArray, decisions: FloatArray
) -> list[dict[str, Any]]:
    """Return what reading other texts instead would do: identity terms neutralised, or masked.

    Parameters
    ----------
    case : Case
        The groups and what was decided.
    remedy : str
        What was done to the texts.
    rows, weights : numpy.ndarray, (n,)
        Which rows were read anew, and for how many each speaks.
    decisions : numpy.ndarray, (n,)
        What was decided then.
    """
    if case.judged.decisions is None or len(case.groups) < 2:
        return []
    before = case.effects(case.judged.decisions[rows], rows=rows, weights=weights)
    after = case.effects(decisions, rows=rows, weights=weights)
    n_changed = int((decisions != case.judged.decisions[rows]).sum())
    return [
        case.row(
            remedy,
            metric,
            before[metric],
            after[metric],
            basis="the model asked about the changed texts",
            detail=f"{n_changed:,} of {len(rows):,} decisions change",
            n=len(rows),
        )
        for metric in before
    ]
