"""Who plays `games.py`: ours, the numpy reference, native shap, and every native shapiq peer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import numpy as np
import torch
from game_families import Asked
from peers import shap_kernel, shap_on_text, shap_permutation
from workload import is_installed

import perturbx as px
from perturbx.coalitions import PlayerCount, as_sampler
from perturbx.explainers.game import SHAPLEY
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Attribution, get_surrogate, surrogate_names

Answer: TypeAlias = "np.ndarray | Attribution"
Estimate: TypeAlias = Callable[[Asked, int, int], Answer]
"""From a game, a number of calls and a seed to values ``(n_units,)`` or an attribution."""

OURS = "perturbx odd_gp"
LEVERAGE = "perturbx leverage"
REFERENCE = "numpy reference"
SHAP_PERMUTATION = "shap PermutationExplainer"
ON_TEXT = ("shap Explainer on the text", "shap PermutationExplainer on the text")
"""As it comes for texts, and with its masker of texts: on word games alone."""

MOST_PAIRS_A_UNIT = 25


@dataclass(frozen=True)
class Method:
    """One estimator.

    Parameters
    ----------
    name : str
        As the tables show it.
    maker : {"perturbx", "reference", "shap", "shapiq"}
        Whose it is.
    estimate : callable
        See `Estimate`.
    """

    name: str
    maker: str
    estimate: Estimate


def all_methods(shared: Path, wanted: Sequence[str] = ()) -> tuple[list[Method], dict[str, str]]:
    """Return the methods whose name holds one of `wanted`, and why others are left out.

    Parameters
    ----------
    shared : pathlib.Path
        The folder of shared data, where the numpy reference is looked for.
    wanted : sequence of str
        Parts of names, in any case; all methods where there are none.
    """
    skipped: dict[str, str] = {}
    methods = [Method(f"perturbx {name}", "perturbx", run) for name, run in _ours().items()]
    reference = prototype(shared)
    if reference is None:
        skipped[REFERENCE] = f"not in {shared}"
    else:
        methods.append(Method(REFERENCE, "reference", partial(_reference, reference)))
    methods += [
        Method(SHAP_PERMUTATION, "shap", shap_permutation),
        Method("shap KernelExplainer", "shap", shap_kernel),
        Method(ON_TEXT[0], "shap", partial(shap_on_text, "auto")),
        Method(ON_TEXT[1], "shap", partial(shap_on_text, "permutation")),
    ]
    wants_shapiq = not wanted or any(part.lower().startswith("shapiq") for part in wanted)
    if wants_shapiq and is_installed("shapiq"):
        from shapiq_peers import discover

        peers, left_out = discover()
        methods += [Method(peer.name, "shapiq", peer) for peer in peers]
        skipped |= left_out
    return [method for method in methods if _asks_for(method.name, wanted)], skipped


def prototype(shared: Path) -> ModuleType | None:
    """Return the numpy reference, None where it is missing."""
    path = shared / "prototypes" / "odd_gp_prototype.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _asks_for(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(part.lower() in name.lower() for part in wanted)


def _ours() -> dict[str, Estimate]:
    """Return odd_gp, leverage, and what the installed version offers beside them."""
    others = ("exact", "kernel", "permutation", "auto")
    estimators: dict[str, Estimate] = {
        name: partial(_explain_game, name) for name in SHAPLEY if name not in others
    }
    for name in ("tree_proxy", "evidence"):
        if name in surrogate_names() and name not in estimators:
            estimators[name] = partial(_surrogate, name)
    return estimators


def _explain_game(estimator: str, game: Asked, budget: int, seed: int) -> Attribution:
    return px.explain_game(
        game, game.n_units, budget=budget, estimator=estimator, random_state=seed
    )


def _surrogate(name: str, game: Asked, budget: int, seed: int) -> Attribution:
    """Fit a surrogate that is no estimator of `explain_game` to the design of odd_gp."""
    drawn = as_sampler("odd_gp").sample(
        PlayerCount(game.n_units), budget, torch.Generator().manual_seed(seed)
    )
    masks = drawn.masks.numpy()
    table = ScoreTable(
        masks=masks,
        scores=game(masks)[:, None],
        output_names=("value",),
        design=drawn.design,
        paired=drawn.paired,
    )
    (attribution,) = get_surrogate(name).fit([table])
    return attribution


def _reference(reference: ModuleType, game: Asked, budget: int, seed: int) -> np.ndarray:
    n_units = game.n_units
    # One greedy sequence for all budgets: a longer one would be computed from the start.
    reference.design(n_units, max(MOST_PAIRS_A_UNIT * n_units, budget // 2 - 1))
    half = reference.design(n_units, budget // 2 - 1, np.random.default_rng(seed)) > 0
    ends = np.array([[True], [False]]).repeat(n_units, axis=1)
    masks = np.concatenate([ends, half, ~half])
    return np.asarray(reference.estimate(masks, game(masks), n_units)[0])
