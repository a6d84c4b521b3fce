"""CrowS-Pairs: sentences that differ in how stereotyped they are (Nangia et al., 2020)."""

from __future__ import annotations

from typing import Final

from perturbx.fairness.labelled_texts import LabelledTexts
from perturbx.fairness.loaders.files import PathArgument, Source, one_of, read_rows, text_in

CROWS_PAIRS: Final = Source(
    "CrowS-Pairs",
    "CC BY-SA 4.0",
    "Nangia et al. (2020), CrowS-Pairs",
    "https://github.com/nyu-mll/crows-pairs",
)
_COLUMNS: Final = ("sent_more", "sent_less", "stereo_antistereo", "bias_type")


def load_crows_pairs(path: PathArgument) -> LabelledTexts:
    """Load CrowS-Pairs, 1,508 pairs of sentences, as two rows a pair.

    Parameters
    ----------
    path : path
        The CSV file: columns ``sent_more, sent_less, stereo_antistereo, bias_type``.

    Returns
    -------
    LabelledTexts
        No labels. Attributes: ``stereotype``, "more" or "less" stereotyped of the pair, and
        ``spoken_of``: "disadvantaged" or "advantaged", the kind of group in the sentence (of a pair
        marked "stereo" the more stereotyped sentence speaks of the disadvantaged group, of one
        marked "antistereo" the other). Clusters: the number of the pair in the file, from 0.
        Extra columns: ``bias_type``, ``direction`` ("stereo", "antistereo").

    Raises
    ------
    ArgumentError
        Another file, a column that is missing, or an unknown direction.

    Notes
    -----
    Many of its pairs are unsound, as Blodgett et al. (2021), "Stereotyping Norwegian Salmon",
    found: read pairs before you trust a figure.
    """
    known = {
        "stereo": ("disadvantaged", "advantaged"),
        "antistereo": ("advantaged", "disadvantaged"),
    }
    texts: list[str] = []
    spoken_of: list[str] = []
    bias_types: list[str] = []
    directions: list[str] = []
    for row in read_rows(path, CROWS_PAIRS, _COLUMNS):
        direction = row["stereo_antistereo"]
        texts += [text_in(row, name, path, CROWS_PAIRS) for name in ("sent_more", "sent_less")]
        spoken_of += one_of(direction, known, "stereo_antistereo", path, CROWS_PAIRS)
        bias_types += [row["bias_type"]] * 2
        directions += [direction] * 2
    n_pairs = len(texts) // 2
    return LabelledTexts(
        texts,
        groups={"stereotype": ["more", "less"] * n_pairs, "spoken_of": spoken_of},
        clusters=[pair for pair in range(n_pairs) for _ in range(2)],
        name="CrowS-Pairs",
        licence=CROWS_PAIRS.line,
        extra={"bias_type": bias_types, "direction": directions},
    )
