"""An explanation in two or three plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perturbx.reports.output_view import (
    GOOD_FIT,
    LEADING,
    POOR_FIT,
    OutputView,
    output_view,
    row_labels,
    top_confidence,
)
from perturbx.reports.safe_text import one_line

if TYPE_CHECKING:
    from perturbx.explanation import Explanation

_NAMED_EACH_WAY = 2
_LABEL_LIMIT = 40


def summarize(explanation: Explanation, output: str | int | None = None) -> str:
    """Return the explanation of one output in two or three sentences with its numbers.

    A unit is said to push the score only where its value is more than two standard errors
    from 0.

    Parameters
    ----------
    explanation : Explanation
        What is told.
    output : str or int, optional
        The output; the one with the highest score by default.

    Raises
    ------
    ArgumentError
        The output was not explained.
    """
    view = output_view(explanation, output)
    first, last = _prediction(explanation, view), _fit(explanation, view)
    between = [*_units(explanation, view), *_unknown(explanation, view)]
    return " ".join([first, *between, last, *_together(explanation, view)])


def _prediction(explanation: Explanation, view: OutputView) -> str:
    verb, joint = ("predicts", " with") if view.predicted else ("gives", "")
    article = "" if view.scale == "log-odds" else "a "
    return (
        f"The model {verb} “{one_line(view.name)}”{joint} {article}{view.scale} of "
        f"{view.number(view.score)}; the explanation starts from {view.number(view.base_value)}, "
        f"with no {_noun(explanation)} kept."
    )


def _units(explanation: Explanation, view: OutputView) -> list[str]:
    noun = _noun(explanation)
    n_units = explanation.units.n_units
    if not n_units:
        return [f"The text has no {noun} that could be removed, so there is nothing to explain."]
    if view.is_constant:
        return []  # The last sentence says why every value is 0.
    is_known = ~np.isinf(view.std_errors[view.order])
    if not is_known.any():
        return []  # The next sentence says so.
    among = "" if is_known.all() else " that is known"
    if not view.largest:
        return [f"The value of every {noun}{among} is 0."]
    pushes = [
        f"{_listed(explanation, view, units)} {'push' if len(units) > 1 else 'pushes'} it {where}"
        for where, units in (("up", _leading(view, 1)), ("down", _leading(view, -1)))
        if units
    ]
    if not pushes:
        largest = _listed(explanation, view, [int(view.order[0])])
        return [
            f"No {noun} has a value above twice its standard error, so none can be told "
            f"from 0 with these calls; the largest is {largest}."
        ]
    said = "; ".join(pushes)
    if n_units <= LEADING:
        return [f"{said}."]
    sizes = np.abs(view.values[view.order][is_known])
    share = sizes[:LEADING].sum() / sizes.sum()
    sure = top_confidence(explanation, view, "these")
    sure = f"; {sure}" if sure else ""
    return [
        f"{said}; the {LEADING} largest of the {n_units} {_noun(explanation, n_units)} make up "
        f"{share:.0%} of all movement{among} (the sum of the absolute values){sure}."
    ]


def _unknown(explanation: Explanation, view: OutputView) -> list[str]:
    """Return how many units nothing tells the value of, in a sentence, if there are any."""
    n_unknown, n_units = int(np.isinf(view.std_errors).sum()), explanation.units.n_units
    if not n_unknown or view.is_constant:
        return []
    if n_unknown == n_units:
        return ["With these calls nothing tells how sure any value is (± ?)."]
    verb = "are" if n_unknown > 1 else "is"
    return [f"{n_unknown} of the {n_units} {_noun(explanation, n_units)} {verb} not known (± ?)."]


def _leading(view: OutputView, sign: int) -> list[int]:
    """Return the few largest units of one sign whose value is clearly not 0."""
    units = [int(i) for i in view.order if view.clear[i] and np.sign(view.values[i]) == sign]
    return units[:_NAMED_EACH_WAY]


def _listed(explanation: Explanation, view: OutputView, units: list[int]) -> str:
    labels = row_labels(explanation.units, _LABEL_LIMIT)
    named = [f"“{labels[unit]}” ({view.with_error(unit)})" for unit in units]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _fit(explanation: Explanation, view: OutputView) -> str:
    n_calls = explanation.n_calls
    calls = f"{n_calls} call" + "s" * (n_calls != 1)
    if explanation.cut_short_by is not None:
        calls += f", cut short by {explanation.cut_short_by}"
    if view.exact:
        return f"The values are exact (method: {explanation.method}; {calls})."
    if view.is_constant:
        return (
            f"The model gave the same score to every variant it was asked about, so the value of "
            f"every {_noun(explanation)} is 0 ({explanation.method}, {calls}); what it says to "
            f"others is not known."
        )
    if view.r2 is None:
        return f"How well the values fit was not measured ({explanation.method}, {calls})."
    facts = f"out-of-fold r² {view.r2:.2f}; {explanation.method}, {calls}"
    if view.r2 < POOR_FIT:
        return f"The fit is poor ({facts}), so treat the values with caution."
    return f"The fit is {'good' if view.r2 >= GOOD_FIT else 'fair'} ({facts})."


def _together(explanation: Explanation, view: OutputView) -> list[str]:
    """Return how little the units explain by themselves, in a sentence, where it is little."""
    if view.is_constant or not view.is_hardly_additive:
        return []
    return [
        f"Single {_noun(explanation, 2)} explain only {view.additivity:.0%} of how the scores "
        f"vary; the rest is what they do together (see `interactions`)."
    ]


def _noun(explanation: Explanation, count: int = 1) -> str:
    """Return what a unit is called, as in "word" for the level "words"."""
    level = explanation.units.level
    # Groups of words beside words are no words.
    plural = level if level.endswith("s") and " and " not in level else "units"
    return plural[:-1] if count == 1 else plural
