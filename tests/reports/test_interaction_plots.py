"""Heat map and network: what is drawn is what is known of the pairs."""

import sys
import warnings
from itertools import combinations
from math import atan2, pi

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from perturbx.exceptions import ArgumentError, MissingExtraError, SurrogateError
from perturbx.reports import plot
from perturbx.reports.drawing import AGAINST, TOWARDS
from perturbx.surrogates.interactions import Interactions

KINDS = ["heatmap", "network"]


def new_ax():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


@pytest.fixture
def ax():
    return new_ax()


@pytest.fixture
def pyplot():
    """Give pyplot without a screen, and close what a test has opened."""
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    yield pyplot
    pyplot.close("all")


def with_pairs(explanation, values=None, std_errors=0.5, *, method="even_gp", dof=None):
    """Return the explanation with those interactions of its second output, symmetric."""
    n_units = explanation.units.n_units
    both = np.zeros((2, 2, n_units, n_units))
    first, second = np.triu_indices(n_units, 1)
    if values is None:
        values = np.random.default_rng(n_units).normal(0, 1.5, len(first))
    for matrix, numbers in zip(both, (values, std_errors), strict=True):
        matrix[1, first, second] = matrix[1, second, first] = numbers
    found = Interactions(*both, method, 9, dof=dof, r2=None if method == "exact" else 0.8)
    explanation.__dict__["interactions"] = found
    return explanation


def edges(ax):
    return [patch for patch in ax.patches if isinstance(patch, PathPatch)]


def ends(edge, n_nodes):
    """Return the places on the circle that an edge joins."""
    vertices = edge.get_path().vertices
    steps = [(pi / 2 - atan2(y, x)) * n_nodes / (2 * pi) - 0.5 for x, y in vertices[[0, -1]]]
    return tuple(sorted(round(step) % n_nodes for step in steps))


def ticks(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


@pytest.mark.parametrize("kind", KINDS)
def test_any_script_is_drawn_whole_and_without_a_warning(any_script, pyplot, kind):
    with_pairs(any_script)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot(any_script, kind)
        ax.figure.canvas.draw()
    drawn, paper = ax.get_tightbbox(), ax.figure.bbox
    assert paper.x0 <= drawn.x0 < drawn.x1 <= paper.x1
    assert paper.y0 <= drawn.y0 < drawn.y1 <= paper.y1


def test_the_title_of_a_small_heat_map_runs_into_nothing(explain, pyplot):
    ax = plot(with_pairs(explain("a b", names=("no", "a name of many words"))), "heatmap")
    ax.figure.canvas.draw()
    (bar,) = ax.child_axes
    (title,) = ax.findobj(lambda item: "many words" in getattr(item, "get_text", str)())
    box = title.get_window_extent()
    assert not box.overlaps(bar.get_tightbbox())
    assert not any(box.overlaps(tick.get_window_extent()) for tick in ax.get_yticklabels())


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_text_and_any_values_are_drawn(drawn, data):
    explanation = with_pairs(data.draw(drawn))
    for kind in KINDS:
        ax = plot(explanation, kind, output=data.draw(st.integers(0, 1)), ax=new_ax())
        ax.figure.canvas.draw()
        assert len(ax.get_xticklabels() if kind == "heatmap" else ax.texts) == (
            explanation.units.n_units
        )


def test_every_label_stands_once_in_reading_order(explain, ax):
    explanation = with_pairs(explain("no no yes"))
    plot(explanation, "heatmap", ax=ax)
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == ["no (1)", "no (2)", "yes"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    plot(explanation, "network", ax=(other := new_ax()))
    assert [text.get_text() for text in other.texts] == ["no (1)", "no (2)", "yes"]


@pytest.mark.parametrize("n_units", [5, 12, 13, 30])
def test_the_labels_of_a_network_do_not_overlap(explain, pyplot, n_units):
    explanation = with_pairs(explain(" ".join(f"extraordinary{i}" for i in range(n_units))))
    ax = plot(explanation, "network")
    ax.figure.canvas.draw()
    title = ax.title.get_window_extent()
    legend = ax.get_legend().get_window_extent()
    for text in ax.texts:
        assert not text.get_window_extent().overlaps(title)
        assert not text.get_window_extent().overlaps(legend)
    if n_units <= 12:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    else:
        turns = [text.get_rotation() % 180 for text in ax.texts[: n_units // 2]]
        assert len(set(np.round(turns, 6))) == len(turns)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(2, 7))
def test_a_heat_map_is_symmetric_and_colours_only_what_is_sure(explain, data, n_units):
    n_pairs = n_units * (n_units - 1) // 2
    values = data.draw(st.lists(st.floats(-5, 5), min_size=n_pairs, max_size=n_pairs))
    errors = data.draw(st.lists(st.floats(0.01, 2), min_size=n_pairs, max_size=n_pairs))
    explanation = with_pairs(explain(" ".join("abcdefg"[:n_units])), values, errors)
    ax = plot(explanation, "heatmap", output="yes", ax=new_ax())
    low, high = (end[1] for end in explanation.interactions.confidence_interval())
    sure = ((low > 0) | (high < 0)) & ~np.eye(n_units, dtype=bool)
    (image,) = ax.images
    shown = image.get_array()
    np.testing.assert_array_equal(shown, shown.T)
    np.testing.assert_array_equal(shown.mask, np.eye(n_units, dtype=bool))
    np.testing.assert_array_equal(shown.filled(0) != 0, sure)
    np.testing.assert_array_equal(shown.filled(0)[sure], explanation.interactions.values[1][sure])
    assert -image.norm.vmin == image.norm.vmax > 0
    discs = {tuple(place) for place in ax.collections[0].get_offsets()}
    assert discs == {(i, j) for i in range(n_units) for j in range(n_units) if i != j} - {
        (j, i) for i, j in np.argwhere(sure)
    }
    assert ("includes 0" in ax.get_xlabel()) == bool(discs)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(2, 7), st.integers(1, 9))
def test_the_edges_are_the_strongest_pairs_that_are_sure(explain, data, n_units, n):
    n_pairs = n_units * (n_units - 1) // 2
    distinct = st.lists(
        st.integers(-500, 500), min_size=n_pairs, max_size=n_pairs, unique_by=lambda v: abs(v)
    )
    values = np.array(data.draw(distinct)) / 100
    errors = data.draw(st.lists(st.floats(0.01, 2), min_size=n_pairs, max_size=n_pairs))
    explanation = with_pairs(explain(" ".join("abcdefg"[:n_units])), values, errors)
    ax = plot(explanation, "network", output="yes", n=n, ax=new_ax())
    low, high = (end[1] for end in explanation.interactions.confidence_interval())
    matrix = explanation.interactions.values[1]
    sure = [(i, j) for i, j in combinations(range(n_units), 2) if low[i, j] > 0 or high[i, j] < 0]
    expected = sorted(sure, key=lambda pair: -abs(matrix[pair]))[:n]
    drawn = edges(ax)
    assert [ends(edge, n_units) for edge in drawn] == expected
    for edge, pair in zip(drawn, expected, strict=True):
        assert same_color(edge.get_edgecolor()[:3], TOWARDS if matrix[pair] > 0 else AGAINST)
    widths = [edge.get_linewidth() for edge in drawn]
    assert widths == sorted(widths, reverse=True)
    assert ("no pair" in ax.get_title()) == (not sure)
    assert (f"{n} strongest of {len(sure)}" in ax.get_title()) == (len(sure) > n)


def test_nodes_show_the_values_of_the_units(explain, ax):
    explanation = with_pairs(explain("a b c d", [[0, 1], [0, -4], [0, 2], [0, 0]]))
    plot(explanation, "network", ax=ax)
    (nodes,) = ax.collections
    areas = nodes.get_sizes()
    assert (np.argsort(areas) == [3, 0, 2, 1]).all()
    shown = [same_color(colour, TOWARDS) for colour in nodes.get_facecolors()]
    assert shown == [True, False, True, False]
    assert same_color(nodes.get_facecolors()[1], AGAINST)


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_show_the_units_that_interact_most(explain, ax, kind):
    explanation = explain(" ".join(f"w{i}" for i in range(60)))
    matrix = np.zeros((60, 60))
    matrix[3, 57], matrix[20, 30] = 5, -4
    with_pairs(explanation, matrix[np.triu_indices(60, 1)])
    plot(explanation, kind, ax=ax)
    shown = ticks(ax.xaxis) if kind == "heatmap" else [text.get_text() for text in ax.texts]
    assert len(shown) == 40
    assert {"w3", "w57", "w20", "w30"} <= set(shown)
    assert shown == sorted(shown, key=lambda label: int(label[1:]))
    assert "20 units" in (ax.get_title() or ax.get_title(loc="left"))


def test_a_network_holds_both_ends_of_every_edge(explain, ax):
    explanation = with_pairs(explain(" ".join(f"w{i}" for i in range(60))), 1.0, 0.01)
    plot(explanation, "network", n=200, ax=ax)
    assert len(edges(ax)) == 200
    n_nodes = len(ax.texts)
    assert len({ends(edge, n_nodes) for edge in edges(ax)}) == 200
    places = {tuple(place) for place in ax.collections[0].get_offsets().round(9)}
    for edge in edges(ax):
        assert {tuple(end) for end in edge.get_path().vertices[[0, -1]].round(9)} <= places


def test_rounding_errors_of_exact_values_are_not_sure(explain, ax):
    explanation = with_pairs(explain("a b c"), [1e-15, 1, -1e-16], 0.0, method="exact")
    plot(explanation, "network", ax=ax)
    assert [ends(edge, 3) for edge in edges(ax)] == [(0, 2)]
    assert "exact" in ax.get_title()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "one", "two words"])
def test_nothing_to_see_is_still_a_plot(explain, pyplot, kind, text):
    n_units = len(text.split())
    explanation = with_pairs(explain(text, np.zeros((n_units, 2))), 0.0, 0.0, method="exact")
    ax = plot(explanation, kind)
    ax.figure.canvas.draw()
    assert not edges(ax)
    if kind == "network":
        assert "no pair" in ax.get_title()


@pytest.mark.parametrize("kind", KINDS)
def test_axes_that_were_given_are_used_and_nothing_else_is_touched(explain, ax, pyplot, kind):
    before, figures = dict(mpl.rcParams), pyplot.get_fignums()
    size, place = ax.figure.get_size_inches().copy(), ax.get_position(original=True).bounds
    assert plot(with_pairs(explain("这家 餐厅")), kind, ax=ax) is ax
    assert dict(mpl.rcParams) == before
    assert pyplot.get_fignums() == figures
    assert (ax.figure.get_size_inches() == size).all()
    assert ax.get_position(original=True).bounds == place
    assert ax.figure.axes == [ax]


@pytest.mark.parametrize("kind", KINDS)
def test_dollars_are_dollars(explain, ax, kind):
    names = ("no", r"$\frac")
    plot(with_pairs(explain(r"$x^2$ $\frac a$b$", names=names)), kind, ax=ax)
    ax.figure.canvas.draw()
    labels = ax.texts if kind == "network" else [*ax.get_xticklabels(), *ax.get_yticklabels()]
    titles = [text for text in ax.get_children() if getattr(text, "get_text", str)() != ""]
    written = [text for text in (*labels, *titles) if "$" in text.get_text()]
    assert len(written) >= 4
    assert not any(text.get_parse_math() for text in written)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_argument_is_named_and_leaves_no_figure_open(explain, pyplot, kind):
    explanation = with_pairs(explain("a b c"))
    with pytest.raises(ArgumentError, match=r"output.*'maybe'"):
        explanation.plot(kind, output="maybe")
    with pytest.raises(ArgumentError, match=r"n: .*0"):
        explanation.plot(kind, n=0)
    with pytest.raises(ArgumentError, match=r"kind.*'heatmap', 'network'.*'heat'"):
        explanation.plot("heat")
    with pytest.raises(SurrogateError, match="complement"):
        explain("a table of two rows").plot(kind)
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_matplotlib_names_its_extra(explain, monkeypatch, kind):
    explanation = with_pairs(explain("a b"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"perturbx\[plots\]"):
        explanation.plot(kind)
