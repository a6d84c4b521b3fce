"""Prompts with their responses, made ready: which tokens of a response make which output."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from perturbx.exceptions import AnswersWarning, ArgumentError
from perturbx.jobs import Result
from perturbx.maskers.response_encoding import ResponseEncoding
from perturbx.score_table import ScoreTable
from perturbx.typing import Encoding, FloatArray, IntArray, Span
from perturbx.units import as_segmenter
from perturbx.units.prompts import response_spans

MOST_SUMMANDS, MOST_SUMMANDS_IN_ALL = 24, 64
"""An output is told as the sum of so many, and all outputs of a response of so many: each is a game
that is fitted by itself."""


def with_readout(encoding: Encoding, outputs: Any, tokenizer: Any) -> ResponseEncoding:
    """Return a prompt that says what is read out of the tokens of its response.

    Parameters
    ----------
    encoding : Encoding
        A prompt (segment 0) with its response (1), and maybe one that it is contrasted with (2).
    outputs : "response", "sentences", "tokens", or spans
        The parts of the response that are explained; see `response_spans`.
    tokenizer : PromptTokenizer
        Cuts the response into tokens.

    Raises
    ------
    ArgumentError
        If a part has no token.
    """
    units = encoding.units
    texts = [units.text[start:stop] for start, stop in units.segments]
    row = tokenizer(*([text] for text in texts), return_offsets_mapping=bool(tokenizer.is_fast))
    segments = np.array(row["token_type_ids"][0])
    if len(texts) > 2:
        return _contrasted(encoding, segments[segments > 0])
    if outputs == "response":
        return ResponseEncoding(encoding, ("response",), np.ones((int((segments == 1).sum()), 1)))
    places = np.array(row["offset_mapping"][0])[segments == 1]
    if outputs == "tokens":
        names = [texts[1][start:stop] for start, stop in places]
        return ResponseEncoding(encoding, unique_names(names), np.eye(len(names)))
    names, parts = response_spans(units, outputs)
    readout = _parts_of_tokens(texts[1], places, parts)
    if not np.all(readout.any(axis=0)):
        empty = names[int(np.argmin(readout.any(axis=0)))]
        raise ArgumentError(f"outputs: {empty!r} holds no token of the response")
    return ResponseEncoding(encoding, unique_names(names), readout)


def with_readout_by_character(encoding: Encoding, outputs: Any) -> ResponseEncoding:
    """Return the same for a scorer whose columns are characters: nobody knows its tokens yet.

    Parameters
    ----------
    encoding, outputs
        See `with_readout`.
    """
    units = encoding.units
    _, *texts = (units.text[start:stop] for start, stop in units.segments)
    words = _words_of_characters(texts)
    if len(texts) > 1:
        segments = np.repeat(np.arange(1, len(texts) + 1), list(map(len, texts)))
        return _contrasted(encoding, segments, words)
    names, parts = response_spans(units, outputs)
    places = [(place, place + 1) for place in range(len(texts[0]))]
    readout = _parts_of_tokens(texts[0], places, parts)
    return ResponseEncoding(encoding, unique_names(names), readout, words)


def warn_of_empty_parts(encodings: Sequence[Encoding], tables: Sequence[ScoreTable]) -> None:
    """Issue one `AnswersWarning` where parts have no token, as only scores by character show."""
    empty = [
        f"{name!r:.80} of prompts[{number}]"
        for number, (encoding, table) in enumerate(zip(encodings, tables, strict=True))
        if getattr(encoding, "words", None) is not None
        for name, column in zip(table.output_names, table.scores.T, strict=True)
        if not column.any()
    ]
    if empty:
        warnings.warn(
            f"outputs: parts that hold no token of their response, told as 0: {len(empty)}, such "
            f"as {empty[0]}; take whole words",
            AnswersWarning,
            stacklevel=3,
        )


def _contrasted(
    encoding: Encoding, segments: IntArray, words: IntArray | None = None
) -> ResponseEncoding:
    """Return a prompt with its response (columns of segment 1) less an alternative (2)."""
    signs = np.where(segments == 1, 1.0, -1.0)
    return ResponseEncoding(encoding, ("response - alternative",), signs[:, None], words)


def _words_of_characters(texts: Sequence[str]) -> IntArray:
    """Return the number of the word that each character of some texts belongs to."""
    begins = np.zeros(sum(map(len, texts)), dtype=np.int64)
    offset = 0
    for text in texts:
        begins[[offset, *(offset + start for start, _ in as_segmenter("words")(text).spans)]] = 1
        offset += len(text)
    return np.cumsum(begins)


def read_out(result: Result, encoding: Encoding) -> Result:
    """Return a result with the outputs of its text, where they are made from the scorer's columns.

    Each comes with its summands, where the columns are known without noise: the tokens (or words),
    or up to 24 groups of neighbours (64 for all outputs together). Variances are those of columns
    whose noise is independent.
    """
    readout: FloatArray | None = getattr(encoding, "readout", None)
    if readout is None:
        return result
    if not result.scored.any():
        # The scorer's columns are those of the texts that it did reach, if any.
        nothing = np.full((len(result.scores), readout.shape[1]), np.nan)
        return replace(result, scores=nothing, variances=None)
    n_columns = len(readout)
    scores = result.scores[:, :n_columns] @ readout
    if result.variances is None:
        groups = _groups_of_columns(readout, getattr(encoding, "words", None))
        summands = (
            None if groups is None else np.tensordot(result.scores[:, :n_columns], groups, axes=1)
        )
        return replace(result, scores=scores, summands=summands)
    variances = result.variances[:, :n_columns] @ np.square(readout)
    return replace(result, scores=scores, variances=variances)


def _groups_of_columns(readout: FloatArray, words: IntArray | None = None) -> FloatArray | None:
    """Return how columns add up to summands, ``(n_columns, n_outputs, n_summands)``.

    Columns of one word stay together. None where no output is a sum of several columns, or there
    are too many outputs. An output of fewer summands than another has zeros in place of the rest.
    """
    n_columns, n_outputs = readout.shape
    words = np.arange(n_columns) if words is None else words
    most = min(MOST_SUMMANDS, MOST_SUMMANDS_IN_ALL // n_outputs)
    own = [np.unique(words[column != 0]) for column in readout.T]
    widest = min(max(map(len, own)), most)
    if widest < 2:
        return None
    groups = np.zeros((n_columns, n_outputs, widest))
    for output, held in enumerate(own):
        for place, group in enumerate(np.array_split(held, min(len(held), widest))):
            inside = np.isin(words, group)
            groups[inside, output, place] = readout[inside, output]
    return groups


def _parts_of_tokens(text: str, places: Any, parts: Sequence[Sequence[Span]]) -> FloatArray:
    """Return 1 where a token is in a part: where its first letter lies."""
    first = np.array([_first_letter(text, start, stop) for start, stop in places])
    readout = np.zeros((len(places), len(parts)))
    for column, spans in enumerate(parts):
        for start, stop in spans:
            readout[(first >= start) & (first < stop), column] = 1.0
    return readout


def _first_letter(text: str, start: int, stop: int) -> int:
    return next((i for i in range(start, stop) if not text[i].isspace()), start)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, numbered where they come again.

    Examples
    --------
    >>> unique_names(["the", "cat", "the"])
    ('the', 'cat', 'the (2)')
    """
    seen: dict[str, int] = {}
    unique: dict[str, None] = {}
    for name in names:
        own = name
        while own in unique:
            seen[name] = seen.get(name, 1) + 1
            own = f"{name} ({seen[name]})"
        unique[own] = None
    return tuple(unique)
