"""HateCheck: functional tests for hate speech (Röttger et al., 2021)."""

from __future__ import annotations

from typing import Final

from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, one_of, read_rows, text_in

HATECHECK: Final = Source(
    "HateCheck",
    "CC BY 4.0",
    "Röttger et al. (2021), HateCheck: functional tests for hate speech detection models",
    "https://github.com/paul-rottger/hatecheck-data",
)
_COLUMNS: Final = ("functionality", "test_case", "label_gold", "target_ident", "templ_id")
_OTHERS: Final = ("case_id", "direction", "case_templ", "focus_words")


def load_hatecheck(path: PathArgument) -> LabelledTexts:
    """Load HateCheck, 3,728 English texts, or a language of Multilingual HateCheck.

    Parameters
    ----------
    path : path
        The CSV file: columns ``functionality, test_case, label_gold, target_ident, templ_id``.

    Returns
    -------
    LabelledTexts
        Label 1 is hateful. Attribute ``target``: the group that is spoken of (None in cases about
        nobody in particular; `notes` counts them); clusters: the template. Extra columns:
        ``functionality``, and ``case_id``, ``direction``, ``case_templ``, ``focus_words`` where the
        file has them.

    Raises
    ------
    ArgumentError
        Another file, a column that is missing, or an unknown label.
    """
    rows = list(read_rows(path, HATECHECK, _COLUMNS))
    known = {"hateful": 1, "non-hateful": 0}
    targets = [row["target_ident"] or None for row in rows]
    n_without = targets.count(None)
    others = [name for name in _OTHERS if rows and name in rows[0]]
    return LabelledTexts(
        [text_in(row, "test_case", path, HATECHECK) for row in rows],
        [one_of(row["label_gold"], known, "label_gold", path, HATECHECK) for row in rows],
        groups={"target": targets},
        clusters=[row["templ_id"] for row in rows],
        name="HateCheck",
        licence=HATECHECK.line,
        extra={name: [row[name] for row in rows] for name in ("functionality", *others)},
        notes=[f"{n_without} of {len(rows)} rows have no target group"] if n_without else [],
    )
