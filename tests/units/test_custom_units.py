"""Units of the user's own: patterns, functions, spans; and the front door to all of them."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.units import (
    FRAME,
    BagOfWords,
    Characters,
    Custom,
    Paragraphs,
    Regex,
    Sentences,
    Spans,
    Units,
    Words,
    as_segmenter,
)


def test_names_stand_for_segmenters():
    assert as_segmenter("characters") == Characters()
    assert as_segmenter("words") == Words()
    assert as_segmenter("sentences") == Sentences()
    assert as_segmenter("paragraphs") == Paragraphs()
    assert as_segmenter(Words(locale="fi")) == Words(locale="fi") != Words()
    assert as_segmenter(re.compile("a+")) == Regex("a+")
    assert as_segmenter([(0, 1)]) == Spans(((0, 1),))
    assert as_segmenter(str.split) == Custom(str.split)


def test_units_of_lists_and_numpy_are_those_of_tuples():
    own = {"frozen": ((0, 1),), "segments": ((0, 7),)}
    units = Units("so good", ((1, 3), (3, 7)), (0, 1), **own)
    lists = Units("so good", [[1, 3], [3, 7]], [0, 1], frozen=[[0, 1]], segments=[[0, 7]])
    arrays = {name: np.array(spans) for name, spans in own.items()}
    numbers = Units("so good", np.array([[1, 3], [3, 7]]), np.arange(2), **arrays)
    assert units == lists == numbers
    assert hash(units) == hash(lists) == hash(numbers)
    assert units == Units.from_dict(json.loads(json.dumps(numbers.to_dict())))


@pytest.mark.parametrize(
    ("name", "value"),
    [("spans", [(0, 1.5)]), ("spans", 3), ("unit_of_span", ["a"]), ("frozen", [(1,)])],
)
def test_units_that_are_no_positions_are_told_by_name(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: expected"):
        Units("so good", **{"spans": ((0, 3),), name: value})


@pytest.mark.parametrize("units", ["word", "", None, 3, {"a"}, Words, [1, 2], ["a", "bc"]])
def test_the_front_door_names_the_argument(units):
    with pytest.raises(ArgumentError, match=r"^units: "):
        as_segmenter(units)


def test_an_unknown_name_is_told_the_choices():
    with pytest.raises(ArgumentError, match="'characters', 'words', 'sentences', 'paragraphs'"):
        as_segmenter("word")


@pytest.mark.parametrize(
    "segmenter",
    [
        Words(locale="fi", frozen=[[0, 3]]),
        Sentences(frozen=r"\{\w+\}"),
        Regex(r"\w+", between="freeze"),
        Spans([(4, 5), (0, 1)]),
        Custom(str.split, frozen=re.compile("a")),
    ],
    ids=repr,
)
def test_segmenters_are_values(segmenter):
    restored = pickle.loads(pickle.dumps(segmenter))
    assert restored == segmenter
    assert hash(restored) == hash(segmenter)
    assert repr(restored) == repr(segmenter)
    assert segmenter != Words()


def test_equal_parameters_make_equal_segmenters_however_they_are_written():
    assert Words(frozen=[(0, 3)]) == Words(frozen=((0, 3),))
    assert Words(frozen="a+") == Words(frozen=re.compile("a+"))
    assert Words(frozen=None) == Words()
    assert Regex("a+") == Regex(re.compile("a+"))
    assert repr(Words()) == "Words()"
    assert repr(Words(locale="fi")) == "Words(locale='fi')"


def test_a_regex_makes_its_matches_units():
    text = "- so-so, good."
    assert Regex(r"\w+")(text).pieces == ("- so-", "so, ", "good.")
    assert Regex(r"\w+", between="freeze")(text).pieces == ("so", "so", "good")
    assert Regex(r"\d*")("no 1 and 2").pieces == ("no 1 and ", "2")
    assert Regex(r"\d")("none").pieces == ("none",)
    assert Regex(r"\d", between="freeze")("none").parts == ((FRAME, "none"),)


def test_a_function_may_return_spans_strings_or_units():
    assert Custom(str.split)("so  so good").pieces == ("so  ", "so ", "good")
    assert Custom(lambda text: [(6, 8), (0, 2)])("so or no").pieces == ("so or ", "no")
    assert Custom(lambda text: iter(["so", "", "no"]))("so or no").pieces == ("so or ", "no")
    assert Custom(str.split, between="freeze")("so no").pieces == ("so", "no")
    assert Custom(Words())(("so good", "not bad")) == Words()(("so good", "not bad"))


def test_units_of_a_function_are_used_as_they_are():
    types = Units("a b a", ((0, 1), (2, 3), (4, 5)), (0, 1, 0), level="types")
    assert Custom(lambda text: types)("a b a") is types
    assert Custom(lambda text: types, frozen=[(2, 3)])("a b a").parts == (
        (0, "a"),
        (FRAME, " b "),
        (0, "a"),
    )


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (["so", "nor"], "'nor', which does not stand in the text after character 2"),
        (["no", "so"], "'so', which does not stand in the text after character 8"),
        ([(0, 3), (2, 5)], "must not overlap"),
        ([(0, 30)], "within 0 and 8"),
        ([(3, 3)], "must hold a character"),
        ([1, 2], r"\(start, stop\) pairs"),
        ("so or no", "must return"),
        (None, "must return"),
        (Units("other", ((0, 5),)), "of another text"),
    ],
)
def test_a_function_that_returns_nonsense_is_told_so(result, message):
    with pytest.raises((SegmentationError, ArgumentError), match=message):
        Custom(lambda text: result)("so or no")


def test_spans_are_the_units_and_the_rest_is_frozen():
    units = Spans([(7, 11), (0, 3)])("New or used.")
    assert units.parts == ((0, "New"), (FRAME, " or "), (1, "used"), (FRAME, "."))
    assert units.frozen == ((3, 7), (11, 12))
    assert Spans([(4, 6)], between="join")("New or used.").pieces == ("New or used.",)


def test_spans_of_a_pair_count_in_both_texts():
    units = Spans([(2, 3), (4, 5)])(("a b", "c d"))
    assert units.pieces == ("b", "c")
    with pytest.raises(SegmentationError, match="none may reach over the line break"):
        Spans([(2, 5)])(("a b", "c d"))
    with pytest.raises(SegmentationError, match="within 0 and 3"):
        Spans([(0, 4)])("abc")


@pytest.mark.parametrize("pattern", ["(", b"a", 3, None, re.compile(b"a")])
def test_a_bad_pattern_is_an_error(pattern):
    with pytest.raises(ArgumentError, match=r"^pattern: "):
        Regex(pattern)


@pytest.mark.parametrize("make", [lambda b: Regex("a", b), lambda b: Spans([], b), None])
def test_a_bad_between_is_an_error(make):
    make = make or (lambda between: Custom(str.split, between))
    with pytest.raises(ArgumentError, match="between: expected 'join'"):
        make("drop")


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="ab é,'-\nहि中", max_size=30))
def test_bag_of_words_is_that_of_lime(text):
    lime_text = pytest.importorskip("lime.lime_text")
    indexed = lime_text.IndexedString(text)
    units = BagOfWords()(text)
    n_words = indexed.num_words() if text.strip() else 0
    assert units.pieces == tuple(indexed.word(i) for i in range(n_words))
    for word in range(n_words):
        kept = "".join(part for owner, part in units.parts if owner != word)
        assert kept == indexed.inverse_removing([word])


def test_texts_that_are_no_texts():
    for text in (3, None, b"a", ["a", "b"], ("a",), ("a", "b", "c"), ("a", None)):
        with pytest.raises(ArgumentError, match="text: expected a string, or a tuple of two"):
            Words()(text)
