"""`Evidence`: odd_gp where trees do not help, trees where they do, and laws in both cases."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from perturbx.score_table import ScoreTable
from perturbx.surrogates import Evidence, OddGP, TreeProxy
from perturbx.surrogates.evidence import _weights


def pairs_of(scores, n_pairs, seed):
    """Both ends and pairs of complements of a game that is known everywhere."""
    last = len(scores) - 1
    some = np.random.default_rng(seed).permutation(np.arange(1, len(scores) // 2))[:n_pairs]
    rows = np.concatenate([[0, last], some, last - some])
    masks = (rows[:, None] >> np.arange(len(scores).bit_length() - 1)) & 1 > 0
    return ScoreTable(masks, scores[rows], tuple(map(str, range(scores.shape[1]))), paired=True)


def tree_scores(lab, n):
    """Two levels of questions, with interactions of every order up to three."""
    z = lab.all_masks(n)
    yes = np.where(z[:, 3], np.where(z[:, 4], 2.0, -3.0), 0.5)
    no = np.where(z[:, 1], 1.0, np.where(z[:, 2], 4.0, 0.0))
    return np.where(z[:, 0], yes, no)[:, None]


def additive_scores(lab, n):
    return lab.all_masks(n) @ np.linspace(-1.0, 2.0, n)[:, None]


def test_an_additive_game_is_left_to_odd_gp(lab):
    table = pairs_of(additive_scores(lab, 9), 95, 0)
    (ours,), (plain,) = Evidence().fit([table]), OddGP().fit([table])
    np.testing.assert_allclose(ours.values, plain.values, atol=1e-6)
    assert (ours.method, ours.dof, ours.band_dof) == ("evidence", plain.dof, plain.band_dof)


def test_trees_count_where_units_act_together_and_each_output_has_its_own_weights(lab):
    z = lab.all_masks(12)
    ours, theirs = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        together = sum(
            rng.normal() * z[:, rng.choice(12, 4, replace=False)].all(axis=1) for _ in range(6)
        )
        scores = np.stack([together, additive_scores(lab, 12)[:, 0]], axis=1)
        truth = lab.shapley(scores)
        for table in (pairs_of(scores, 130, own) for own in range(2)):
            (fitted,), (plain,) = Evidence().fit([table]), OddGP().fit([table])
            np.testing.assert_allclose(fitted.values[:, 1], plain.values[:, 1], atol=1e-6)
            ours.append(np.square(fitted.values - truth)[:, 0].sum())
            theirs.append(np.square(plain.values - truth)[:, 0].sum())
    assert np.mean(ours) < 0.95 * np.mean(theirs)


def test_less_unexplained_weighs_more_and_a_tie_goes_to_odd_gp():
    unexplained = np.array([[0.4, 0.4], [0.4, 0.2], [0.4, 0.1]])
    weights = _weights(unexplained, n_pairs=100)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    assert weights[0, 0] > 0.8
    assert weights[2, 1] > 0.99
    assert weights[0, 1] < weights[1, 1] < weights[2, 1]


@pytest.mark.parametrize("game", ["tree_scores", "additive_scores"])
def test_values_add_up_and_errors_are_those_of_the_covariance(lab, game):
    scores = globals()[game](lab, 9)
    (fitted,) = Evidence().fit([pairs_of(scores, 100, 1)])
    np.testing.assert_allclose(fitted.values.sum(0), scores[-1] - scores[0], atol=1e-9)
    np.testing.assert_allclose(fitted.covariance.sum(2), 0.0, atol=1e-8)
    diagonal = np.diagonal(fitted.covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(fitted.std_errors, np.sqrt(np.maximum(diagonal, 0)), atol=1e-12)


def test_errors_include_what_the_choice_leaves_open(lab, monkeypatch):
    """With equal weights the three fits' differences are in the covariance in full."""
    monkeypatch.setattr(
        "perturbx.surrogates.evidence._weights", lambda r, n_pairs: np.full_like(r, 1 / len(r))
    )
    table = pairs_of(tree_scores(lab, 9), 100, 2)
    (ours,), (plain,), (trees,) = (s.fit([table]) for s in (Evidence(), OddGP(), TreeProxy()))
    spread = np.square(plain.values - ours.values) + np.square(trees.values - ours.values)
    own = np.square(plain.std_errors) + np.square(trees.std_errors)
    assert (3.0 * np.square(ours.std_errors) > spread + own).all()


def test_few_rows_and_a_missing_lightgbm_give_odd_gp(lab, monkeypatch):
    few, many = pairs_of(tree_scores(lab, 9), 80, 0), pairs_of(tree_scores(lab, 9), 100, 0)
    np.testing.assert_array_equal(Evidence().fit([few])[0].values, OddGP().fit([few])[0].values)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    np.testing.assert_array_equal(Evidence().fit([many])[0].values, OddGP().fit([many])[0].values)


def test_trees_are_not_believed_where_noise_leaves_nothing_to_predict(lab):
    """One output that is noise alone has no quality to weigh trees by."""
    table = pairs_of(np.tile(additive_scores(lab, 9), (1, 2)) * [1.0, 0.0], 95, 0)
    noise = np.random.default_rng(0).normal(size=table.scores.shape)
    noisy = replace(table, scores=table.scores + noise, variances=np.ones_like(noise))
    (ours,), (plain,) = Evidence().fit([noisy]), OddGP().fit([noisy])
    assert ours.r2 is None
    np.testing.assert_array_equal(ours.values, plain.values)
    np.testing.assert_array_equal(ours.std_errors, plain.std_errors)


def test_all_coalitions_give_the_exact_values(lab):
    scores = lab.random_scores(7, 1, 0)
    np.testing.assert_allclose(
        Evidence().fit([lab.exhaustive(scores)])[0].values, lab.shapley(scores), atol=1e-10
    )


def test_a_batch_gives_what_one_by_one_gives(lab):
    tables = [
        pairs_of(tree_scores(lab, 9), 100, 0),
        pairs_of(additive_scores(lab, 9), 40, 1),
        lab.exhaustive(lab.random_scores(5, 1, 0)),
        pairs_of(tree_scores(lab, 9), 120, 2),
    ]
    for table, together in zip(tables, Evidence().fit(tables), strict=True):
        alone = Evidence().fit([table])[0]
        np.testing.assert_allclose(together.values, alone.values, atol=1e-9)
        np.testing.assert_allclose(together.std_errors, alone.std_errors, atol=1e-9)
