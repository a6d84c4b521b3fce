import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings

from perturbx.exceptions import ArgumentError
from perturbx.explanations import Explanations
from perturbx.interop import to_shap

# shap's own modules call what matplotlib is about to deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture
def pyplot():
    mpl.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_the_pieces_are_the_text_and_the_values_add_up(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=30)
    def law(explanation):
        # Taking one text out of several may turn its pieces into numpy strings, which lose a NUL.
        assert "".join(to_shap([explanation]).data[0]) == explanation.text
        one = explanation.to_shap()
        assert one.values.shape == (len(one.data), 2) == one.error_std.shape
        assert one.values.sum(axis=0) == pytest.approx(explanation.values.sum(axis=0))
        assert np.array_equal(one.base_values, explanation.base_values)
        named = {label for label in one.feature_names if label}
        assert named >= {label for label in explanation.units.labels if label}

    law()


def test_without_frozen_text_there_is_a_row_per_unit(any_script):
    one = any_script.to_shap()
    assert np.array_equal(one.values, any_script.values)
    assert np.array_equal(one.error_std, any_script.std_errors)
    assert list(one.feature_names) == list(any_script.units.labels)
    assert np.array_equal(one[:, "yes"].values, any_script.values[:, 1])


def test_frozen_text_is_a_row_of_no_value_and_white_space_is_none(explain):
    text = "You are kind.\n\nIs it safe? yes"
    explanation = explain(text, [[1, 2], [3, 4]], spans=[(15, 17), (18, 26)])
    one = explanation.to_shap()
    assert list(one.data) == ["You are kind.\n\n", "Is ", "it safe?", " yes"]
    assert one.values.tolist() == [[0, 0], [1, 2], [3, 4], [0, 0]]
    assert list(one.feature_names) == ["You are kind.", "Is", "it safe", "yes"]


def test_a_unit_of_several_spans_counts_once(explain):
    explanation = explain(
        "no, no", [[1, 2], [3, 4]], spans=[(0, 2), (2, 4), (4, 6)], owners=(1, 0, 1)
    )
    one = explanation.to_shap()
    assert list(one.data) == ["no", ", ", "no"]
    assert one.values.tolist() == [[3, 4], [1, 2], [0, 0]]


def test_one_output_has_no_axis(explain):
    explanation = explain("a b c", [1, 2, 3], names=("price",))
    one = explanation.to_shap()
    assert one.values.tolist() == [1, 2, 3]
    assert one.base_values == explanation.base_values[0]
    assert one.output_names == "price"


def test_texts_of_one_length_are_one_array_and_others_a_ragged_one(explain):
    same = Explanations([explain("a b"), explain("c d")]).to_shap()
    assert same.values.shape == (2, 2, 2)
    other = Explanations([explain("a b"), explain("c d e")])
    ragged = other.to_shap()
    assert ragged.shape == (2, None, 2)
    for i, explanation in enumerate(other):
        assert np.array_equal(ragged[i].values, explanation.values)
        assert np.array_equal(ragged[i, :, "yes"].values, explanation.values[:, 1])


def test_predicted_outputs_may_differ_but_sets_of_outputs_may_not(explain):
    predicted = [explain("a b", explained=("no",)), explain("c d", explained=("yes",))]
    assert to_shap(predicted).shape == (2, 2)
    with pytest.raises(ArgumentError, match="same outputs"):
        to_shap([explain("a", names=("x", "y")), explain("a", names=("y", "z"))])
    with pytest.raises(ArgumentError, match="at least one"):
        to_shap([])


@pytest.mark.parametrize("names", [("no", "yes"), ("price",)])
@pytest.mark.parametrize("texts", [["a b"], ["a b", "c d"], ["a b", "c d e"], [""], ["one"]])
def test_the_text_plot_takes_it(explain, names, texts):
    import shap

    converted = to_shap([explain(text, names=names) for text in texts])
    shown = shap.plots.text(converted, display=False)
    assert all(f">{word}" in shown for text in texts for word in text.split())
    assert shap.plots.text(converted[0], display=False)


@pytest.mark.parametrize("names", [("no", "yes"), ("price",)])
def test_the_bar_and_waterfall_plots_take_one_output(explain, pyplot, names):
    import shap

    one = explain("so very good", names=names).to_shap()
    one = one[:, "yes"] if len(names) > 1 else one
    assert shap.plots.bar(one, show=False).patches
    pyplot.figure()
    labels = [tick.get_text() for tick in shap.plots.waterfall(one, show=False).get_yticklabels()]
    assert {"so", "very", "good"} <= {label.split(" = ")[-1] for label in labels}
