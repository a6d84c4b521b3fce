"""The report: what it forecasts, says, and keeps on disk."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import perturbx as px

widths = st.floats(1e-6, 1e3)


@given(first=widths, power=st.floats(-2, 0), n_rounds=st.integers(2, 6))
def test_the_forecast_follows_a_power_law_the_closer_the_more_rounds(first, power, n_rounds):
    def off(n_seen):
        calls = [int(42 * 1.5**i) for i in range(n_seen)]
        half_widths = tuple(first * (c / calls[0]) ** power for c in calls)
        report = px.BudgetReport("tolerance", tuple(calls), half_widths, 0.99)
        return abs(math.log2(report.forecast / half_widths[-1]) - power)

    assert off(n_rounds) <= off(n_rounds - 1) + 1e-9
    assert off(6) <= 0.2 * abs(power + 0.5) + 1e-9


@given(some=st.lists(widths, min_size=1, max_size=6))
def test_more_calls_are_never_forecast_to_harm_nor_to_work_wonders(some):
    report = px.BudgetReport("cap", tuple(range(42, 42 + len(some))), tuple(some), 0.99)
    assert some[-1] / 4 <= report.forecast * (1 + 1e-12)
    assert report.forecast <= some[-1]


def test_one_round_forecasts_as_random_sampling_would():
    report = px.BudgetReport("fixed budget", (60,), (0.3,), 0.95)
    assert report.forecast == pytest.approx(0.3 / math.sqrt(2))
    assert "60 calls; largest error bar: 30.0%" in str(report)
    assert "21.2%" in str(report)


@pytest.mark.parametrize("half_width", [0.0, None])
def test_there_is_nothing_to_forecast_without_errors(half_width):
    report = px.BudgetReport("exact", (8,), (half_width,), 0.95)
    assert report.forecast == half_width
    assert str(report) == (
        "8 calls; every coalition that counts was asked about, so the values are exact"
    )


def test_nothing_is_forecast_of_calls_that_cannot_be_made():
    report = px.BudgetReport("complete", (8,), (0.1,), 0.95)
    assert report.forecast is None
    assert str(report) == (
        "8 calls; largest error bar: 10.0% of the largest value; every coalition that counts was "
        "asked about, so there is no call left to make"
    )


def length(texts):
    return [[float(len(text)), text.count("e") ** 2.0] for text in texts]


def test_a_report_is_kept_with_its_explanation():
    text = "every even letter here is meant to be remembered"
    for budget in ("auto", 60):
        (item,) = px.explain(length, [text], budget=budget, random_state=0)
        again = px.Explanation.from_json(item.to_json())
        assert again.budget_report == item.budget_report
    record = item.to_dict()
    del record["budget_report"]  # as written before there were reports
    assert px.Explanation.from_dict(record).budget_report is None
    assert item.refit("leverage").budget_report is None
