"""`TokenEncoding`: one text as tokens, ready for masking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.exceptions import MaskingError
from perturbx.maskers.assembly import count, pick, placement, presence, substitute
from perturbx.maskers.filler import Filler
from perturbx.maskers.masks import check_masks
from perturbx.maskers.symbols import Symbols, lay_out
from perturbx.maskers.tokenized import Tokenized, owning_spans
from perturbx.maskers.variants import Variants
from perturbx.typing import InputKind, IntArray, Span
from perturbx.units.units import FRAME, Units


@dataclass(frozen=True, eq=False)
class TokenEncoding:
    """One text, tokenized once; its variants are assembled on the device of the masks.

    Parameters
    ----------
    units : Units
        The units.
    symbols : Symbols
        The tokens of all variants.
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
    pad_id: int
    n_truncated: int
    units_read: NDArray[np.bool_] = field(repr=False)
    _on: dict[torch.device, Symbols] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> InputKind:
        """Return "tokens"."""
        return "tokens"

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the number of tokens of each variant, ``(m,)`` int64, without assembling them."""
        check_masks(masks, self.units.n_units)
        symbols = self._symbols_on(masks.device)
        return count(masks, symbols.kept, symbols.removed, symbols.n_frame)

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
    unit_of_token = np.append(np.array(units.unit_of_span, dtype=np.int64), FRAME)[owners]
    fillings = _fillings(units, tokens, owners, filler, tokenizer)
    symbols = lay_out(tokens.ids, tokens.extras, unit_of_token, fillings, units.n_units)
    if filler is not None and max_tokens is not None and symbols.longest > max_tokens:
        raise MaskingError(
            f"masker: with {filler.text!r} in place of what is removed a variant could have "
            f"{symbols.longest} tokens, and the model reads {max_tokens}; take a shorter string, "
            f'per="unit", MaskToken() or Delete()'
        )
    return TokenEncoding(
        units=units,
        symbols=symbols,
        pad_id=tokenizer.pad_token_id or 0,
        n_truncated=tokens.n_truncated,
        units_read=(symbols.kept > 0).numpy(),
    )


def _fillings(
    units: Units, tokens: Tokenized, owners: IntArray, filler: Filler | None, tokenizer: Any
) -> list[list[int]]:
    """Return the ids that stand in for each token once it is removed.

    As in strings, white space at the ends of a unit stays, where it has tokens of its own.
    """
    if filler is None or tokens.spans is None:
        return [[] for _ in owners]
    copy = cache(lambda before: filler.ids(tokenizer, before))
    spans = tokens.spans.tolist()
    is_solid = [bool(units.text[start:stop].strip()) for start, stop in spans]
    last_solid = {owner: i for i, owner in enumerate(owners.tolist()) if is_solid[i]}
    begun: set[int] = set()
    fillings: list[list[int]] = []
    for i, owner in enumerate(owners.tolist()):
        if owner == FRAME:
            fillings.append([])
        elif i > last_solid.get(owner, FRAME) or not (is_solid[i] or owner in begun):
            fillings.append([int(tokens.ids[i])])
        elif owner not in begun:
            begun.add(owner)
            fillings.append(copy(_before(units, spans, i)))
        else:
            fillings.append(copy(" ") if filler.per == "token" else [])
    return fillings


def _before(units: Units, spans: Sequence[Span], i: int) -> str:
    """Return the character that comes before what token i reads, "" at the start of a text."""
    start, stop = spans[i]
    while units.text[start].isspace() and start < stop:
        start += 1
    if any(start == first for first, _ in units.segments):
        return ""
    if spans[i - 1][1] == start == spans[i][0] and units.text[start - 1] == " ":
        # The space is a token of its own, and must not come twice: as behind a line break.
        return "\n"
    return units.text[start - 1]
