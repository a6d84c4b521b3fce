"""Every estimator as a function of a game, a number of calls and a seed.

Each is given what brings it nearest to that number of calls; the game counts what it really asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from known_sentences import Game
from shapiq_peers import Countable
from workload import is_installed

import perturbx as px
from perturbx.units.tree import Tree

Estimator: TypeAlias = Callable[[Game, int, int], np.ndarray]


def shapley_estimators() -> dict[str, Estimator]:
    """Return the estimators of Shapley values that are installed, by name."""
    estimators: dict[str, Estimator] = {
        f"perturbx {name}": partial(_perturbx, name)
        for name in ("leverage", "kernel", "permutation")
    }
    if is_installed("shapiq"):
        natives = {
            "KernelSHAP": {},
            "KernelSHAP, paired": {"pairing_trick": True},
            "UnbiasedKernelSHAP": {},
            "SVARM": {},
            "PermutationSamplingSV": {},
            "StratifiedSamplingSV": {},
            "OwenSamplingSV": {},
        }
        for name, options in natives.items():
            estimators[f"shapiq {name}"] = partial(_shapiq, name.partition(",")[0], options)
    estimators["shap Permutation"] = shap_permutation
    estimators["shap Permutation, a round more"] = _shap_permutation_and_one
    estimators["shap KernelExplainer"] = shap_kernel
    if is_installed("captum"):
        estimators["captum ShapleyValueSampling"] = _captum_sampling
        estimators["captum KernelShap"] = _captum_kernel
    return estimators


def shap_partition(game: Game, budget: int, tree: Tree) -> np.ndarray:
    """Return the values of shap's PartitionExplainer on a binary tree."""
    import shap

    sizes = [len(tree.leaves(tree.n_units + j)) for j in range(len(tree.children))]
    linkage = np.column_stack([tree.children, sizes, sizes]).astype(float)
    masker = shap.maskers.Partition(np.zeros((1, tree.n_units)), clustering=linkage)
    explainer = shap.explainers.Partition(game, masker)
    return explainer(np.ones((1, tree.n_units)), max_evals=budget, silent=True).values[0]


def _perturbx(estimator: str, game: Game, budget: int, seed: int) -> np.ndarray:
    found = px.explain_game(
        game, game.n_units, budget=budget, estimator=estimator, random_state=seed
    )
    return found.values[:, 0]


def _shapiq(name: str, options: dict[str, Any], game: Game, budget: int, seed: int) -> np.ndarray:
    import shapiq.approximator

    approximator = getattr(shapiq.approximator, name)(game.n_units, random_state=seed, **options)
    return approximator.approximate(budget, game).get_n_order_values(1)


def shap_permutation(game: Countable, budget: int, seed: int) -> np.ndarray:
    """Return the values of shap's PermutationExplainer: whole rounds of 2n + 1 calls."""
    import shap

    masker = shap.maskers.Independent(np.zeros((1, game.n_units)))
    explainer = shap.explainers.Permutation(game, masker, seed=seed)
    return explainer(np.ones((1, game.n_units)), max_evals=budget, silent=True).values[0]


def shap_on_text(algorithm: str, game: Countable, budget: int, seed: int) -> np.ndarray:
    """Return what `shap.Explainer` says of a text of as many plain words, "auto" as it comes.

    Its masker for texts has a tree of the words, and "auto" takes the PartitionExplainer; the
    PermutationExplainer draws orders that keep that tree together. Both aim at Owen values.
    """
    import shap

    words = [f"w{unit}" for unit in range(game.n_units)]

    def score(texts: Any) -> np.ndarray:
        return game(np.array([[word in text.split() for word in words] for text in texts]))

    masker = shap.maskers.Text(r"\W+", mask_token="[MASK] ", collapse_mask_token=False)
    explainer = shap.Explainer(score, masker, algorithm=algorithm, seed=seed)
    found = explainer([" ".join(words)], max_evals=budget, silent=True)
    return np.asarray(found.values[0]).ravel()


def _shap_permutation_and_one(game: Game, budget: int, seed: int) -> np.ndarray:
    return shap_permutation(game, budget + 2 * game.n_units + 1, seed)


def shap_kernel(game: Countable, budget: int, seed: int) -> np.ndarray:
    """Return the values of shap's KernelExplainer, without its selection of 10 features."""
    import shap

    # It draws from numpy's global generator, and calls both ends beyond its nsamples.
    np.random.seed(seed)  # noqa: NPY002
    explainer = shap.KernelExplainer(game, np.zeros((1, game.n_units)))
    return explainer.shap_values(
        np.ones(game.n_units), nsamples=budget - 2, l1_reg=False, silent=True
    )


def _captum_sampling(game: Game, budget: int, seed: int) -> np.ndarray:
    from captum.attr import ShapleyValueSampling

    return _captum(
        ShapleyValueSampling, game, seed, n_samples=budget // game.n_units, perturbations_per_eval=1
    )


def _captum_kernel(game: Game, budget: int, seed: int) -> np.ndarray:
    from captum.attr import KernelShap

    return _captum(KernelShap, game, seed, n_samples=budget, perturbations_per_eval=budget)


def _captum(method: Any, game: Game, seed: int, **options: Any) -> np.ndarray:
    import torch

    # Both draw from the global generators.
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    attribution = method(lambda kept: torch.from_numpy(game(kept.numpy())))
    return attribution.attribute(torch.ones(1, game.n_units), **options).numpy()[0]
