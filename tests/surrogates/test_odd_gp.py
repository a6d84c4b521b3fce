"""`OddGP`: the laws of the Shapley value, the numpy reference, and errors that hold."""

import importlib.util
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from perturbx.coalitions import Leverage, OddPairs, PlayerCount
from perturbx.exceptions import SurrogateError
from perturbx.odd_kernels import isotropic_kernel
from perturbx.score_table import ScoreTable
from perturbx.surrogates import LeverageShapley, OddGP
from perturbx.surrogates.gaussian.bfgs import minimize
from perturbx.surrogates.gaussian.model_grid import RHOS, distances, likely_models
from perturbx.surrogates.intervals import half_widths
from perturbx.surrogates.odd_gp import isotropic, likelihood, relevance, surrogate
from perturbx.surrogates.odd_gp.averaging import average, share_of_relevance
from perturbx.surrogates.odd_gp.geometry import Geometry
from perturbx.surrogates.odd_gp.isotropic import fit_isotropic
from perturbx.surrogates.odd_gp.mixture import fit_mixture
from perturbx.surrogates.odd_gp.relevance import fit_relevance
from perturbx.surrogates.odd_gp.relevance_kernel import negative_log_posterior, starting_point


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def design(n_units, budget, seed, sampler=OddPairs()):  # noqa: B008
    generator = torch.Generator().manual_seed(seed)
    return sampler.sample(PlayerCount(n_units), budget, generator).masks.numpy()


def bought(scores, budget, seed, **more):
    """What the design buys of a game that is known everywhere."""
    n_units = len(scores).bit_length() - 1
    masks = design(n_units, budget, seed)
    rows = masks @ (1 << np.arange(n_units))
    return ScoreTable(masks, scores[rows], tuple(map(str, range(scores.shape[1]))), **more)


def fit(table):
    return OddGP().fit([table])[0]


def posteriors(table):
    """Both models' posteriors of a table, without the exact values' shortcut."""
    part = surrogate.odd_part(table, "odd_gp")
    tensors = [torch.from_numpy(x)[None] for x in (part.masks, part.values)]
    return fit_isotropic(*tensors), fit_relevance(*tensors), part


@settings(max_examples=15, deadline=None)
@given(n=st.integers(3, 9), extra=st.integers(0, 60), seed=st.integers(0, 99), k=st.integers(1, 3))
def test_values_add_up_and_errors_know_it(lab, n, extra, seed, k):
    scores = lab.smooth_scores(n, k, seed)
    fitted = fit(bought(scores, n + 2 + extra, seed))
    np.testing.assert_allclose(fitted.values.sum(0), scores[-1] - scores[0], atol=1e-10)
    np.testing.assert_array_equal(fitted.base_values, scores[0])
    np.testing.assert_allclose(fitted.covariance.sum(2), 0.0, atol=1e-8)
    assert np.linalg.eigvalsh(fitted.covariance).min() > -1e-8


@settings(max_examples=10, deadline=None)
@given(n=st.integers(2, 7), seed=st.integers(0, 99))
def test_all_coalitions_give_the_exact_values(lab, n, seed):
    scores = lab.random_scores(n, 2, seed)
    fitted = fit(lab.exhaustive(scores))
    np.testing.assert_allclose(fitted.values, lab.shapley(scores), atol=1e-10)
    assert fitted.method == "odd_gp"
    assert fitted.r2 is None
    np.testing.assert_array_equal(fitted.std_errors, 0.0)


@pytest.mark.parametrize("n", [3, 6, 8])
def test_both_processes_are_exact_once_they_know_every_pair(lab, n):
    """The nugget is a part of the game: without it they would shrink what they know."""
    scores = lab.random_scores(n, 2, 1)
    *both, part = posteriors(lab.exhaustive(scores))
    for posterior in both:
        values = posterior.values[0].T.numpy() * part.scale
        np.testing.assert_allclose(values, lab.shapley(scores), atol=1e-8)
        assert np.abs(posterior.covariance.numpy()).max() < 1e-8


@pytest.mark.parametrize("budget", [24, 60])
def test_scale_and_offset(lab, budget):
    table = bought(lab.smooth_scores(8, 2, 0), budget, 0)
    one = fit(table)
    other = fit(replace(table, scores=50.0 - 1e-3 * table.scores))
    np.testing.assert_allclose(other.values, -1e-3 * one.values, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(other.std_errors, 1e-3 * one.std_errors, rtol=1e-4)
    assert other.r2 == pytest.approx(one.r2, abs=1e-6)


def test_constant_games_are_worth_nothing(lab):
    scores = lab.smooth_scores(6, 2, 0)
    scores[:, 0] = 1e6 / 3
    fitted = fit(bought(scores, 30, 0))
    np.testing.assert_array_equal(fitted.values[:, 0], 0.0)
    np.testing.assert_array_equal(fitted.std_errors[:, 0], 0.0)
    assert np.isnan(fitted.r2_by_output[0])
    assert np.abs(fitted.values[:, 1]).min() > 0


def test_renaming_the_units_renames_the_values(lab):
    table = bought(lab.smooth_scores(7, 2, 4), 40, 0)
    order = np.random.default_rng(0).permutation(7)
    one, other = OddGP().fit([table, replace(table, masks=table.masks[:, order])])
    np.testing.assert_allclose(other.values, one.values[order], atol=1e-8)
    np.testing.assert_allclose(other.std_errors, one.std_errors[order], atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_rows_in_another_order_change_nothing(lab, seed):
    table = bought(lab.smooth_scores(6, 1, seed), 40, seed)
    shuffled = table.rows(np.random.default_rng(seed).permutation(len(table)))
    one, other = fit(table), fit(shuffled)
    np.testing.assert_allclose(other.values, one.values, atol=1e-7)
    np.testing.assert_allclose(other.std_errors, one.std_errors, atol=1e-6)
    assert other.r2 == pytest.approx(one.r2, abs=1e-6)


def test_rows_without_their_complement_are_left_out(lab):
    table = bought(lab.smooth_scores(7, 1, 2), 40, 0)
    single = np.setdiff1d(np.arange(len(table)), [7, 12])
    pairs = np.setdiff1d(np.arange(len(table)), [6, 7, 12, 13])
    one, other = fit(table.rows(single)), fit(table.rows(pairs))
    np.testing.assert_array_equal(one.values, other.values)
    assert one.n_calls == other.n_calls + 2


def test_tables_that_do_not_do_are_refused_with_a_reason(lab):
    table = bought(lab.smooth_scores(5, 1, 2), 20, 0)
    with pytest.raises(SurrogateError, match="odd_gp needs the scores of both ends"):
        fit(table.rows(np.arange(1, 20)))
    with pytest.raises(SurrogateError, match="odd_gp needs coalitions that stand beside"):
        fit(table.rows([0, 1, 2, 4]))


def test_units_that_do_nothing_and_units_that_do_the_same(lab):
    masks = lab.all_masks(10)
    game = np.tanh(masks @ np.array([0, 1, 1, 2, -1, 0.5, 0.3, 0, -2, 1.5]) - 1.0)[:, None]
    for budget in (50, 100, 200):
        fitted = fit(bought(game, budget, 1))
        width = student.ppf(0.975, budget / 4) * fitted.std_errors[:, 0]
        values = fitted.values[:, 0]
        assert np.abs(values[[0, 7]]).max() <= width[[0, 7]].max()
        assert abs(values[1] - values[2]) <= width[1] + width[2]


def test_texts_with_one_design_share_their_decompositions(lab, monkeypatch):
    tables = [bought(lab.smooth_scores(9, 2, s), 60, s) for s in range(6)]
    tables += [lab.leverage(lab.smooth_scores(9, 2, s), 29, s) for s in range(2)]
    counted = []
    true = isotropic.likely_models
    monkeypatch.setattr(
        isotropic, "likely_models", lambda x, *more: (counted.append(x.shape), true(x, *more))[1]
    )
    batch = OddGP().fit(tables)
    assert counted == [(30, 30)] * 3
    for table, together in zip(tables, batch, strict=True):
        alone = fit(table)
        np.testing.assert_allclose(together.values, alone.values, atol=1e-9)
        np.testing.assert_allclose(together.covariance, alone.covariance, atol=1e-9)
        assert together.r2 == pytest.approx(alone.r2, abs=1e-9)


def test_many_pairs_take_the_weights_from_some(lab, monkeypatch):
    """The same game by both ways of dividing by the covariance."""
    scores = lab.smooth_scores(9, 2, 0)
    table = bought(scores, 160, 0)
    whole, *_, part = posteriors(table)
    monkeypatch.setattr(isotropic, "MOST_DECOMPOSED", 50)
    some, *_ = posteriors(table)
    truth = lab.shapley(scores)
    mine, theirs = (
        lab.relative_error(posterior.values[0].T.numpy() * part.scale, truth)
        for posterior in (some, whole)
    )
    assert (some.values - whole.values).abs().max() > 0
    assert mine < 2 * theirs
    spread = whole.residuals.square().mean()
    assert float(some.residuals.square().mean() / spread) == pytest.approx(1.0, abs=0.3)


def test_too_many_pairs_are_fitted_in_blocks(lab, monkeypatch):
    scores = lab.smooth_scores(9, 2, 0)
    table, truth = bought(scores, 260, 0), lab.shapley(scores)
    whole = fit(table)
    monkeypatch.setattr(surrogate, "MOST_PAIRS", 50)
    blocks = fit(table)
    np.testing.assert_allclose(blocks.values.sum(0), scores[-1] - scores[0], atol=1e-10)
    pairs = np.arange(2, 260).reshape(-1, 2)
    rng = np.random.default_rng(0)
    some = [np.append(rng.permutation(pairs)[:44], [0, 1]) for _ in range(4)]
    alone = [lab.relative_error(fit(table.rows(rows)).values, truth) for rows in some]
    assert lab.relative_error(blocks.values, truth) < np.mean(alone)
    assert (blocks.std_errors > whole.std_errors).all()


def test_more_calls_than_one_block_holds_do_no_harm(lab, monkeypatch):
    monkeypatch.setattr(surrogate, "MOST_PAIRS", 60)
    games = [lab.smooth_scores(9, 2, seed) for seed in range(5)]
    truths = [lab.shapley(scores) for scores in games]

    def error(budget):
        fits = [fit(bought(scores, budget, 0)).values for scores in games]
        return np.mean([lab.relative_error(*pair) for pair in zip(fits, truths, strict=True)])

    one_block = error(120)
    for budget in (122, 180, 300, 480):
        assert error(budget) < 2 * one_block  # blocks apart from each other: 16 to 80 times


@pytest.mark.parametrize(("spread", "better"), [(0.0, 1.0), (1.5, 0.5)])
def test_known_noise_is_not_taken_for_the_game(lab, spread, better):
    """Rows whose noise is larger count less: the more the noise differs, the more that helps."""
    scores = lab.smooth_scores(8, 1, 3)
    truth = lab.shapley(scores)
    known, unknown, covered = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        plain = bought(scores, 120, seed)
        deviation = 0.7 * np.exp(spread * rng.normal(size=plain.scores.shape))
        noisy = replace(plain, scores=plain.scores + deviation * rng.normal(size=deviation.shape))
        told = fit(replace(noisy, variances=deviation**2))
        known.append(lab.relative_error(told.values, truth))
        unknown.append(lab.relative_error(fit(noisy).values, truth))
        width = student.ppf(0.975, told.dof) * told.std_errors
        covered.append(np.abs(told.values - truth) <= width)
        full = noisy.row_of(kept=True)
        np.testing.assert_allclose(told.values.sum(), noisy.scores[full] - noisy.scores[0])
    assert np.mean(known) < better * np.mean(unknown)
    assert np.mean(covered) > 0.9


def test_noise_that_vanishes_leaves_the_game(lab):
    """The path of known variances ends where the one without them begins."""
    scores = lab.smooth_scores(8, 2, 1)
    table = bought(scores, 80, 0)
    exact = fit(table)
    tiny = fit(replace(table, variances=np.full_like(table.scores, 1e-10)))
    none = fit(replace(table, variances=np.zeros_like(table.scores)))
    np.testing.assert_array_equal(none.values, exact.values)
    largest = np.abs(exact.values).max()
    np.testing.assert_allclose(tiny.values, exact.values, atol=0.03 * largest)
    assert tiny.std_errors.mean() == pytest.approx(exact.std_errors.mean(), rel=0.3)


def test_more_noise_means_larger_errors(lab):
    table = bought(lab.smooth_scores(8, 1, 1), 80, 0)
    errors = [
        fit(replace(table, variances=np.full_like(table.scores, v))).std_errors.mean()
        for v in (1e-4, 1e-2, 1.0)
    ]
    assert errors == sorted(errors)
    assert errors[2] > 2 * errors[0]


@pytest.mark.parametrize("budget", [3, 5, 10])
def test_intervals_cover_planted_games(lab, budget):
    n, inside, together = 10, [], []
    for seed in range(12):
        scores = lab.smooth_scores(n, 1, seed)
        fitted = fit(bought(scores, budget * n, seed))
        off = np.abs(fitted.values - lab.shapley(scores))
        inside.append(off <= half_widths(fitted, 0.95))
        together.append((off <= half_widths(fitted, 0.95, simultaneous=True)).all())
    assert np.mean(inside) >= 0.93
    assert np.mean(together) >= 0.9


@pytest.mark.parametrize("budget", [3, 5, 10])
def test_fewer_calls_than_leverage_for_the_same_error(lab, budget):
    n, ours, theirs = 10, [], []
    for seed in range(12):
        scores = lab.smooth_scores(n, 1, seed)
        truth = lab.shapley(scores)
        ours.append(lab.relative_error(fit(bought(scores, budget * n, seed)).values, truth))
        (other,) = LeverageShapley().fit([lab.leverage(scores, budget * n // 2 - 1, seed)])
        theirs.append(lab.relative_error(other.values, truth))
    assert np.mean(ours) < 0.7 * np.mean(theirs)


def test_r2_is_what_a_pair_left_out_would_show(lab):
    """Refit without each pair, with the hyperparameters of all: the closed form."""
    table = bought(lab.smooth_scores(7, 1, 0), 30, 0)
    part = surrogate.odd_part(table, "odd_gp")
    masks, values = torch.from_numpy(part.masks), torch.from_numpy(part.values)
    posterior = fit_isotropic(masks[None], values[None])
    left_out = posterior.residuals
    distance = distances(masks)
    tables = [torch.from_numpy(isotropic_kernel(7, rho).by_distance) for rho in RHOS]
    models = likely_models(distance, values, tables, slice(None))
    likeliest = next(model for model in models if model.is_likeliest.all())
    table_of = isotropic_kernel(7, likeliest.rho).by_distance[distance.numpy()]
    for pair in range(len(part)):
        others = np.setdiff1d(np.arange(len(part)), [pair])
        matrix = table_of[np.ix_(others, others)] + likeliest.nugget * np.eye(len(others))
        guess = table_of[pair, others] @ np.linalg.solve(matrix, part.values[others, 0])
        assert part.values[pair, 0] - guess == pytest.approx(float(left_out[0, pair, 0]), abs=1e-8)
    both = fit_mixture(masks[None], values[None], torch.from_numpy(part.means)[None])
    expected = 1.0 - (both.residuals[0, 1:].numpy() ** 2).sum() / (part.values[1:] ** 2).sum()
    assert fit(table).r2 == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), better=st.floats(-3, 3))
def test_the_model_that_predicts_better_counts_more(seed, better):
    rng = np.random.default_rng(seed)
    first = torch.from_numpy(rng.normal(size=(1, 40, 1)))
    share, more = (
        float(share_of_relevance(first, first * np.exp(-log), n_units=8))
        for log in (better, better + 0.5)
    )
    assert 0.5 <= share <= more <= 1.0
    if better <= 0:
        assert share == 0.5


def test_the_mean_of_both_models_knows_that_they_differ(lab):
    first, second, _ = posteriors(bought(lab.smooth_scores(8, 2, 0), 40, 0))
    mean = average(first, second)
    low, high = (
        torch.minimum(first.values, second.values),
        torch.maximum(first.values, second.values),
    )
    assert ((mean.values >= low - 1e-12) & (mean.values <= high + 1e-12)).all()
    variance = mean.covariance.diagonal(dim1=2, dim2=3)
    assert (variance >= 0.25 * (first.values - second.values).square()).all()


@pytest.mark.parametrize("noisy", [False, True])
def test_the_gradient_is_that_of_the_objective(lab, noisy):
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(design(6, 30, 0)[::2].copy())[None]
    geometry = Geometry.of_masks(masks)
    values = torch.from_numpy(rng.normal(size=(1, 15)))
    noise = torch.from_numpy(rng.exponential(size=(1, 15))) if noisy else None
    start = starting_point(6, noise).reshape(1, -1)
    point = start + torch.from_numpy(0.5 * rng.normal(size=start.shape))
    _, slopes = negative_log_posterior(point, geometry, values, noise)
    gradient = slopes()
    assert gradient.shape == (1, 12 if noisy else 11)
    for index in range(gradient.shape[1]):
        step = torch.zeros_like(point)
        step[0, index] = 1e-5
        up, _ = negative_log_posterior(point + step, geometry, values, noise)
        down, _ = negative_log_posterior(point - step, geometry, values, noise)
        assert float((up - down) / 2e-5) == pytest.approx(float(gradient[0, index]), abs=1e-6)


def test_the_optimizer_finds_minima_within_bounds():
    """Rosenbrock's valley from many starts, and a bowl whose bottom is out of bounds."""

    def valley(point, problems):
        x, y = point[:, 0], point[:, 1]
        value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        by_x = -2 * (1 - x) - 400 * x * (y - x**2)
        return value, lambda: torch.stack([by_x, 200 * (y - x**2)], dim=1)

    start = torch.from_numpy(np.random.default_rng(0).uniform(-2, 2, size=(20, 2)))
    box = torch.full((2,), 3.0, dtype=torch.float64)
    found = minimize(valley, start, -box, box, most_steps=100, least_gain=0.0)
    torch.testing.assert_close(found, torch.ones_like(found), atol=1e-5, rtol=0)
    alone = torch.cat(
        [minimize(valley, one[None], -box, box, most_steps=100, least_gain=0.0) for one in start]
    )
    torch.testing.assert_close(alone, found, atol=1e-12, rtol=0)

    def bowl(point, problems):
        off = point - torch.tensor([5.0, 0.5], dtype=torch.float64)
        return off.square().sum(1), lambda: 2 * off

    found = minimize(bowl, start, -box, box, most_steps=20, least_gain=0.0)
    expected = torch.tensor([3.0, 0.5], dtype=torch.float64).expand_as(found)
    torch.testing.assert_close(found, expected)


@pytest.mark.data
@pytest.mark.parametrize("budget", [42, 140, 620])
def test_both_models_equal_the_numpy_reference(shared, budget):
    path = shared / "prototypes" / "odd_gp_prototype.py"
    games = sorted((shared / "data" / "games").glob("sentiment14_*.npz"))[:2]
    if not path.is_file() or not games:
        pytest.skip(f"no reference or games in {shared} (set PERTURBX_SHARED)")
    spec = importlib.util.spec_from_file_location("odd_gp_prototype", path)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    # Where other work keeps the cores busy, numpy's threads wait on each other.
    with threadpool_limits(1):
        for seed, game in enumerate(games):
            _agrees(reference, game, budget, seed)


def _agrees(reference, game, budget, seed):
    with np.load(game) as file:
        order = np.argsort(file["coalitions"] @ (1 << np.arange(14)))
        scores = file["values"][order][:, None]
    table = bought(scores, budget, seed)
    first, *_, part = posteriors(table)
    # At 620 calls the reference takes its weights from the same 300 pairs.
    odd, mask = part.values[:, 0], part.masks.astype(float)
    some = np.r_[0, 1 + np.random.default_rng(0).permutation(len(odd) - 1)][:300]
    mean, covariance = reference.fit_iso(mask, odd, 14, sel=some if len(odd) > 300 else None)
    size = np.abs(mean).max()
    np.testing.assert_allclose(first.values[0, 0], mean, atol=1e-6 * size)
    np.testing.assert_allclose(first.covariance[0, 0], covariance, atol=1e-6 * size**2)

    masks, values = torch.from_numpy(part.masks)[None], torch.from_numpy(odd)[None]
    tau = likelihood.spread_of_relevances(14, len(odd))
    start = starting_point(14)
    point = start + 0.3 * torch.from_numpy(np.random.default_rng(seed).normal(size=19))
    ours = negative_log_posterior(point[None], Geometry.of_masks(masks), values)
    x = 1 - 2 * mask
    theirs = reference._objective(point.numpy(), x, x @ x.T, odd, tau)
    assert float(ours[0]) == pytest.approx(theirs[0], abs=1e-5)
    np.testing.assert_allclose(ours[1]()[0], theirs[1], atol=1e-5)
    # The optimizers differ: the reference stays where it starts.
    reference.minimize = lambda _, x0, **more: SimpleNamespace(x=x0)
    mean, covariance = reference.fit_relevance(mask, odd, 14, tau=tau)
    condition = relevance.condition_on_pairs(start[None], masks, values, None)
    np.testing.assert_allclose(condition[0][0], mean, atol=1e-6 * size)
    np.testing.assert_allclose(condition[1][0], covariance, atol=1e-6 * size**2)


def test_leverage_pairs_do_as_well(lab):
    scores = lab.smooth_scores(9, 1, 0)
    masks = design(9, 80, 0, Leverage())
    rows = masks @ (1 << np.arange(9))
    fitted = fit(ScoreTable(masks, scores[rows], ("y",)))
    assert lab.relative_error(fitted.values, lab.shapley(scores)) < 0.05
