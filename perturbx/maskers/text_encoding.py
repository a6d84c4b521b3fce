"""`TextEncoding`: one text as strings, ready for masking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.maskers.assembly import count
from perturbx.maskers.filler import StandIn
from perturbx.maskers.masks import check_masks
from perturbx.maskers.tokenized import readable
from perturbx.maskers.variants import Variants
from perturbx.typing import InputKind, IntArray, Span
from perturbx.units.units import FRAME, Units


@dataclass(frozen=True, eq=False)
class Parts:
    """One segment cut into strings, each owned by a unit or by the frame.

    Parameters
    ----------
    owners : numpy.ndarray of int64, (n_parts,)
        The unit, or `FRAME`.
    kept, removed : numpy.ndarray of object, (n_parts,)
        The string while the unit is kept, and while it is removed.
    """

    owners: IntArray
    kept: NDArray[np.object_]
    removed: NDArray[np.object_]

    def join(self, masks: NDArray[np.bool_]) -> list[str]:
        """Return the string for each row of `masks`, ``(m, n_units + 1)`` with the frame last."""
        rows = np.where(masks[:, self.owners], self.kept, self.removed).tolist()
        return ["".join(row) for row in rows]


@dataclass(frozen=True, eq=False)
class TextEncoding:
    """One text cut into strings once; its variants are these strings, joined.

    Parameters
    ----------
    units : Units
        The units.
    segments : tuple of Parts
        The strings of the text, or of each text of a pair.
    n_truncated : int
        The number of tokens that lie beyond the model's window.
    units_read : numpy.ndarray of bool, (n_units,)
        False for units that lie beyond the window.
    """

    units: Units
    segments: tuple[Parts, ...] = field(repr=False)
    n_truncated: int
    units_read: NDArray[np.bool_] = field(repr=False)

    @property
    def kind(self) -> InputKind:
        """Return "text"."""
        return "text"

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the number of characters of each variant, ``(m,)`` int64."""
        check_masks(masks, self.units.n_units)
        kept, removed, n_frame = self._sizes
        return count(masks, kept.to(masks.device), removed.to(masks.device), n_frame)

    def variants(self, masks: torch.Tensor) -> Variants:
        """Return the strings for each row of `masks`, ``(m, n_units)`` bool.

        Raises
        ------
        MaskingError
            If the masks are not such a matrix.
        """
        check_masks(masks, self.units.n_units)
        frame = np.ones((len(masks), 1), dtype=np.bool_)
        with_frame = np.concatenate([masks.cpu().numpy(), frame], axis=1)
        texts = [parts.join(with_frame) for parts in self.segments]
        return Variants(texts=texts[0] if len(texts) == 1 else list(zip(*texts, strict=True)))

    @cached_property
    def _sizes(self) -> tuple[torch.Tensor, torch.Tensor, int]:
        """The characters of each unit, kept and removed, and of the frame."""
        # FRAME is -1, so that the frame is counted in the last entry.
        kept, removed = np.zeros((2, self.units.n_units + 1), dtype=np.int64)
        for parts in self.segments:
            np.add.at(kept, parts.owners, [len(string) for string in parts.kept])
            np.add.at(removed, parts.owners, [len(string) for string in parts.removed])
        return torch.from_numpy(kept[:-1]), torch.from_numpy(removed[:-1]), int(kept[-1])


def encode_text(
    units: Units,
    filler: StandIn | None,
    tokenizer: Any = None,
    *,
    read: Sequence[Span] = (),
    n_truncated: int = 0,
) -> TextEncoding:
    """Return `units` as strings.

    A removed unit is left out, or gives way to what the filler says. A `Filler` takes all of it
    but the white space at its ends: the punctuation that belongs to it goes, too, just as its
    tokens do.

    Parameters
    ----------
    units : Units
        The units.
    filler : StandIn, optional
        What stands in for a removed unit; None deletes it.
    tokenizer : transformers tokenizer, optional
        Counts tokens for a filler that comes once per token; also the sign that the variants will
        be tokenized.
    read : sequence of (start, stop), optional
        The part of each segment that the model reads; by default all of it.
    n_truncated : int
        The number of tokens beyond that.

    Returns
    -------
    TextEncoding
    """
    text = units.text if tokenizer is None else readable(units.text)
    cut = [_cut(units, part) for part in read or units.segments]
    units_read = np.zeros(units.n_units, dtype=np.bool_)
    units_read[[unit for pieces in cut for unit, _ in pieces if unit != FRAME]] = True
    return TextEncoding(
        units=units,
        segments=tuple(_parts(text, pieces, filler, tokenizer) for pieces in cut),
        n_truncated=n_truncated,
        units_read=units_read,
    )


def _cut(units: Units, segment: Span) -> list[tuple[int, Span]]:
    """Return one segment of the text as ``(owner, span)`` in order."""
    last, end = segment
    pieces: list[tuple[int, Span]] = []
    for (start, stop), unit in zip(units.spans, units.unit_of_span, strict=True):
        start, stop = max(start, last), min(stop, end)
        if start < stop:
            if last < start:
                pieces.append((FRAME, (last, start)))
            pieces.append((unit, (start, stop)))
            last = stop
    if last < end:
        pieces.append((FRAME, (last, end)))
    return pieces


def _parts(
    text: str, pieces: Sequence[tuple[int, Span]], filler: StandIn | None, tokenizer: Any
) -> Parts:
    kept = [text[start:stop] for _, (start, stop) in pieces]
    owned = [i for i, (unit, _) in enumerate(pieces) if unit != FRAME]
    spans = [pieces[i][1] for i in owned]
    filled = [""] * len(spans) if filler is None else filler.fill(text, spans, tokenizer)
    removed = list(kept)
    for i, string in zip(owned, filled, strict=True):
        removed[i] = string
    return Parts(
        owners=np.array([unit for unit, _ in pieces], dtype=np.int64),
        kept=np.array(kept, dtype=object),
        removed=np.array(removed, dtype=object),
    )
