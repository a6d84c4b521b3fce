from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perturbx as px
from perturbx.reports.output_view import output_view, output_views, row_labels


def test_the_listed_and_the_rest_make_up_the_whole(drawn):
    @given(drawn, st.integers(0, 9))
    @settings(deadline=None, max_examples=50)
    def law(explanation, n):
        for view in output_views(explanation):
            count, total, _ = view.rest(n)
            listed = view.values[view.order[:n]]
            assert count + len(listed) == explanation.units.n_units
            assert listed.sum() + total == pytest.approx(view.values.sum(), abs=1e-9)
            assert np.all(np.diff(np.abs(view.values[view.order])) <= 0)

    law()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
@settings(deadline=None)
def test_numbers_line_up_and_are_right_to_their_last_digit(explain, values):
    view = output_view(explain("a " * len(values), values, names=("y",)))
    shown = [view.signed(value) for value in values]
    if view.largest >= 1e-6:
        decimals = {len(number.partition(".")[2]) for number in shown}
        assert len(decimals) == 1
        step = 10.0 ** -decimals.pop()
        assert [float(number) for number in shown] == pytest.approx(values, abs=0.51 * step)
        assert step <= 0.01 * view.largest or step == 1 or step == 1e-6
    for number, value in zip(shown, values, strict=True):
        assert number[0] == ("0" if not float(number) else "+" if value > 0 else "-")


def test_an_error_is_never_shown_as_nought(explain):
    view = output_view(explain("a", [1.0], names=("y",), std_errors=[1e-9]))
    assert view.error(0.02) == "± 0.02"
    assert view.error(1e-9) == "± 1e-09"
    assert view.error(0.0) == view.error(float("nan")) == ""
    assert view.error(float("inf")) == "± ?"


def test_a_rounding_error_is_nothing(explain):
    values = [[0, 0.5], [0, -5e-18]]
    view = output_view(explain("a b", values, std_errors=np.zeros((2, 2)), r2=None))
    assert list(view.clear) == [True, False]
    assert view.signed(view.values[1]) == "0.000"
    assert output_view(explain("a", [[0, 1e-17]])).largest == 0


def test_errors_of_the_rest_come_from_the_covariance(explain):
    covariance = np.stack([np.eye(3) * 0.04 + 0.01] * 2)
    explanation = explain("a b c", [[3, 0], [2, 0], [1, 0]], covariance=covariance)
    ones = np.ones(2)
    expected = np.sqrt(ones @ covariance[0][1:, 1:] @ ones)
    assert output_view(explanation, 0).rest(1) == (2, 3.0, pytest.approx(expected))
    assert np.isnan(output_view(explain("a b c"), 0).rest(1)[2])


@pytest.mark.parametrize(
    ("r2", "error", "fit"),
    [
        (0.49, 0.1, "poor fit, r² 0.49"),
        (0.5, 0.1, "fair fit, r² 0.50"),
        (0.8, 0.1, "good fit, r² 0.80"),
        (None, 0.0, "exact"),
        (None, 0.1, "not measured"),
    ],
)
def test_the_fit_is_named_by_its_r2(explain, r2, error, fit):
    explanation = explain("a b", std_errors=np.full((2, 2), error), r2=r2)
    assert output_view(explanation).fit == fit


def test_what_units_do_together_is_told_of_the_output_where_it_is_most_of_the_scores():
    def both(texts):
        apart = [("good" in text, "very" in text, len(text) / 5.0) for text in texts]
        return np.array([[float(one != other), length] for one, other, length in apart])

    text = "very good film that was made by whomever they could get in those days"
    for words in (text, "very good film"):
        (found,) = px.ShapleyExplainer(both, outputs="all", random_state=0).explain([words])
        is_xor, is_line = output_views(found)
        assert is_xor.additivity == pytest.approx(0.0, abs=1e-12)
        assert is_line.additivity > 0.99
        good = "exact" if found.r2 is None else "good fit, r² 1.00"
        assert is_xor.fit == f"{good}, 0% additive"
        assert "additive" not in is_line.fit
        said = "Single words explain only 0% of how the scores vary"
        assert said in found.summary(is_xor.name)
        assert said not in found.summary(is_line.name)
        assert found.additivity == found.attribution.additivity


def test_predicted_is_the_best_of_all_outputs_not_of_the_explained(explain):
    explanation = explain("a b", names=("x", "y", "z"), explained=("x", "y"))
    assert explanation.top_output == "y"
    assert not any(view.predicted for view in output_views(explanation))
    assert output_view(explain("a b")).predicted


@pytest.mark.parametrize(
    ("link", "kind", "scale"),
    [
        ("identity", "logit", "logit"),
        ("identity", "value", "score"),
        ("probability", "logit", "probability"),
        ("log_odds", "logit", "log-odds"),
        ("log_prob", "logit", "log-probability"),
    ],
)
def test_the_scale_is_told(explain, link, kind, scale):
    view = output_view(explain("a b", link=link, kind=kind))
    assert view.scale == scale
    assert view.base_value + view.values.sum() == pytest.approx(view.score)


_READ_ALIKE = [
    "a long sentence, ",
    "a long sentence; ",
    "a long nota ",
    "a long note ",
    "no ",
    "\n",
]


@given(st.lists(st.sampled_from(_READ_ALIKE)))
@settings(deadline=None)
def test_units_that_read_the_same_are_told_apart_within_the_limit(explain, pieces):
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    units = explain("".join(pieces), spans=list(pairwise(ends))).units
    for limit in (None, 12):
        labels = row_labels(units, limit)
        assert len(set(labels)) == len(pieces)
        assert all(len(label) <= (limit or 30) for label in labels)


def test_white_space_has_a_label(explain):
    assert row_labels(explain("  ", spans=[(0, 1), (1, 2)]).units) == ("␣ (1)", "␣ (2)")
