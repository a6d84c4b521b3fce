"""`TokenEncoding`: one text as tokens, ready for masking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from perturbx.exceptions import MaskingError
from perturbx.maskers.assembly import count, pick, placement, presence, substitute
from perturbx.maskers.filler import Filler
from perturbx.maskers.masks import check_masks
from perturbx.maskers.tokenized import Tokenized, owning_spans
from perturbx.maskers.variants import Variants
from perturbx.typing import InputKind, IntArray
from perturbx.units.units import FRAME, Units


@dataclass(frozen=True, eq=False)
class Symbols:
    """The tokens of all variants of a text in text order, and when each is there.

    Parameters
    ----------
    ids, states : torch.Tensor of int64, (n_symbols,)
        The token, and the state in which it is present (see ``assembly.py``).
    extras : mapping of str to torch.Tensor of int64 (n_symbols,)
        The other inputs of the model.
    stand_ins : torch.Tensor of int64, (n_symbols,), optional
        Where each removed token gives way to exactly one: that one. The symbols are then the
        tokens of the text alone, and nothing moves.
    kept, removed : torch.Tensor of int64, (n_units,)
        The number of tokens of each unit while it is kept, and of what stands in for it.
    """

    ids: torch.Tensor
    states: torch.Tensor
    extras: Mapping[str, torch.Tensor]
    stand_ins: torch.Tensor | None
    kept: torch.Tensor
    removed: torch.Tensor

    def to(self, device: torch.device) -> Symbols:
        """Return the symbols on `device`."""
        return Symbols(
            ids=self.ids.to(device),
            states=self.states.to(device),
            extras={name: values.to(device) for name, values in self.extras.items()},
            stand_ins=None if self.stand_ins is None else self.stand_ins.to(device),
            kept=self.kept.to(device),
            removed=self.removed.to(device),
        )


@dataclass(frozen=True, eq=False)
class TokenEncoding:
    """One text, tokenized once; its variants are assembled on the device of the masks.

    Parameters
    ----------
    units : Units
        The units.
    symbols : Symbols
        The tokens of all variants.
    n_frame : int
        The number of tokens that are always there: special tokens and the frame.
    pad_id : int
        The id that fills the rows up.
    n_truncated : int
        The number of tokens that lie beyond the model's window.
    units_read : numpy.ndarray of bool, (n_units,)
        False for units that own no token, because they lie beyond the window or because the
        tokenizer drops them: the model never reads them.
    """

    units: Units
    symbols: Symbols = field(repr=False)
    n_frame: int
    pad_id: int
    n_truncated: int
    units_read: np.ndarray[tuple[int], np.dtype[np.bool_]] = field(repr=False)
    _on: dict[torch.device, Symbols] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> InputKind:
        """Return "tokens"."""
        return "tokens"

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the number of tokens of each variant, ``(m,)`` int64, without assembling them."""
        check_masks(masks, self.units.n_units)
        symbols = self._symbols_on(masks.device)
        return count(masks, symbols.kept, symbols.removed, self.n_frame)

    def variants(self, masks: torch.Tensor) -> Variants:
        """Return what the model sees for each row of `masks`, ``(m, n_units)`` bool.

        Raises
        ------
        MaskingError
            If the masks are not such a matrix.
        """
        lengths = self.lengths(masks)
        symbols = self._symbols_on(masks.device)
        if symbols.stand_ins is not None:
            rows = len(masks)
            ids = substitute(masks, symbols.states, symbols.ids, symbols.stand_ins)
            extras = {name: v.expand(rows, -1) for name, v in symbols.extras.items()}
        else:
            width = int(lengths.max()) if len(masks) else 0
            placed = placement(presence(masks, symbols.states), width)
            ids = pick(symbols.ids, placed, self.pad_id)
            extras = {name: pick(v, placed, 0) for name, v in symbols.extras.items()}
        return Variants(token_ids=ids, lengths=lengths, extras=extras, pad_id=self.pad_id)

    def _symbols_on(self, device: torch.device) -> Symbols:
        if device not in self._on:
            self._on[device] = self.symbols.to(device)
        return self._on[device]


def encode_tokens(
    units: Units,
    tokens: Tokenized,
    filler: Filler | None,
    tokenizer: Any,
    max_tokens: int | None = None,
) -> TokenEncoding | None:
    """Return `units` as tokens, or None where a token does not lie in one unit.

    Parameters
    ----------
    units : Units
        The units.
    tokens : Tokenized
        Their text, tokenized.
    filler : Filler, optional
        What stands in for a removed unit; None deletes it.
    tokenizer : transformers tokenizer
        The tokenizer.
    max_tokens : int, optional
        The window of the model.

    Returns
    -------
    TokenEncoding or None

    Raises
    ------
    MaskingError
        If a variant could outgrow the window.
    """
    owners = None if tokens.spans is None else owning_spans(units, tokens.spans)
    if owners is None:
        return None
    fillings = _fillings(units, tokens, owners, filler, tokenizer)
    n = units.n_units
    unit_of_token = np.append(np.array(units.unit_of_span, dtype=np.int64), FRAME)[owners]
    owned = unit_of_token != FRAME
    states = np.where(owned, unit_of_token, 2 * n)
    n_fill = np.array([len(filling) for filling in fillings], dtype=np.int64)
    fill_ids = np.array([i for filling in fillings for i in filling], dtype=np.int64)
    kept = np.bincount(unit_of_token[owned], minlength=n)
    removed = np.bincount(unit_of_token[owned], n_fill[owned], minlength=n).astype(np.int64)
    n_frame = int(np.count_nonzero(~owned))
    longest = n_frame + int(np.maximum(kept, removed).sum())
    if max_tokens is not None and longest > max_tokens:
        raise MaskingError(
            f"masker: with {filler} in place of what is removed, a variant could have {longest} "
            f"tokens, and the model reads {max_tokens}; replace by a shorter string, "
            f'per="unit", by the mask token, or take Delete()'
        )

    ids, extras = tokens.ids, dict(tokens.extras)
    stand_ins: IntArray | None = None
    if np.array_equal(n_fill, owned):
        stand_ins = ids.copy()
        stand_ins[owned] = fill_ids
    else:
        # Each token is followed by what stands in for it; of the two at most one is there.
        places = np.repeat(np.arange(len(ids)), n_fill) + 1
        ids = np.insert(ids, places, fill_ids)
        extras = {name: np.insert(v, places, np.repeat(v, n_fill)) for name, v in extras.items()}
        states = np.insert(states, places, np.repeat(states, n_fill) + n)
    return TokenEncoding(
        units=units,
        symbols=Symbols(
            ids=torch.from_numpy(ids),
            states=torch.from_numpy(states),
            extras={name: torch.from_numpy(values) for name, values in extras.items()},
            stand_ins=None if stand_ins is None else torch.from_numpy(stand_ins),
            kept=torch.from_numpy(kept),
            removed=torch.from_numpy(removed),
        ),
        n_frame=n_frame,
        pad_id=tokenizer.pad_token_id or 0,
        n_truncated=tokens.n_truncated,
        units_read=kept > 0,
    )


def _fillings(
    units: Units, tokens: Tokenized, owners: IntArray, filler: Filler | None, tokenizer: Any
) -> list[list[int]]:
    """Return the ids that stand in for each token once it is removed."""
    if filler is None or tokens.spans is None:
        return [[] for _ in owners]
    copy = lru_cache(maxsize=None)(lambda before: filler.ids(tokenizer, before))
    segment_starts = {start for start, _ in units.segments}
    fillings: list[list[int]] = []
    last = FRAME
    for owner, (start, stop) in zip(owners.tolist(), tokens.spans.tolist(), strict=True):
        if owner == FRAME:
            fillings.append([])
        elif owner != last:
            while start < stop - 1 and units.text[start].isspace():
                start += 1
            fillings.append(copy("" if start in segment_starts else units.text[start - 1]))
        else:
            fillings.append(copy(" ") if filler.per == "token" else [])
        last = owner
    return fillings
