"""`Entry` and `Mention`: a row of a lexicon, and where a text speaks of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["symmetric", "asymmetric", "context", "other"]
"""What a swap does to what a fair model should say: nothing ("symmetric"), or it may change it
("asymmetric"). "context" is tied to a group and never swapped, but makes the swap of its text
asymmetric; "other" is no identity term at all (*black market*): what it covers is not found."""

KINDS: Final[tuple[str, ...]] = get_args(Kind)

Ambiguous: TypeAlias = Literal["context", "always", "never"]
"""Whether a word that has another sense, too (*black*, *straight*), counts as an identity term:
where its neighbours make it one, everywhere, or nowhere."""

NEUTRAL: Final = "neutral"
"""The target that stands for no group."""


@dataclass(frozen=True)
class Entry:
    """One row: a meaning, in the words of each group.

    Parameters
    ----------
    form : str
        The part of speech: "noun", "plural", "adjective", "subject", "object", "possessive",
        "possessive_pronoun", "reflexive", "title", "name", or any other word.
    kind : {"symmetric", "asymmetric", "context", "other"}
        See `Kind`.
    groups : tuple of str
        The groups of the lexicon.
    cells : tuple of tuple of str
        The spellings of each group. All are found, the first is put in; none where the group has
        no counterpart.
    neutral : tuple of str, default=()
        What stands in for all groups ("person"); the first is put in, the second for an English
        adjective that stands for people by itself ("the deaf"). None: it stays as it is when a
        text is neutralised. For the kind "other": the expressions themselves.
    ambiguous : frozenset of str, default=frozenset()
        The spellings that have another sense, too.
    """

    form: str
    kind: Kind
    groups: tuple[str, ...] = field(repr=False)
    cells: tuple[tuple[str, ...], ...]
    neutral: tuple[str, ...] = ()
    ambiguous: frozenset[str] = frozenset()

    def spellings(self, group: str) -> tuple[str, ...]:
        """Return the spellings of `group`, or of "neutral"; none for a group it does not know."""
        if group == NEUTRAL:
            return self.neutral
        return self.cells[self.groups.index(group)] if group in self.groups else ()

    def counterpart(self, group: str) -> str | None:
        """Return what is put in for `group` (or "neutral"); None where there is none."""
        if self.kind not in ("symmetric", "asymmetric"):
            return None
        return next(iter(self.spellings(group)), None)


@dataclass(frozen=True)
class Mention:
    """An identity term in a text.

    Parameters
    ----------
    start, stop : int
        Where it stands, in characters.
    term : str
        The text between them.
    group : str
        The group that it names.
    form, kind : str
        Those of its entry.
    entry : Entry
        The row of the lexicon.
    spelling : str
        The term as the lexicon writes it.
    attribute : str
        The attribute of the lexicon: "gender".
    """

    start: int
    stop: int
    term: str
    group: str
    form: str
    kind: Kind
    entry: Entry = field(repr=False)
    spelling: str = field(repr=False)
    attribute: str = field(repr=False)

    @property
    def is_swappable(self) -> bool:
        """Return whether it may be swapped at all; "context" is not."""
        return self.kind != "context"
