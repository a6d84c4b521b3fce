"""BEC-Pro: professions by gender (Bartl et al., 2020)."""

from __future__ import annotations

from typing import Final

from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, one_of, read_rows, text_in

BEC_PRO: Final = Source(
    "BEC-Pro",
    "CC BY 4.0",
    "Bartl et al. (2020), Unmasking contextual stereotypes",
    "https://github.com/marionbartl/gender-bias-BERT",
)
_COLUMNS: Final = ("Sentence", "Template", "Person", "Gender", "Profession", "Prof_Gender")
_MASKED: Final = ("Sent_TM", "Sent_AM", "Sent_TAM")


def load_bec_pro(path: PathArgument) -> LabelledTexts:
    """Load BEC-Pro, 5,400 sentences with a person word and a profession.

    Parameters
    ----------
    path : path
        The file, columns parted by tabs: ``Sentence, Template, Person, Gender, Profession,
        Prof_Gender``.

    Returns
    -------
    LabelledTexts
        No labels. Attributes: ``gender`` of the person word, and ``profession_gender``: which
        gender most of those in the profession have ("male", "female", "balanced"). Clusters:
        template and profession, so that texts of a cluster differ in the person word only. Extra
        columns: ``person`` (without an article), ``profession``, ``template``, and the masked
        sentences where the file has them.

    Raises
    ------
    ArgumentError
        Another file, a column that is missing, or an unknown gender.
    """
    rows = list(read_rows(path, BEC_PRO, _COLUMNS))
    known = {name: name for name in ("male", "female")}
    kinds = known | {"balanced": "balanced"}
    masked = [name for name in _MASKED if rows and name in rows[0]]
    return LabelledTexts(
        [text_in(row, "Sentence", path, BEC_PRO) for row in rows],
        groups={
            "gender": [one_of(row["Gender"], known, "Gender", path, BEC_PRO) for row in rows],
            "profession_gender": [
                one_of(row["Prof_Gender"], kinds, "Prof_Gender", path, BEC_PRO) for row in rows
            ],
        },
        clusters=[f"{row['Template']} / {row['Profession']}" for row in rows],
        name="BEC-Pro",
        licence=BEC_PRO.line,
        extra={
            "person": [row["Person"] for row in rows],
            "profession": [row["Profession"] for row in rows],
            "template": [row["Template"] for row in rows],
            **{name: [row[name] for row in rows] for name in masked},
        },
    )
