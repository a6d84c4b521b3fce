"""The lexicons that come with perturbx, by name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeAlias

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.lexicon import Lexicon

DATA = Path(__file__).parent / "data"

OneLexicon: TypeAlias = str | Path | Lexicon
LexiconsLike: TypeAlias = OneLexicon | Iterable[OneLexicon]
"""An attribute ("gender"), a full name ("zh_gender"), "all", the path of a file, a `Lexicon`, or
several of these."""

_ON_REQUEST = "_names"
"""Lexicons with this ending are not in "all": they claim names that are terms elsewhere."""


@cache
def lexicon_names() -> tuple[str, ...]:
    """Return the names of the lexicons that are shipped.

    Examples
    --------
    >>> lexicon_names()[:2]
    ('en_age', 'en_disability')
    """
    return tuple(sorted(path.stem for path in DATA.glob("*.csv")))


def load_lexicon(attribute: str, *, language: str = "en") -> Lexicon:
    """Return a lexicon that is shipped; the same object each time.

    Parameters
    ----------
    attribute : str
        "gender", "religion", "ethnicity" (and nationality), "ethnicity_names", "orientation" (and
        gender identity), "age" or "disability"; or a full name such as "zh_gender".
    language : str, default="en"
        "en" or "zh".

    Raises
    ------
    ArgumentError
        If there is none of that name.

    Examples
    --------
    >>> [(m.term, m.form) for m in load_lexicon("gender").find("She saw her with her sister.")]
    [('She', 'subject'), ('her', 'object'), ('her', 'possessive'), ('sister', 'noun')]
    """
    for name in (attribute, f"{language}_{attribute}"):
        if name in lexicon_names():
            return _read(name)
    raise ArgumentError(
        f"lexicon: expected one of {', '.join(lexicon_names())} (or the attribute with language=), "
        f"got {attribute!r} with language={language!r}. For one of your own give a Lexicon, from "
        f"Lexicon.read('my_terms.csv') or Lexicon.from_rows(...), or the path of the file"
    )


@cache
def _read(name: str) -> Lexicon:
    return Lexicon.read(DATA / f"{name}.csv")


def as_lexicons(what: LexiconsLike = "all", *, language: str = "en") -> tuple[Lexicon, ...]:
    """Return the lexicons that `what` stands for.

    Parameters
    ----------
    what : str, Path, Lexicon, or several of these, default="all"
        "all" is one for each attribute in the language. A string that ends in ``.csv`` is a path.
    language : str, default="en"
        Of those that are named by their attribute.

    Raises
    ------
    ArgumentError
        If it is none of these, or a name is unknown.

    Examples
    --------
    >>> [lexicon.name for lexicon in as_lexicons(["gender", "zh_age"])]
    ['en_gender', 'zh_age']
    """
    if isinstance(what, Lexicon):
        return (what,)
    if isinstance(what, Path) or (isinstance(what, str) and what.endswith(".csv")):
        return (Lexicon.read(what),)
    if what == "all":
        names = [
            name
            for name in lexicon_names()
            if name.startswith(f"{language}_") and not name.endswith(_ON_REQUEST)
        ]
        if not names:
            raise ArgumentError(
                f"language: there are lexicons for en and zh, got {language!r}; for another give "
                f"a Lexicon of your own"
            )
        return tuple(map(_read, names))
    if isinstance(what, str):
        return (load_lexicon(what, language=language),)
    if not isinstance(what, Iterable):
        raise ArgumentError(
            f"lexicons: expected a name, a path, a Lexicon or a list of these; got {what!r:.80}"
        )
    found = [lexicon for one in what for lexicon in as_lexicons(one, language=language)]
    if not found:
        raise ArgumentError("lexicons: expected one at least, got none")
    return tuple(dict.fromkeys(found))
