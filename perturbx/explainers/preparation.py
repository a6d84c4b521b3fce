"""Before the model is asked: texts cut, encoded, and their coalitions drawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch

from perturbx.coalitions import sample_batch
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError, MaskingError, SegmentationError, TruncationWarning
from perturbx.explainers.budget import seed_of_text
from perturbx.explainers.design import Design
from perturbx.typing import Encoding, Masker, Scorer, Segmenter, TextInput
from perturbx.units.units import Units


def cut_texts(texts: Sequence[TextInput | Units], segmenter: Segmenter) -> list[Units]:
    """Return the units of every text; `Units` are taken as they are.

    Raises
    ------
    ArgumentError
        `texts` is no list of strings, pairs of strings and Units.
    SegmentationError
        A text cannot be cut.
    """
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):
        raise ArgumentError(
            f"texts: expected a list of texts, got {type(texts).__name__}; give the column that "
            f"holds them: frame['text']"
        )
    # An array of numpy without a dimension has an `__iter__`, which raises.
    is_one = not hasattr(texts, "__iter__") or getattr(texts, "shape", None) == ()
    if isinstance(texts, (str, bytes, Units)) or is_one:
        raise ArgumentError(
            f"texts: expected a list of texts, got {type(texts).__name__}; put a single text "
            f"into a list: [text]"
        )
    cut = []
    for i, text in enumerate(texts):
        if isinstance(text, Units):
            cut.append(text)
        elif _is_text(text):
            try:
                cut.append(segmenter(text if isinstance(text, str) else (text[0], text[1])))
            except SegmentationError as error:
                raise SegmentationError(f"texts[{i}]: {error}") from error
        else:
            raise ArgumentError(
                f"texts[{i}]: expected a string, a pair of strings or Units; got "
                f"{type(text).__name__}"
            )
    return cut


def _is_text(text: object) -> bool:
    if isinstance(text, (tuple, list)):
        return len(text) == 2 and all(isinstance(part, str) for part in text)
    return isinstance(text, str)


def encode_texts(
    units: Sequence[Units],
    masker: Masker,
    scorer: Scorer,
    players: Callable[[Units], Units],
) -> list[Encoding]:
    """Return every text ready for masking; units that the model never reads leave the game."""
    takes_tokens = "tokens" in scorer.accepts
    tokenizer = getattr(scorer, "tokenizer", None) if takes_tokens else None
    window = getattr(scorer, "max_tokens", None) if takes_tokens else None
    encodings, cut = [], {}
    for i, own in enumerate(units):
        try:
            encoding = masker.encode(players(own), tokenizer, window)
        except MaskingError as error:
            raise MaskingError(f"texts[{i}]: {error}") from error
        lost = getattr(encoding, "n_truncated", 0)
        read = getattr(encoding, "units_read", None)
        if lost:
            cut[i] = lost
        if read is not None and not all(read):
            left = own.subset([unit for unit in range(own.n_units) if read[unit]])
            encoding = masker.encode(players(left), tokenizer, window)
        encodings.append(encoding)
    if cut:
        warnings.warn(
            f"{len(cut)} of {len(units)} texts are longer than the model's window of {window} "
            f"tokens (by up to {max(cut.values())}); the model does not read what lies beyond, so "
            f"it is not explained: texts {list(cut)[:10]}",
            TruncationWarning,
            stacklevel=4,
        )
    return encodings


def draw_coalitions(
    designs: Sequence[Design], units: Sequence[Units], seed: int
) -> list[Coalitions]:
    """Return the coalitions of every text, each drawn from the text's own generator."""
    drawn: list[Coalitions | None] = [None] * len(designs)
    for sampler in dict.fromkeys(design.sampler for design in designs):
        members = [i for i, design in enumerate(designs) if design.sampler == sampler]
        generators = [torch.Generator().manual_seed(seed_of_text(seed, units[i])) for i in members]
        batch = sample_batch(
            sampler,
            [units[i] for i in members],
            [designs[i].budget for i in members],
            generators,
        )
        for i, coalitions in zip(members, batch, strict=True):
            drawn[i] = coalitions
    return [coalitions for coalitions in drawn if coalitions is not None]
