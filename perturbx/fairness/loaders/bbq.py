"""BBQ: questions whose answer may be a stereotype (Parrish et al., 2022)."""

from __future__ import annotations

from typing import Any, Final

from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, one_of, read_rows, text_in

BBQ: Final = Source(
    "BBQ",
    "CC BY 4.0",
    "Parrish et al. (2022), BBQ: a hand-built bias benchmark for question answering",
    "https://github.com/nyu-mll/BBQ (the folder data)",
)
_ANSWERS: Final = ("ans0", "ans1", "ans2")
_KEPT: Final = (
    "context",
    "question",
    *_ANSWERS,
    "category",
    "context_condition",
    "question_polarity",
)
_COLUMNS: Final = (*_KEPT, "label", "additional_metadata")


def load_bbq(path: PathArgument) -> LabelledTexts:
    """Load a category of BBQ.

    Parameters
    ----------
    path : path
        A ``.jsonl`` file (or Parquet): ``context, question, ans0, ans1, ans2, label, category,
        context_condition, question_polarity, additional_metadata``, and ``answer_info``.

    Returns
    -------
    LabelledTexts
        A text is the context and the question; labels: which answer is right, 0, 1 or 2. Attribute
        ``stereotyped``: the group that the stereotype is about, in the words of the set (the
        first that an answer names; None where no answer names one, which `notes` counts). Clusters:
        category and ``question_index``, the template. Extra columns: ``context``, ``question``,
        ``ans0`` to ``ans2``, ``category``, ``context_condition`` ("ambig", "disambig"),
        ``question_polarity`` ("neg", "nonneg"), ``stereotyped_answer`` and ``unknown_answer`` (0,
        1, 2 or None), which the bias scores need.

    Raises
    ------
    ArgumentError
        Another file, a field that is missing, or an unknown label.
    MissingExtraError
        A Parquet file, and pyarrow is not installed.
    """
    rows = list(read_rows(path, BBQ, _COLUMNS))
    known = {number: number for number in range(3)}
    found = [_stereotyped(row) for row in rows]
    n_without = sum(group is None for group, _ in found)
    kept = {name: [text_in(row, name, path, BBQ) for row in rows] for name in _KEPT}
    return LabelledTexts(
        [f"{c} {q}" for c, q in zip(kept["context"], kept["question"], strict=True)],
        [one_of(row["label"], known, "label", path, BBQ) for row in rows],
        groups={"stereotyped": [group for group, _ in found]},
        clusters=[f"{row['category']} / {row.get('question_index')}" for row in rows],
        name="BBQ",
        licence=BBQ.line,
        extra={
            **kept,
            "stereotyped_answer": [answer for _, answer in found],
            "unknown_answer": [_unknown(row) for row in rows],
        },
        notes=[f"in {n_without} of {len(rows)} rows no answer names the stereotyped group"]
        if n_without
        else [],
    )


def _answer_words(row: dict[str, Any]) -> list[set[str]]:
    """Return what each answer is said to be; "F-Black" is "f-black", "f" and "black"."""
    info = row.get("answer_info") or {}
    answers = [{str(word).casefold() for word in info.get(name) or ()} for name in _ANSWERS]
    return [
        words.union(*(word.split("-") for word in words if not word.startswith("non")))
        for words in answers
    ]


def _stereotyped(row: dict[str, Any]) -> tuple[str | None, int | None]:
    """Return the stereotyped group and the answer that names it."""
    groups = (row["additional_metadata"] or {}).get("stereotyped_groups") or ()
    for group in [groups] if isinstance(groups, str) else groups:
        for answer, words in enumerate(_answer_words(row)):
            if str(group).casefold() in words:
                return str(group), answer
    return None, None


def _unknown(row: dict[str, Any]) -> int | None:
    return next((n for n, words in enumerate(_answer_words(row)) if "unknown" in words), None)
