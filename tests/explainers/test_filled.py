"""Owen values of designs of which some rows have no score."""

import numpy as np
import pytest
import torch

from perturbx.coalitions import Owen as OwenSampler
from perturbx.coalitions import PlayerCount
from perturbx.exceptions import SurrogateError
from perturbx.explainers.filled import Filled
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Owen

N_UNITS = 9


def game(seed, kind):
    """A game of few units that matter, with two interactions."""
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=N_UNITS) * (rng.random(N_UNITS) < 0.6)
    (i, j), (k, m) = (rng.choice(N_UNITS, 2, replace=False) for _ in range(2))
    factor = {"sum": 0.0, "pairs": 1.0, "probability": 1.0}[kind]

    def scores(masks):
        total = masks @ worth + factor * (masks[:, i] & masks[:, j])
        total = total - factor * (masks[:, k] & ~masks[:, m])
        return total if kind != "probability" else 1.0 / (1.0 + np.exp(-total))

    return scores


def fitted(scores, budget, refused, seed=0):
    """Return the values of all rows of a design, and of those that are not refused."""
    design = OwenSampler().sample(PlayerCount(N_UNITS), budget, torch.Generator().manual_seed(seed))
    masks = design.masks.numpy()
    every = ScoreTable(
        masks,
        scores(masks)[:, None],
        ("y",),
        walks=None if design.walks is None else design.walks.numpy(),
        design=design.design,
    )
    some = ScoreTable(masks[~refused(masks)], every.scores[~refused(masks)], ("y",))
    (whole,), (found,) = Owen().fit([every]), Filled(Owen(), design).fit([some])
    assert found.n_calls == (~refused(masks)).sum()
    return whole, found


def of_two(masks):
    """A filter of the first unit where the last is not there to mend it."""
    return masks[:, 0] & ~masks[:, -1] & masks[:, 3]


@pytest.mark.parametrize("budget", [30, 70])
def test_nothing_missing_is_the_surrogate_itself(budget):
    whole, found = fitted(game(0, "pairs"), budget, lambda masks: np.zeros(len(masks), bool))
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(found.std_errors, whole.std_errors)


@pytest.mark.parametrize("budget", [30, 70])
def test_of_a_sum_any_rows_tell_all(budget):
    whole, found = fitted(game(1, "sum"), budget, of_two)
    np.testing.assert_allclose(found.values, whole.values, atol=1e-2)


@pytest.mark.parametrize("budget", [30, 70])
@pytest.mark.parametrize("kind", ["pairs", "probability"])
def test_what_is_not_known_of_missing_rows_is_in_the_errors(budget, kind):
    """By the exact values of the same walks, so that the errors of these do not count twice."""
    off, errors = [], []
    for seed in range(10):
        whole, found = fitted(game(seed, kind), budget, of_two, seed)
        np.testing.assert_allclose(found.values.sum(), whole.values.sum())
        off.append(found.values - whole.values)
        errors.append(found.std_errors)
    off, errors = np.abs(np.array(off)), np.array(errors)
    assert (off <= 1.96 * errors + 1e-9).mean() > 0.93


def test_ends_are_not_made_up():
    with pytest.raises(SurrogateError, match="text with all removed"):
        fitted(game(0, "pairs"), 70, lambda masks: ~masks.any(axis=1))
    with pytest.raises(SurrogateError, match="at least 4"):
        fitted(game(0, "pairs"), 70, lambda masks: (masks.sum(axis=1) % N_UNITS) > 0)
