"""`Lexicon`: the words by which a language speaks of the groups of one attribute."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.chinese import names_someone
from perturbx.lexicons.english_context import (
    counts_as_identity,
    likeliest,
    names_a_language,
)
from perturbx.lexicons.entry import Ambiguous, Entry, Kind, Mention
from perturbx.lexicons.letter_case import could_be
from perturbx.lexicons.pattern import compile_terms, is_unspaced, normal, parts_a_word
from perturbx.lexicons.reading import entries_of, read_rows
from perturbx.lexicons.whole_words import WordEdges

_FILE_NAME = re.compile(r"([a-z]{2,3})_(\w+)")


@dataclass(frozen=True)
class Lexicon:
    """The identity terms of one attribute in one language, and what answers to what.

    Parameters
    ----------
    name : str
        "en_gender".
    attribute : str
        "gender".
    language : str
        "en". English has rules for her and his, for adjectives and nouns, and for words with
        another sense; Chinese for the latter. In other languages the first row that holds a
        spelling has it, and words with another sense always count.
    groups : tuple of str
        The groups, without "neutral".
    entries : tuple of Entry
        A row per meaning. A spelling may stand in several rows of a form; it is found as of the
        first, and put in as of each.

    Examples
    --------
    >>> lexicon = Lexicon.from_rows(
    ...     [
    ...         {"form": "noun", "kind": "symmetric", "cat": "cat|kitty", "dog": "dog"},
    ...         {"form": "plural", "kind": "symmetric", "cat": "cats", "dog": "dogs"},
    ...     ],
    ...     name="pets",
    ... )
    >>> [(mention.term, mention.group) for mention in lexicon.find("Dogs chase a Kitty.")]
    [('Dogs', 'dog'), ('Kitty', 'cat')]
    """

    name: str
    attribute: str
    language: str
    groups: tuple[str, ...]
    entries: tuple[Entry, ...] = field(repr=False)

    @classmethod
    def read(
        cls, path: str | Path, *, attribute: str | None = None, language: str | None = None
    ) -> Lexicon:
        """Return the lexicon in a CSV file with a row per meaning.

        Columns: ``form``, ``kind``, optional ``ambiguous`` ("yes", or those of the spellings that
        have another sense) and ``neutral``, and one for each group. A cell lists spellings
        separated by ``|``; see `Entry`.

        Parameters
        ----------
        path : str or Path
            A UTF-8 file; its name is that of the lexicon.
        attribute, language : str, optional
            By default those of a name such as ``en_gender.csv``; else the name, and "en".

        Raises
        ------
        ArgumentError
            If it cannot be read or a row is wrong; the message has the file and the line.
        """
        path = Path(path)
        named = _FILE_NAME.fullmatch(path.stem)
        groups, entries = entries_of(read_rows(path))
        return cls(
            path.stem,
            attribute or (named[2] if named else path.stem),
            language or (named[1] if named else "en"),
            groups,
            entries,
        )

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, str]],
        *,
        name: str,
        attribute: str | None = None,
        language: str = "en",
    ) -> Lexicon:
        """Return the lexicon of rows with the columns of the files; see `read`.

        Raises
        ------
        ArgumentError
            If there is no row, or one is wrong; the message has the lexicon and the row.
        """
        placed = [(f"{name}, row {i}", row) for i, row in enumerate(rows, start=1)]
        if not placed:
            raise ArgumentError(f"rows: expected one at least, got none for {name!r}")
        groups, entries = entries_of(placed)
        return cls(name, attribute or name, language, groups, entries)

    def find(self, text: str, *, ambiguous: Ambiguous = "context") -> tuple[Mention, ...]:
        """Return the identity terms of `text`, in order and disjoint.

        Whole words only, the longest first, whatever their case (but names and "US" need
        theirs), with straight or curly apostrophes, and spaces or hyphens inside a term.

        Parameters
        ----------
        text : str
            Any text.
        ambiguous : {"context", "always", "never"}, default="context"
            When words with another sense count: where their neighbours make them one ("black
            people", "I am black and proud", but not "a black car"), always, or never.

        Returns
        -------
        tuple of Mention
            Terms of the kind "context" (*pregnant*) are among them.

        Raises
        ------
        ArgumentError
            If `ambiguous` is none of these.
        """
        if ambiguous not in get_args(Ambiguous):
            raise ArgumentError(
                f'ambiguous: expected "context", "always" or "never"; got {ambiguous!r}'
            )
        mentions: list[Mention] = []
        edges = WordEdges(text)
        position = 0
        while match := self._pattern.search(text, position):
            start, stop = match.start(), self._whole(match, edges)
            if stop is None:
                position = start + 1
                continue
            position = stop
            mention = self._mention(text, start, stop, ambiguous, edges)
            if mention is None or (mentions and _is_surname(text, mention, mentions[-1])):
                continue
            mentions.append(mention)
        return tuple(mentions)

    def counterpart(self, mention: Mention, group: str) -> tuple[str, Kind] | None:
        """Return what stands in for `mention` when it gives way to `group`, or to "neutral".

        Its own row is asked first, then other rows of its form that hold the same spelling.

        Returns
        -------
        (str, kind) or None
            As the lexicon writes it, with the kind of the row; None where there is none.
        """
        rows = self._rows.get((mention.form, mention.group, normal(mention.spelling)), ())
        for entry in (mention.entry, *rows):
            if (written := entry.counterpart(group)) is not None:
                return written, entry.kind
        return None

    def names(self, group: str) -> tuple[str, ...]:
        """Return the names of people of `group` that may be put in."""
        cells = [entry.spellings(group) for entry in self.entries if entry.form == "name"]
        return tuple(cell[0] for cell in cells if cell)

    def _whole(self, match: re.Match[str], edges: WordEdges) -> int | None:
        """Return where the longest term that is a word ends, from the start of `match`."""
        text, start = match.string, match.start()
        found: re.Match[str] | None = match
        while found is not None:
            stop = found.end()
            spaced = not (is_unspaced(text[start]) or is_unspaced(text[stop - 1]))
            is_whole = spaced or edges.holds(start, stop)
            if is_whole and not parts_a_word(text, start, stop):
                return stop
            found = self._pattern.match(text, start, stop - 1)
        return None

    def _mention(
        self, text: str, start: int, stop: int, ambiguous: Ambiguous, edges: WordEdges
    ) -> Mention | None:
        term = text[start:stop]
        choices = [
            choice
            for choice in self._index.get(normal(term), ())
            if could_be(text, start, term, choice[2], choice[0])
        ]
        if not choices or any(entry.kind == "other" for entry, _, _ in choices):
            return None
        entry, group, spelling = choices[0]
        if self.language == "en" and len(choices) > 1:
            forms = [entry.form for entry, _, _ in choices]
            has_plural = f"{normal(term)}s" in self._index
            entry, group, spelling = choices[
                likeliest(text, start, stop, forms, has_plural=has_plural)
            ]
        # What is written with and without a capital ("evangelical") is taken as it stands.
        spelling = next((s for one, _, s in choices if one is entry and s == term), spelling)
        is_word = entry.form in ("adjective", "noun")
        is_proper = is_word and spelling[0].isupper() and not spelling.isupper()
        if self.language == "en" and is_proper and names_a_language(text, start, stop):
            return None
        if spelling in entry.ambiguous and ambiguous != "always":
            if ambiguous == "never":
                return None
            if self.language == "en" and not counts_as_identity(
                text,
                start,
                stop,
                entry.form,
                needs_capital=spelling != spelling.lower(),
                also=self._ambiguous,
            ):
                return None
            if self.language == "zh" and not names_someone(edges, start, stop):
                return None
        return Mention(
            start, stop, term, group, entry.form, entry.kind, entry, spelling, self.attribute
        )

    @cached_property
    def _index(self) -> dict[str, tuple[tuple[Entry, str, str], ...]]:
        """(entry, group, spelling) of each term in normal form, one for each form."""
        index: dict[str, list[tuple[Entry, str, str]]] = {}
        for entry in self.entries:
            expressions = [("", entry.neutral)] if entry.kind == "other" else []
            for group, cell in [*zip(entry.groups, entry.cells, strict=True), *expressions]:
                for spelling in cell:
                    rows = index.setdefault(normal(spelling), [])
                    if all(
                        (entry.form, spelling) != (other.form, written)
                        for other, _, written in rows
                    ):
                        rows.append((entry, group, spelling))
        return {term: tuple(rows) for term, rows in index.items()}

    @cached_property
    def _rows(self) -> dict[tuple[str, str, str], list[Entry]]:
        rows: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            for group, cell in zip(entry.groups, entry.cells, strict=True):
                for spelling in cell:
                    rows.setdefault((entry.form, group, normal(spelling)), []).append(entry)
        return rows

    @cached_property
    def _ambiguous(self) -> frozenset[str]:
        return frozenset(normal(term) for entry in self.entries for term in entry.ambiguous)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return compile_terms(own for rows in self._index.values() for _, _, own in rows)


def _is_surname(text: str, mention: Mention, before: Mention) -> bool:
    """Return whether a name is that of a family: it stands right behind another one."""
    are_names = mention.form == before.form == "name"
    return are_names and text[before.stop : mention.start] == " "


def find_mentions(
    lexicons: Sequence[Lexicon], text: str, *, ambiguous: Ambiguous = "context"
) -> tuple[Mention, ...]:
    """Return the identity terms of several lexicons in `text`, in order and disjoint.

    Where two overlap the longer one counts, of equal ones that of the earlier lexicon.
    """
    if len(lexicons) == 1:
        return lexicons[0].find(text, ambiguous=ambiguous)
    found = [mention for lexicon in lexicons for mention in lexicon.find(text, ambiguous=ambiguous)]
    chosen: list[Mention] = []
    for mention in sorted(found, key=lambda one: one.start - one.stop):
        place = bisect(chosen, mention.start, key=_start)
        free_before = place == 0 or chosen[place - 1].stop <= mention.start
        if free_before and (place == len(chosen) or mention.stop <= chosen[place].start):
            chosen.insert(place, mention)
    return tuple(chosen)


def _start(mention: Mention) -> int:
    return mention.start
