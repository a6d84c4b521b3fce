"""Boosted trees from LightGBM, which is imported here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perturbx.exceptions import MissingExtraError
from perturbx.surrogates.tree_proxy.trees import Split, Tree
from perturbx.typing import FloatArray, MaskMatrix

N_TREES = 60

PARAMETERS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 8,
    "min_data_in_leaf": 2,
    "min_data_in_bin": 1,
    "max_bin": 3,
    "feature_pre_filter": False,
    "boost_from_average": False,
    "deterministic": True,
    "force_col_wise": True,
    "num_threads": 1,
    "seed": 0,
    "verbosity": -1,
}
"""Few small trees: more of them fitted planted interactions better and their Shapley values
worse."""

LEAST_ROWS = 8
"""Of fewer rows a tree learns nothing."""


def is_installed() -> bool:
    """Say whether LightGBM can be imported."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        return False
    return True


def boost(masks: MaskMatrix, targets: FloatArray) -> list[Tree]:
    """Return trees whose sum is fitted to the targets by least squares.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (n_masks, n_units)
        Coalitions.
    targets : numpy.ndarray, (n_masks,)
        Of mean 0 and variance about 1: LightGBM keeps them in single precision.

    Raises
    ------
    MissingExtraError
        LightGBM is not installed.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("lightgbm", "trees") from error

    if len(masks) < LEAST_ROWS:
        return []
    rows = lightgbm.Dataset(masks.astype(np.float32), targets, params=PARAMETERS)
    model = lightgbm.train(PARAMETERS, rows, num_boost_round=N_TREES)
    return [_tree(entry["tree_structure"]) for entry in model.dump_model()["tree_info"]]


def _tree(node: Mapping[str, Any]) -> Tree:
    if "split_feature" not in node:
        return float(node["leaf_value"])
    # A column is 0 or 1 and cut between them: 0, removed, goes left.
    return Split(int(node["split_feature"]), _tree(node["left_child"]), _tree(node["right_child"]))
