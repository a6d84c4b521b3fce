"""`LimeLimit` and `BanzhafGP`: the line itself, its laws, and errors that hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from perturbx.coalitions import OddPairs, PlayerCount
from perturbx.exceptions import ArgumentError, SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Banzhaf, BanzhafGP, LimeLimit, LimeText, RidgeSurrogate
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.game_gp import surrogate
from perturbx.surrogates.game_gp.relevance_kernel import (
    negative_log_posterior,
    product_prior,
    product_readout,
)
from perturbx.surrogates.game_gp.selection import keep_largest
from perturbx.surrogates.gaussian.model_grid import distances
from perturbx.surrogates.gaussian.relevances import prior_means
from perturbx.symmetric_kernels import banzhaf_functional, lime_functional

quick = settings(max_examples=15, deadline=None)


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def fit(table, method=LimeLimit()):  # noqa: B008
    return method.fit([table])[0]


def bought(scores, budget, seed, **more):
    """What the default design buys of a game that is known everywhere."""
    n = len(scores).bit_length() - 1
    generator = torch.Generator().manual_seed(seed)
    masks = OddPairs().sample(PlayerCount(n), budget, generator).masks.numpy()
    rows = masks @ (1 << np.arange(n))
    return ScoreTable(masks, scores[rows], tuple(map(str, range(scores.shape[1]))), **more)


def line(lab, scores, width=25.0, columns=None):
    """LIME's line, by least squares on all coalitions under its own law: values and base."""
    n = len(scores).bit_length() - 1
    masks = lab.all_masks(n)
    removed = n - masks.sum(axis=1)
    of_size = np.bincount(removed)[removed]
    distance = 100.0 * (1.0 - np.sqrt(1.0 - removed / n))
    weights = (removed > 0) / of_size * np.exp(-np.square(distance) / (2.0 * width**2))
    kept = masks if columns is None else masks[:, columns]
    root = np.sqrt(weights)[:, None]
    design = np.column_stack([np.ones(len(masks)), kept])
    solution = np.linalg.lstsq(design * root, scores * root, rcond=1e-14)[0]
    return solution[1:], solution[0]


@quick
@given(n=st.integers(2, 8), seed=st.integers(0, 999), width=st.floats(15, 100))
def test_all_coalitions_give_the_line_itself(lab, n, seed, width):
    scores = lab.random_scores(n, 2, seed)
    fitted = fit(lab.exhaustive(scores), LimeLimit(width))
    values, base = line(lab, scores, width)
    np.testing.assert_allclose(fitted.values, values, atol=1e-8)
    np.testing.assert_allclose(fitted.base_values, base, atol=1e-8)
    np.testing.assert_array_equal(fitted.std_errors, 0.0)
    assert fitted.r2 is None


def test_it_is_what_lime_comes_to_with_many_samples(lab):
    scores = lab.smooth_scores(7, 1, 3)
    limit, _ = line(lab, scores)
    drawn = RidgeSurrogate().fit([lab.lime(scores, 200_000, 0)])[0]
    assert lab.relative_error(drawn.values, limit) < 1e-3
    everything = lab.exhaustive(scores)
    assert lab.relative_error(fit(everything).values, limit) < 1e-16


@quick
@given(n=st.integers(3, 8), seed=st.integers(0, 999), n_features=st.integers(1, 8))
def test_few_features_are_the_line_through_these(lab, n, seed, n_features):
    scores = lab.random_scores(n, 2, seed)
    fitted = fit(lab.exhaustive(scores), LimeLimit(n_features=n_features))
    every, _ = line(lab, scores)
    for output in range(2):
        chosen = np.sort(np.argsort(-np.abs(every[:, output]))[:n_features])
        values, base = line(lab, scores[:, output : output + 1], columns=chosen)
        expected = np.zeros(n)
        expected[chosen] = values.ravel()
        np.testing.assert_allclose(fitted.values[:, output], expected, atol=1e-8)
        np.testing.assert_allclose(fitted.base_values[output], base[0], atol=1e-8)


def test_errors_of_few_features_are_those_of_the_values_they_come_from(lab):
    slopes = np.array([3.0, -2.0, 1.0, 0.1, 0.0, -0.1, 0.05, 0.0])[:, None]
    scores = lab.all_masks(8) @ slopes + 0.2 * lab.smooth_scores(8, 1, 2)
    table = bought(scores, 60, 0)
    some, every = fit(table, LimeLimit(n_features=3)), fit(table)
    dropped = some.values.ravel() == 0
    assert dropped.sum() == 5
    np.testing.assert_array_equal(some.std_errors[dropped], 0.0)
    np.testing.assert_allclose(some.std_errors[~dropped], every.std_errors[~dropped], rtol=0.3)
    diagonal = np.diagonal(some.covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(some.std_errors, np.sqrt(diagonal))


@pytest.mark.parametrize("n_rows", [30, 50])
def test_errors_of_few_features_count_that_others_may_be_larger(lab, n_rows):
    """Of sums of products that are alike, few rows seldom tell which units are the largest."""
    z, held, sure, right = lab.all_masks(10), [], 0, []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sets = (rng.choice(10, rng.integers(1, 4), replace=False) for _ in range(6))
        scores = sum(z[:, own].all(axis=1) for own in sets)[:, None] + 0.0
        truth = fit(lab.exhaustive(scores), LimeLimit(n_features=3)).values
        found = fit(bought(scores, n_rows, seed), LimeLimit(n_features=3))
        band = found.confidence_interval(simultaneous=True)
        held.append(((band.low <= truth + 1e-9) & (truth - 1e-9 <= band.high)).all())
        top = found.top_k(3)
        sure += top.certain[0]
        right.append(not top.certain[0] or (truth[top.units[:, 0]] != 0).all())
    assert np.mean(held) >= 0.9
    assert sure < 20
    assert np.mean(right) >= 0.95


def test_errors_of_few_of_many_units_need_no_covariance(lab):
    rng = np.random.default_rng(0)
    values, errors = rng.normal(size=(300, 1)), np.full((300, 1), 0.2)
    whole = Attribution(values, np.zeros(1), errors, "lime_limit", 400)
    found = keep_largest(whole, 100, 25.0)
    assert found.covariance is None
    order = np.argsort(-np.abs(values.ravel()))
    np.testing.assert_allclose(found.std_errors[order[:20]], 0.2, rtol=0.15)
    assert (found.std_errors[order[95:105]] > 0.2).all()


@pytest.mark.parametrize("method", [LimeLimit(), BanzhafGP()])
@pytest.mark.parametrize("n", [3, 6])
def test_both_processes_are_exact_once_they_know_everything(lab, n, method, monkeypatch):
    """The nugget is a part of the game: without it they would shrink what they know."""
    table = lab.exhaustive(lab.random_scores(n, 2, n))
    exact = fit(table, method)
    monkeypatch.setattr(surrogate, "holds_all", lambda table: False)
    fitted = fit(table, method)
    np.testing.assert_allclose(fitted.values, exact.values, atol=1e-7)
    np.testing.assert_allclose(fitted.base_values, exact.base_values, atol=1e-7)
    assert fitted.std_errors.max() < 1e-6


@pytest.mark.parametrize("method", [LimeLimit(), BanzhafGP()])
def test_lines_are_found_from_few_rows(lab, method):
    slopes = np.array([3.0, -2.0, 0.0, 0.5, 1.0, 0.0, 0.0, -0.2, 0.0, 0.1])[:, None]
    scores = 5.0 + lab.all_masks(10) @ slopes
    fitted = fit(bought(scores, 40, 1), method)
    assert lab.relative_error(fitted.values, slopes) < 1e-5
    np.testing.assert_allclose(fitted.base_values, 5.0, atol=0.05)
    assert (np.abs(fitted.values - slopes) <= 3 * fitted.std_errors + 1e-9).all()
    assert fitted.r2 > 0.999


@quick
@given(seed=st.integers(0, 999), factor=st.floats(-50, 50).filter(lambda x: abs(x) > 0.01))
def test_values_follow_scores_that_are_scaled_and_moved(lab, seed, factor):
    scores = lab.smooth_scores(6, 2, seed)
    one, other = fit(bought(scores, 30, seed)), fit(bought(factor * scores - 7.0, 30, seed))
    scale = abs(factor) * np.abs(one.values).max()
    np.testing.assert_allclose(other.values, factor * one.values, atol=1e-6 * scale)
    np.testing.assert_allclose(other.std_errors, abs(factor) * one.std_errors, atol=1e-5 * scale)
    base = factor * one.base_values - 7.0
    np.testing.assert_allclose(other.base_values, base, atol=1e-5 * (scale + 1))


@quick
@given(seed=st.integers(0, 999))
def test_relabelled_units_keep_their_values(lab, seed):
    table = bought(lab.smooth_scores(7, 1, seed), 40, seed)
    order = np.random.default_rng(seed).permutation(7)
    moved = fit(replace(table, masks=table.masks[:, order]))
    scale = np.abs(moved.values).max()
    np.testing.assert_allclose(moved.values, fit(table).values[order], atol=1e-5 * scale)


def test_null_units_and_alike_units(lab):
    masks = lab.all_masks(9)
    scores = (masks[:, 0] & masks[:, 1]) + 0.5 * (masks[:, 2] | masks[:, 3])
    fits = [fit(bought(scores[:, None].astype(float), 90, seed)) for seed in range(4)]
    truth = line(lab, scores[:, None].astype(float))[0].ravel()
    for fitted in fits:
        values, errors = fitted.values.ravel(), fitted.std_errors.ravel()
        # On LIME's law sizes differ, so a null unit stands for the others a little.
        assert np.abs(values - truth)[4:].max() <= 3 * errors[4:].max()
        assert np.abs(values[4:]).max() < 0.02
        for one, other in ((0, 1), (2, 3)):
            assert abs(values[one] - values[other]) <= 3 * np.hypot(errors[one], errors[other])
        assert values[0] > 0.4


def test_any_table_leads_to_the_line(lab):
    scores = lab.smooth_scores(9, 1, 4)
    truth, _ = line(lab, scores)
    tables = {
        "pairs": bought(scores, 150, 0),
        "leverage": lab.leverage(scores, 75, 0),
        "uniform": lab.uniform(scores, 170, 0),
        "lime": lab.lime(scores, 200, 0),
    }
    for name, table in tables.items():
        assert lab.relative_error(fit(table).values, truth) < 0.02, name


def test_errors_shrink_and_hold(lab):
    errors, covered = {}, {}
    for seed in range(12):
        scores = lab.smooth_scores(9, 2, seed)
        truth, _ = line(lab, scores)
        for budget in (28, 90, 180):
            fitted = fit(bought(scores, budget, seed))
            errors.setdefault(budget, []).append(lab.relative_error(fitted.values, truth))
            for simultaneous in (False, True):
                interval = fitted.confidence_interval(simultaneous=simultaneous)
                inside = (interval.low - 1e-12 <= truth) & (truth <= interval.high + 1e-12)
                held = inside.all(axis=0) if simultaneous else inside
                covered.setdefault((budget, simultaneous), []).append(held)
    few, more, most = (np.mean(own) for own in errors.values())
    assert few < 0.5
    assert more < few / 4
    assert most < more / 2
    for own in covered.values():
        assert np.mean(own) >= 0.93


def test_noise_of_the_scorer_is_not_taken_for_the_game(lab):
    scores = lab.smooth_scores(8, 1, 5)
    truth, _ = line(lab, scores)
    rng = np.random.default_rng(0)
    covered, told, blind = [], [], []
    for seed in range(15):
        table = bought(scores, 80, seed)
        noisy = replace(table, scores=table.scores + 0.5 * rng.normal(size=table.scores.shape))
        knowing = fit(replace(noisy, variances=np.full_like(noisy.scores, 0.25)))
        half = student.ppf(0.975, knowing.dof) * knowing.std_errors
        covered.append(np.abs(knowing.values - truth) <= half)
        told.append(knowing.std_errors.mean())
        blind.append(fit(noisy).std_errors.mean())
    assert np.mean(covered) >= 0.9
    assert np.mean(told) > np.mean(blind)


@pytest.mark.parametrize("method", [LimeLimit(), BanzhafGP()])
@pytest.mark.parametrize("times", [1.0, 2.0])
def test_intervals_hold_under_noise_as_large_as_the_scores(lab, method, times):
    """Noise shrinks the few values that stand out; the intervals know it."""
    masks, inside = lab.all_masks(9), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=9) * (rng.random(9) < 0.4)
        scores = (masks @ weights + 1.5 * rng.normal() * masks[:, 0] * masks[:, 1])[:, None]
        truth = line(lab, scores)[0] if isinstance(method, LimeLimit) else lab.banzhaf(scores)
        spread = times * scores.std()
        table = bought(scores, 100, seed)
        told = np.full_like(table.scores, spread**2)
        noisy = table.scores + spread * rng.normal(size=table.scores.shape)
        found = fit(replace(table, scores=noisy, variances=told), method).confidence_interval()
        inside.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(inside) >= 0.93


def test_exact_values_carry_the_scorers_noise(lab):
    scores = lab.random_scores(5, 1, 0)
    fitted = fit(lab.exhaustive(scores, variances=np.full_like(scores, 0.04)))
    rng = np.random.default_rng(1)
    draws = [fit(lab.exhaustive(0.2 * rng.normal(size=scores.shape))).values for _ in range(400)]
    np.testing.assert_allclose(fitted.std_errors, np.std(draws, axis=0), rtol=0.15)


def test_many_rows_are_fitted_in_blocks(lab, monkeypatch):
    scores = lab.smooth_scores(9, 2, 6)
    table = bought(scores, 240, 0)
    truth, _ = line(lab, scores)
    whole = lab.relative_error(fit(table).values, truth)
    monkeypatch.setattr(surrogate, "MOST_ROWS", 100)
    blocks = fit(table)
    assert whole < lab.relative_error(blocks.values, truth) < 0.02
    assert blocks.r2 > 0.8


def test_more_rows_than_one_block_holds_do_no_harm(lab, monkeypatch):
    monkeypatch.setattr(surrogate, "MOST_ROWS", 120)
    games = [lab.smooth_scores(9, 1, seed) for seed in range(4)]
    lines = [line(lab, scores)[0] for scores in games]

    def error(budget):
        fits = [fit(bought(scores, budget, 0)).values for scores in games]
        return np.mean([lab.relative_error(*pair) for pair in zip(fits, lines, strict=True)])

    one_block = error(120)
    for budget in (122, 180, 300):
        assert error(budget) < 1.3 * one_block


def test_more_rows_than_are_decomposed_change_little(lab, monkeypatch):
    from perturbx.surrogates.game_gp import isotropic, relevance

    scores = lab.smooth_scores(9, 1, 6)
    table = bought(scores, 200, 0)
    whole = fit(table)
    monkeypatch.setattr(isotropic, "MOST_DECOMPOSED", 120)
    monkeypatch.setattr(relevance, "rows_for_relevances", lambda n_units, n_rows: 120)
    part = fit(table)
    assert lab.relative_error(part.values, whole.values) < 1e-3


def test_one_table_gives_banzhaf_values_too(lab):
    better = []
    for seed in range(8):
        scores = lab.smooth_scores(9, 1, seed)
        truth = lab.banzhaf(scores)
        table = lab.leverage(scores, 45, seed)
        ours, theirs = fit(table, BanzhafGP()), fit(table, Banzhaf())
        errors = [lab.relative_error(own.values, truth) for own in (ours, theirs)]
        better.append(errors[0] / errors[1])
        half = student.ppf(0.975, ours.dof) * ours.std_errors
        assert np.mean(np.abs(ours.values - truth) <= half) >= 7 / 9
    assert np.exp(np.mean(np.log(better))) < 0.5
    exact = fit(lab.exhaustive(scores), BanzhafGP())
    np.testing.assert_allclose(exact.values, truth, atol=1e-10)


@pytest.mark.parametrize("functional", [lime_functional(5), banzhaf_functional(5)])
def test_product_kernels_are_read_out_as_sums_over_all_coalitions(lab, functional):
    masks = lab.all_masks(5)
    size = masks.sum(axis=1)
    kept, removed = functional.kept_alone[size], functional.removed_alone[size]
    weights = np.where(masks, kept[:, None], removed[:, None])
    b = np.array([0.01, 2.7, 0.3, 1.0, 0.1])
    signs = 1.0 - 2.0 * masks
    kernel = np.exp((signs * b) @ signs.T - b.sum())
    readout = product_readout(functional, torch.from_numpy(signs)[None], torch.from_numpy(b)[None])
    every = np.column_stack([weights, functional.level_alone[size]])
    np.testing.assert_allclose(readout[0], kernel @ every, atol=1e-12)
    prior = product_prior(functional, torch.from_numpy(b)[None])
    np.testing.assert_allclose(prior[0], weights.T @ kernel @ weights, atol=1e-12)


def test_the_gradient_is_that_of_the_likelihood(lab):
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(lab.all_masks(5)[rng.permutation(32)[:20]])[None]
    signs, targets = 1.0 - 2.0 * masks.double(), torch.from_numpy(rng.normal(size=(1, 20)))
    point = prior_means(5)[None] + 0.3 * torch.from_numpy(rng.normal(size=(1, 10)))

    def value(where):
        return negative_log_posterior(where, signs, distances(masks), targets)

    step = 1e-5 * torch.eye(10, dtype=torch.float64)
    found = [(value(point + s)[0] - value(point - s)[0]) / 2e-5 for s in step]
    np.testing.assert_allclose(torch.cat(found), value(point)[1][0], atol=1e-4)


def test_sixty_units_are_no_obstacle():
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(60, 1)) * (rng.random((60, 1)) < 0.3)
    generator = torch.Generator().manual_seed(0)
    masks = OddPairs().sample(PlayerCount(60), 240, generator).masks.numpy()
    scores = masks @ slopes + 0.5 * (masks[:, :1] & masks[:, 1:2])
    fitted = fit(ScoreTable(masks, scores, ("y",)))
    # A unit of the pair gets its worth times the share of masks that keep the other one.
    expected = slopes.copy()
    expected[:2] += 0.3
    assert np.abs(fitted.values - expected).max() < 0.1
    assert np.isfinite(fitted.std_errors).all()


def test_what_cannot_be_fitted_is_refused(lab):
    with pytest.raises(ArgumentError, match="kernel_width: expected"):
        LimeLimit(kernel_width=-1.0)
    with pytest.raises(ArgumentError, match="n_features: expected"):
        LimeLimit(n_features=0)
    with pytest.raises(ArgumentError, match=r"kernel_width: 0\.5"):
        fit(lab.exhaustive(lab.random_scores(4, 1, 0)), LimeLimit(kernel_width=0.5))
    with pytest.raises(SurrogateError, match="lime_limit needs at least two coalitions"):
        fit(lab.exhaustive(lab.random_scores(4, 1, 0)).rows([0, 15, 3]))


def test_the_limit_of_lime_text_is_this_line(lab):
    scores = lab.smooth_scores(6, 1, 8)
    table = lab.lime(scores, 100_000, 0)
    theirs = LimeText(n_features=2, feature_selection="highest_weights").fit([table])[0]
    ours = fit(lab.exhaustive(scores), LimeLimit(n_features=2))
    np.testing.assert_array_equal(theirs.values == 0, ours.values == 0)
    assert lab.relative_error(theirs.values, ours.values) < 1e-3
