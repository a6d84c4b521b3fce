"""r2 and additivity: what they say, and that they say it honestly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from perturbx.surrogates import (
    Banzhaf,
    ExactShapley,
    KernelShapley,
    Lasso,
    LeverageShapley,
    PermutationShapley,
    RidgeSurrogate,
)
from perturbx.surrogates.fit_quality import fold_of_group, jackknife_variance, quality_of
from perturbx.surrogates.stacks import batches, complement_pairs

quick = settings(max_examples=20, deadline=None)


def fit(surrogate, table):
    (attribution,) = surrogate.fit([table])
    return attribution


@quick
@given(n=st.integers(4, 7), seed=st.integers(0, 10**6))
def test_r2_of_the_shapley_regression_is_that_of_refits_without_each_pair(lab, n, seed):
    scores = lab.smooth_scores(n, 2, seed)
    table = lab.leverage(scores, min(2 * n, 2 ** (n - 1) - 2), seed)
    surrogate = KernelShapley()
    misses, held = [], []
    determined = True
    for first in range(2, len(table), 2):
        rest = np.setdiff1d(np.arange(len(table)), [first, first + 1])
        part = table.rows(rest)
        # A part of the rows keeps the weights of the design.
        other = fit(surrogate, replace(part, probabilities=table.probabilities[rest]))
        centred = part.masks - part.masks.mean(axis=1, keepdims=True)
        determined &= np.linalg.matrix_rank(centred) == n - 1
        rows = [first, first + 1]
        misses.append(table.scores[rows] - other.base_values - table.masks[rows] @ other.values)
        held.append(table.scores[rows])
    misses, held = np.concatenate(misses), np.concatenate(held)
    expected = 1 - np.square(misses).sum() / np.square(held - held.mean(axis=0)).sum()
    assume(determined)
    np.testing.assert_allclose(fit(surrogate, table).r2, expected, rtol=1e-3, atol=1e-4)


@quick
@given(n=st.integers(2, 7), seed=st.integers(0, 10**6))
def test_additivity_is_the_r2_of_least_squares(lab, n, seed):
    scores = lab.smooth_scores(n, 2, seed)
    table = lab.exhaustive(scores)
    masks = table.masks.astype(float)
    predicted = LinearRegression().fit(masks, scores).predict(masks)
    total = np.square(scores - scores.mean(axis=0)).sum()
    expected = 1 - np.square(scores - predicted).sum() / total
    for surrogate in (ExactShapley(), LeverageShapley(), Banzhaf()):
        np.testing.assert_allclose(fit(surrogate, table).additivity, expected, atol=1e-9)


def test_r2_knows_additive_games_from_games_of_pairs_only(lab):
    masks = lab.all_masks(8)
    additive = masks @ np.arange(1.0, 9.0)[:, None]
    parity = np.where(masks.sum(axis=1) % 2, 1.0, -1.0)[:, None]
    for surrogate, draw in (
        (LeverageShapley(), lambda scores: lab.leverage(scores, 40, 0)),
        (KernelShapley(), lambda scores: lab.kernel(scores, 60, 0)),
        (PermutationShapley(), lambda scores: lab.walked(scores, lab.random_orders(8, 8, 0))),
        (Banzhaf(), lambda scores: lab.uniform(scores, 80, 0)),
        (RidgeSurrogate(alpha=1e-6), lambda scores: lab.lime(scores, 80, 0)),
        (Lasso("cv"), lambda scores: lab.uniform(scores, 80, 0)),
    ):
        good, bad = fit(surrogate, draw(additive)), fit(surrogate, draw(parity))
        assert good.r2 > 0.99, surrogate
        assert bad.r2 < 0.2, surrogate
        assert good.additivity > 0.999
        assert bad.additivity < 0.7


def test_r2_weights_outputs_by_their_variance(lab):
    masks = lab.all_masks(7)
    additive = 10.0 * masks @ np.arange(1.0, 8.0)
    parity = np.where(masks.sum(axis=1) % 2, 0.1, -0.1)
    table = lab.leverage(np.stack([additive, parity], axis=1), 30, 0)
    attribution = fit(LeverageShapley(), table)
    assert attribution.r2_by_output[0] > 0.999
    assert attribution.r2_by_output[1] < 0.3
    assert attribution.r2 > 0.99


def test_constant_scores_are_explained_and_leave_nothing_to_predict(lab):
    constant = np.full((64, 1), 0.25)
    for surrogate, table in (
        (LeverageShapley(), lab.leverage(constant, 12, 0)),
        (KernelShapley(), lab.kernel(constant, 20, 0)),
        (PermutationShapley(), lab.walked(constant, lab.random_orders(6, 5, 0))),
        (Banzhaf(), lab.uniform(constant, 30, 0)),
        (RidgeSurrogate(), lab.lime(constant, 40, 0)),
        (ExactShapley(), lab.exhaustive(constant)),
    ):
        attribution = fit(surrogate, table)
        np.testing.assert_allclose(attribution.values, 0.0, atol=1e-14)
        np.testing.assert_allclose(attribution.std_errors, 0.0, atol=1e-14)
        np.testing.assert_allclose(attribution.base_values, 0.25)
        assert attribution.r2 is None
        assert attribution.additivity == 1.0


def test_an_output_that_never_changes_has_no_r2(lab):
    scores = lab.smooth_scores(6, 2, 0)
    scores[:, 0] = 1e6 / 3
    for surrogate, table in (
        (LeverageShapley(), lab.leverage(scores, 12, 0)),
        (Banzhaf(), lab.uniform(scores, 30, 0)),
        (PermutationShapley(), lab.walked(scores, lab.random_orders(6, 5, 0))),
    ):
        attribution = fit(surrogate, table)
        assert np.isnan(attribution.r2_by_output[0])
        alone = fit(surrogate, table.select("y1"))
        np.testing.assert_allclose(attribution.r2, alone.r2, atol=1e-9)


@pytest.mark.parametrize("surrogate", [LeverageShapley(), KernelShapley(), Banzhaf()])
def test_of_all_coalitions_none_is_unseen(lab, surrogate):
    table = lab.exhaustive(lab.random_scores(5, 2, 0))
    attribution = fit(surrogate, table)
    np.testing.assert_allclose(attribution.std_errors, 0.0, atol=1e-12)
    assert attribution.r2 is None
    assert attribution.r2_by_output is None
    (most,) = surrogate.fit([table.rows(np.arange(32) != 3)])
    assert most.r2 is not None


def test_constant_held_out_scores_are_explained_wholly_or_not_at_all():
    scores = np.ones((5, 2))
    quality = quality_of(np.array([[0.0, 0.5]] * 5), scores)
    assert quality.r2_by_output.tolist() == [1.0, 0.0]
    assert quality.r2 == 0.0


def test_with_too_few_groups_there_is_no_r2(lab):
    scores = lab.random_scores(6, 1, 0)
    assert fit(LeverageShapley(), lab.leverage(scores, 3, 0)).r2 is None
    assert fit(LeverageShapley(), lab.leverage(scores, 4, 0)).r2 is not None
    assert fit(PermutationShapley(), lab.walked(scores, lab.random_orders(6, 3, 0))).r2 is None


def test_additivity_is_not_claimed_by_a_saturated_fit(lab):
    scores = lab.random_scores(6, 1, 0)
    assert fit(LeverageShapley(), lab.leverage(scores, 2, 0)).additivity is None
    assert fit(LeverageShapley(), lab.leverage(scores, 6, 0)).additivity is not None


@given(n_groups=st.integers(1, 200))
def test_folds_are_of_equal_size(n_groups):
    sizes = np.bincount(fold_of_group(n_groups))
    assert len(sizes) == min(10, n_groups)
    assert sizes.max() - sizes.min() <= 1


def test_the_jackknife_of_a_mean_is_its_squared_standard_error():
    sample = np.random.default_rng(0).normal(size=30)
    refits = (sample.sum() - sample)[:, None, None] / 29
    expected = sample.var(ddof=1) / 30
    np.testing.assert_allclose(jackknife_variance(refits)[0, 0], expected)


@quick
@given(n=st.integers(1, 9), n_rows=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_complement_pairs_find_every_complement(n, n_rows, seed):
    masks = np.unique(np.random.default_rng(seed).random((n_rows, n)) < 0.5, axis=0)
    pairs = complement_pairs(masks)
    rows = pairs[pairs >= 0]
    assert sorted(rows.tolist()) == list(range(len(masks)))
    there = {mask.tobytes() for mask in masks}
    for first, second in pairs:
        if second < 0:
            assert (~masks[first]).tobytes() not in there
        else:
            assert (masks[first] == ~masks[second]).all()


def test_batches_hold_every_table_once_and_only_alike(lab, monkeypatch):
    monkeypatch.setattr("perturbx.surrogates.stacks.CELLS_AT_ONCE", 300)
    tables = [
        lab.exhaustive(lab.random_scores(n, k, 0)) for n in (2, 3, 4, 3, 5, 4) for k in (1, 2)
    ]
    parts = list(batches(tables))
    assert sorted(i for part in parts for i in part) == list(range(len(tables)))
    for part in parts:
        assert len({(tables[i].n_units, tables[i].n_outputs) for i in part}) == 1


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_additivity_and_r2_do_not_depend_on_scale(lab, scale):
    table = lab.leverage(lab.smooth_scores(7, 1, 0), 20, 0)
    one = fit(LeverageShapley(), table)
    other = fit(LeverageShapley(), replace(table, scores=table.scores * scale))
    np.testing.assert_allclose(other.additivity, one.additivity, atol=1e-9)
    np.testing.assert_allclose(other.r2, one.r2, atol=1e-7)
