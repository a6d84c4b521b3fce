"""Gaussian processes on games: what the surrogates that condition on one share.

Factorized covariances (`roots`), priors that depend on distances alone (`model_grid`), processes
that learn how relevant each unit is (`relevances`, found by `bfgs`), scales for scores between
bounds (`scales`) and where models on them are asked what they expect (`drawn_masks`), outputs that
need no fit of their own (`mirrors`) or are sums of what has one (`summands`), tables that are too
long for one process (`row_blocks`), what noise shrinks (`shrinkage`).
"""
