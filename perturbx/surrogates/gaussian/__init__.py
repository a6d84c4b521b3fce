"""Gaussian processes on games: what the surrogates that condition on one share.

Factorized covariances (`roots`), priors that depend on distances alone (`model_grid`), processes
that learn how relevant each unit is (`relevances`, found by `bfgs`).
"""
