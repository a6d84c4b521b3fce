import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.reports import plot


@pytest.fixture
def ax():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def lengths(ax):
    return [bar.get_width() for bar in ax.patches]


@pytest.mark.parametrize("kind", ["bar", "waterfall"])
def test_any_script_is_drawn_without_a_warning(any_script, ax, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot(any_script, kind, ax=ax)
        ax.figure.canvas.draw()


def test_the_bars_are_the_largest_values_and_the_sum_of_the_rest(explain, ax):
    explanation = explain("a b c d", [[0, 1], [0, -4], [0, 2], [0, 0.5]])
    plot(explanation, n=2, ax=ax)
    assert lengths(ax) == [-4, 2, 1.5]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "c", "2 others"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_the_steps_of_a_waterfall_lead_from_the_base_value_to_the_score(explain, ax):
    explanation = explain("a b c", [[0, 1], [0, -4], [0, 2]], scores=[0, 7])
    plot(explanation, "waterfall", ax=ax)
    starts, steps = [bar.get_x() for bar in ax.patches], lengths(ax)
    assert starts[-1] == explanation.base_values[1] == 8
    assert np.add(starts, steps)[1:] == pytest.approx(starts[:-1])
    assert starts[0] + steps[0] == 7
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["score 7.00", "b", "c", "a", "base value 8.00"]


def test_a_waterfall_says_what_it_cannot_explain(explain, ax):
    explanation = explain("a b", [[0, 1], [0, 2]], scores=[0, 7])
    explanation.base_values[1] -= 0.5
    plot(explanation, "waterfall", ax=ax)
    assert lengths(ax)[-1] == pytest.approx(0.5)
    assert ax.get_yticklabels()[-2].get_text() == "not explained"


def test_errors_are_drawn_where_there_are_any(explain, ax):
    plot(explain("a b"), ax=ax)
    assert len(ax.containers) == 4
    assert "standard error" in ax.get_xlabel()
    ax.clear()
    plot(explain("a b", std_errors=np.zeros((2, 2)), r2=None), ax=ax)
    assert len(ax.containers) == 2
    assert "standard error" not in ax.get_xlabel()


def test_dollars_are_dollars(explain, ax):
    plot(explain(r"$x^2$ $\frac"), ax=ax)
    ax.figure.canvas.draw()
    assert not any(tick.get_parse_math() for tick in ax.get_yticklabels())


def test_axes_that_were_given_are_used_and_nothing_else_is_touched(explain, ax):
    from matplotlib import pyplot

    before, figures = dict(mpl.rcParams), pyplot.get_fignums()
    assert plot(explain("这家 餐厅"), ax=ax) is ax
    assert dict(mpl.rcParams) == before
    assert pyplot.get_fignums() == figures


def test_without_axes_a_pyplot_figure_is_made(explain):
    with mpl.rc_context():
        mpl.use("Agg")
        from matplotlib import pyplot

        drawn = explain("a b").plot("waterfall")
        assert pyplot.gcf() is drawn.figure
        pyplot.close(drawn.figure)


@pytest.mark.parametrize("values", [np.zeros((2, 2)), [[0, 1e-12], [0, 0]]])
@pytest.mark.parametrize("kind", ["bar", "waterfall"])
def test_nothing_to_see_is_still_a_plot(explain, ax, kind, values):
    plot(explain("a b", values), kind, ax=ax)
    ax.figure.canvas.draw()
    assert len(ax.patches) == 2


def test_a_bad_argument_is_named(explain, ax):
    with pytest.raises(ArgumentError, match=r"kind.*'pie'"):
        plot(explain("a"), "pie", ax=ax)
    with pytest.raises(ArgumentError, match=r"n: .*0"):
        plot(explain("a"), n=0, ax=ax)


def test_a_missing_matplotlib_names_its_extra(explain, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[plots\]"):
        explain("a b").plot()


@pytest.mark.parametrize("kind", ["bar", "waterfall"])
def test_no_name_is_so_long_that_what_is_said_of_it_is_cut_off(explain, kind):
    names = ("an output with a long name indeed", "another output with as long a name")
    figure = plot(explain("a sentence of forty letters " * 3, names=names), kind).get_figure()
    figure.canvas.draw()
    (ax,) = figure.axes
    for said in (ax.xaxis.label, *ax.findobj(lambda part: part is ax._left_title)):
        box = said.get_window_extent()
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
    mpl.pyplot.close(figure)
