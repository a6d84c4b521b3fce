"""`FairnessAudit`: what a model says about groups, by how much it differs, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.explainers.budget import resolve_seed
from perturbx.explainers.estimator import ModelEstimator
from perturbx.fairness.audit_cost import AuditCost, estimate_audit
from perturbx.fairness.audit_run import AuditRun, Choices
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.outcomes import Task
from perturbx.fairness.plan import AuditPlan
from perturbx.fairness.report import FairnessReport
from perturbx.fairness.scoring import TextScores, checked_texts
from perturbx.fairness.text_source import TextFile, TextsInMemory, TextSource
from perturbx.fairness.word_lists import all_lexicons, lacking_words, named_lexicons
from perturbx.lexicons import Lexicon, LexiconsLike
from perturbx.scorers import as_scorer
from perturbx.typing import Link, RandomState, Scorer

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_FOR_LANGUAGE: Final = 200
"""By so many texts the language of lexicons is told."""


class FairnessAudit(ModelEstimator):
    """Audits a text model that can only be called for differences between groups.

    Parameters
    ----------
    model : object
        What is audited; any form that `ShapleyExplainer` takes.
    groups : lexicons, optional
        By which words it is told which groups a text is about, beside or instead of the
        `sensitive_features` of `fit`: "gender", "all", a `Lexicon`, the path of one, or several.
        A text may be about several groups, or none.
    positive : str, number or bool, or sequence of these, optional
        The output of the model whose decisions are audited, by its name or class. By default the
        last of two, and each of more than two against the rest.
    positive_label : object, optional
        The label (or labels) in `y` that is this outcome, where it has another name.
    threshold : float, optional
        The score from which on the model decides for the outcome. By default 0.5 for
        probabilities, 0 for margins, and with more than two outputs the highest score.
    explainer : None, str or BaseExplainer, default=None
        What splits scores into words. None: Shapley values of words, estimated without bias by 5
        calls a unit, exact where all ``2 ** n`` fit: a bias would not average out over texts.
    lexicons : lexicons or None, default="auto"
        Whose terms are swapped, neutralised and told apart as categories of words. "auto": all
        that are shipped for the language of the texts, and those of `groups`. None: nothing is
        swapped.
    link : {"auto", "identity", "probability", "log_prob", "log_odds"}, default="auto"
        The scale of scores; "auto" is the probability where there is one.
    task : {"auto", "classification", "regression"}, default="auto"
        What the model does. "auto": a single output that is no probability, or comes with more
        than two different labels, is a regression.
    intersections : bool, default=False
        Combinations of the groups of two attributes are audited, too.
    compare : {"auto", "pairs", "all"}, str or mapping, default="auto"
        Each group with each other ("pairs"), each with all texts ("all"), the former up to 6 groups
        ("auto"), or each with the group named (or, by attribute, one of a mapping).
    min_group_size : int, default=10
        With fewer rows behind it (the rarer of positives and negatives, for an AUC) a cell says
        "too few" instead of a number.
    level : float, default=0.95
        The confidence of intervals.
    n_resamples, n_permutations : int, default=1000
        Of the bootstrap and of the permutation tests.
    n_explained : int, default=300
        Texts that are explained word by word, of every kind some; 0: none.
    n_swaps : int, default=2000
        Texts with swapped terms at most, and texts that are read with terms neutralised; 0: none.
    random_state : int, numpy Generator or RandomState, or None, default=None
        An int makes runs equal.
    device, dtype, batch_tokens, output_names, progress
        See `BaseExplainer`.

    Attributes
    ----------
    report_ : FairnessReport
        What was found: data frames ``metrics``, ``gaps``, ``words``, ``counterfactual``,
        ``worst_cases`` and others, and ``verdicts`` in words.

    Notes
    -----
    Group metrics are fairlearn's. Intervals come from the Bayesian bootstrap over rows, or over
    `clusters` where rows are not independent; p-values from permutations of the groups, adjusted
    over all gaps (Westfall & Young 1993). Groups are permuted within clusters. Where that leaves
    a gap, because groups stand in them unevenly, the smaller of the distances from it and from 0
    is tested; where hardly anything can be permuted, or beyond 30,000 rows, the bootstrap tests.
    Words account for a gap by their Shapley values, which add up to it.

    Texts that a service refuses (a filter, say) are left out and told, by an `AnswersWarning` and
    in the notes; unless they are too many, which ends the audit. Where there are any, ``metrics``
    and ``gaps`` hold the share of them by group, "refusal_rate" (beside the first outcome, as it is
    of none), tested in a family of its own.

    Examples
    --------
    >>> import perturbx as px
    >>> def kind(texts):
    ...     return [0.9 if text.startswith("She") else 0.4 for text in texts]
    >>> texts = [f"{who} is at work, day {day}." for day in range(20) for who in ("She", "He")]
    >>> audit = px.FairnessAudit(kind, groups="gender", random_state=0, progress=False)
    >>> gaps = audit.fit(texts).report_.gaps
    >>> gaps[gaps.metric == "mean_score"][["group_a", "group_b", "value"]].round(2).values.tolist()
    [['female', 'male', 0.5], ['female', 'male', 2.25]]
    """

    def __init__(
        self,
        model: Any,
        *,
        groups: LexiconsLike | None = None,
        positive: Any = None,
        positive_label: Any = None,
        threshold: float | None = None,
        explainer: Any = None,
        lexicons: LexiconsLike | None = "auto",
        link: Link | Literal["auto"] = "auto",
        task: Task = "auto",
        intersections: bool = False,
        compare: str | Mapping[str, str] = "auto",
        min_group_size: int = 10,
        level: float = 0.95,
        n_resamples: int = 1000,
        n_permutations: int = 1000,
        n_explained: int = 300,
        n_swaps: int = 2000,
        random_state: RandomState = None,
        device: Any = None,
        dtype: Any = None,
        batch_tokens: int | Literal["auto"] = "auto",
        output_names: Sequence[str] | None = None,
        progress: bool = True,
    ) -> None:
        self.model = model
        self.groups = groups
        self.positive = positive
        self.positive_label = positive_label
        self.threshold = threshold
        self.explainer = explainer
        self.lexicons = lexicons
        self.link = link
        self.task = task
        self.intersections = intersections
        self.compare = compare
        self.min_group_size = min_group_size
        self.level = level
        self.n_resamples = n_resamples
        self.n_permutations = n_permutations
        self.n_explained = n_explained
        self.n_swaps = n_swaps
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.output_names = output_names
        self.progress = progress

    def fit(
        self,
        texts: Sequence[str] | LabelledTexts,
        y: Sequence[Any] | None = None,
        sensitive_features: Any = None,
        *,
        clusters: Sequence[Any] | None = None,
    ) -> Self:
        """Audit the model on texts in memory.

        Parameters
        ----------
        texts : sequence of str, or LabelledTexts
            The texts; `LabelledTexts` bring labels, groups and clusters along.
        y : sequence, (n_texts,), optional
            What is true of them; None or NaN where it is not known. Without labels, selection
            rates and scores are compared only.
        sensitive_features : mapping, DataFrame, Series or sequence, (n_texts,), optional
            The group of each text, for one attribute or several; None or NaN: no group.
        clusters : sequence, (n_texts,), optional
            What texts have in common (a template, an author): texts of a cluster are not
            independent of each other.

        Returns
        -------
        FairnessAudit
            Itself, with `report_`.

        Raises
        ------
        ArgumentError
            A parameter, a text or a column is not what it should be.
        ScoringError, Interrupted
            The model failed, or refused too many texts (`RefusedError`). What it said is kept:
            `fit` on the same texts goes on from there.
        MissingExtraError
            fairlearn or pandas is not installed (extra ``fairness``).
        """
        if isinstance(texts, LabelledTexts):
            given = {"y": y, "sensitive_features": sensitive_features, "clusters": clusters}
            doubled = [name for name, value in given.items() if value is not None]
            if doubled:
                raise ArgumentError(f"{doubled[0]}: LabelledTexts have their own; leave it out")
            source = TextsInMemory(
                texts.texts, texts.labels, dict(texts.groups) or None, texts.clusters, texts.name
            )
            return self._fit(source, notes=list(texts.notes))
        return self._fit(TextsInMemory(texts, y, sensitive_features, clusters))

    def fit_file(
        self,
        path: str | PathLike[str],
        *,
        text: str = "text",
        label: str | None = None,
        groups: Sequence[str] = (),
        cluster: str | None = None,
    ) -> Self:
        """Audit the model on a CSV, TSV, JSON-lines or Parquet file that is read in pieces.

        Of each row some bytes are kept (scores, label, groups), of the texts only those that are
        explained or swapped, so that a million rows take little memory.

        Parameters
        ----------
        path : str or Path
            The file; it is read again for the texts that are looked at more closely.
        text, label, cluster : str
            The columns of texts, labels and clusters; an empty label is none.
        groups : sequence of str
            The columns of the sensitive features.

        Returns
        -------
        FairnessAudit
            Itself, with `report_`.

        Raises
        ------
        ArgumentError
            The file is not there or lacks a column.
        ScoringError, Interrupted, MissingExtraError
            See `fit`.
        """
        return self._fit(TextFile(path, text, label, tuple(groups), cluster))

    def estimate_cost(self, texts: Sequence[str]) -> AuditCost:
        """Return how many texts the model would be asked about; it is not called.

        Parameters
        ----------
        texts : sequence of str
            What would be audited.
        """
        found = checked_texts(texts)
        plan, scorer = self._plan(deepcopy(self.random_state)), self._scorer()
        return estimate_audit(
            found, plan, scorer, self.explainer, self._lexicons(found[:SAMPLE_FOR_LANGUAGE])
        )

    def estimate_cost_of_file(
        self,
        path: str | PathLike[str],
        *,
        text: str = "text",
        label: str | None = None,
        groups: Sequence[str] = (),
        cluster: str | None = None,
    ) -> AuditCost:
        """Return the same for a file; its texts are all held for it. See `fit_file`."""
        source = TextFile(path, text, label, tuple(groups), cluster)
        return self.estimate_cost([own for piece in source.pieces() for own in piece.texts])

    def to_html(self, path: str | PathLike[str] | None = None) -> str:
        """Return the report as one HTML page, and write it to `path` where given."""
        return self._fitted().to_html(path)

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the report as JSON, and write it to `path` where given."""
        return self._fitted().to_json(path)

    def to_markdown(self, path: str | PathLike[str] | None = None) -> str:
        """Return the report as Markdown, and write it to `path` where given."""
        return self._fitted().to_markdown(path)

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """Return the tables of the report by name."""
        return self._fitted().to_pandas()

    def _fitted(self) -> FairnessReport:
        from sklearn.exceptions import NotFittedError

        if not hasattr(self, "report_"):
            raise NotFittedError("This FairnessAudit is not fitted yet; call `fit` first.")
        report: FairnessReport = self.report_
        return report

    def _plan(self, random_state: RandomState) -> AuditPlan:
        return AuditPlan(
            self.compare,
            self.level,
            self.min_group_size,
            self.n_resamples,
            self.n_permutations,
            self.n_explained,
            self.n_swaps,
            2 if self.intersections else 1,
            resolve_seed(random_state),
        )

    def _scorer(self) -> Scorer:
        """Return the scorer of `model`; a model is loaded once, until a parameter changes."""
        scorer: Scorer | None = self._held("_loaded")
        if scorer is None:
            scorer = as_scorer(
                self.model, device=self.device, dtype=self.dtype, output_names=self.output_names
            )
            self._hold("_loaded", scorer)
        return scorer

    def _scores(self) -> TextScores:
        """Return what the model said before it failed, or nothing yet."""
        scores: TextScores | None = self._held("_said")
        if scores is None:
            scores = TextScores(
                self._scorer(), batch_tokens=self.batch_tokens, progress=self.progress
            )
            self._hold("_said", scores)
        # A filter may be another one by now: what is refused is so for one run.
        scores.refused.clear()
        return scores

    def _lexicons(self, texts: Sequence[str]) -> tuple[Lexicon, ...]:
        """Return the lexicons whose terms are swapped and told apart."""
        if self.lexicons is None:
            return ()
        if isinstance(self.lexicons, str) and self.lexicons == "auto":
            return all_lexicons(texts, self._group_lexicons(texts))
        return named_lexicons("lexicons", self.lexicons, texts)

    def _group_lexicons(self, texts: Sequence[str]) -> tuple[Lexicon, ...]:
        return () if self.groups is None else named_lexicons("groups", self.groups, texts)

    def _fit(self, source: TextSource, *, notes: Sequence[str] = ()) -> Self:
        _require_extra()
        plan, scorer, scores = self._plan(self.random_state), self._scorer(), self._scores()
        if not isinstance(self.random_state, Integral):
            scores.seed = plan.seed if scores.seed is None else scores.seed
            plan = replace(plan, seed=scores.seed)
        first = next(iter(source.pieces()), None)
        texts = [] if first is None else first.texts[:SAMPLE_FOR_LANGUAGE]
        choices = Choices(
            positive=self.positive,
            positive_label=self.positive_label,
            threshold=self.threshold,
            link=self.link,
            task=self.task,
        )
        run = AuditRun(
            self.model,
            scorer,
            scores,
            plan,
            choices,
            groups=self._group_lexicons(texts),
            lexicons=self._lexicons(texts),
            explainer=self.explainer,
            batch_tokens=self.batch_tokens,
            progress=self.progress,
        )
        lack = "" if self.lexicons != "auto" or run.lexicons else lacking_words(texts)
        self.report_ = run.report(source, [*notes, *filter(None, [lack])])
        # A model may be trained anew in place, so the next audit asks it anew.
        del self._said
        return self


def _require_extra() -> None:
    """Fail before the model is asked where a package is missing."""
    for package in ("pandas", "fairlearn"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError(package, "fairness") from error
