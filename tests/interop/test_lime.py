import json
import re

import numpy as np
import pytest
from hypothesis import given, settings

from perturbx.explanation import Explanation
from perturbx.interop import to_lime

# lime opens its script file and leaves it open.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*bundle.js:pytest.PytestUnraisableExceptionWarning",
    "ignore:unclosed file.*bundle.js:ResourceWarning",
)


def test_the_lists_and_maps_are_ours(any_script):
    lime = any_script.to_lime()
    for label, name in enumerate(any_script.output_names):
        values = [value for _, value in any_script.as_list(name)]
        assert [value for _, value in lime.as_list(label)] == values
        assert [any_script.values[i, label] for i, _ in lime.as_map()[label]] == values
        total = lime.intercept[label] + sum(value for _, value in lime.as_list(label))
        assert total == pytest.approx(any_script.scores[label])


def test_words_stand_where_lime_says(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=50)
    def law(explanation):
        words = to_lime(explanation).domain_mapper.indexed_string
        assert words.raw_string() == explanation.text
        first = {unit: start for unit, (start, _) in enumerate(explanation.units.first_spans)}
        for unit, label in enumerate(explanation.units.labels):
            spans = words.word_spans(unit)
            said = [explanation.text[slice(*span)] for span in spans]
            assert label.startswith(said[0])
            assert label == said[0] or len(set(said)) > 1
            assert words.string_position(unit)[0] >= first[unit]
            assert len(spans) == explanation.units.unit_of_span.count(unit)

    law()


def test_the_page_highlights_the_same_words_in_utf_16(drawn):
    @given(drawn)
    @settings(deadline=None, max_examples=50)
    def law(explanation):
        lime = to_lime(explanation)
        script = lime.domain_mapper.visualize_instance_html(lime.local_exp[1], 1, "div", "exp")
        assert "<" not in script
        arguments = re.fullmatch(r"exp\.show_raw_text\((.*), 1, (\".*\"), div, true\);", script)
        found, raw = (json.loads(argument) for argument in arguments.groups())
        assert raw == explanation.text
        units = raw.encode("utf-16-le", "surrogatepass")
        for word, start, _ in found:
            code = word.encode("utf-16-le", "surrogatepass")
            assert units[2 * start : 2 * start + len(code)] == code

    law()


def test_positions_are_told_on_request(explain):
    explanation = explain(
        "so good, so bad", [[0, 2], [0, 1]], spans=[(0, 3), (3, 9), (9, 12)], owners=(0, 1, 0)
    )
    assert to_lime(explanation).as_list(positions=True) == [("so_0-9", 2.0), ("good_3", 1.0)]


def test_labels_count_all_outputs_of_the_model(explain):
    explanation = explain("a b", names=("x", "y", "z"), explained=("z", "x"))
    lime = to_lime(explanation)
    assert lime.class_names == ["x", "y", "z"]
    assert lime.available_labels() == [2, 0]
    assert lime.as_list(2) == explanation.as_list("z")
    assert lime.predict_proba == pytest.approx(np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum())
    assert lime.local_pred == pytest.approx([2.0])
    assert lime.score == explanation.r2


def test_numbers_that_are_no_probabilities_are_not_passed_off_as_such(explain):
    lime = to_lime(explain("a b", kind="value", scores=[3, 40]))
    assert np.isnan(lime.predict_proba).all()


def test_a_single_output_is_a_regression(explain):
    explanation = explain("a b", [2, -3], names=("price",), kind="value", scores=[30])
    lime = to_lime(explanation)
    assert (lime.mode, lime.predicted_value) == ("regression", 30.0)
    assert (lime.min_value, lime.max_value) == (0.0, 30.0)
    assert lime.as_list() == [("b", -3.0), ("a", 2.0)]
    assert lime.as_map()[0] == [(1, 3.0), (0, -2.0)]


@pytest.mark.parametrize("names", [("no", "yes"), ("price",), ("</script>", "b", "c")])
def test_the_page_is_whole_and_no_word_ends_its_script(explain, names):
    page = to_lime(explain("a </script><!--<b> 👍", names=names)).as_html()
    assert page.count("</script>") == 2
    assert page.endswith("</body></html>")


def test_the_method_of_the_explanation_is_this(explain):
    explanation: Explanation = explain("a b")
    assert explanation.to_lime().as_map() == to_lime(explanation).as_map()
