"""Gaussian processes on the whole game, and what is read out of them.

Read `surrogate` first. A table becomes centred values (`whole_game`); two Gaussian process priors
are conditioned on all of its rows, one that is blind to which unit is which (`isotropic`) and one
that learns which units matter (`relevance`). Where the scores look bounded (`bent_scale`), a third
one on the bent scale is read out through masks that nobody bought (`bounded`, `further_masks`).
`mixture` weighs them. Any `perturbx.symmetric_kernels.SymmetricFunctional` can be read out of all
of them: `LimeLimit` and `BanzhafGP` are two.
"""

from perturbx.surrogates.game_gp.surrogate import BanzhafGP, LimeLimit

__all__ = ["BanzhafGP", "LimeLimit"]
