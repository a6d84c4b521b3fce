from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from perturbx.exceptions import ArgumentError
from perturbx.reports import summarize
from perturbx.reports.output_view import output_view, row_labels


def test_the_sentences_of_a_class(explain):
    values = [[0, 1.5], [0, -0.25], [0, 0.5], [0, 0.25]]
    explanation = explain("so very good indeed", values, scores=[0, 3])
    assert explanation.summary() == (
        "The model predicts “yes” with a logit of 3.00; the explanation starts from 1.00, with no "
        "word kept. “so” (+1.50 ± 0.01) and “good” (+0.50 ± 0.01) push it up; “very” "
        "(-0.25 ± 0.01) pushes it down; the 3 largest of the 4 words make up 90% of all movement "
        "(the sum of the absolute values); which 3 are the largest is not settled (49% "
        "confidence). The fit is good (out-of-fold r² 0.90; ridge, 9 calls)."
    )


def test_a_number_is_no_class(explain):
    explanation = explain("a b", [1, 2], names=("price",), kind="value", scores=[30])
    assert explanation.summary().startswith("The model gives “price” a score of 30.00; ")


def test_only_what_is_clear_of_its_error_is_said_to_push(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=60)
    def law(explanation):
        view = output_view(explanation)
        text = summarize(explanation)
        assert ("push" in text) == bool(view.clear.any())
        for unit in view.order[:1][view.clear[view.order[:1]]]:
            assert f"“{row_labels(explanation.units, 40)[unit]}”" in text
        assert ("poor" in text) == (view.r2 is not None and view.r2 < 0.5)
        assert ("exact" in text) == view.exact

    law()


def test_a_share_is_of_all_movement(explain):
    explanation = explain("a b c d", [[0, 4], [0, -3], [0, 2], [0, 1]])
    assert "the 3 largest of the 4 words make up 90% of" in summarize(explanation)


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("", [], "The text has no word that could be removed"),
        ("one", [[0, 2]], "“one” (+2.00 ± 0.01) pushes it up. The"),
        ("a b", np.zeros((2, 2)), "The value of every word is 0."),
        ('say "no', [[0, 2], [0, 1]], "“say” (+2.00 ± 0.01) and “no” (+1.00 ± 0.01) push it up."),
    ],
)
def test_small_and_empty_texts_make_sense(explain, text, values, said):
    assert said in summarize(explain(text, values))


def test_the_same_score_for_all_is_neither_exact_nor_good(explain):
    explanation = explain("a b c d", np.zeros((4, 2)), std_errors=np.zeros((4, 2)), r2=None)
    scores = np.tile([2.0, 3.0], (len(explanation.table), 1))
    constant = replace(explanation, table=replace(explanation.table, scores=scores))
    assert (
        "the same score to every variant it was asked about, so the value of every word is 0"
        in (summarize(constant))
    )
    view = output_view(constant)
    assert (view.fit, view.exact, view.is_constant) == ("same score throughout", False, True)


@pytest.mark.parametrize(
    ("std_error", "said"),
    [
        (0.05, "these are the 3 largest with over 99% confidence"),
        (0.6, "which 3 are the largest is not settled ("),
    ],
)
def test_how_sure_the_top_is_goes_by_its_probability(explain, std_error, said):
    values = [[0, 4], [0, -3], [0, 2], [0, 1.5]]
    explanation = explain("a b c d", values, std_errors=np.full((4, 2), std_error))
    assert said in summarize(explanation)
    assert (explanation.top_k(3, "yes").probability < 0.8) == ("not settled" in said)


@pytest.mark.parametrize("errors", [np.zeros((4, 2)), np.full((4, 2), np.inf)])
def test_nothing_is_said_of_a_top_without_errors(explain, errors):
    values = [[0, 4], [0, -3], [0, 2], [0, 1.5]]
    text = summarize(explain("a b c d", values, std_errors=errors))
    assert "confidence" not in text


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([0.1, 0.1, np.inf, 0.1, 0.1], "90% of all movement that is known (the"),
        ([0.1, 0.1, np.inf, 0.1, 0.1], "1 of the 5 words is not known (± ?)."),
        ([0.1, np.inf, np.inf, 0.1, 0.1], "2 of the 5 words are not known (± ?)."),
        ([np.inf] * 5, "nothing tells how sure any value is (± ?)."),
    ],
)
def test_what_nothing_tells_is_not_counted_in(explain, errors, said):
    values = [[0, 4], [0, -3], [0, 0], [0, 2], [0, 1]]
    unknown = np.tile(np.array(errors)[:, None], 2)
    assert said in summarize(explain("a b c d e", values, std_errors=unknown))


def test_noise_is_called_noise(explain):
    explanation = explain("a b", [[0, 1], [0, -2]], std_errors=np.full((2, 2), 1.5))
    assert "none can be told from 0 with these calls; the largest is “b”" in summarize(explanation)


def test_another_output_can_be_told(explain):
    assert "gives “no” a logit of" in summarize(explain("a b"), "no")
    with pytest.raises(ArgumentError, match="'maybe'"):
        summarize(explain("a b"), "maybe")


def test_groups_of_words_are_no_words(explain):
    said = summarize(explain("so very good", [[0, 1e-9]] * 3, level="words and groups"))
    assert "with no unit kept" in said
    assert "word" not in said
