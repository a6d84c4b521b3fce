"""An explanation as a ``lime.explanation.Explanation``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from perturbx.exceptions import CapabilityError
from perturbx.typing import FloatArray, IntArray, Span
from perturbx.units.units import Units, core_of

if TYPE_CHECKING:
    import lime.explanation

    from perturbx.explanation import Explanation


def to_lime(explanation: Explanation) -> lime.explanation.Explanation:
    """Return the explanation as lime's own: ``as_list(label)``, ``as_map()``, ``as_html()``.

    Labels are positions among all outputs of the model, explained or not, as lime counts them.
    A model with one output gives an explanation of the mode "regression". ``predict_proba`` is
    not a number where the model's scores are no probabilities; ``score`` is the out-of-fold R²,
    and ``local_pred`` what the values add up to for the output with the highest score.

    Raises
    ------
    TableError
        The table lacks the whole text's score.
    """
    import lime.explanation

    table, fit = explanation.table, explanation.attribution
    mapper = UnitMapper(explanation.units)
    ranked = [
        [(int(i), float(column[i])) for i in np.argsort(-np.abs(column), kind="stable")]
        for column in fit.values.T
    ]
    top = explanation.column()
    local_pred = np.array([fit.base_values[top] + fit.values[:, top].sum()])
    if table.n_outputs == 1:
        result = lime.explanation.Explanation(mapper, mode="regression")
        (pairs,), (base,) = ranked, fit.base_values
        result.local_exp = {0: [(i, -value) for i, value in pairs], 1: pairs}
        result.intercept = {0: -float(base), 1: float(base)}
        scores = table.linked(explanation.link).scores
        result.predicted_value = float(explanation.scores[0])
        result.min_value, result.max_value = float(scores.min()), float(scores.max())
    else:
        names = [_unclosed(name) for name in table.output_names]
        result = lime.explanation.Explanation(mapper, class_names=names)
        labels = [table.output_names.index(name) for name in explanation.output_names]
        result.local_exp = dict(zip(labels, ranked, strict=True))
        result.intercept = dict(zip(labels, map(float, fit.base_values), strict=True))
        result.top_labels = [labels[j] for j in np.argsort(-explanation.scores, kind="stable")]
        result.predict_proba = _probabilities(explanation)
    result.score = explanation.r2
    result.local_pred = local_pred
    return result


class UnitMapper:
    """Shows units to lime, in the place of its ``TextDomainMapper``.

    Parameters
    ----------
    units : Units
        The units; lime's feature ids are their numbers.
    """

    def __init__(self, units: Units) -> None:
        self.indexed_string = UnitString(units)

    def map_exp_ids(
        self, exp: Sequence[tuple[int, float]], positions: bool = False
    ) -> list[tuple[str, float]]:
        """Return ``(word, weight)``, or ``("word_3-17", weight)`` with the starts of its spans."""
        words = self.indexed_string
        if not positions:
            return [(words.word(i), weight) for i, weight in exp]
        return [
            (f"{words.word(i)}_{'-'.join(map(str, words.string_position(i)))}", weight)
            for i, weight in exp
        ]

    def visualize_instance_html(
        self,
        exp: Sequence[tuple[int, float]],
        label: int,
        div_name: str,
        exp_object_name: str,
        text: bool = True,
        opacity: bool = True,
    ) -> str:
        """Return the script that shows the text with its units highlighted.

        The script counts in UTF-16 and a Python string in code points, so the places are moved.
        """
        if not text:
            return ""
        raw = self.indexed_string.raw_string()
        moved = [0, *accumulate(1 + (character > "\uffff") for character in raw)]
        found = [
            (raw[start:stop], moved[start], weight)
            for i, weight in exp
            for start, stop in self.indexed_string.word_spans(i)
        ]
        return (
            f"{exp_object_name}.show_raw_text({_script_json(found)}, {int(label)}, "
            f"{_script_json(raw)}, {div_name}, {_script_json(bool(opacity))});"
        )


class UnitString:
    """Units with those methods of lime's ``IndexedString`` that show a text.

    Parameters
    ----------
    units : Units
        The units.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._spans: list[list[Span]] = [[] for _ in range(units.n_units)]
        for (start, stop), unit in zip(units.spans, units.unit_of_span, strict=True):
            core = core_of(units.text[start:stop])
            at = units.text.index(core, start, stop)
            self._spans[unit].append((at, at + len(core)))

    def raw_string(self) -> str:
        """Return the text."""
        return self._units.text

    def word(self, id_: int) -> str:
        """Return the label of a unit."""
        return _unclosed(self._units.labels[id_])

    def string_position(self, id_: int) -> IntArray:
        """Return where the words of a unit start, in characters."""
        return np.array([start for start, _ in self.word_spans(id_)], dtype=np.int64)

    def word_spans(self, id_: int) -> list[Span]:
        """Return the spans of a unit, each without white space and punctuation at its ends."""
        return self._spans[id_]


def _probabilities(explanation: Explanation) -> FloatArray:
    table = explanation.table
    try:
        return table.linked("probability").full_scores
    except CapabilityError:
        return np.full(table.n_outputs, np.nan)


def _unclosed(word: str) -> str:
    """Return `word` such that it cannot end the script that lime's page writes it into."""
    return word.replace("</", "‹/").replace("<!", "‹!")


def _script_json(value: object) -> str:
    return json.dumps(value).replace("<", "\\u003c")
