"""The tree proxy: boosted trees fitted to the scores, and odd_gp for what they leave.

Read `surrogate` first. `boosting` fits the trees, `trees` reads Shapley values off their leaves
and their Walsh spectrum, `cross_fit` predicts every score by trees that have not seen it.
"""

from perturbx.surrogates.tree_proxy.surrogate import TreeProxy

__all__ = ["TreeProxy"]
