"""The odd Gaussian process: Shapley values from pairs of complements, with the fewest calls.

Read `surrogate` first. A table becomes its odd part (`odd_part`); two Gaussian process priors on
it are conditioned on the pairs, one that is blind to which unit is which (`isotropic`, or
`noisy_isotropic` where the noise of the scores is known) and one that learns which units matter
(`relevance`); both posteriors are averaged (`averaging`).
"""

from perturbx.surrogates.odd_gp.surrogate import OddGP

__all__ = ["OddGP"]
