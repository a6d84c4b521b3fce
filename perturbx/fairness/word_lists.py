"""Which lexicons go with some texts: by their script, as they are shipped in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perturbx.exceptions import ArgumentError
from perturbx.lexicons import Lexicon, LexiconsLike, as_lexicons
from perturbx.units.scripts import guess_locale

SHIPPED: Final = ("en", "zh")
"""English stands for every text in Latin letters: its words are not found in other languages."""


def named_lexicons(
    argument: str, wanted: LexiconsLike, texts: Sequence[str]
) -> tuple[Lexicon, ...]:
    """Return the lexicons that an argument names, of attributes those in the texts' language.

    Raises
    ------
    ArgumentError
        It names none; the message has the argument.
    """
    locale = guess_locale("".join(texts))
    try:
        return as_lexicons(wanted, language=locale if locale in SHIPPED else SHIPPED[0])
    except ArgumentError as error:
        raise ArgumentError(f"{argument}: {error}") from None


def all_lexicons(texts: Sequence[str], own: Sequence[Lexicon]) -> tuple[Lexicon, ...]:
    """Return some lexicons and all that are shipped for the texts' language.

    Examples
    --------
    >>> [lexicon.name for lexicon in all_lexicons(["她来了。"], [])][:2]
    ['zh_age', 'zh_disability']
    >>> all_lexicons(["彼女は来た。"], [])
    ()
    """
    locale = guess_locale("".join(texts))
    shipped = as_lexicons("all", language=locale) if locale in SHIPPED else ()
    held = {lexicon.name for lexicon in own}
    return (*own, *(lexicon for lexicon in shipped if lexicon.name not in held))


def lacking_words(texts: Sequence[str]) -> str:
    """Return what a reader should know where no lexicon goes with the texts, else nothing."""
    locale = guess_locale("".join(texts))
    if locale in SHIPPED:
        return ""
    return (
        f"no identity terms are known in the language of the texts ({locale!r}), so none is "
        f"swapped or told apart; give word lists of your own (lexicons='my_terms.csv')"
    )
