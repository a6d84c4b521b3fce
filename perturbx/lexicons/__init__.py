"""Lexicons of identity terms, where texts speak of them, and what stands in for them."""

from perturbx.lexicons.counterfactuals import Counterfactual, counterfactuals
from perturbx.lexicons.entry import Ambiguous, Entry, Kind, Mention
from perturbx.lexicons.lexicon import Lexicon, find_mentions
from perturbx.lexicons.shipped import LexiconsLike, as_lexicons, lexicon_names, load_lexicon
from perturbx.lexicons.swapping import Replacement, Swapped

__all__ = [
    "Ambiguous",
    "Counterfactual",
    "Entry",
    "Kind",
    "Lexicon",
    "LexiconsLike",
    "Mention",
    "Replacement",
    "Swapped",
    "as_lexicons",
    "counterfactuals",
    "find_mentions",
    "lexicon_names",
    "load_lexicon",
]
