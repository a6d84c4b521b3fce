"""Lexicons of identity terms, where texts speak of them, and what stands in for them."""

from perturbx.lexicons.entry import Ambiguous, Entry, Kind, Mention
from perturbx.lexicons.lexicon import Lexicon, find_mentions
from perturbx.lexicons.shipped import LexiconsLike, as_lexicons, lexicon_names, load_lexicon

__all__ = [
    "Ambiguous",
    "Entry",
    "Kind",
    "Lexicon",
    "LexiconsLike",
    "Mention",
    "as_lexicons",
    "find_mentions",
    "lexicon_names",
    "load_lexicon",
]
