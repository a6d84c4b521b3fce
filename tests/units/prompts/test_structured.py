"""JSON and code: values, lines and statements are units, the shape is frozen."""

import ast
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.maskers import Delete
from perturbx.units import as_segmenter
from perturbx.units.prompts import code_prompt, json_prompt

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    LEAVES, lambda own: st.lists(own, max_size=4) | st.dictionaries(st.text(), own, max_size=4)
)


def leaves_of(value):
    if isinstance(value, dict):
        return [leaf for own in value.values() for leaf in leaves_of(own)]
    if isinstance(value, list):
        return [leaf for own in value for leaf in leaves_of(own)]
    return [value]


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_every_value_is_a_unit_and_nothing_else_is(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        return
    units = json_prompt(text)
    assert "".join(part for _, part in units.parts) == text
    written = [json.dumps(leaf, ensure_ascii=ascii_only) for leaf in leaves_of(value)]
    expected = [own[1:-1] if own.startswith('"') else own for own in written]
    assert list(units.pieces) == [own for own in expected if own]


def test_what_is_left_of_emptied_strings_is_json():
    text = '{"say": "so good", "tags": ["a\\"b", "c: d, {e}"], "n": 3}'
    units = json_prompt(text)
    assert units.pieces == ("so good", 'a\\"b', "c: d, {e}", "3")
    (left,) = Delete().variants(units, [[False, True, False, True]]).texts
    assert json.loads(left) == {"say": "", "tags": ['a"b', ""], "n": 3}
    words = json_prompt(text, units="words")
    assert words.pieces[:2] == ("so ", "good")
    (left,) = Delete().variants(words, [[True] + [False] * (words.n_units - 2) + [True]]).texts
    assert json.loads(left) == {"say": "so ", "tags": ["", ""], "n": 3}


@pytest.mark.parametrize("text", ["{", '{"a": }', "", "so good"])
def test_what_is_no_json_says_where(text):
    with pytest.raises(SegmentationError, match="line 1 column"):
        json_prompt(text)


@given(st.text(st.sampled_from("a =\n\t1"), max_size=30))
def test_lines_tile_the_code(text):
    units = code_prompt(text)
    assert "".join(part for _, part in units.parts) == text
    assert units.n_units == sum(bool(line.strip()) for line in text.split("\n"))
    assert code_prompt(text.replace("\n", "\r")).n_units == units.n_units


CODE = """\
import os

# the first
@decorated
def first(a):
    # within
    return a

x = 1; y = 2
class Last:
    pass
"""


def test_statements_keep_what_belongs_to_them():
    units = code_prompt(CODE, units="statements")
    firsts = [piece.strip().splitlines()[0] for piece in units.pieces]
    assert firsts == ["# the first", "x = 1; y = 2", "class Last:"]
    assert "".join(part for _, part in units.parts) == CODE
    every = code_prompt(CODE, units="statements", freeze_imports=False)
    assert every.n_units == units.n_units + 1
    for kept in range(every.n_units):
        mask = [[unit == kept for unit in range(every.n_units)]]
        ast.parse(Delete().variants(every, mask).texts[0])


def test_code_that_cannot_be_cut():
    with pytest.raises(SegmentationError, match="units='lines'"):
        code_prompt("def f(:", units="statements")
    with pytest.raises(ArgumentError, match="units"):
        code_prompt("a", units="tokens")


@pytest.mark.parametrize("units", ["words", "characters", "sentences"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_no_escape_is_cut_in_two(units, ascii_only):
    value = {"a": 'say "hi" now\nthen go. \\ Yes', "b": ["云溪 😀 桥", "\ud800x", "a/b\t"]}
    text = json.dumps(value, ensure_ascii=ascii_only)
    if not ascii_only:
        text = text.replace("\ud800", "")
    cut = json_prompt(text, units=units)
    assert "".join(part for _, part in cut.parts) == text
    for gone in range(cut.n_units):
        (left,) = Delete().variants(cut, [[unit != gone for unit in range(cut.n_units)]]).texts
        assert list(json.loads(left)) == ["a", "b"]
    plain = as_segmenter(units)(value["a"])
    assert sum(span[1] < text.index('"b"') for span in cut.spans) == plain.n_units


def test_statements_end_where_python_ends_them():
    units = code_prompt("a = 'x\u2028y'\nb = 2\n\x0cc = 3\n", units="statements")
    assert units.pieces == ("a = 'x\u2028y'\n", "b = 2\n", "\x0cc = 3\n")


@pytest.mark.parametrize("units", ["characters", "words", re.compile(r"\d")])
def test_what_is_no_string_is_a_unit_as_it_stands(units):
    cut = json_prompt('{"a": "x1", "b": -2.5e3, "c": [true, null], "d": 10}', units=units)
    assert cut.pieces[-4:] == ("-2.5e3", "true", "null", "10")
    assert json_prompt("12", units=units).pieces == ("12",)
