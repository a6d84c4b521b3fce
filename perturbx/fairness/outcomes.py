"""`Outcome`: which output is audited, what counts as deciding for it, and what its labels are."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.fairness.statistics.measures import Judged
from perturbx.scorers.links import LINKS, apply_link
from perturbx.typing import FloatArray, Link, ScoreKind, ScoreMatrix
from perturbx.units.text_input import LONE_SURROGATE

Task: TypeAlias = Literal["auto", "classification", "regression"]
TASKS: Final = ("auto", "classification", "regression")

_YES: Final = (1, True, "1", "true", "True", "yes")
_NO: Final = (0, False, "0", "false", "False", "no")


@dataclass(frozen=True)
class Outcome:
    """One output of the model that is audited.

    Parameters
    ----------
    name : str
        The output.
    column : int
        Its column in the scores.
    link : str
        The scale on which its score is read.
    threshold : float or None
        The score from which on the model decides for it; None: where it is the highest of all
        outputs, or, for a regression, where nothing is decided.
    is_probability : bool
        The score is a probability.
    decides : bool
        There are decisions at all.
    positive_labels : tuple
        The labels that are this outcome; empty for a regression, and where there are no labels.
    """

    name: str
    column: int
    link: Link
    threshold: float | None
    is_probability: bool
    decides: bool
    positive_labels: tuple[Any, ...] = ()

    def scores(self, raw: ScoreMatrix, kind: ScoreKind, exclusive: bool) -> FloatArray:
        """Return its scores ``(n,)`` on its scale, from the scorer's own numbers."""
        linked, _ = apply_link(raw, None, link=self.link, kind=kind, exclusive=exclusive)
        return linked[:, self.column]

    def decisions(self, raw: ScoreMatrix, scores: FloatArray) -> FloatArray | None:
        """Return 1.0 where the model decides for it, ``(n,)``."""
        if not self.decides:
            return None
        if self.threshold is not None:
            return (scores >= self.threshold).astype(np.float64)
        decided: FloatArray = (raw.argmax(axis=1) == self.column).astype(np.float64)
        return decided

    def labels(self, y: Sequence[Any] | None) -> FloatArray | None:
        """Return 1.0 for its labels, 0.0 for others, NaN for none; of a regression the numbers."""
        if y is None:
            return None
        if not self.decides:
            return np.array([np.nan if is_missing(v) else float(v) for v in y])
        wanted = set(self.positive_labels)
        return np.array([np.nan if is_missing(v) else float(plain(v) in wanted) for v in y])

    def judge(
        self, raw: ScoreMatrix, kind: ScoreKind, exclusive: bool, y: Sequence[Any] | None
    ) -> Judged:
        """Return scores, decisions and labels of some rows."""
        scores = self.scores(raw, kind, exclusive)
        decisions = self.decisions(raw, scores)
        return Judged(scores, decisions, self.labels(y), self.is_probability)


def is_missing(value: Any) -> bool:
    """Say whether a label is none: None, NaN, or missing by pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def plain(value: Any) -> Any:
    """Return a label as Python's own type; a whole number is an int."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def distinct_labels(y: Sequence[Any] | None) -> list[Any]:
    """Return the labels that occur, in order.

    Raises
    ------
    ArgumentError
        They are of different types, of one that is no label, or no text.
    """
    if y is None:
        return []
    try:
        found = {plain(value) for value in y if not is_missing(value)}
    except TypeError:
        odd = next(v for v in y if not is_missing(v) and not isinstance(v, Hashable))
        raise ArgumentError(
            f"y: expected a string or number per text; got {type(odd).__name__} {odd!r:.60}"
        ) from None
    kinds = {
        str if isinstance(v, str) else float if isinstance(v, (int, float)) else type(v)
        for v in found
    }
    if kinds - {str, float} or len(kinds) > 1:
        shown = ", ".join(sorted({type(value).__name__ for value in found}))
        raise ArgumentError(
            f"y: expected labels of one type, strings or numbers; got {shown}: "
            f"{[*found][:4]!r:.120}"
        )
    broken = [v for v in found if isinstance(v, str) and LONE_SURROGATE.search(v)]
    if broken:
        raise ArgumentError(f"y: {broken[0]!a} holds a lone surrogate, which is no text")
    return sorted(found)


def choose_outcomes(
    raw: ScoreMatrix,
    kind: ScoreKind,
    exclusive: bool,
    names: Sequence[str],
    *,
    labels: Sequence[Any],
    positive: Any = None,
    positive_label: Any = None,
    threshold: float | None = None,
    link: Link | Literal["auto"] = "auto",
    task: Task = "auto",
) -> tuple[Outcome, ...]:
    """Return what is audited of a model with these outputs.

    Parameters
    ----------
    raw : numpy.ndarray, (n, n_outputs)
        Some of its scores, to tell what they are.
    kind, exclusive
        What the scorer says of them.
    names : sequence of str
        The outputs.
    labels : sequence
        The distinct labels, empty where there are none.
    positive, positive_label, threshold, link, task
        See `FairnessAudit`.

    Raises
    ------
    ArgumentError
        A parameter does not fit the model or the labels.
    """
    check_choices(
        names,
        labels=labels,
        positive=positive,
        positive_label=positive_label,
        threshold=threshold,
        link=link,
        task=task,
    )
    in_unit = kind == "value" and bool(np.all((raw >= 0) & (raw <= 1)))
    is_probability = kind in ("probability", "logit", "log_prob") or in_unit
    if link == "auto":
        # Numbers that happen to lie in [0, 1] stay as they are: those of other texts may not.
        link = "probability" if is_probability and not in_unit else "identity"
    # An explicit link to log-odds, say, leaves no probability.
    is_probability = is_probability and (
        link == "probability" or (link == "identity" and (kind == "probability" or in_unit))
    )
    chosen = _chosen(names, positive)
    if task == "auto":
        is_decided = (threshold, positive, positive_label) != (None, None, None)
        task = _task(names, labels, is_decided, is_probability)
    if task == "regression":
        _check_numbers(labels)
        return tuple(
            Outcome(name, names.index(name), link, None, False, decides=False) for name in chosen
        )
    if threshold is None:
        threshold = _threshold(len(names), is_probability, link, kind)
    outcomes = []
    for name in chosen:
        own = _positive_labels(
            name, names, labels, positive_label, n_outcomes=len(chosen), exclusive=exclusive
        )
        outcomes.append(
            Outcome(name, names.index(name), link, threshold, is_probability, True, own)
        )
    return tuple(outcomes)


def check_choices(
    names: Sequence[str] | None,
    *,
    labels: Sequence[Any],
    positive: Any,
    positive_label: Any,
    threshold: float | None,
    link: Link | Literal["auto"],
    task: Task,
) -> None:
    """Refuse what can be told to be wrong before the model is asked.

    Parameters
    ----------
    names : sequence of str, optional
        The outputs, where they are known.
    labels, positive, positive_label, threshold, link, task
        See `choose_outcomes`.

    Raises
    ------
    ArgumentError
        Something is.
    """
    if task not in TASKS:
        raise ArgumentError(f"task: expected one of {', '.join(TASKS)}; got {task!r}")
    if link not in ("auto", *LINKS):
        raise ArgumentError(f"link: expected one of auto, {', '.join(LINKS)}; got {link!r}")
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (is_number and math.isfinite(threshold)):
        raise ArgumentError(f"threshold: expected a number; got {threshold!r}")
    if task == "regression":
        for name, value in (("threshold", threshold), ("positive_label", positive_label)):
            if value is not None:
                raise ArgumentError(f"{name}: a regression decides nothing; leave it out")
        _check_numbers(labels)
    if names:
        _chosen(names, positive)
    if positive_label is not None and labels:
        for label in _given_labels(positive_label, labels):
            _given_labels(label, labels)


def _chosen(names: Sequence[str], positive: Any) -> list[str]:
    if positive is None:
        return list(names) if len(names) > 2 else [names[-1]]
    # A class that is a number or a bool may be given as such: outputs are named by what it reads.
    given = [str(name) if str(name) in names else str(plain(name)) for name in _as_list(positive)]
    # Named twice, every gap would be told twice, and adjusted for.
    wanted = list(dict.fromkeys(given))
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ArgumentError(
            f"positive: expected one or more of the model's outputs {list(names)}; got {positive!r}"
        )
    return wanted


def _as_list(positive: Any) -> list[Any]:
    is_one = isinstance(positive, str) or not isinstance(positive, Iterable)
    return [positive] if is_one else list(positive)


def _task(
    names: Sequence[str],
    labels: Sequence[Any],
    is_decided: bool,
    is_probability: bool,
) -> Task:
    if len(names) > 1 or is_decided:
        return "classification"
    if labels:
        return "classification" if len(labels) <= 2 else "regression"
    return "classification" if is_probability else "regression"


def _check_numbers(labels: Sequence[Any]) -> None:
    texts = [value for value in labels if isinstance(value, str)]
    if texts:
        # Of a file, one odd label makes strings of all the others.
        odd = next((text for text in texts if not _is_number(text)), texts[0])
        raise ArgumentError(
            f"y: a regression needs numbers; got {odd!r} (task='classification' says that "
            f"they are classes)"
        )

    endless = [value for value in labels if not math.isfinite(value)]
    if endless:
        raise ArgumentError(f"y: a regression needs finite numbers; got {endless[0]!r}")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _threshold(n_outputs: int, is_probability: bool, link: str, kind: str) -> float | None:
    if n_outputs > 2:
        return None
    if is_probability:
        return 0.5
    if link == "log_odds" or kind == "logit":
        return 0.0
    if n_outputs == 2:
        return None
    raise ArgumentError(
        "threshold: the scores of this model are no probabilities, so say from which score on it "
        "decides for the outcome (threshold=0 for margins), or task='regression'"
    )


def _outputs_named(labels: Sequence[Any], names: Sequence[str]) -> dict[Any, str]:
    """Return the output that each label names, whatever its case; none where a label names none."""
    by_name = {name.casefold(): name for name in names}
    found = {
        label: name
        for label in labels
        for name in (label if label in names else by_name.get(str(label).casefold()),)
        if name is not None
    }
    return found if len(found) == len(labels) else {}


def _given_labels(given: Any, labels: Sequence[Any]) -> tuple[Any, ...]:
    """Return the labels that were given, as numbers where labels are numbers.

    Of a file, labels are strings or numbers by what else is in their column.
    """
    wanted = [plain(v) for v in (given if isinstance(given, (list, tuple, set)) else [given])]
    if not any(isinstance(label, str) for label in labels):
        wanted = [plain(float(v)) if isinstance(v, str) and _is_number(v) else v for v in wanted]
    if not set(wanted) & set(labels):
        raise ArgumentError(
            f"positive_label: {given!r} does not occur in y, which has {list(labels)[:8]}"
        )
    return tuple(wanted)


def _positive_labels(
    name: str,
    names: Sequence[str],
    labels: Sequence[Any],
    given: Any,
    *,
    n_outcomes: int,
    exclusive: bool,
) -> tuple[Any, ...]:
    if not labels:
        return ()
    if given is not None:
        if n_outcomes > 1:
            raise ArgumentError("positive_label: is for one outcome; choose it with `positive`")
        return _given_labels(given, labels)
    if name in labels:
        return (name,)
    by_case = [v for v in labels if isinstance(v, str) and v.casefold() == name.casefold()]
    if by_case:
        return tuple(by_case)
    named = _outputs_named(labels, names)
    if named:
        return tuple(label for label, output in named.items() if output == name)
    place, says_yes = list(names).index(name), set(labels) <= {*_YES, *_NO}
    if says_yes and n_outcomes == 1 and (not exclusive or place == len(names) - 1 <= 1):
        return _YES
    # 1 may be the number of a class, or "yes" of the one that was chosen: that is not guessed.
    is_number = all(not isinstance(v, str) and v in range(len(names)) for v in labels)
    if is_number and not (says_yes and (n_outcomes == 1 or not exclusive)):
        return (place,)
    if n_outcomes > 1:
        raise ArgumentError(
            f"y: the labels {list(labels)[:8]} are not the model's outputs {list(names)[:8]}; "
            f"choose one with `positive`, and say with `positive_label` which labels are it"
        )
    raise ArgumentError(
        f"positive_label: say which of the labels {list(labels)[:8]} is the outcome {name!r}"
    )
