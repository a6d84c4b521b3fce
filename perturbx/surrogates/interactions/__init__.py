"""Pairwise Shapley interaction values from the table that gave the Shapley values.

A pair of complements shows both halves of a game: its odd part, which the Shapley values come
from, and its even part ½[v(S) + v(N∖S)], which is all that pairwise interactions see.
"""

from perturbx.surrogates.interactions.fit import fit_interactions
from perturbx.surrogates.interactions.interactions import Interactions, Term

__all__ = ["Interactions", "Term", "fit_interactions"]
