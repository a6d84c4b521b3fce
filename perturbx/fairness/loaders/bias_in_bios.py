"""Bias in Bios: biographies, professions and gender (De-Arteaga et al., 2019)."""

from __future__ import annotations

from typing import Any, Final

from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import (
    PathArgument,
    Source,
    named,
    one_of,
    read_rows,
    text_in,
)

BIAS_IN_BIOS: Final = Source(
    "Bias in Bios",
    "MIT",
    "De-Arteaga et al. (2019), Bias in bios",
    "https://huggingface.co/datasets/LabHC/bias_in_bios",
)
PROFESSIONS: Final = (
    "accountant",
    "architect",
    "attorney",
    "chiropractor",
    "comedian",
    "composer",
    "dentist",
    "dietitian",
    "dj",
    "filmmaker",
    "interior_designer",
    "journalist",
    "model",
    "nurse",
    "painter",
    "paralegal",
    "pastor",
    "personal_trainer",
    "photographer",
    "physician",
    "poet",
    "professor",
    "psychologist",
    "rapper",
    "software_engineer",
    "surgeon",
    "teacher",
    "yoga_teacher",
)
"""The professions, at their numbers in the version by numbers."""

_TEXT: Final = ("hard_text", "bio", "text")
_PROFESSION: Final = ("profession", "title", "p")
_GENDER: Final = ("gender", "g")
_NUMBERED: Final = {str(number): name for number, name in enumerate(PROFESSIONS)}
_GENDERS: Final = {
    "0": "male",
    "1": "female",
    "m": "male",
    "f": "female",
    "male": "male",
    "female": "female",
}


def load_bias_in_bios(path: PathArgument) -> LabelledTexts:
    """Load Bias in Bios, nearly 400,000 biographies.

    Parameters
    ----------
    path : path
        A CSV, ``.jsonl`` or ``.parquet`` file: columns ``hard_text`` (or ``bio``, ``text``: the
        biography without its first sentence), ``profession`` (or ``title``, ``p``; a name, or a
        number from 0 to 27) and ``gender`` (or ``g``; m and f, or 0 for male and 1 for female). A
        pickle, as which the set is handed on too, is refused: opening one runs whatever code it
        holds.

    Returns
    -------
    LabelledTexts
        Labels: the name of the profession. Attribute ``gender``: "male" or "female", as the authors
        read it off the pronouns. No clusters.

    Raises
    ------
    ArgumentError
        Another file, a pickle, a column that is missing, or an unknown gender or number.
    MissingExtraError
        A Parquet file, and pyarrow is not installed.
    """
    texts, professions, genders = [], [], []
    for row in read_rows(path, BIAS_IN_BIOS, (_TEXT, _PROFESSION, _GENDER)):
        texts.append(text_in(row, named(row, _TEXT), path, BIAS_IN_BIOS))
        professions.append(_profession(row, path))
        column = named(row, _GENDER)
        genders.append(one_of(str(row[column]).lower(), _GENDERS, column, path, BIAS_IN_BIOS))
    return LabelledTexts(
        texts,
        professions,
        groups={"gender": genders},
        name="Bias in Bios",
        licence=BIAS_IN_BIOS.line,
    )


def _profession(row: dict[str, Any], path: PathArgument) -> str:
    column = named(row, _PROFESSION)
    value = str(row[column])
    if value.isdecimal():
        return one_of(value, _NUMBERED, column, path, BIAS_IN_BIOS)
    return text_in(row, column, path, BIAS_IN_BIOS)
