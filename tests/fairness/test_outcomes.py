"""Which output is audited, what is decided, and which labels are it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.fairness.outcomes import choose_outcomes, distinct_labels, is_missing, plain

pd = pytest.importorskip("pandas")

PROBABILITIES = np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
MARGINS = np.array([[-2.0], [0.0], [3.0]])


def chosen(raw=PROBABILITIES, names=("no", "yes"), *, y=None, kind="probability", **options):
    settings = {"exclusive": True, "labels": distinct_labels(y)} | options
    return choose_outcomes(raw, kind, settings.pop("exclusive"), names, **settings)


def judged(raw=PROBABILITIES, names=("no", "yes"), *, y=None, kind="probability", **options):
    outcomes = chosen(raw, names, y=y, kind=kind, **options)
    return [o.judge(raw, kind, options.get("exclusive", True), y) for o in outcomes]


@pytest.mark.parametrize(
    ("y", "given_label", "expected"),
    [
        ([1, 0, 1], "1", [1.0, 0.0, 1.0]),
        (["1", "0", "unknown"], "1", [1.0, 0.0, 0.0]),
        ([2.5, 1.0, None], "2.5", [1.0, 0.0, np.nan]),
    ],
)
def test_a_label_typed_as_text_is_found_among_numbers_and_texts(y, given_label, expected):
    (found,) = judged(y=y, positive_label=given_label)
    np.testing.assert_array_equal(found.labels, expected)


def test_an_output_named_twice_is_audited_once():
    assert [own.name for own in chosen(positive=["yes", "no", "yes"])] == ["yes", "no"]


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (("0", "1"), 1),
        (("0", "1"), np.int64(1)),
        (("0", "1"), 1.0),
        (("0.0", "1.0"), 1.0),
        (("False", "True"), True),
        (("False", "True"), np.array([True])),
    ],
)
def test_a_class_may_be_given_as_the_number_or_bool_that_it_is(names, positive):
    (found,) = chosen(names=names, y=[0, 1, 0], positive=positive)
    assert found.name == names[1]


NA = [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.nan]


@pytest.mark.parametrize("missing", NA, ids=str)
@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("yes", "no"),
        (1, 0),
        (True, False),
        (1.0, 0.0),
        (np.int64(1), np.int64(0)),
        (np.float32(1), np.float32(0)),
        (np.bool_(True), np.bool_(False)),
        (np.str_("yes"), np.str_("no")),
        ("true", "false"),
        ("1", "0"),
        ("YES", "No"),
    ],
)
def test_labels_of_any_type_are_one_zero_or_none(positive, negative, missing):
    (found,) = judged(y=[positive, negative, missing])
    np.testing.assert_array_equal(found.labels, [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(found.decisions, [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(found.scores, PROBABILITIES[:, 1])


@given(st.lists(st.sampled_from([0, 1, None]), min_size=3, max_size=3))
def test_labels_in_pandas_and_numpy_are_those_of_a_list(y):
    (expected,) = judged(y=y)
    for held in (
        pd.Series(y, dtype="Int64"),
        pd.Series(y, dtype="float"),
        pd.Series(y, dtype="boolean"),
        np.array([np.nan if v is None else v for v in y]),
        np.array(y, dtype=object),
    ):
        (found,) = judged(y=list(held))
        np.testing.assert_array_equal(found.labels, expected.labels)


def test_the_class_that_is_chosen_is_not_confused_with_the_other():
    (first,) = judged(names=("0", "1"), y=[0, 1, 0], positive="0")
    np.testing.assert_array_equal(first.labels, [1, 0, 1])
    np.testing.assert_array_equal(first.decisions, [1, 0, 1])
    (second,) = judged(names=("0", "1"), y=["1", "0", "1"], positive="0")
    np.testing.assert_array_equal(second.labels, [0, 1, 0])
    # Whether 1 is "toxic" or the second class, "fine", nobody can tell.
    with pytest.raises(ArgumentError, match="positive_label: say which of the labels"):
        chosen(names=("toxic", "fine"), y=[0, 1, 0], positive="toxic")
    (told,) = judged(names=("toxic", "fine"), y=[0, 1, 0], positive="toxic", positive_label=1)
    np.testing.assert_array_equal(told.labels, [0, 1, 0])
    (last,) = judged(names=("fine", "toxic"), y=[0, 1, 0])
    np.testing.assert_array_equal(last.labels, [0, 1, 0])


THREE = softmax(np.random.default_rng(0).normal(size=(6, 3)), axis=1)
CLASSES = ("bad", "so-so", "good")


@pytest.mark.parametrize(
    "y", [["bad", "good", None, "so-so", "bad", "good"], [0, 2, None, 1, 0, 2]]
)
def test_each_of_several_classes_is_held_against_the_rest(y):
    found = judged(THREE, CLASSES, y=y)
    assert [o.name for o in chosen(THREE, CLASSES, y=y)] == list(CLASSES)
    number = {"bad": 0, "so-so": 1, "good": 2}
    for column, own in enumerate(found):
        expected = [np.nan if v is None else float(number.get(v, v) == column) for v in y]
        np.testing.assert_array_equal(own.labels, expected)
        np.testing.assert_array_equal(own.decisions, THREE.argmax(axis=1) == column)
    np.testing.assert_array_equal(sum(own.decisions for own in found), 1.0)


def test_a_class_that_does_not_occur_has_no_positives():
    found = judged(THREE, CLASSES, y=["bad", "good"] * 3)
    np.testing.assert_array_equal(found[1].labels, 0.0)


def test_several_labels_may_be_one_outcome():
    y = ["bad", "awful", "good", None, "bad", "good"]
    (found,) = judged(THREE, CLASSES, y=y, positive="bad", positive_label=["bad", "awful"])
    np.testing.assert_array_equal(found.labels, [1, 1, 0, np.nan, 1, 0])


def test_yes_and_no_of_outputs_that_do_not_exclude_each_other():
    raw = np.random.default_rng(0).random((4, 3))
    (found,) = judged(
        raw, ("toxic", "rude", "fine"), y=[1, 0, 0, 1], positive="toxic", exclusive=False
    )
    np.testing.assert_array_equal(found.labels, [1, 0, 0, 1])
    with pytest.raises(ArgumentError, match="positive"):
        chosen(raw, ("toxic", "rude", "fine"), y=[1, 0, 0, 1], positive="toxic")


@pytest.mark.parametrize("y", [[1, 1, 1], ["no", "no", "no"], [None, None, None], [True] * 3])
def test_labels_of_one_class_or_none_are_no_fault(y):
    (found,) = judged(y=y)
    expected = [np.nan if v is None else float(v in (1, "yes")) for v in y]
    np.testing.assert_array_equal(found.labels, expected)


def test_a_single_output_is_what_its_numbers_and_labels_say():
    share = np.array([[0.2], [0.5], [0.9]])
    (outcome,) = chosen(share, ("0",), kind="value")
    assert (outcome.decides, outcome.threshold, outcome.is_probability) == (True, 0.5, True)
    (outcome,) = chosen(share, ("0",), kind="value", y=[1, 2, 3])
    assert (outcome.decides, outcome.is_probability) == (False, False)
    (outcome,) = chosen(MARGINS, ("0",), kind="value")
    assert (outcome.decides, outcome.threshold) == (False, None)
    (outcome,) = chosen(MARGINS, ("0",), kind="logit", y=[0, 1, 1])
    assert (outcome.decides, outcome.threshold, outcome.link) == (True, 0.5, "probability")
    with pytest.raises(ArgumentError, match="threshold: the scores of this model are no prob"):
        chosen(MARGINS, ("0",), kind="value", y=[0, 1, 1])
    (found,) = judged(MARGINS, ("0",), kind="value", y=[0, 1, 1], threshold=0)
    np.testing.assert_array_equal(found.decisions, [0, 1, 1])
    assert not found.is_probability


def test_a_regression_keeps_its_numbers():
    y = [1.5, None, np.float32(2)]
    (found,) = judged(MARGINS, ("0",), kind="value", y=y, task="regression")
    assert found.decisions is None
    np.testing.assert_array_equal(found.labels, [1.5, np.nan, 2.0])
    with pytest.raises(ArgumentError, match="y: a regression needs numbers; got 'high'"):
        chosen(MARGINS, ("0",), kind="value", y=["low", "high", "low"], task="regression")


def test_the_one_label_that_is_no_number_is_named():
    for y in (["0", "1", "maybe"], ["0", "1e3", "nan", "2"]):
        odd = next(label for label in y if not label[0].isdigit())
        with pytest.raises(ArgumentError, match=f"y: a regression needs numbers; got '{odd}'"):
            chosen(MARGINS, ("0",), kind="value", y=y, task="regression")


@given(st.floats(0.01, 0.99))
def test_a_threshold_decides_from_itself_on(threshold):
    raw = np.array([[1 - threshold, threshold], [1, 0], [0, 1]])
    (found,) = judged(raw, threshold=threshold)
    np.testing.assert_array_equal(found.decisions, [1, 0, 1])


@pytest.mark.parametrize("kind", ["probability", "logit", "log_prob"])
def test_links_change_the_scale_and_no_decision(kind):
    logits = np.array([[0.3, 1.1], [2.0, -1.0], [0.1, 0.2]])
    p = softmax(logits, axis=1)
    raw = {"probability": p, "logit": logits, "log_prob": np.log(p)}[kind]
    (plain_score,) = judged(raw, kind=kind)
    np.testing.assert_allclose(plain_score.scores, p[:, 1])
    assert plain_score.is_probability
    (odds,) = judged(raw, kind=kind, link="log_odds")
    np.testing.assert_allclose(expit(odds.scores), p[:, 1])
    assert not odds.is_probability
    np.testing.assert_array_equal(odds.decisions, plain_score.decisions)
    if kind == "logit":
        (margin,) = judged(raw, kind=kind, link="identity")
        np.testing.assert_array_equal(margin.scores, logits[:, 1])
        assert not margin.is_probability


def test_numbers_that_happen_to_lie_between_0_and_1_may_leave_it_later():
    (outcome,) = chosen(np.array([[0.2], [0.9]]), ("0",), kind="value")
    found = outcome.judge(np.array([[1.2], [-0.1]]), "value", True, None)
    np.testing.assert_array_equal(found.decisions, [1, 0])
    with pytest.raises(CapabilityError, match="link='log_odds'"):
        judged(np.array([[1.2], [-0.1]]), ("0",), kind="value", link="log_odds", threshold=0)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"positive": "maybe"}, r"positive: .*\['no', 'yes'\]; got 'maybe'"),
        ({"positive": []}, "positive: expected one or more"),
        ({"positive": 1}, r"positive: .*\['no', 'yes'\]; got 1"),
        ({"threshold": float("nan")}, "threshold: expected a number; got nan"),
        ({"threshold": "0.5"}, "threshold: expected a number; got '0.5'"),
        ({"task": "ranking"}, "task: expected one of auto, classification, regression"),
        ({"link": "cube"}, "link: expected one of"),
        ({"y": ["a", "b"]}, r"positive_label: say which of the labels \['a', 'b'\] is the outcome"),
        ({"y": [0, 1], "positive_label": 7}, "positive_label: 7 does not occur in y"),
        ({"y": [0, 1], "positive_label": [1, 7]}, "positive_label: 7 does not occur in y"),
        (
            {"y": [0, 1], "positive_label": 1, "positive": ["no", "yes"]},
            "positive_label: is for one outcome",
        ),
    ],
)
def test_what_does_not_fit_is_told(options, what):
    with pytest.raises(ArgumentError, match=what):
        judged(**options)


def test_labels_that_are_no_class_of_several_are_told():
    with pytest.raises(ArgumentError, match=r"y: the labels \['bad', 'odd'\] are not the model's"):
        chosen(THREE, CLASSES, y=["bad", "odd"])


@pytest.mark.parametrize(
    ("y", "what"),
    [
        (["a", 1], "y: expected labels of one type, strings or numbers; got int, str"),
        (["a", "\ud800"], r"y: '\\ud800' holds a lone surrogate"),
        ([b"a"], "got bytes"),
        ([["a"], "b"], r"y: expected a string or number per text; got list \['a'\]"),
        ([{"a": 1}], "got dict"),
        ([(1, 2)], "got tuple"),
    ],
)
def test_labels_that_are_none_are_told(y, what):
    with pytest.raises(ArgumentError, match=what):
        distinct_labels(y)


@pytest.mark.parametrize("value", NA, ids=str)
def test_what_is_missing(value):
    assert is_missing(value)


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False)))
def test_what_is_not_missing_stays_itself(value):
    assert not is_missing(value)
    assert plain(value) == value


def test_distinct_labels_are_in_order():
    assert distinct_labels([2, None, 1.0, np.int8(2), 0.5]) == [0.5, 1, 2]
    assert distinct_labels(None) == []
