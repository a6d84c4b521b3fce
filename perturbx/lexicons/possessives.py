"""The English possessive behind a term: the ladies' room, the gentlemen's club."""

from __future__ import annotations

import re
from typing import Final

from perturbx.lexicons.entry import Mention
from perturbx.typing import Span

POSSESSIVE: Final = re.compile(r"(['’])(s?)(?!\w)", re.IGNORECASE)
"""The mark of a possessive right behind a term; a bare apostrophe may be a quotation mark."""

_OPEN_QUOTE: Final = re.compile(r"(?<!\w)['‘](?=\w)(?!.*[\w,.!?…]['’](?!\w))", re.DOTALL)
PRONOUN_FORMS: Final = frozenset(
    ["subject", "object", "possessive", "possessive_pronoun", "reflexive", "pronoun"]
)


def possessive_ending(text: str, mention: Mention, written: str) -> tuple[Span, str] | None:
    """Return what the possessive ending of a term becomes, and where it stands.

    Plurals that end in s have a bare apostrophe, other words an s behind it; a single person whose
    name ends in s may have either, and keeps what was there. An apostrophe that closes a quotation
    is none.

    Parameters
    ----------
    text : str
        The text.
    mention : Mention
        The term.
    written : str
        What stands in for it, as the lexicon writes it.

    Returns
    -------
    ((start, stop), str) or None
        None where there is no possessive, or it is the same.

    Examples
    --------
    >>> from perturbx.lexicons import load_lexicon
    >>> [ladies] = load_lexicon("gender").find("the ladies' room")
    >>> possessive_ending("the ladies' room", ladies, "gentlemen")
    ((10, 11), "'s")
    """
    ending = POSSESSIVE.match(text, mention.stop)
    if ending is None or mention.form in PRONOUN_FORMS:
        return None
    mark, s = ending.groups()
    ends_in_s = mention.term[-1:].lower() == "s"
    if not s and (not ends_in_s or _in_quotes(text[: mention.stop])):
        return None
    # Countries with an article are plurals: the Netherlands', but the US's and Jesus's.
    is_plural = mention.form.endswith("plural") or written.startswith("the ")
    if not written.endswith("s"):
        wanted = mark + (s or ("S" if mention.term.isupper() else "s"))
    elif is_plural:
        wanted = mark
    else:
        return None
    return None if wanted == ending[0] else (ending.span(), wanted)


def _in_quotes(before: str) -> bool:
    return _OPEN_QUOTE.search(before[-400:]) is not None
