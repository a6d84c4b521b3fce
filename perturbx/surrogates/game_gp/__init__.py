"""Gaussian processes on the whole game, and what is read out of them.

Read `surrogate` first. A table becomes centred values (`whole_game`); two Gaussian process priors
are conditioned on all of its rows, one that is blind to which unit is which (`isotropic`) and one
that learns which units matter (`relevance`). Any `perturbx.symmetric_kernels.SymmetricFunctional`
can be read out of both posteriors: `LimeLimit` and `BanzhafGP` are two.
"""

from perturbx.surrogates.game_gp.surrogate import BanzhafGP, LimeLimit

__all__ = ["BanzhafGP", "LimeLimit"]
