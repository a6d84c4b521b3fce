"""`explain_game`: any set function on boolean masks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch

from perturbx.coalitions import LeaveOneOut, PlayerCount, Uniform
from perturbx.coalitions import Owen as OwenSampler
from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError, PoorFitWarning
from perturbx.explainers.budget import resolve_budget, resolve_seed
from perturbx.explainers.design import Design, calls_for_line, shapley_design
from perturbx.explainers.failure import POOR_FIT
from perturbx.explainers.game_purchases import GamePurchases
from perturbx.explainers.rounds import play_rounds
from perturbx.explainers.stopping import StoppingRule, check_rule
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Banzhaf, Lasso, Owen
from perturbx.surrogates import LeaveOneOut as LeaveOneOutSurrogate
from perturbx.surrogates.attribution import Attribution
from perturbx.typing import RandomState, ValueFunction
from perturbx.units.tree import Tree

SHAPLEY = (
    "auto",
    "exact",
    "odd_gp",
    "evidence",
    "tree_proxy",
    "leverage",
    "kernel",
    "permutation",
)
OTHERS = ("owen", "banzhaf", "lasso", "leave_one_out")


def explain_game(
    value_function: ValueFunction,
    n_units: int,
    *,
    budget: int | str = "auto",
    estimator: str = "auto",
    tolerance: float = 0.1,
    top_k: int | None = None,
    random_state: RandomState = None,
    tree: Tree | None = None,
) -> Attribution:
    """Attribute a set function to its players: retrieved documents, tools, columns of a table.

    Parameters
    ----------
    value_function : callable
        Gets masks ``(m, n_units)`` of bool, True = the player takes part; each only once in a
        run. It is called once a round. Returns ``(m,)`` or ``(m, n_outputs)`` numbers; where
        they are noisy, a tuple ``(values, variances)`` of two such arrays.
    n_units : int
        The number of players.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Most masks: a number, or 5, 10 or 20 a player, in one round. "auto" with the estimators
        "auto" and "odd_gp": rounds of 3, 4.5, ... at most 20 masks a player, until the errors
        are small enough; with the others 10 a player.
    estimator : str, default="auto"
        Shapley values: "auto", "exact", "odd_gp", "evidence", "tree_proxy", "leverage",
        "kernel", "permutation"; or
        "owen", "banzhaf", "lasso", "leave_one_out".
    tolerance, top_k
        When the rounds end; see `ShapleyExplainer`.
    random_state : int, numpy Generator or RandomState, or None, default=None
        An int makes runs equal.
    tree : Tree, optional
        The hierarchy for "owen"; a balanced one by default.

    Returns
    -------
    Attribution
        Values ``(n_units, n_outputs)`` with their standard errors.

    Raises
    ------
    ArgumentError
        An argument is not what it should be.
    ScoringError
        The value function fails, or returns something that is no score; the table in ``.tables``
        holds what earlier rounds returned.

    Examples
    --------
    >>> import perturbx as px
    >>> glove_game = lambda masks: masks[:, 0] & (masks[:, 1] | masks[:, 2])
    >>> px.explain_game(glove_game, 3).values.ravel().round(3)
    array([0.667, 0.167, 0.167])
    """
    if isinstance(n_units, bool) or not isinstance(n_units, (int, np.integer)) or n_units < 0:
        raise ArgumentError(f"n_units: expected a number of players; got {n_units!r}")
    if tree is not None and not isinstance(tree, Tree):
        raise ArgumentError(f"tree: expected a Tree or None; got {tree!r}")
    if tree is not None and tree.n_units != n_units:
        raise ArgumentError(f"tree: has {tree.n_units} leaves for {n_units} players")
    rule = StoppingRule(tolerance, top_k)
    check_rule(rule, estimator, budget)
    players = PlayerCount(int(n_units), tree)
    design = _game_design(estimator, budget, players.n_units, tree)
    seed = resolve_seed(random_state)

    def draw(budgets: Mapping[int, int]) -> dict[int, Coalitions]:
        generator = torch.Generator().manual_seed(seed % 2**64)
        return {0: design.sampler.sample(players, budgets[0], generator)}

    def fit(tables: Mapping[int, ScoreTable]) -> dict[int, Attribution]:
        return dict(zip(tables, design.surrogate.fit(list(tables.values())), strict=True))

    purchases = GamePurchases(value_function, players.n_units)
    budgets = {0: design.rounds(budget, players.n_units)}
    ends = play_rounds(budgets, draw, purchases, fit, rule, fit, fit)
    _, attribution = ends[0].result
    if attribution.r2 is not None and attribution.r2 < POOR_FIT:
        warnings.warn(
            f"the attribution predicts unseen masks badly (r2 = {attribution.r2:.2f}, below "
            f"{POOR_FIT}): single players do not tell the story; a larger budget may",
            PoorFitWarning,
            stacklevel=2,
        )
    return attribution


def _game_design(estimator: str, budget: int | str, n_units: int, tree: Tree | None) -> Design:
    if estimator in SHAPLEY:
        return shapley_design(estimator, budget, n_units)
    calls = resolve_budget(budget, n_units)
    if estimator == "owen":
        return Design(OwenSampler(), Owen(tree), calls)
    if estimator == "banzhaf":
        return Design(Uniform(), Banzhaf(), calls_for_line(budget, n_units))
    if estimator == "lasso":
        return Design(Uniform(), Lasso(), calls_for_line(budget, n_units))
    if estimator == "leave_one_out":
        return Design(LeaveOneOut(), LeaveOneOutSurrogate(), calls)
    raise ArgumentError(
        f"estimator: expected one of {', '.join(SHAPLEY + OTHERS)}; got {estimator!r}"
    )
