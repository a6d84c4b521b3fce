"""What goes wrong in the middle: nothing that was paid for is lost or paid for again."""

import numpy as np
import pytest

import perturbx as px

TEXTS = ["one two three four five six seven", "a b c d e f g h", "x y"]


class Fragile:
    """A model that fails at one of its calls, in a way of its own."""

    def __init__(self, fail_at=None, failure=None):
        self.fail_at = fail_at
        self.failure = failure
        self.n_batches = 0
        self.answered = []

    def __call__(self, texts):
        self.n_batches += 1
        if self.n_batches == self.fail_at:
            answer = self.failure
            if isinstance(answer, BaseException):
                raise answer
            return answer(texts)
        self.answered += texts
        return good(texts)


def good(texts):
    return np.array([[len(t), t.count("e")] for t in texts], dtype=float)


def with_nan(texts):
    values = good(texts)
    values[len(values) // 2, 1] = np.nan
    return values


FAILURES = {
    "raises": ValueError("the server is down"),
    "nan": with_nan,
    "infinity": lambda texts: np.full((len(texts), 2), np.inf),
    "rows": lambda texts: good(texts)[:-1],
    "outputs": lambda texts: good(texts)[:, :1],
    "ragged": lambda texts: [[1.0, 2.0]] * (len(texts) - 1) + [[1.0]],
    "strings": lambda texts: [["good", "bad"] for _ in texts],
    "nothing": lambda texts: None,
    "interrupt": KeyboardInterrupt(),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_run_that_fails_is_continued_without_paying_twice(kind):
    model = Fragile(fail_at=3, failure=FAILURES[kind])
    explainer = px.ShapleyExplainer(model, batch_tokens=400, random_state=0, progress=False)
    expected = px.Interrupted if kind == "interrupt" else px.ScoringError
    with pytest.raises(expected) as caught:
        explainer.explain(TEXTS)
    tables = caught.value.tables
    assert [table.units.text for table in tables] == TEXTS
    n_paid = sum(len(table) for table in tables)
    assert n_paid >= len(model.answered) > 0
    paid = set(model.answered)
    model.answered = []
    explanations = explainer.explain(TEXTS, tables=tables)
    assert not paid & set(model.answered)
    fresh = px.ShapleyExplainer(good, random_state=0).explain(TEXTS)
    for one, other in zip(explanations, fresh, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)
        np.testing.assert_array_equal(one.table.masks, other.table.masks)
        np.testing.assert_array_equal(one.table.probabilities, other.table.probabilities)
        assert one.n_calls == other.n_calls


@pytest.mark.parametrize("kind", [k for k in FAILURES if k != "interrupt"])
def test_the_message_says_what_came(kind):
    words = {
        "raises": "ValueError: the server is down",
        "nan": "nan",
        "infinity": "inf",
        "rows": "rows|shape",
        "outputs": "outputs",
        "ragged": "ragged",
        "strings": "good",
        "nothing": "None",
    }
    model = Fragile(fail_at=2, failure=FAILURES[kind])
    with pytest.raises(px.ScoringError, match=words[kind]):
        px.explain(model, TEXTS, batch_tokens=400, progress=False)


def test_a_model_that_fails_at_once_has_empty_tables():
    with pytest.raises(px.ScoringError) as caught:
        px.explain(Fragile(fail_at=1, failure=RuntimeError("no")), TEXTS)
    assert [len(table) for table in caught.value.tables] == [0, 0, 0]
    explanations = px.ShapleyExplainer(good, random_state=0).explain(
        TEXTS, tables=caught.value.tables
    )
    assert len(explanations) == 3


def test_an_unseeded_run_goes_on_with_the_masks_it_began_with():
    model = Fragile(fail_at=3, failure=ValueError("down"))
    explainer = px.ShapleyExplainer(model, batch_tokens=400, progress=False)
    with pytest.raises(px.ScoringError) as caught:
        explainer.explain(TEXTS)
    explanations = explainer.explain(TEXTS, tables=caught.value.tables)
    assert len(model.answered) == len(set(model.answered))
    # The empty text is a variant of all three texts and one call.
    assert sum(item.n_calls for item in explanations) - 2 == len(model.answered)


def test_more_calls_can_be_bought_on_top_of_a_table():
    model = Fragile()
    first = px.ShapleyExplainer(model, budget=30, random_state=0).explain(TEXTS[:1])
    n_first = len(model.answered)
    more = px.ShapleyExplainer(model, budget=60, random_state=1).explain(
        TEXTS[:1], tables=first.tables
    )
    assert len(set(model.answered)) == len(model.answered)
    assert more[0].n_calls == len(model.answered) > n_first
    np.testing.assert_allclose(more[0].values.sum(axis=0), more[0].scores - more[0].base_values)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_names_that_do_not_fit_the_scores_are_the_arguments_fault(names):
    explainer = px.ShapleyExplainer(good, output_names=names, random_state=0)
    with pytest.raises(px.ArgumentError, match=r"^output_names: expected 2 names"):
        explainer.explain(TEXTS)


def test_tables_of_something_else_are_refused():
    explainer = px.ShapleyExplainer(good, random_state=0)
    tables = explainer.explain(TEXTS).tables
    with pytest.raises(px.ArgumentError, match=r"tables: expected one per text, got 3 for 2"):
        explainer.explain(TEXTS[:2], tables=tables)
    for wrong in (iter(tables), tables[0], 3):
        with pytest.raises(px.ArgumentError, match=r"^tables: expected a list"):
            explainer.explain(TEXTS, tables=wrong)
    with pytest.raises(px.ArgumentError, match=r"tables: expected a ScoreTable .* None"):
        explainer.explain(TEXTS, tables=[None] * len(TEXTS))
    with pytest.raises(px.ArgumentError, match=r"tables\[0\]: is of another text"):
        explainer.explain(TEXTS[::-1], tables=tables)

    partition = px.PartitionExplainer(good)
    with pytest.raises(px.ArgumentError, match=r"tables\[0\]: is of another text"):
        partition.explain(TEXTS[::-1], tables=partition.explain(TEXTS).tables)

    def other(texts):
        return good(texts)

    with pytest.raises(px.ArgumentError, match=r"tables\[0\]: was scored with model"):
        px.ShapleyExplainer(other).explain(TEXTS, tables=tables)


def test_outputs_of_other_names_cost_no_call():
    """Their rows could not be added to the table once they were paid for."""
    model = Fragile()
    run = {"budget": 20, "random_state": 0, "progress": False}
    tables = px.ShapleyExplainer(model, **run).explain(TEXTS[:1]).tables
    named = px.ShapleyExplainer(model, output_names=["length", "e"], **run)
    n_calls = len(model.answered)
    with pytest.raises(px.ArgumentError, match=r"tables\[0\]: holds scores of the outputs"):
        named.set_params(budget=40).explain(TEXTS[:1], tables=tables)
    assert len(model.answered) == n_calls
    tables = named.explain(TEXTS[:1]).tables
    # A function without names is believed to be the one that had them.
    more = px.ShapleyExplainer(model, **{**run, "budget": 60}).explain(TEXTS[:1], tables=tables)
    assert more[0].output_names == ("length", "e")
    assert len(more.tables[0]) == 60


def test_a_partial_table_is_fitted_as_far_as_it_goes():
    model = Fragile(fail_at=4, failure=KeyboardInterrupt())
    with pytest.raises(px.Interrupted) as caught:
        px.explain(model, TEXTS[:1], batch_tokens=300, random_state=0, progress=False, budget=100)
    (table,) = caught.value.tables
    assert 0 < len(table) < 100


def test_scores_bought_for_one_explainer_serve_another():
    model = Fragile()
    tables = px.ShapleyExplainer(model, random_state=0).explain(TEXTS).tables
    n_calls = len(model.answered)
    partition = px.PartitionExplainer(model, random_state=0).explain(TEXTS, tables=tables)
    assert len(model.answered) == len(set(model.answered)) > n_calls
    fresh = px.PartitionExplainer(good, random_state=0).explain(TEXTS)
    for one, other in zip(partition, fresh, strict=True):
        assert one.units == other.units
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)


@pytest.mark.parametrize("estimator", ["leverage", "odd_gp"])
def test_equal_variants_of_an_earlier_run_have_the_names_of_its_outputs(estimator):
    """A function has none before it is called, and masks that give the same text came first."""

    def length(texts):
        return [float(len(text)) for text in texts]

    text = "a b a b a b a b a b a b"
    run = {"estimator": estimator, "random_state": 0, "progress": False}
    tables = px.ShapleyExplainer(length, budget=40, **run).explain([text]).tables
    more = px.ShapleyExplainer(length, budget=80, **run).explain([text], tables=tables)
    assert more[0].output_names == ("output",)
    assert len(more.tables[0]) > len(tables[0])


def test_a_link_that_similarities_cannot_have_is_told_before_any_call():
    class Never:
        kind, exclusive = "similarity", False
        accepts, model_id, output_names = ("text",), "m", ("s",)

        def score(self, variants):
            raise AssertionError("a call was made")

    for link in ("probability", "log_prob", "log_odds"):
        for ask in ("explain", "estimate_cost"):
            with pytest.raises(px.CapabilityError, match=f"link='{link}'"):
                getattr(px.LimeExplainer(Never(), link=link), ask)(TEXTS)


def test_a_model_of_ones_own_that_refuses_ends_the_run_with_what_it_says():
    """It answers batches: of what was with the one refused, nothing is known."""
    refusal = px.RefusedError("a filter", refused={"one": "why"})
    model = Fragile(fail_at=3, failure=refusal)
    explainer = px.ShapleyExplainer(model, batch_tokens=400, random_state=0, progress=False)
    with pytest.raises(px.RefusedError, match=r"^a filter$") as caught:
        explainer.explain(TEXTS)
    assert sum(map(len, caught.value.tables)) > 0
