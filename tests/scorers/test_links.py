"""Links: one score, four scales."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.scorers.links import CLIP, LINKS, apply_link

logits = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(-30, 30)
)


def linked(values, link, kind="logit", exclusive=True):
    return apply_link(values, None, link=link, kind=kind, exclusive=exclusive)[0]


@settings(max_examples=60, deadline=None)
@given(values=logits, exclusive=st.booleans())
def test_the_scales_are_one_number_seen_four_ways(values, exclusive):
    p = linked(values, "probability", exclusive=exclusive)
    log_p = linked(values, "log_prob", exclusive=exclusive)
    odds = linked(values, "log_odds", exclusive=exclusive)
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-9)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), p, rtol=1e-6)
    assert np.isfinite(odds).all()
    if exclusive:
        np.testing.assert_allclose(p.sum(axis=1), 1)
    else:
        np.testing.assert_array_equal(odds, values)
    np.testing.assert_array_equal(linked(values, "identity", exclusive=exclusive), values)


def test_two_classes_have_the_difference_of_their_logits_as_log_odds():
    values = np.array([[1.0, 3.0], [500.0, -500.0]])
    np.testing.assert_allclose(linked(values, "log_odds"), [[-2, 2], [1000, -1000]])


def test_one_logit_is_a_sigmoid_whatever_is_said():
    np.testing.assert_allclose(linked(np.array([[0.0]]), "probability"), [[0.5]])


@pytest.mark.parametrize("kind", ["probability", "value"])
def test_sure_answers_are_finite(kind):
    values = np.array([[0.0, 1.0]])
    np.testing.assert_allclose(
        linked(values, "log_odds", kind), [[np.log(CLIP), -np.log(CLIP)]], rtol=1e-4
    )
    np.testing.assert_array_equal(linked(values, "probability", kind), values)


def test_the_variance_of_a_sure_answer_is_a_number():
    values, variances = np.array([[0.0, 0.0]]), np.array([[0.0, 0.5]])
    odds, of_odds = apply_link(values, variances, link="log_odds", kind="log_prob", exclusive=True)
    assert np.isfinite(odds).all()
    assert of_odds[0, 0] == 0.0
    assert np.isfinite(of_odds[0, 1])


def test_log_probabilities_come_back():
    values = np.log(np.array([[0.25, 0.75]]))
    np.testing.assert_allclose(linked(values, "probability", "log_prob"), [[0.25, 0.75]])
    np.testing.assert_allclose(linked(values, "log_prob", "log_prob"), values)


@pytest.mark.parametrize("link", [link for link in LINKS if link != "identity"])
@pytest.mark.parametrize("kind", ["logit", "probability", "log_prob"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_variances_follow_by_the_delta_method(link, kind, exclusive):
    rng = np.random.default_rng(0)
    centre = {
        "logit": np.array([[0.3, -0.5, 0.8]]),
        "probability": np.array([[0.2, 0.3, 0.5]]),
        "log_prob": np.log(np.array([[0.2, 0.3, 0.5]])),
    }[kind]
    variances = np.array([[1e-6, 4e-6, 2e-6]])
    draws = centre + rng.normal(size=(20_000, 3)) * np.sqrt(variances)
    observed = linked(draws, link, kind, exclusive).var(axis=0)
    _, predicted = apply_link(centre, variances, link=link, kind=kind, exclusive=exclusive)
    np.testing.assert_allclose(predicted[0], observed, rtol=0.08)


def test_what_is_no_probability_is_refused():
    with pytest.raises(CapabilityError, match=r"link='log_odds'.*-1.* to 2"):
        linked(np.array([[-1.0, 2.0]]), "log_odds", "value")
    with pytest.raises(ArgumentError, match=r"link: expected one of identity.*'logit'"):
        linked(np.array([[0.5]]), "logit")
