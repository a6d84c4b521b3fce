"""Laws of the intervals, and of what is said about the largest units."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.score_table import ScoreTable
from perturbx.surrogates import Attribution, as_surrogate
from perturbx.surrogates.intervals import relative_half_widths, top_k_separated

MANY = settings(max_examples=40, deadline=None)


def attribution(values, std_errors, covariance=None, **more):
    values, std_errors = np.atleast_2d(values).astype(float), np.atleast_2d(std_errors)
    base = np.zeros(values.shape[1])
    return Attribution(values, base, std_errors.astype(float), "demo", 9, covariance, **more)


def correlated(rng, n_units, n_outputs):
    roots = rng.normal(size=(n_outputs, n_units, n_units + 2))
    return roots @ roots.transpose(0, 2, 1) / n_units


@st.composite
def fits(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_units, n_outputs = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    covariance = correlated(rng, n_units, n_outputs)
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).T)
    return attribution(
        rng.normal(size=(n_units, n_outputs)) * draw(st.sampled_from([0.1, 1.0, 10.0])),
        errors,
        covariance if draw(st.booleans()) else None,
        dof=draw(st.sampled_from([None, 1.0, 3.5, 40.0])),
        band_dof=draw(st.sampled_from([None, 3.0, 20.0])),
        band_inflation=draw(st.sampled_from([1.0, 1.5])),
    )


@given(fits(), st.floats(0.5, 0.9), st.booleans())
@MANY
def test_intervals_hold_the_value_and_widen_with_the_level(fit, level, simultaneous):
    inner = fit.confidence_interval(level, simultaneous=simultaneous)
    outer = fit.confidence_interval(level + 0.09, simultaneous=simultaneous)
    assert (inner.low <= fit.values).all()
    assert (fit.values <= inner.high).all()
    assert (outer.low < inner.low).all()
    assert (outer.high > inner.high).all()


@given(fits(), st.floats(0.5, 0.99))
@MANY
def test_simultaneous_intervals_contain_the_pointwise_ones(fit, level):
    one, all_at_once = (fit.confidence_interval(level, simultaneous=s) for s in (False, True))
    assert (all_at_once.low <= one.low).all()
    assert (all_at_once.high >= one.high).all()


@given(fits(), st.sampled_from([-4.0, 0.25, 8.0]), st.booleans())
@MANY
def test_scaling_the_scores_scales_the_intervals(fit, factor, simultaneous):
    scaled = replace(
        fit,
        values=factor * fit.values,
        std_errors=abs(factor) * fit.std_errors,
        covariance=None if fit.covariance is None else factor**2 * fit.covariance,
    )
    before = fit.confidence_interval(0.9, simultaneous=simultaneous)
    after = scaled.confidence_interval(0.9, simultaneous=simultaneous)
    ends = np.sort(factor * np.stack([before.low, before.high]), axis=0)
    np.testing.assert_allclose(np.stack([after.low, after.high]), ends, rtol=1e-9, atol=1e-12)
    k = min(2, fit.n_units)
    # The draws are not symmetric, so turning every sign moves a share of them by chance.
    atol = 1e-3 if factor > 0 else 0.05
    np.testing.assert_allclose(scaled.top_k(k).probability, fit.top_k(k).probability, atol=atol)


@given(fits(), st.randoms(use_true_random=False))
@MANY
def test_outputs_are_treated_alike(fit, random):
    order = list(range(fit.n_outputs))
    random.shuffle(order)
    moved = replace(
        fit,
        values=fit.values[:, order],
        std_errors=fit.std_errors[:, order],
        covariance=None if fit.covariance is None else fit.covariance[order],
    )
    k = min(2, fit.n_units)
    before, after = fit.top_k(k), moved.top_k(k)
    np.testing.assert_array_equal(after.units, before.units[:, order])
    np.testing.assert_array_equal(after.probability, before.probability[order])
    low = fit.confidence_interval(0.9, simultaneous=True).low[:, order]
    np.testing.assert_allclose(moved.confidence_interval(0.9, simultaneous=True).low, low)
    separated = top_k_separated(fit, k, 0.9)
    np.testing.assert_array_equal(top_k_separated(moved, k, 0.9), separated[order])


@given(fits(), st.integers(1, 9), st.sampled_from([0.6, 0.8, 0.95]))
@MANY
def test_units_that_stand_apart_are_the_largest_at_that_level(fit, k, level):
    top = fit.top_k(k, level)
    assert ((top.probability >= 0.0) & (top.probability <= 1.0)).all()
    assert top.units.shape == (min(k, fit.n_units), fit.n_outputs)
    sizes = np.take_along_axis(np.abs(fit.values), top.units, axis=0)
    assert (np.diff(sizes, axis=0) <= 0).all()
    separated = top_k_separated(fit, k, level)
    assert (top.certain | ~separated).all()
    if k >= fit.n_units:
        assert separated.all()
        assert (top.probability == 1.0).all()


@pytest.mark.parametrize("covariance", [None, np.zeros((1, 3, 3))])
def test_exact_values_have_intervals_of_no_width_and_a_certain_top(covariance):
    fit = attribution([[3.0], [-5.0], [1.0]], np.zeros((3, 1)), covariance, dof=2.0)
    for simultaneous in (False, True):
        interval = fit.confidence_interval(simultaneous=simultaneous)
        np.testing.assert_array_equal(interval.low, fit.values)
        np.testing.assert_array_equal(interval.high, fit.values)
    top = fit.top_k(2)
    assert top.units.ravel().tolist() == [1, 0]
    assert top.probability == 1.0
    assert top.certain.all()
    assert top_k_separated(fit, 2, 0.999).all()
    assert relative_half_widths(fit, 0.95) == 0.0


def test_a_tie_has_no_top():
    fit = attribution([[3.0], [-3.0], [1.0]], np.zeros((3, 1)))
    assert fit.top_k(1).probability == 0.0
    assert not top_k_separated(fit, 1, 0.95).any()
    assert fit.top_k(2).probability == 1.0


def test_errors_that_two_units_share_do_not_hide_which_is_larger():
    shared = np.full((1, 2, 2), 1.0) + 1e-4 * np.eye(2)
    values, errors = np.array([[10.5], [10.0]]), np.full((2, 1), 1.0)
    assert top_k_separated(attribution(values, errors, shared), 1, 0.95).all()
    assert not top_k_separated(attribution(values, errors), 1, 0.95).any()
    # Turned round, the same errors move the two apart.
    against = np.array([[10.5], [-10.0]])
    assert not top_k_separated(attribution(against, errors, shared), 1, 0.95).any()


def test_errors_that_are_not_known_settle_nothing():
    errors = np.array([[np.inf], [0.1], [0.1]])
    fit = attribution([[3.0], [2.0], [1.0]], errors, dof=4.0)
    interval = fit.confidence_interval(simultaneous=True)
    assert interval.low[0] == -np.inf
    assert np.isfinite(interval.low[1:]).all()
    assert not top_k_separated(fit, 1, 0.95).any()
    assert relative_half_widths(fit, 0.95) == np.inf


def test_half_widths_are_relative_to_the_largest_value():
    fit = attribution([[4.0, 0.0], [-8.0, 0.0]], [[1.0, 1.0], [0.5, 1.0]])
    np.testing.assert_allclose(relative_half_widths(fit, 0.95), [1.959964 / 8, np.inf], rtol=1e-6)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, True, "0.9", None, float("nan")])
def test_bad_levels_are_named(level):
    fit = attribution([[1.0]], [[0.1]])
    for ask in (
        lambda: fit.confidence_interval(level),
        lambda: fit.top_k(1, level),
        lambda: relative_half_widths(fit, level),
        lambda: top_k_separated(fit, 1, level),
    ):
        with pytest.raises(ArgumentError, match="level"):
            ask()


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "2"])
def test_bad_numbers_of_units_are_named(k):
    fit = attribution([[1.0]], [[0.1]])
    for ask in (lambda: fit.top_k(k), lambda: top_k_separated(fit, k, 0.9)):
        with pytest.raises(ArgumentError, match="k:"):
            ask()


@pytest.mark.parametrize("dof", [None, 5.0])
@pytest.mark.parametrize("known", [True, False])
def test_intervals_hold_the_truth_as_often_as_they_say(dof, known):
    """Errors drawn from the very distribution that the intervals assume."""
    rng, n_units, n_runs = np.random.default_rng(3), 6, 4000
    covariance = correlated(rng, n_units, 1) + np.eye(n_units)
    errors = np.sqrt(np.diagonal(covariance[0]))[:, None]
    fit = attribution(np.zeros((n_units, 1)), errors, covariance if known else None, dof=dof)
    drawn = rng.multivariate_normal(np.zeros(n_units), covariance[0], n_runs)
    if dof is not None:
        drawn /= np.sqrt(rng.chisquare(dof, n_runs) / dof)[:, None]
    one = np.abs(drawn) <= fit.confidence_interval(0.9).high.ravel()
    joint = np.abs(drawn) <= fit.confidence_interval(0.9, simultaneous=True).high.ravel()
    assert abs(one.mean() - 0.9) < 0.01
    if known:
        assert abs(joint.all(axis=1).mean() - 0.9) < 0.02
    else:
        assert joint.all(axis=1).mean() > 0.89


def test_units_that_stand_apart_are_rarely_the_wrong_ones():
    rng, n_units = np.random.default_rng(4), 6
    truth = np.array([2.0, -1.9, 1.5, 0.4, -0.2, 0.0])
    covariance = 0.03 * (correlated(rng, n_units, 1) + np.eye(n_units))
    errors = np.sqrt(np.diagonal(covariance[0]))[:, None]
    claims = wrong = 0
    for drawn in rng.multivariate_normal(truth, covariance[0], 300):
        fit = attribution(drawn[:, None], errors, covariance)
        if top_k_separated(fit, 3, 0.9)[0]:
            claims += 1
            wrong += set(fit.top_k(3).units.ravel()) != {0, 1, 2}
    assert claims > 20
    assert wrong <= 0.1 * 300


SURROGATES = {
    "leverage": "pairs",
    "kernel": "pairs",
    "banzhaf": "pairs",
    "ridge": "pairs",
    "lasso": "pairs",
    "lime_text": "pairs",
    "forward_selection": "pairs",
    "permutation": "walks",
}


def drawn_table(kind, n_units=6, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "walks":
        orders = [rng.permutation(n_units) for _ in range(3)]
        chains = [
            [tuple(i in set(order[:step]) for i in range(n_units)) for step in range(n_units + 1)]
            for pair in orders
            for order in (pair, pair[::-1])
        ]
        masks = sorted({mask for chain in chains for mask in chain})
        walks = np.array([[masks.index(mask) for mask in chain] for chain in chains])
        masks = np.array(masks)
    else:
        half = rng.random((8, n_units)) < 0.5
        half = np.unique(half[half.any(axis=1) & ~half.all(axis=1)], axis=0)
        both = np.unique(np.concatenate([half, ~half]), axis=0)
        ends = np.array([np.zeros(n_units, bool), np.ones(n_units, bool)])
        masks, walks = np.concatenate([ends, both]), None
    scores = masks @ rng.normal(size=(n_units, 2)) + 0.3 * rng.normal(size=(len(masks), 2))
    return ScoreTable(masks, scores, ("a", "b"), walks=walks)


@pytest.mark.parametrize("name", SURROGATES)
def test_every_estimator_says_how_freely_its_errors_are_known(name):
    (fit,) = as_surrogate(name).fit([drawn_table(SURROGATES[name])])
    assert fit.dof is not None
    assert fit.dof >= 1
    normal = replace(fit, dof=None, band_dof=None, band_inflation=1.0)
    for simultaneous in (False, True):
        own, without = (f.confidence_interval(simultaneous=simultaneous) for f in (fit, normal))
        moved = fit.std_errors > 0
        assert moved.any()
        assert (own.high - without.high)[moved].min() > 0


@pytest.mark.parametrize("name", ["exact", "leave_one_out"])
def test_estimators_without_error_have_intervals_of_no_width(name):
    masks = (np.arange(16)[:, None] >> np.arange(4)) & 1 > 0
    scores = np.random.default_rng(0).normal(size=(16, 1))
    (fit,) = as_surrogate(name).fit([ScoreTable(masks, scores, ("y",))])
    interval = fit.confidence_interval(simultaneous=True)
    np.testing.assert_array_equal(interval.low, interval.high)
    assert fit.top_k(2).probability == 1.0


@pytest.mark.parametrize(("variance", "pointwise"), [(None, 0.5), (0.0, 0.5), (0.1, 0.5)])
def test_simultaneous_intervals_of_odd_gp_are_as_wide_as_it_says(variance, pointwise):
    table = drawn_table("pairs")
    if variance is not None:
        table = replace(table, variances=np.full_like(table.scores, variance))
    (fit,) = as_surrogate("odd_gp").fit([table])
    per_pair = table.n_units / (2 * fit.dof)
    assert fit.band_inflation * (1 + pointwise * per_pair) == pytest.approx(1 + 3 * per_pair)


@pytest.mark.parametrize("scale", [2.0**-700, 2.0**500])
def test_tiny_and_huge_values_are_told_apart_alike(scale):
    """The squares of such errors are no numbers."""
    for width in (0.05, 2.0):
        values, errors = np.array([[3.0], [1.0], [0.5]]), np.full((3, 1), width)
        one, other = attribution(values, errors), attribution(scale * values, scale * errors)
        for k in (1, 2):
            assert top_k_separated(other, k, 0.95) == top_k_separated(one, k, 0.95)
            assert other.top_k(k).probability == one.top_k(k).probability
