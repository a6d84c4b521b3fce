"""A text tokenized once: its ids, where each token lies in the text, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx.exceptions import ArgumentError, MaskingError
from perturbx.maskers.alignment import UNKNOWN, align
from perturbx.typing import IntArray, Span
from perturbx.units.units import FRAME, Units

_NOT_EXTRA = {"input_ids", "attention_mask", "special_tokens_mask", "offset_mapping"}
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class Tokenized:
    """The tokens of one text, special tokens included, cut to the window of the model.

    Parameters
    ----------
    ids : numpy.ndarray of int64, (n_tokens,)
        What the tokenizer returns for the text as it is.
    spans : numpy.ndarray of int64, (n_tokens, 2), optional
        The characters of each token; empty for special tokens. None where a slow tokenizer
        could not be followed.
    extras : mapping of str to numpy.ndarray of int64 (n_tokens,)
        The other inputs of the model (``token_type_ids``).
    n_truncated : int
        The number of tokens that lie beyond the window.
    """

    ids: IntArray
    spans: IntArray | None
    extras: Mapping[str, IntArray]
    n_truncated: int = 0


def tokenize(units: Units, tokenizer: Any, max_tokens: int | None = None) -> Tokenized:
    """Tokenize the text of `units` once, as the tokenizer does it for the model.

    Parameters
    ----------
    units : Units
        One text, or a pair of texts.
    tokenizer : transformers tokenizer
        Fast or slow.
    max_tokens : int, optional
        The window of the model, special tokens included. A longer text is cut by the tokenizer's
        own truncation (of a pair, the longer text first).

    Returns
    -------
    Tokenized

    Raises
    ------
    ArgumentError
        If `max_tokens` is not a positive number.
    MaskingError
        If the special tokens alone do not fit into the window.
    """
    if max_tokens is not None and max_tokens < 1:
        raise ArgumentError(f"max_tokens: expected a positive number or None, got {max_tokens!r}")
    texts = [readable(units.text[start:stop]) for start, stop in units.segments]
    columns, encoded = _call(tokenizer, texts)
    n_tokens = len(columns["input_ids"])
    if max_tokens is not None and n_tokens > max_tokens:
        columns, encoded = _call(
            tokenizer, texts, truncation="longest_first", max_length=max_tokens
        )
        if len(columns["input_ids"]) > max_tokens:
            raise MaskingError(
                f"max_tokens: the tokenizer cannot cut the text to {max_tokens} tokens; its own "
                f"special tokens alone are {tokenizer.num_special_tokens_to_add(len(texts) > 1)}"
            )
    ids = columns["input_ids"]
    return Tokenized(
        ids=np.array(ids, dtype=np.int64),
        spans=_spans(units, tokenizer, columns, encoded),
        extras={
            name: np.array(values, dtype=np.int64)
            for name, values in columns.items()
            if name not in _NOT_EXTRA and len(values) == len(ids)
        },
        n_truncated=n_tokens - len(ids),
    )


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of `text` alone, without special tokens."""
    ids: list[int] = tokenizer(readable(text), add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def ids_behind(tokenizer: Any, text: str, before: str) -> list[int]:
    """Return the ids of `text` as they are behind what comes before it.

    Tokenizers that write the space into the token that follows it (byte-level, metaspace) have
    other tokens after a space, or at the start of a text, than inside of one: the text is
    tokenized behind something, of which nothing but that space stays.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        The tokenizer.
    text : str
        What is tokenized.
    before : str
        The character that comes before; "" at the start of a text. A space is one that the tokens
        are to bring along.

    Returns
    -------
    list of int
    """
    lead, gap = ("a", " ") if before == " " else (before, "")
    head, whole = plain_ids(tokenizer, lead), plain_ids(tokenizer, lead + gap + text)
    if head and whole[: len(head)] != head and not before.isspace():
        # Where what comes before merges with the text, as in Chinese, a letter may not.
        head, whole = plain_ids(tokenizer, "a"), plain_ids(tokenizer, "a" + text)
    if head and whole[: len(head)] == head:
        return whole[len(head) :]
    return plain_ids(tokenizer, text)


def readable(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate, which no tokenizer can read."""
    return _SURROGATE.sub("\ufffd", text)


def owning_spans(units: Units, token_spans: IntArray) -> IntArray | None:
    """Return which of ``units.spans`` owns each token.

    A token belongs where its first character that is not white space lies, a token of white space
    alone where its first character lies, or to what it stands before, see `_spaces_before`.

    Parameters
    ----------
    units : Units
        The units.
    token_spans : numpy.ndarray of int64, (n_tokens, 2)
        The characters of each token.

    Returns
    -------
    numpy.ndarray of int64, (n_tokens,), or None
        The number of the span; `FRAME` for special tokens and for the frame. None where a token
        straddles: where its characters other than white space are not all of one unit.
    """
    starts, stops = token_spans[:, 0], token_spans[:, 1]
    span_of_char = np.full(len(units.text) + 1, FRAME)
    for i, (start, stop) in enumerate(units.spans):
        span_of_char[start:stop] = i
    # FRAME is -1, so that it picks the entry appended last.
    unit_of_char = np.append(np.array(units.unit_of_span, dtype=np.int64), FRAME)[span_of_char]

    solid = np.array([i for i, c in enumerate(units.text) if not c.isspace()] + [len(units.text)])
    first, after = np.searchsorted(solid, starts), np.searchsorted(solid, stops)
    changes = np.append(0, np.cumsum(np.diff(unit_of_char[solid]) != 0))
    is_solid = after > first
    if np.any(changes[first[is_solid]] != changes[after[is_solid] - 1]):
        return None
    owners = span_of_char[np.where(is_solid, solid[first], starts)]
    owners = np.where(stops > starts, owners, FRAME)
    begins_solid = is_solid & (solid[np.minimum(first, len(solid) - 1)] == starts)
    return _spaces_before(units.text, token_spans, owners, is_solid, begins_solid)


def _spaces_before(
    text: str,
    token_spans: IntArray,
    owners: IntArray,
    is_solid: NDArray[np.bool_],
    begins_solid: NDArray[np.bool_],
) -> IntArray:
    """Return `owners` with white space given to what it stands before, where that is the rule.

    Many tokenizers write a space into the token behind it, and yet make a token of the one before a
    digit or a rare letter. Removed with the word before it, which brings a space of its own along,
    it would leave nothing between the words beside ("cost is 5" would become "cost5"). So it goes
    with the word behind it, as other spaces do; and so does a line break behind such a word.
    """
    starts, stops = token_spans[:, 0], token_spans[:, 1]
    is_space = np.array([character.isspace() for character in text] + [False])
    # Some tokenizers do not count the space of a token among its characters.
    ended = np.append(0, stops[:-1])
    is_left_out = (ended > 0) & (ended < starts)
    leads = is_solid & (is_space[starts] | (is_space[starts - 1] & is_left_out))
    blank = ~is_solid[:-1] & begins_solid[1:] & (stops[:-1] == starts[1:]) & (stops[:-1] > 0)
    if not blank.any() or not leads.any():
        return owners
    names, first = np.unique(owners, return_index=True)
    brings = {int(name) for name, i in zip(names, first, strict=True) if leads[i]} - {FRAME}
    names, first = np.unique(owners[is_solid], return_index=True)
    begun = dict(zip(names.tolist(), np.flatnonzero(is_solid)[first].tolist(), strict=True))
    owners = owners.copy()
    for i in np.flatnonzero(blank).tolist():
        before, behind = int(owners[i]), int(owners[i + 1])
        is_one = text[stops[i] - 1] == " " and stops[i] - starts[i] < 2
        is_alone = before != FRAME and begun.get(before, i) >= i
        if before != behind and not is_alone and (is_one or before in brings):
            owners[i] = behind
            brings |= {behind} - {FRAME}
    return owners


def window(units: Units, tokens: Tokenized) -> tuple[Span, ...]:
    """Return the part of each segment that the model reads."""
    if tokens.n_truncated == 0 or tokens.spans is None:
        return units.segments
    return tuple(_read_part(segment, tokens.spans) for segment in units.segments)


def _read_part(segment: Span, token_spans: IntArray) -> Span:
    start, stop = segment
    starts, stops = token_spans[:, 0], token_spans[:, 1]
    inside = (stops > starts) & (starts >= start) & (stops <= stop)
    if not inside.any():
        return start, start
    return int(starts[inside].min()), int(stops[inside].max())


def _call(tokenizer: Any, texts: Sequence[str], **options: Any) -> tuple[dict[str, list[int]], Any]:
    """Return the columns for one text or pair, and what the tokenizer itself returned."""
    encoded = tokenizer(
        # As a batch of one: alone, a pair whose second text is empty would count as one text.
        *([text] for text in texts),
        # The warning of a text that is too long would be of one that is cut in the next step.
        verbose=False,
        return_special_tokens_mask=True,
        return_offsets_mapping=tokenizer.is_fast,
        **options,
    )
    return {name: rows[0] for name, rows in encoded.items()}, encoded


def _spans(
    units: Units, tokenizer: Any, columns: dict[str, list[int]], encoded: Any
) -> IntArray | None:
    """Return the characters of `units.text` of each token."""
    if not tokenizer.is_fast:
        aligned = align(units.text, units.segments, _pieces(tokenizer, columns))
        return None if aligned is None else np.array(aligned, dtype=np.int64).reshape(-1, 2)
    spans = np.array(columns["offset_mapping"], dtype=np.int64).reshape(-1, 2)
    for i, segment in enumerate(encoded.sequence_ids(0)):
        spans[i] = 0 if segment is None else spans[i] + units.segments[segment][0]
    return spans


def _pieces(tokenizer: Any, columns: dict[str, list[int]]) -> list[str | None]:
    """Return what each token of a slow tokenizer reads."""
    return [
        None
        if special
        else UNKNOWN
        if token_id == tokenizer.unk_token_id
        else tokenizer.convert_tokens_to_string([tokenizer.convert_ids_to_tokens(token_id)])
        for token_id, special in zip(
            columns["input_ids"], columns["special_tokens_mask"], strict=True
        )
    ]
