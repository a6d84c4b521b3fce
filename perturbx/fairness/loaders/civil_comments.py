"""Civil Comments: news comments with the identities they mention (Borkan et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from numbers import Real
from typing import Any, Final

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, named, read_rows, text_in

CIVIL_COMMENTS: Final = Source(
    "Civil Comments",
    "CC0-1.0",
    "Borkan et al. (2019), Nuanced metrics for measuring unintended bias with real data",
    "https://www.kaggle.com/c/jigsaw-unintended-bias-in-toxicity-classification (train.csv), or "
    "civil_comments/CivilCommentsIdentities of TensorFlow Datasets",
)
IDENTITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "gender": ("male", "female", "transgender", "other_gender"),
    "religion": (
        "christian",
        "jewish",
        "muslim",
        "hindu",
        "buddhist",
        "atheist",
        "other_religion",
    ),
    "ethnicity": ("black", "white", "asian", "latino", "other_race_or_ethnicity"),
    "orientation": (
        "heterosexual",
        "homosexual_gay_or_lesbian",
        "bisexual",
        "other_sexual_orientation",
    ),
    "disability": (
        "physical_disability",
        "intellectual_or_learning_disability",
        "psychiatric_or_mental_illness",
        "other_disability",
    ),
}
"""The identity columns of the set, by attribute."""

BACKGROUND: Final = "background"
"""The group of comments that were rated and do not mention an identity."""

_TEXT: Final = ("comment_text", "text")
_TARGET: Final = ("target", "toxicity")


def load_civil_comments(path: PathArgument, threshold: float = 0.5) -> LabelledTexts:
    """Load Civil Comments, from the CSV of Kaggle or WILDS, or a Parquet file.

    Parameters
    ----------
    path : path
        The file: columns ``comment_text`` (or ``text``), ``target`` (or ``toxicity``) and at least
        one column of an identity ("female", "muslim", ...), each the fraction of raters who saw it.
    threshold : float, default=0.5
        From which fraction on a comment counts as toxic, and an identity as mentioned.

    Returns
    -------
    LabelledTexts
        Label 1 is toxic. For each identity there is an attribute of its name, whose groups are the
        identity and "background" (rated, not mentioned), as in the authors' metrics; and for each
        of gender, religion, ethnicity, orientation and disability one whose groups are the
        identities, None where a comment mentions none or several. Comments whose identities were
        not rated have None in all of them. Clusters: ``article_id``, where the file has it. Extra
        columns: ``toxicity``, the fraction. `notes` counts comments that were not rated and those
        that mention several identities of an attribute.

    Raises
    ------
    ArgumentError
        Another file, a column that is missing, a fraction that is none, or a threshold outside
        (0, 1].
    MissingExtraError
        A Parquet file, and pyarrow is not installed.
    """
    if not (isinstance(threshold, Real) and 0 < threshold <= 1):
        raise ArgumentError(f"threshold: expected a fraction above 0, up to 1; got {threshold!r}")
    every = tuple(chain.from_iterable(IDENTITIES.values()))
    texts, fractions, articles, identities = [], [], [], []
    for row in read_rows(path, CIVIL_COMMENTS, (_TEXT, _TARGET, every)):
        texts.append(text_in(row, named(row, _TEXT), path, CIVIL_COMMENTS))
        target = named(row, _TARGET)
        fraction = _fraction(row[target], target, path)
        if fraction is None:
            raise CIVIL_COMMENTS.fault(path, f"{target} is empty in record {len(texts)}")
        fractions.append(fraction)
        articles.append(row.get("article_id"))
        rated = {name: _fraction(row[name], name, path) for name in every if name in row}
        identities.append(
            None
            if all(value is None for value in rated.values())
            else {name for name, value in rated.items() if (value or 0) >= threshold}
        )
        columns = rated.keys()
    known = [name for name in every if texts and name in columns]
    notes = []
    if n_unrated := identities.count(None):
        notes.append(f"identities were not rated in {n_unrated} of {len(texts)} comments")
    groups: dict[str, Sequence[str | None]] = {
        attribute: [_only(mentioned, names) for mentioned in identities]
        for attribute, names in IDENTITIES.items()
        if set(names) & set(known)
    }
    for attribute in groups:
        members = set(IDENTITIES[attribute])
        if n_several := sum(len((mentioned or set()) & members) > 1 for mentioned in identities):
            notes.append(f"{n_several} comments mention several groups of {attribute}")
    groups |= {
        name: [None if m is None else name if name in m else BACKGROUND for m in identities]
        for name in known
    }
    return LabelledTexts(
        texts,
        [int(fraction >= threshold) for fraction in fractions],
        groups=groups,
        clusters=None if None in articles or not articles else articles,
        name="Civil Comments",
        licence=CIVIL_COMMENTS.line,
        extra={"toxicity": fractions},
        notes=notes,
    )


def _only(mentioned: set[str] | None, names: Sequence[str]) -> str | None:
    among = [name for name in names if name in (mentioned or ())]
    return among[0] if len(among) == 1 else None


def _fraction(value: Any, name: str, path: PathArgument) -> float | None:
    """Return a cell as a fraction; None where it is empty or NaN."""
    if value is None or value == "":
        return None
    try:
        fraction = {"True": 1.0, "False": 0.0}.get(value) if isinstance(value, str) else None
        fraction = float(value) if fraction is None else fraction
    except (TypeError, ValueError):
        fraction = -1.0
    if fraction != fraction:
        return None
    if not 0 <= fraction <= 1:
        raise CIVIL_COMMENTS.fault(path, f"{name} is {value!r}, no fraction from 0 to 1,")
    return fraction
