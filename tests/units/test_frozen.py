"""Frozen spans, and pairs of texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.units import FRAME, Characters, Tree, Units, Words, freeze


@st.composite
def texts_with_spans(draw):
    text = draw(st.text(alphabet="ab cé.\n中", max_size=25))
    edges = draw(st.lists(st.integers(0, len(text)), unique=True))
    edges = sorted(edges)[: len(edges) // 2 * 2]
    return text, list(zip(edges[::2], edges[1::2], strict=True))


@settings(max_examples=150, deadline=None)
@given(given_text=texts_with_spans())
def test_freezing_takes_just_the_frozen_characters_from_each_unit(given_text):
    text, spans = given_text
    free, units = Words()(text), Words(frozen=spans)(text)
    frozen = {i for start, stop in spans for i in range(start, stop)}
    owned = {i for start, stop in units.spans for i in range(start, stop)}
    assert not owned & frozen
    assert units.frozen == tuple(spans)
    characters = [
        tuple(
            i
            for span, owner in zip(free.spans, free.unit_of_span, strict=True)
            for i in range(*span)
            if owner == unit
        )
        for unit in range(free.n_units)
    ]
    trimmed = [tuple(i for i in unit if i not in frozen) for unit in characters]
    expected = [
        left
        for left, whole in zip(trimmed, characters, strict=True)
        if left == whole or "".join(text[i] for i in left).strip()
    ]
    found = [
        tuple(
            i
            for span, owner in zip(units.spans, units.unit_of_span, strict=True)
            for i in range(*span)
            if owner == unit
        )
        for unit in range(units.n_units)
    ]
    assert found == expected


def test_a_unit_with_a_frozen_middle_owns_both_ends():
    units = Words(frozen=[(2, 4)])("abcdef gh")
    assert units.parts == ((0, "ab"), (FRAME, "cd"), (0, "ef "), (1, "gh"))


def test_a_unit_of_which_only_white_space_is_left_joins_the_frame():
    assert Words(frozen=[(0, 2)])("so good").parts == ((FRAME, "so "), (0, "good"))
    assert Characters(frozen=[(0, 2)])("so good").parts[:3] == (
        (FRAME, "so"),
        (0, " "),
        (1, "g"),
    )


def test_patterns_and_functions_name_frozen_spans():
    text = '{"name": "Ann", "age": "3"}'
    keys = re.compile(r'"\w+":')
    units = Words(frozen=keys)(text)
    assert [text[start:stop] for start, stop in units.frozen] == ['"name":', '"age":']
    assert Words(frozen=keys.pattern)(text) == units
    assert Words(frozen=lambda text: [m.span() for m in keys.finditer(text)])(text) == units
    assert Words(frozen="x*")("axxb").frozen == ((1, 3),)


def test_everything_may_be_frozen():
    units = Words(frozen="(?s).+")("so good\n")
    assert units.n_units == 0
    assert units.parts == ((FRAME, "so good\n"),)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 8)], "frozen: every span must .* lie within 0 and 7"),
        ([(-1, 2)], "frozen: every span must .* lie within 0 and 7"),
        ([(2, 2)], "frozen: every span must hold a character"),
        ([(3, 2)], "frozen: every span must hold a character"),
        ([(3, 5), (0, 4)], r"frozen: spans must not overlap; \(3, 5\) begins before 4"),
    ],
)
def test_spans_that_do_not_fit_are_an_error(spans, message):
    with pytest.raises(SegmentationError, match=message):
        Words(frozen=spans)("so good")
    with pytest.raises(SegmentationError, match=message):
        Words(frozen=lambda text: spans)("so good")


@pytest.mark.parametrize("frozen", [3, [1], [(1, 2, 3)], [("a", "b")], "(", b"a"])
def test_frozen_that_is_nothing_of_the_kind_is_an_error(frozen):
    with pytest.raises(ArgumentError, match=r"^frozen: "):
        Words(frozen=frozen)


def test_numpy_integers_are_integers():
    numpy = pytest.importorskip("numpy")
    assert Words(frozen=numpy.array([[0, 2]])) == Words(frozen=[(0, 2)])


def test_a_tree_keeps_the_leaves_that_are_not_frozen():
    units = Units("ab cd e", ((0, 3), (3, 6), (6, 7)), tree=Tree(3, ((1, 2), (0, 3))))
    assert freeze(units, [(0, 1)]).tree == units.tree
    assert freeze(units, [(0, 2)]).tree == Tree(2, ((0, 1),))
    assert freeze(units, [(3, 5)]).tree == Tree(2, ((0, 1),))


@settings(max_examples=60, deadline=None)
@given(first=st.text(max_size=20), second=st.text(max_size=20))
def test_a_pair_is_cut_as_its_two_texts_are(first, second):
    pair, one, two = Words()((first, second)), Words()(first), Words()(second)
    offset = len(first) + 1
    assert pair.spans == one.spans + tuple((a + offset, b + offset) for a, b in two.spans)
    assert pair.segments == ((0, len(first)), (offset, offset + len(second)))
    assert pair.pieces == one.pieces + two.pieces


def test_frozen_spans_of_a_pair_count_in_both_and_patterns_in_each():
    assert Words(frozen=[(3, 10)])(("so good", "so bad")).frozen == ((3, 10),)
    assert Words(frozen=[(3, 10)])(("so good", "so bad")).pieces == ("so ", "bad")
    assert Words(frozen="^so")(("so good", "so bad")).pieces == ("good", "bad")
    assert Words(frozen=r"good\s+so")(("so good", "so bad")).frozen == ()


def test_a_pair_in_two_scripts_has_two_locales():
    assert Words()(("so good", "很好")).locale == "en,zh"
    assert Words()(("so good", " ")).locale == "en"
