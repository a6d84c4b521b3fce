"""Where each token of a slow tokenizer lies in the text.

Fast tokenizers say so themselves. For the others the text is walked: the tokens are found in it
one after the other, blind to case, to white space, to accents where the tokens have none, and to
the marks that tokenizers put on pieces of words. An unknown token reaches to where the next token
is found; a token of white space is the white space behind the token before it.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from perturbx.typing import Span

UNKNOWN = ""
"""What an unknown token reads."""

_INVISIBLE = frozenset({"Cc", "Cf"})
_ACCENT = "Mn"


def align(
    text: str, segments: Sequence[Span], pieces: Sequence[str | None]
) -> tuple[Span, ...] | None:
    """Return the span of each token, ``(0, 0)`` for special ones; None where the walk fails.

    Parameters
    ----------
    text : str
        The text.
    segments : sequence of (start, stop)
        The parts of it that were tokenized, in order.
    pieces : sequence of str or None
        What each token reads: None for a special token of the tokenizer's own (one that follows
        text ends the segment), `UNKNOWN` for one that can be anything.

    Returns
    -------
    tuple of (start, stop) or None

    Examples
    --------
    >>> align("So unreadable", ((0, 13),), [None, "so", "un", "##readable", None])
    ((0, 0), (0, 2), (3, 5), (5, 13), (0, 0))
    """
    accented = any(_ACCENT in _categories(piece) for piece in pieces if piece)
    ignored = _INVISIBLE if accented else _INVISIBLE | {_ACCENT}
    line = _Line.read(text, segments, ignored)
    spans: list[Span] = [(0, 0)] * len(pieces)
    cursor = end = 0
    unknown: int | None = None
    for i, piece in enumerate([*pieces, None]):
        if piece is None:
            if unknown is not None:
                stop = line.word_end(cursor)
                spans[unknown], unknown, cursor = line.span(cursor, stop), None, stop
            cursor = line.segment_end(cursor)
        elif piece == UNKNOWN:
            if unknown is not None:
                return None
            unknown = i
        else:
            readings = _readings(piece, ignored)
            found = line.find(readings, cursor, beyond=unknown is not None)
            if found is not None:
                if unknown is not None:
                    spans[unknown], unknown = line.span(cursor, found[0]), None
                spans[i], cursor = line.span(*found), found[1]
                end = spans[i][1]
            elif "" not in readings:
                return None
            elif unknown is None and text[end : end + 1].isspace():
                spans[i] = (end, end + 1)
                end += 1
    return tuple(spans)


@dataclass(frozen=True)
class _Line:
    """The letters of a text, without what the walk is blind to.

    Parameters
    ----------
    letters : str
        The letters of all segments.
    origins : list of int
        The character of the text that each letter comes from.
    words : list of int
        The word that each letter is in, counting from 0; words end at white space.
    ends : list of int
        Where the segments end, in letters; the first entry is 0.
    """

    letters: str
    origins: list[int]
    words: list[int]
    ends: list[int]

    @classmethod
    def read(cls, text: str, segments: Sequence[Span], ignored: frozenset[str]) -> _Line:
        letters: list[str] = []
        origins: list[int] = []
        words: list[int] = []
        ends = [0]
        word = 0
        for start, stop in segments:
            for i in range(start, stop):
                folded = _fold(text[i], ignored)
                word += text[i].isspace()
                letters.append(folded)
                origins += [i] * len(folded)
                words += [word] * len(folded)
            word += 1
            ends.append(len(origins))
        return cls("".join(letters), origins, words, ends)

    def span(self, first: int, last: int) -> Span:
        """Return the characters that the letters from `first` to before `last` come from."""
        return (self.origins[first], self.origins[last - 1] + 1) if first < last else (0, 0)

    def word_end(self, letter: int) -> int:
        """Return where the word of `letter` ends."""
        if letter == len(self.letters):
            return letter
        return bisect_right(self.words, self.words[letter])

    def segment_end(self, letter: int) -> int:
        """Return the first end of a segment at or after `letter`."""
        return self.ends[bisect_left(self.ends, letter)]

    def find(self, readings: Sequence[str], letter: int, *, beyond: bool) -> Span | None:
        """Return the letters of the first reading found at `letter`, or `beyond` an unknown token.

        That token ends within its word or with it. Where a reading is found at more places than
        one, there is no telling.
        """
        places = range(letter + 1, self.word_end(letter) + 1) if beyond else [letter]
        for reading in filter(None, readings):
            starts = [place for place in places if self.letters.startswith(reading, place)]
            if starts:
                return (starts[0], starts[0] + len(reading)) if len(starts) == 1 else None
        return None


def _readings(piece: str, ignored: frozenset[str]) -> list[str]:
    """Return what a token may stand for in the text: as it is, and without its marks."""
    bare = piece.removeprefix("##").removesuffix("@@").removesuffix("</w>").replace("▁", "")
    return [_fold(piece, ignored), _fold(bare, ignored)]


def _fold(string: str, ignored: frozenset[str]) -> str:
    """Return `string` without case, white space and characters of the ignored categories."""
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKD", string.casefold())
        if not letter.isspace() and unicodedata.category(letter) not in ignored
    )


def _categories(string: str) -> set[str]:
    return {unicodedata.category(letter) for letter in unicodedata.normalize("NFKD", string)}
