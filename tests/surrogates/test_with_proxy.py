"""`WithProxy`: a good proxy saves calls, a bad one does no harm, and the errors know it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.coalitions import Leverage, OddPairs, PlayerCount
from perturbx.exceptions import SurrogateError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import OddGP, WithProxy
from perturbx.surrogates.intervals import half_widths
from perturbx.surrogates.with_proxy.evidence import log_evidence


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTURBX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def bought(scores, budget, seed, **more):
    """What the design of odd_gp buys of a game that is known everywhere."""
    n_units = len(scores).bit_length() - 1
    generator = torch.Generator().manual_seed(seed)
    masks = OddPairs().sample(PlayerCount(n_units), budget, generator).masks.numpy()
    rows = masks @ (1 << np.arange(n_units))
    return ScoreTable(masks, scores[rows], tuple(map(str, range(scores.shape[1]))), **more)


def known(lab, scores):
    """A proxy that is known everywhere."""
    return replace(lab.exhaustive(scores), output_names=tuple(map(str, range(scores.shape[1]))))


def fit(table, proxy):
    return WithProxy(proxy).fit([table])[0]


def errors(lab, game_of, proxy_of, budget, seeds=range(20)):
    """Mean relative squared errors with the proxy and without."""
    ours, plain = [], []
    for seed in seeds:
        scores = game_of(seed)
        truth, table = lab.shapley(scores), bought(scores, budget, seed)
        fitted = fit(table, known(lab, proxy_of(seed)))
        ours.append(lab.relative_error(fitted.values, truth))
        plain.append(lab.relative_error(OddGP().fit([table])[0].values, truth))
    return float(np.mean(ours)), float(np.mean(plain))


def rough(lab, n, seed):
    """A game whose interactions few calls do not tell."""
    return lab.smooth_scores(n, 1, seed) + 0.7 * lab.random_scores(n, 1, 1000 + seed)


@settings(max_examples=10, deadline=None)
@given(n=st.integers(5, 9), seed=st.integers(0, 99), k=st.integers(1, 2))
def test_a_perfect_proxy_leaves_nothing_to_buy(lab, n, seed, k):
    scores = lab.random_scores(n, k, seed)
    table = bought(scores, n + 2, seed)
    fitted = fit(table, known(lab, 3.0 * scores + 5.0))
    truth = lab.shapley(scores)
    assert lab.relative_error(fitted.values, truth) < 0.02
    assert lab.relative_error(OddGP().fit([table])[0].values, truth) > 0.1
    assert (fitted.proxy_probability > 0.9).all()
    assert fitted.n_calls == table.n_calls


@settings(max_examples=10, deadline=None)
@given(n=st.integers(5, 9), seed=st.integers(0, 99), budget=st.integers(12, 40))
def test_a_proxy_that_falls_as_the_score_rises_is_as_good_as_one_that_rises(lab, n, seed, budget):
    scores = lab.random_scores(n, 1, seed)
    table, proxy = bought(scores, budget, seed), scores + 0.1 * lab.random_scores(n, 1, 1 + seed)
    rising, falling = fit(table, known(lab, proxy)), fit(table, known(lab, 4.0 - proxy))
    np.testing.assert_allclose(falling.values, rising.values, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(falling.std_errors, rising.std_errors, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(falling.proxy_weight, rising.proxy_weight, rtol=1e-4)


def test_one_column_serves_both_labels_with_errors_that_hold(lab):
    inside = []
    for seed in range(10):
        rising = rough(lab, 8, seed)
        both = np.concatenate([-rising, rising], axis=1)
        fitted = fit(bought(both, 24, seed), known(lab, rising))
        inside.append(np.abs(fitted.values - lab.shapley(both)) <= half_widths(fitted, 0.95) + 1e-9)
    assert np.mean(inside, axis=(0, 1)).min() >= 0.95


@pytest.mark.parametrize("budget", [24, 48])
def test_a_proxy_of_other_scale_leaves_open_what_it_is_beyond_the_scores_paid_for(lab, budget):
    """The curve meets every score, and says nothing of the masks beyond their range."""
    inside = []
    for seed in range(20):
        scores = lab.smooth_scores(8, 1, seed)
        squashed = -np.exp(-(scores - scores.mean()) / (3.0 * scores.std()))
        fitted = fit(bought(scores, budget, seed), known(lab, squashed))
        inside.append(np.abs(fitted.values - lab.shapley(scores)) <= half_widths(fitted, 0.95))
    assert np.mean(inside) >= 0.93


@pytest.mark.parametrize("budget", [18, 24, 40])
def test_an_unrelated_proxy_does_no_harm(lab, budget):
    ours, plain = errors(
        lab,
        lambda seed: lab.smooth_scores(8, 1, seed),
        lambda seed: lab.smooth_scores(8, 1, 500 + seed),
        budget,
    )
    assert ours <= 1.05 * plain


@pytest.mark.parametrize("budget", [18, 24, 40])
def test_an_additive_proxy_does_no_harm(lab, budget):
    """Its weights are those of the game, each a good deal off: with a fixed weight it harms."""

    def bag_of_words(seed):
        masks = lab.all_masks(8)
        weights = lab.shapley(lab.smooth_scores(8, 1, seed))
        return masks @ (weights * np.random.default_rng(seed).lognormal(0.0, 0.7, weights.shape))

    ours, plain = errors(lab, lambda seed: lab.smooth_scores(8, 1, seed), bag_of_words, budget)
    assert ours <= 1.05 * plain


@pytest.mark.parametrize("budget", [24, 48])
def test_the_closer_the_proxy_the_more_it_saves(lab, budget):
    found = [
        errors(
            lab,
            lambda seed: rough(lab, 8, seed),
            lambda seed, share=share: (
                rough(lab, 8, seed) + share * lab.random_scores(8, 1, 77 + seed)
            ),
            budget,
        )
        for share in (0.0, 0.3, 1.0)
    ]
    ours = [mine for mine, _ in found]
    assert ours == sorted(ours)
    assert ours[1] < 0.5 * found[1][1]
    assert ours[2] <= 1.05 * found[2][1]


def test_a_proxy_on_another_scale_is_calibrated(lab):
    """Probabilities where the paid scores are log-odds, or the labels turned around."""

    def squashed(seed):
        scores = rough(lab, 8, seed)
        return -1.0 / (1.0 + np.exp(-2.0 * (scores - scores.mean()) / scores.std()))

    ours, plain = errors(lab, lambda seed: rough(lab, 8, seed), squashed, 48)
    assert ours < 0.5 * plain


@settings(max_examples=10, deadline=None)
@given(
    n=st.integers(3, 8),
    extra=st.integers(0, 40),
    seed=st.integers(0, 99),
    share=st.floats(0.0, 2.0),
)
def test_values_add_up_and_errors_know_it(lab, n, extra, seed, share):
    scores = lab.smooth_scores(n, 2, seed)
    proxy = known(lab, scores + share * lab.random_scores(n, 2, seed))
    fitted = fit(bought(scores, n + 2 + extra, seed), proxy)
    np.testing.assert_allclose(fitted.values.sum(0), scores[-1] - scores[0], atol=1e-8)
    np.testing.assert_allclose(fitted.covariance.sum(2), 0.0, atol=1e-7)
    diagonal = np.diagonal(fitted.covariance, axis1=1, axis2=2).T
    np.testing.assert_allclose(np.square(fitted.std_errors), diagonal, atol=1e-8)
    assert ((fitted.proxy_probability >= 0) & (fitted.proxy_probability <= 1)).all()
    assert fitted.method == "odd_gp+proxy"


@pytest.mark.parametrize("budget", [20, 40])
def test_the_proxys_scale_and_offset_do_not_matter(lab, budget):
    scores = rough(lab, 8, 0)
    proxy = scores + 0.3 * lab.random_scores(8, 1, 5)
    table = bought(scores, budget, 0)
    one, other = fit(table, known(lab, proxy)), fit(table, known(lab, 3.0 * proxy + 5.0))
    np.testing.assert_allclose(other.values, one.values, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(other.std_errors, one.std_errors, rtol=1e-4)
    np.testing.assert_allclose(other.proxy_weight, one.proxy_weight, rtol=1e-4)


def test_the_paid_scores_scale_goes_through(lab):
    scores = rough(lab, 8, 1)
    proxy = known(lab, scores + 0.3 * lab.random_scores(8, 1, 5))
    table = bought(scores, 40, 0)
    one = fit(table, proxy)
    other = fit(replace(table, scores=50.0 + 1e-3 * table.scores), proxy)
    np.testing.assert_allclose(other.values, 1e-3 * one.values, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(other.std_errors, 1e-3 * one.std_errors, rtol=1e-3)
    assert other.r2 == pytest.approx(one.r2, abs=1e-4)


def test_a_constant_proxy_leaves_odd_gp(lab):
    table = bought(lab.smooth_scores(8, 1, 3), 30, 0)
    plain, fitted = OddGP().fit([table])[0], fit(table, known(lab, np.full((256, 1), 7.0)))
    np.testing.assert_allclose(fitted.values, plain.values, atol=1e-9)
    np.testing.assert_allclose(fitted.std_errors, plain.std_errors, rtol=1e-6)
    np.testing.assert_array_equal(fitted.proxy_probability, 0.0)
    assert fitted.r2 == pytest.approx(plain.r2)


def test_a_constant_game_is_worth_nothing(lab):
    fitted = fit(bought(np.full((64, 1), 1e6 / 3), 20, 0), known(lab, lab.random_scores(6, 1, 0)))
    np.testing.assert_allclose(fitted.values, 0.0, atol=1e-6)


def test_outputs_do_not_see_each_other(lab):
    scores = np.concatenate([rough(lab, 7, 0), rough(lab, 7, 1)], axis=1)
    proxy = known(lab, scores + 0.4 * lab.random_scores(7, 2, 3))
    table = bought(scores, 30, 0)
    both = fit(table, proxy)
    for name in ("0", "1"):
        alone = fit(table.select([name]), proxy)
        np.testing.assert_allclose(both.values[:, [int(name)]], alone.values, atol=1e-8)
        np.testing.assert_allclose(both.proxy_weight[[int(name)]], alone.proxy_weight, atol=1e-6)


def test_columns_go_by_name_by_position_or_for_all(lab):
    scores = np.concatenate([rough(lab, 7, 0), rough(lab, 7, 1)], axis=1)
    proxy, table = known(lab, scores), bought(scores, 12, 0)
    truth = lab.shapley(scores)
    turned = replace(proxy, scores=scores[:, ::-1], output_names=("1", "0"))
    unnamed = replace(proxy, output_names=("no", "yes"))
    for one in (proxy, turned, unnamed):
        assert lab.relative_error(fit(table, one).values, truth) < 0.02
    single = fit(table, proxy.select(["1"]))
    assert lab.relative_error(single.values[:, [1]], truth[:, [1]]) < 0.02
    assert single.proxy_probability[1] > 0.9
    three = ScoreTable(proxy.masks, np.zeros((128, 3)), ("a", "b", "c"))
    with pytest.raises(SurrogateError, match=r"proxy: expected one output.*\['a', 'b', 'c'\]"):
        fit(table, three)


def test_all_coalitions_are_exact_whatever_the_proxy_says(lab):
    scores = lab.random_scores(5, 2, 0)
    fitted = fit(known(lab, scores), known(lab, lab.random_scores(5, 2, 1)))
    np.testing.assert_allclose(fitted.values, lab.shapley(scores), atol=1e-10)
    np.testing.assert_array_equal(fitted.std_errors, 0.0)
    np.testing.assert_array_equal(fitted.proxy_weight, 0.0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_texts(lab, n):
    scores = lab.random_scores(n, 1, 0)
    table = bought(scores, min(n + 2, 2**n), 0)
    fitted = fit(table, known(lab, scores + lab.random_scores(n, 1, 1)))
    np.testing.assert_allclose(fitted.values.sum(0), scores[-1] - scores[0])
    assert np.isfinite(fitted.std_errors).all()


def test_a_proxy_known_on_some_pairs_brings_its_own_error(lab):
    scores = rough(lab, 10, 0)
    table = bought(scores, 30, 0)
    generator = torch.Generator().manual_seed(0)
    errors, off = [], []
    for budget in (100, 500):
        more = Leverage().sample(PlayerCount(10), budget, generator).masks.numpy()
        masks = np.unique(np.concatenate([table.masks, more]), axis=0)
        proxy = ScoreTable(masks, 2.0 * scores[masks @ (1 << np.arange(10))], ("y",))
        fitted = fit(table, proxy)
        errors.append(fitted.std_errors.mean())
        off.append(lab.relative_error(fitted.values, lab.shapley(scores)))
        assert fitted.proxy_probability[0] > 0.9
        inside = np.abs(fitted.values - lab.shapley(scores)) <= half_widths(fitted, 0.95)
        assert inside.mean() >= 0.9
    errors.append(fit(table, known(lab, 2.0 * scores)).std_errors.mean())
    assert errors[0] > errors[1] > errors[2]
    assert off[0] > off[1]


def test_the_order_of_rows_does_not_matter(lab):
    scores = rough(lab, 7, 0)
    table, proxy = bought(scores, 30, 0), known(lab, scores + lab.random_scores(7, 1, 1))
    rng = np.random.default_rng(0)
    shuffled = fit(table.rows(rng.permutation(30)), proxy.rows(rng.permutation(128)))
    one = fit(table, proxy)
    np.testing.assert_allclose(shuffled.values, one.values, atol=1e-7)
    np.testing.assert_allclose(shuffled.std_errors, one.std_errors, atol=1e-6)


def test_one_by_one_is_as_together(lab):
    scores = rough(lab, 7, 0)
    proxy = known(lab, scores + 0.5 * lab.random_scores(7, 1, 1))
    tables = [bought(scores, budget, seed) for budget, seed in ((20, 0), (30, 0), (20, 1))]
    for together, table in zip(WithProxy(proxy).fit(tables), tables, strict=True):
        np.testing.assert_array_equal(together.values, fit(table, proxy).values)


@pytest.mark.parametrize("noisy_proxy", [False, True])
def test_noise_widens_the_errors(lab, noisy_proxy):
    scores = rough(lab, 7, 2)
    table = bought(scores, 40, 0)
    proxy = known(lab, scores + 0.2 * lab.random_scores(7, 1, 1))
    widths = []
    for variance in (1e-4, 1e-1, 10.0):
        told = np.full_like(proxy.scores if noisy_proxy else table.scores, variance)
        fitted = (
            fit(table, replace(proxy, variances=told))
            if noisy_proxy
            else fit(replace(table, variances=told), proxy)
        )
        widths.append(fitted.std_errors.mean())
    assert widths == sorted(widths)


def test_noisy_scores_profit_too(lab):
    ours, plain, covered = [], [], []
    for seed in range(8):
        scores, rng = rough(lab, 8, seed), np.random.default_rng(seed)
        table = bought(scores, 48, seed)
        told = np.full_like(table.scores, 0.3**2)
        noisy = replace(
            table, scores=table.scores + 0.3 * rng.normal(size=told.shape), variances=told
        )
        fitted = fit(noisy, known(lab, scores + 0.2 * lab.random_scores(8, 1, seed)))
        truth = lab.shapley(scores)
        ours.append(lab.relative_error(fitted.values, truth))
        plain.append(lab.relative_error(OddGP().fit([noisy])[0].values, truth))
        covered.append(np.abs(fitted.values - truth) <= half_widths(fitted, 0.95))
    assert np.mean(ours) < 0.8 * np.mean(plain)
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("budget", [24, 40])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_intervals_cover(lab, budget, share):
    inside = []
    for seed in range(30):
        scores = rough(lab, 8, seed)
        proxy = known(lab, np.tanh(scores / 3.0) + share * lab.random_scores(8, 1, seed))
        fitted = fit(bought(scores, budget, seed), proxy)
        inside.append(np.abs(fitted.values - lab.shapley(scores)) <= half_widths(fitted, 0.95))
    assert np.mean(inside) >= 0.93


def test_tables_and_proxies_that_do_not_fit_are_refused_with_a_reason(lab):
    scores = lab.random_scores(5, 1, 0)
    table, proxy = bought(scores, 12, 0), known(lab, scores)
    gone = int(table.masks[4] @ (1 << np.arange(5)))
    kept = np.flatnonzero(table.masks[4]).tolist()
    with pytest.raises(SurrogateError, match="no scores of 1 of the table's 12 masks") as caught:
        fit(table, proxy.rows(np.arange(32) != gone))
    assert f"row 4, which keeps the units {kept}" in str(caught.value)
    with pytest.raises(SurrogateError, match="5 units, got 6"):
        fit(table, known(lab, lab.random_scores(6, 1, 0)))
    with pytest.raises(SurrogateError, match=r"needs the scores of both ends"):
        fit(table.rows(np.arange(1, 12)), proxy)
    broken = scores.copy()
    broken[3] = np.nan
    with pytest.raises(SurrogateError, match=r"proxy: 1 of the 32 rows .* row 3"):
        WithProxy(known(lab, broken))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), factor=st.floats(0.01, 100.0))
def test_smaller_values_of_one_shape_are_likelier(lab, seed, factor):
    """By the power of the number of pairs: what is left has the density of its size."""
    part = bought(lab.random_scores(6, 1, seed), 20, seed)
    masks, values = part.masks[::2], part.scores[::2]
    columns = np.concatenate([values, factor * values], axis=1)
    one, other = log_evidence(masks, columns, np.zeros(10))
    assert one - other == pytest.approx(10 * np.log(factor), abs=1e-6)


def test_known_noise_that_vanishes_leaves_the_order(lab):
    part = bought(lab.smooth_scores(6, 1, 0), 30, 0)
    masks = part.masks[::2]
    values = (part.scores[::2] - part.scores[1::2]) / 2.0
    values /= np.sqrt(np.square(values).mean())
    columns = np.concatenate([values, 0.1 * values, np.roll(values, 1)], axis=1)
    tiny = log_evidence(masks, columns, np.full(15, 1e-9))
    none = log_evidence(masks, columns, np.zeros(15))
    np.testing.assert_array_equal(np.argsort(tiny), np.argsort(none))
    assert tiny[1] - tiny[0] == pytest.approx(none[1] - none[0], rel=0.2)


def test_what_a_proxys_scores_are_sums_of_is_left_alone(lab):
    game = lab.smooth_scores(6, 2, 0)
    table = bought(game[:, :1], 24, 0)
    proxy = known(lab, game)
    sums = np.stack([0.25 * proxy.scores, 0.75 * proxy.scores], axis=2)
    own, other = fit(table, proxy), fit(table, replace(proxy, summands=sums))
    np.testing.assert_array_equal(own.values, other.values)
