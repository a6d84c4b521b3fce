"""What the user holds."""

import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

import perturbx as px
from perturbx.explanation import Explanation
from perturbx.score_table import ScoreTable
from perturbx.surrogates.attribution import Attribution
from perturbx.units import as_segmenter
from perturbx.units.prompts import with_responses

TEXTS = ["not a good day", "真的很好吃！", "يوم جيد", ""]


def model(texts):
    return np.array([[len(t), t.count("o") + 2 * ("good" in t)] for t in texts], dtype=float)


@pytest.fixture(scope="module")
def explanations():
    return px.explain(model, TEXTS, random_state=0, output_names=["length", "joy"])


def test_json_round_trip(explanations, tmp_path):
    for item in explanations:
        text = item.to_json(tmp_path / "e.json")
        assert (tmp_path / "e.json").read_text(encoding="utf-8") == text
        again = Explanation.from_json(text)
        assert again.to_dict() == item.to_dict()
        for name in ("values", "base_values", "std_errors", "scores"):
            np.testing.assert_array_equal(getattr(again, name), getattr(item, name))
        assert (again.units, again.r2, again.n_calls) == (item.units, item.r2, item.n_calls)
    record = json.loads(text)
    record["format"] = "something else"
    with pytest.raises(px.TableError, match="format"):
        Explanation.from_dict(record)


def test_what_is_no_record_says_so(explanations):
    whole = explanations[0].to_dict()
    # Text and pieces are the table's; older records have no degrees of freedom and no cost.
    spare = {"text", "pieces", "dof", "band_dof", "band_inflation", "budget_report"}
    for name in whole.keys() - spare:
        with pytest.raises(px.TableError, match="record"):
            Explanation.from_dict({k: v for k, v in whole.items() if k != name})
    names = ("table", "values", "base_values", "std_errors", "output_names", "budget_report")
    for name, value in itertools.product(names, (3, {}, [[{}]], "x", [10**30])):
        with pytest.raises(px.TableError):
            Explanation.from_json(json.dumps({**whole, name: value}))
    for text in ("", "{", "[]", "null", "3", '"x"', "{}", "[" * 100_000):
        with pytest.raises(px.TableError):
            Explanation.from_json(text)


def test_as_list_puts_the_largest_first(explanations):
    pairs = explanations[0].as_list("joy")
    assert pairs[0][0] == "good"
    sizes = [abs(value) for _, value in pairs]
    assert sizes == sorted(sizes, reverse=True)
    assert explanations[0].as_list("joy", n=2) == pairs[:2]
    assert explanations[0].as_list(1) == explanations[0].as_list(-1) == pairs
    assert explanations[0].as_list() == explanations[0].as_list("length")


@pytest.mark.parametrize("output", ["anger", 2, -3])
def test_an_output_that_was_not_explained(explanations, output):
    with pytest.raises(px.ArgumentError, match="output"):
        explanations[0].as_list(output)


def test_a_table_is_replayed_without_the_model(explanations, tmp_path):
    item = explanations[0]
    table = ScoreTable.load(item.table.save(tmp_path / "table.npz"))
    again = Explanation.from_table(table, "exact")
    np.testing.assert_allclose(again.values, item.values)
    one = Explanation.from_table(table, "banzhaf", outputs=["joy"])
    assert one.output_names == ("joy",)
    assert one.method == "banzhaf"


def test_another_surrogate_costs_no_call(explanations):
    item = explanations[0]
    for name in ("banzhaf", "lasso", "leave_one_out", "leverage", "lime"):
        other = item.refit(name)
        assert other.table is item.table
        assert other.values.shape == item.values.shape
    loo = item.refit("leave_one_out", outputs=["length"])
    assert loo.values.ravel().tolist() == [len(piece) for piece in item.units.pieces]


def test_a_sequence_of_explanations(explanations):
    assert len(explanations) == 4
    assert isinstance(explanations[1:3], px.Explanations)
    assert explanations[1:3][0] is explanations[1]
    assert [item.text for item in explanations] == TEXTS
    assert explanations.n_calls == sum(item.n_calls for item in explanations)
    assert [table.units.text for table in explanations.tables] == TEXTS
    with pytest.raises(IndexError):
        _ = explanations[9]


def test_it_prints_well(explanations):
    assert "not a good day" in repr(explanations[0])
    assert "good" in str(explanations[0])
    assert repr(explanations).count("Explanation(") == 4
    long = px.explain(model, ["word " * 30], budget=40, random_state=0)
    assert len(repr(long[0])) < 200


def test_pages_hold_every_text(explanations, tmp_path):
    page = explanations.to_html(tmp_path / "all.html")
    assert (tmp_path / "all.html").read_text(encoding="utf-8") == page
    for piece in ("good", "真的", "يوم"):
        assert piece in page
    assert "<html" not in explanations._repr_html_()
    assert "<html" in explanations[0].to_html()


def test_other_libraries_can_read_it(explanations):
    frame = explanations.to_pandas()
    assert len(frame) == sum(item.values.size for item in explanations)
    assert explanations[0].to_pandas()["value"].sum() == pytest.approx(explanations[0].values.sum())
    assert explanations[0].to_shap().values.shape == explanations[0].values.shape
    lime_list = dict(explanations[0].to_lime().as_list(label=1))
    assert lime_list["good"] == pytest.approx(dict(explanations[0].as_list("joy"))["good"])


def test_shapes_of_an_attribution_are_checked():
    with pytest.raises(px.SurrogateError, match="std_errors"):
        Attribution(np.zeros((2, 1)), np.zeros(1), np.zeros((3, 1)), "m", 1)
    with pytest.raises(px.SurrogateError, match="base_values"):
        Attribution(np.zeros((2, 1)), np.zeros(2), np.zeros((2, 1)), "m", 1)


@pytest.fixture(scope="module")
def estimated():
    """An explanation whose values have errors, and degrees of freedom of its own."""
    return px.explain(
        model,
        ["a good day for a long walk on the old road by the good sea"],
        explainer="shapley",
        estimator="leverage",
        budget=60,
        output_names=["length", "joy"],
        random_state=0,
    )[0]


def test_intervals_and_the_top_are_those_of_the_attribution(estimated):
    every = estimated.attribution.confidence_interval(0.9, simultaneous=True)
    top = estimated.attribution.top_k(2)
    for column, output in enumerate(estimated.output_names):
        own = estimated.confidence_interval(0.9, output=output, simultaneous=True)
        np.testing.assert_array_equal(own.low, every.low[:, column])
        np.testing.assert_array_equal(own.high, every.high[:, column])
        largest = estimated.top_k(2, output)
        assert list(largest.units) == list(top.units[:, column])
        assert list(largest.labels) == [name for name, _ in estimated.as_list(output, n=2)]
        assert largest.probability == top.probability[column]
        assert largest.certain == (largest.probability >= 0.95)
    with pytest.raises(px.ArgumentError, match="level"):
        estimated.top_k(2, level=95)
    with pytest.raises(px.ArgumentError, match="output"):
        estimated.confidence_interval(output="anger")


def test_intervals_survive_a_round_trip(estimated):
    again = Explanation.from_json(estimated.to_json())
    assert again.attribution.dof is not None
    for name in ("dof", "band_dof", "band_inflation"):
        assert getattr(again.attribution, name) == getattr(estimated.attribution, name)
    for simultaneous in (False, True):
        before, after = (
            e.confidence_interval(simultaneous=simultaneous) for e in (estimated, again)
        )
        np.testing.assert_array_equal(after.low, before.low)
        np.testing.assert_array_equal(after.high, before.high)


def test_records_without_degrees_of_freedom_load_with_the_defaults(estimated):
    record = estimated.to_dict()
    for name in ("dof", "band_dof", "band_inflation"):
        del record[name]
    fit = Explanation.from_dict(record).attribution
    assert (fit.dof, fit.band_dof, fit.band_inflation) == (None, None, 1.0)


def negated(texts):
    """Score a text 2 for "good", -3 where a "not" is there as well; and by its length."""
    return np.array([[len(t), 2.0 * ("good" in t) * (1 - 1.5 * ("not" in t))] for t in texts])


@pytest.fixture
def joined():
    return px.explain(negated, ["not a good day"], output_names=["length", "joy"])[0]


def test_interactions_of_all_coalitions_are_those_of_the_definition(joined):
    expected = np.zeros((2, 4, 4))
    expected[1, 0, 2] = expected[1, 2, 0] = -3.0
    np.testing.assert_allclose(joined.interactions.values, expected, atol=1e-12)
    assert not joined.interactions.std_errors.any()
    assert joined.interactions is joined.interactions
    assert joined.top_interactions("joy", n=1) == [(("not", "good"), pytest.approx(-3.0), 0.0)]


def test_top_interactions_puts_the_largest_first(estimated):
    for output in estimated.output_names:
        pairs = estimated.top_interactions(output, n=1000)
        n_units = estimated.units.n_units
        assert len(pairs) == n_units * (n_units - 1) // 2
        sizes = [abs(value) for _, value, _ in pairs]
        assert sizes == sorted(sizes, reverse=True)
        assert estimated.top_interactions(output, n=3) == pairs[:3]
    assert len(estimated.top_interactions()) == 10
    top, pairs = estimated.as_list, estimated.interactions.top
    for method, n in itertools.product((estimated.top_interactions, top, pairs), (0, -1, 2.0, "a")):
        with pytest.raises(px.ArgumentError, match=rf"^n: .*{n!r}"):
            method(n=n)
    assert top(n=np.int64(2)) == top()[:2]
    n_outputs = len(estimated.output_names)
    for output in (n_outputs, -n_outputs - 1, "joy", 0.0, None):
        with pytest.raises(px.ArgumentError, match=r"^output: "):
            pairs(output)
    assert pairs(-1) == pairs(n_outputs - 1)
    with pytest.raises(px.ArgumentError, match=r"output.*'anger'"):
        estimated.top_interactions("anger")


def test_interactions_follow_the_link_and_the_outputs():
    def odds(texts):
        positive = 1 / (1 + np.exp(-negated(texts)[:, 1]))
        return np.stack([1 - positive, positive], axis=1)

    options = {"output_names": ["sad", "glad"], "outputs": ["glad"], "link": "log_odds"}
    (item,) = px.explain(odds, ["not a good day"], **options)
    assert item.interactions.values.shape == (1, 4, 4)
    assert item.interactions.values[0, 0, 2] == pytest.approx(-3.0)
    both = item.refit("banzhaf", outputs="all")
    np.testing.assert_allclose(both.interactions.values[1], item.interactions.values[0])
    np.testing.assert_allclose(both.interactions.values[0], -item.interactions.values[0])
    plain = item.refit("banzhaf", link="identity")
    assert abs(plain.interactions.values[0, 0, 2]) < 1


def test_interactions_are_computed_again_from_a_record_and_kept_in_a_copy(joined):
    before = joined.to_dict()
    values = joined.interactions.values
    assert joined.to_dict() == before
    np.testing.assert_array_equal(Explanation.from_dict(before).interactions.values, values)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(joined)).interactions.values, values)
    one = replace(joined, output_names=("joy",))
    assert one.interactions.values.shape == (1, 4, 4)


def test_a_table_without_pairs_has_no_interactions():
    for explainer in ("occlusion", "lasso"):
        options = {"explainer": explainer, "random_state": 0}
        (item,) = px.explain(negated, ["not a good day " * 4], **options)
        for method in (lambda item=item: item.interactions, item.top_interactions):
            with pytest.raises(px.SurrogateError, match=r"^interactions: .*complements") as caught:
                method()
            # Nobody chose odd_gp, and there is but one table.
            assert item.method in str(caught.value)
            assert "odd_gp needs" not in str(caught.value)


def test_what_is_predicted_is_told_by_the_scorers_own_numbers():
    """Two sure outputs are both 1 as probabilities, and one of them is the likelier still."""
    units = as_segmenter("words")("a b")
    masks = np.array([[False, False], [True, False], [False, True], [True, True]])
    logits = masks @ np.array([[20.0, 30.0], [20.0, 20.0]])
    table = ScoreTable(
        masks, logits, ("A", "B"), units=units, kind="logit", exclusive=False, exhaustive=True
    )
    found = Explanation.from_table(table, "exact", link="probability", outputs="predicted")
    assert found.output_names == ("B",)
    named = Explanation.from_table(table, "exact", link="probability", outputs=["B"])
    np.testing.assert_array_equal(found.values, named.values)


def test_a_single_output_is_read_without_the_whole_text():
    """Some methods need no end; several outputs are told apart by the whole text's scores."""
    units = as_segmenter("words")("a b c")
    masks = np.array(list(itertools.product([False, True], repeat=3)))[:-1]
    scores = masks @ np.array([[1.0, 2.0], [0.5, 0.0], [0.0, 1.0]])
    table = ScoreTable(masks, scores, ("A", "B"), units=units)
    both = Explanation.from_table(table, "banzhaf_gp")
    one = Explanation.from_table(table, "banzhaf_gp", outputs="A")
    # The last digit hangs on how many outputs are fitted together, on some processors.
    assert one.as_list(n=1) == [("a", pytest.approx(both.as_list("A", n=1)[0][1], rel=1e-12))]
    assert one.top_k(1).labels == ("a",)
    np.testing.assert_allclose(
        one.confidence_interval().low, both.confidence_interval(output="A").low
    )
    with pytest.raises(px.TableError, match="no row in which every unit is kept"):
        both.as_list()


def test_errors_that_are_not_known_survive_json():
    def judged(texts):
        return [float("good" in text) for text in texts]

    explainer = px.ShapleyExplainer(judged, estimator="permutation", budget=22, random_state=1)
    (unknown,) = explainer.explain(["this is not a bad film but a very good one"])
    assert np.isinf(unknown.std_errors).all()
    assert unknown.budget_report.half_width is None
    assert "exact" not in unknown.summary()
    again = Explanation.from_json(unknown.to_json())
    np.testing.assert_array_equal(again.std_errors, unknown.std_errors)
    assert again.top_k(1).probability == unknown.top_k(1).probability < 0.5


@pytest.mark.parametrize("kind", ["log_prob", "similarity"])
def test_the_second_text_of_a_pair_is_no_response(kind):
    cut = as_segmenter("words")
    pair, said = cut(("so", "he left")), with_responses(cut("so bad you"), " he left")
    masks = np.array([[i >> unit & 1 for unit in range(3)] for i in range(8)], dtype=bool)
    for units, response in ((pair, None), (said, " he left")):
        table = ScoreTable(masks, masks[:, :1] * 1.0, ("y",), units=units, kind=kind)
        assert Explanation.from_table(table, "exact").response == response
