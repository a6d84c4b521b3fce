"""The tables of a report: their columns, in one place for the code, the schema and the reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from perturbx.exceptions import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["text", "number", "count", "flag"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Its name.
    kind : {"text", "number", "count", "flag"}
        A number may be missing (NaN; null in JSON).
    meaning : str
        What stands in it.
    """

    name: str
    kind: Kind
    meaning: str


def _text(name: str, meaning: str) -> Column:
    return Column(name, "text", meaning)


def _number(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning)


def _count(name: str, meaning: str) -> Column:
    return Column(name, "count", meaning)


_ATTRIBUTE = _text("attribute", "what the groups differ in")
_OUTCOME = _text("outcome", "the model's output that is audited")
_GROUP = _text("group", 'the group; "(all)": all rows')
_PAIR = (
    _text("group_a", "the first group"),
    _text("group_b", 'the group it is compared with; "(all)": all rows'),
)
_LIMITS = (
    _number("low", "lower end of the interval"),
    _number("high", "upper end of the interval"),
)
_NOTE = _text("note", 'why there is no value: "too few", "no value"; else empty')
_WORD = (
    _text("word", "the word, casefolded; in brackets: what is no word"),
    _text("category", "the attribute of an identity term, or what the user's lexicon says"),
)
_TEXTS_OF_BOTH = (
    _count("n_a", "texts of the first group behind it"),
    _count("n_b", "texts of the second group behind it"),
)

FRAMES: Final[Mapping[str, tuple[Column, ...]]] = {
    "groups": (
        _ATTRIBUTE,
        _GROUP,
        _text("origin", "how rows are known to belong to it: column, text or intersection"),
        _count("n", "rows, without those that the model refuses"),
        _count("n_labelled", "rows with a label"),
    ),
    "metrics": (
        _ATTRIBUTE,
        _OUTCOME,
        _text("metric", "what is measured"),
        _GROUP,
        _number("value", "the measure"),
        *_LIMITS,
        _count("n", "rows behind it"),
        _NOTE,
    ),
    "gaps": (
        _ATTRIBUTE,
        _OUTCOME,
        _text("metric", "what differs"),
        _text("kind", "difference: a less b; ratio: a by b"),
        *_PAIR,
        _number("value", "the gap"),
        *_LIMITS,
        _number("p_value", "of no gap, adjusted for all gaps here (refusal rates for theirs)"),
        _number("p_unadjusted", "the same for this gap alone"),
        _number("detectable", "the gap that would be found in 80 of 100 such data sets"),
        *_TEXTS_OF_BOTH,
        _NOTE,
    ),
    "words": (
        _ATTRIBUTE,
        _OUTCOME,
        *_PAIR,
        *_WORD,
        _number("contribution", "what it adds to the gap in mean scores"),
        *_LIMITS,
        _count("n_a", "texts of the first group that hold it"),
        _count("n_b", "texts of the second group that hold it"),
    ),
    "categories": (
        _ATTRIBUTE,
        _OUTCOME,
        *_PAIR,
        _text("category", "words of one kind together"),
        _number("contribution", "what they add to the gap in mean scores"),
        *_LIMITS,
    ),
    "identity_terms": (
        _ATTRIBUTE,
        _OUTCOME,
        *_WORD,
        _GROUP,
        _number("attribution", "what one occurrence adds to a score, on average"),
        *_LIMITS,
        _count("n", "texts explained that hold it"),
    ),
    "false_positives": (
        _ATTRIBUTE,
        _OUTCOME,
        *_PAIR,
        *_WORD,
        _number("contribution", "what it adds to the scores of false positives, a less b"),
        *_LIMITS,
        _count("n_a", "false positives of the first group that hold it"),
        _count("n_b", "false positives of the second group that hold it"),
    ),
    "counterfactual": (
        _ATTRIBUTE,
        _OUTCOME,
        *_PAIR,
        _text("term", 'the term; "(all)": all terms of the group'),
        _text("replacement", 'what stands in for it; "(all)": whatever does'),
        _text("kind", "symmetric: a fair score stays; asymmetric: the text may mean another thing"),
        _count("n", "texts that were swapped"),
        _number("flip_rate", "share of them whose decision changes"),
        _number("flip_low", "lower end of its interval"),
        _number("flip_high", "upper end of its interval"),
        _number("mean_shift", "mean of the score after the swap less that before"),
        *_LIMITS,
        _number("mean_absolute_shift", "mean of its size, whatever its sign"),
    ),
    "worst_cases": (
        _ATTRIBUTE,
        _OUTCOME,
        *_PAIR,
        _text("term", "the term"),
        _text("replacement", "what stands in for it"),
        _text("kind", "symmetric or asymmetric"),
        _text("text", "the text"),
        _text("swapped_text", "the text with the terms swapped"),
        _number("score", "its score"),
        _number("swapped_score", "the score after the swap"),
        _number("shift", "the difference"),
        Column("flipped", "flag", "the decision changes"),
        _count("row", "which text it is"),
    ),
    "representatives": (
        _OUTCOME,
        _count("row", "which text it is"),
        _text("text", "the text"),
        _number("score", "its score"),
        _text("groups", "the groups it belongs to"),
        _text("words", "the words that matter most in it, with what they add"),
    ),
    "advice": (
        _ATTRIBUTE,
        _OUTCOME,
        _text("remedy", "what could be done"),
        _text("metric", "the gap that it is judged by: the largest difference between groups"),
        _number("gap_before", "the gap as it is"),
        _number("gap_after", "the gap to expect: an estimate"),
        _number("gap_low", "lower end of the interval of the gap to expect"),
        _number("gap_high", "upper end of it"),
        _number("accuracy_before", "the accuracy as it is"),
        _number("accuracy_after", "the accuracy to expect: an estimate"),
        _number("accuracy_low", "lower end of the interval of that"),
        _number("accuracy_high", "upper end of it"),
        _count("n", "rows on which it was estimated"),
        _text("basis", "how it was estimated"),
        _text("detail", "thresholds and other settings, or why there is no estimate"),
    ),
    "reweighing": (
        _ATTRIBUTE,
        _OUTCOME,
        _GROUP,
        _text("label", "positive or negative"),
        _number("weight", "the weight of such a row in training: P(group) P(label) / P(both)"),
        _count("n", "such rows"),
    ),
}
"""Every table of a report, with its columns in order."""

_DTYPES: Final = {"text": "str", "number": "float64", "count": "int64", "flag": "bool"}


def frame(name: str, rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Return a table of a report from its rows; a column that a row lacks is an error.

    Raises
    ------
    MissingExtraError
        Pandas is not installed (extra ``fairness``).
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "fairness") from error

    held: Sequence[Mapping[str, Any]] = list(rows)
    return pd.DataFrame(
        {
            column.name: pd.Series(
                [_value(row[column.name], column.kind) for row in held], dtype=_DTYPES[column.kind]
            )
            for column in FRAMES[name]
        }
    )


def _value(value: Any, kind: Kind) -> Any:
    return float("nan") if value is None and kind == "number" else value


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values; what is missing or infinite is None."""
    found = table.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
