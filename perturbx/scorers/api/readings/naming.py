"""Which label an answer in words names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from perturbx.exceptions import ArgumentError

NEGATIONS = frozenset(["not", "no", "nor", "neither", "never", "none", "without", "cannot", "non"])
"""English words behind which a label is denied, or may be."""

LETTERS = "a-zß-öø-ʯ\\u0300-\\u036fͰ-ԯա-և\\u1e00-\\u1fff"
"""Small letters of Latin, Greek, Cyrillic and Armenian and what stands above them, as a class of
characters: with one of these behind it, a label is the beginning of another word. Other scripts do
not set words apart, or hang words of their own on them."""


class LabelNames:
    """Labels as they are named in an answer.

    An answer names the label that it begins with, or else the only one that stands in it; of
    labels that begin alike, the longest. It is compared to the character first, but for case, white
    space and what stands before it, and then without any punctuation, where that tells the labels
    apart. A label behind an English "not" is not named.

    Parameters
    ----------
    labels : sequence of str

    Raises
    ------
    ArgumentError
        If case and white space are all that tells two of them apart.

    Examples
    --------
    >>> names = LabelNames(["C", "C++", "not sure"])
    >>> [names.named(said) for said in ("**C++**", "It is C.", "C#", "Not sure.", "It is not C.")]
    [1, 0, None, 2, None]
    >>> [LabelNames(["да", "нет"]).named(said) for said in ("Да!", "Данный отзыв: нет")]
    [0, 1]
    """

    def __init__(self, labels: Sequence[str]) -> None:
        folded = [_folded(label) for label in labels]
        twins = [label for label, own in zip(labels, folded, strict=True) if folded.count(own) > 1]
        if twins:
            raise ArgumentError(
                f"labels: {twins} are one label in an answer, where neither case nor white space "
                f"counts; give others"
            )
        self._forms: list[tuple[Callable[[str], str], list[str]]] = [(_folded, folded)]
        plain = [_plain(label) for label in labels]
        if all(plain) and len(set(plain)) == len(plain):
            self._forms.append((_plain, plain))

    def named(self, said: str) -> int | None:
        """Return the number of the label that an answer names, None where it names none."""
        for form, labels in self._forms:
            number = _named(form(said), labels)
            if number is not None:
                return number
        return None


def _named(said: str, labels: Sequence[str]) -> int | None:
    longest_first = sorted(labels, key=len, reverse=True)
    pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})(?![0-9+#%{LETTERS}-])")
    for start, char in enumerate(said):
        found = pattern.match(said, start)
        if found is not None:
            return labels.index(found[1])
        if char.isalnum():
            break
    inside = [own for own in pattern.finditer(said) if not said[: own.start()][-1:].isalnum()]
    if len({own[1] for own in inside}) != 1 or _is_denied(said[: inside[0].start()]):
        return None
    return labels.index(inside[0][1])


def _is_denied(before: str) -> bool:
    return not NEGATIONS.isdisjoint(re.findall("[a-z]+", before))


def _folded(text: str) -> str:
    """Return a text without case, with single spaces, and "is not" for "isn't"."""
    return " ".join(re.sub("n['’]t\\b", " not", text.casefold()).split())


def _plain(text: str) -> str:
    """Return a text without case, ASCII punctuation and more than one space between words."""
    kept = (char if char.isalnum() or not char.isascii() else " " for char in _folded(text))
    return " ".join("".join(kept).split())
