"""The odd Gaussian process: Shapley values from pairs of complements, with the fewest calls.

Read `surrogate` first. A table becomes its odd part (`odd_part`); Gaussian process priors on it are
conditioned on the pairs, one that is blind to which unit is which (`isotropic`, or
`noisy_isotropic` where the noise of the scores is known) and one that learns which units matter
(`relevance`); both posteriors are averaged (`averaging`). Where the scores look as if they lay
between two bounds (`links`), the second process is one on the scale without them (`bounded`), which
takes the even part of the table as well (`even_kernel`) and is asked about pairs that nobody bought
(`further_pairs`); `mixture` decides.
"""

from perturbx.surrogates.odd_gp.surrogate import OddGP

__all__ = ["OddGP"]
