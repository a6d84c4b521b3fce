"""Groups by columns and by words in the texts."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.fairness.grouping import (
    EVERYONE,
    attribute,
    attributes_in_texts,
    columns_of,
    intersections,
    joined,
    with_everyone,
)
from perturbx.lexicons import load_lexicon

pd = pytest.importorskip("pandas")

NAMES = st.sampled_from(["a", "b", "c", "d"])
CELLS = st.one_of(st.none(), NAMES, st.frozensets(NAMES), st.lists(NAMES, max_size=3))
COLUMNS = st.lists(CELLS, min_size=1, max_size=20)


def named(found):
    return [set(found.names_of(row)) for row in range(found.members.shape[0])]


def as_set(cell):
    return set() if cell is None else {cell} if isinstance(cell, str) else set(cell)


@given(COLUMNS)
def test_each_row_is_of_the_groups_of_its_cell(column):
    found = attribute("g", column)
    assert named(found) == [as_set(cell) for cell in column]
    assert found.groups == tuple(sorted(set().union(*map(as_set, column))))
    for number, group in enumerate(found.groups):
        rows = [row for row, cell in enumerate(column) if group in as_set(cell)]
        assert found.rows_of_group[number].tolist() == rows
        assert found.sizes[number] == len(rows)


@given(COLUMNS, st.data())
def test_pieces_joined_are_the_whole(column, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(column)), max_size=3)) | {0, len(column)})
    pieces = [attribute("g", column[a:b]) for a, b in pairwise(cuts)]
    whole = attribute("g", column)
    found = joined(pieces)
    assert (found.groups, named(found)) == (whole.groups, named(whole))
    np.testing.assert_array_equal(found.sizes, whole.sizes)


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ([["a"], ["a "]], "the groups 'a' and 'a ' differ in white space only"),
        ([range(700), range(700, 1400)], "has 1400 different values, which are no groups"),
    ],
)
def test_what_no_piece_shows_is_told_of_all_together(pieces, what):
    with pytest.raises(ArgumentError, match=what):
        joined([attribute("g", piece) for piece in pieces])


@given(COLUMNS, st.data())
def test_some_rows_keep_their_groups(column, data):
    whole = attribute("g", column)
    at = data.draw(st.lists(st.integers(0, len(column) - 1), max_size=9))
    found = whole.rows(np.array(at, dtype=int))
    assert named(found) == [named(whole)[row] for row in at]
    assert found.groups == whole.groups


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=15), st.sampled_from([2, 3]))
def test_intersections_are_all_combinations_that_occur(rows, depth):
    columns = list(zip(*rows, strict=True))
    attributes = [attribute(name, column) for name, column in zip("xyz", columns, strict=True)]
    found = intersections(attributes, depth)
    assert len(found) == {2: 3, 3: 1}[depth]
    for crossed in found:
        own = ["xyz".index(name) for name in crossed.name.split(" & ")]
        expected = [
            {" & ".join(some) for some in product(*(sorted(as_set(row[i])) for i in own))}
            for row in rows
        ]
        assert named(crossed) == expected
        assert set(crossed.groups) == set().union(*expected)
        assert crossed.origin == "intersection"
        assert (crossed.sizes > 0).all()


@pytest.mark.parametrize(
    ("column", "groups", "n"),
    [
        ([1, 2, 2, 1], ("1", "2"), 4),
        ([1, 2.0, 2, float("nan")], ("1", "2"), 3),
        ([0.5, 2], ("0.5", "2"), 2),
        ([True, False, None], ("False", "True"), 2),
        (["", "x"], ("x",), 1),
        ([pd.NA, "x", pd.NaT, None, float("nan")], ("x",), 1),
        (np.array([1, 3], dtype=np.int8), ("1", "3"), 2),
        (np.array([1, np.nan], dtype=np.float32), ("1",), 1),
        (np.array(["b", "a"]), ("a", "b"), 2),
        (np.array([True, False]), ("False", "True"), 2),
        (pd.Series(["u", None, "v"], index=[7, 7, 9]), ("u", "v"), 2),
        (pd.Series(["u", "v"], dtype="category"), ("u", "v"), 2),
        (pd.array([1, None], dtype="Int64"), ("1",), 1),
        ([10, 9, 100], ("9", "10", "100"), 3),
        ([np.str_("x"), "x"], ("x",), 2),
    ],
)
def test_what_a_column_may_hold(column, groups, n):
    found = attribute("g", column)
    assert found.groups == groups
    assert found.sizes.sum() == n


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (["a", 1], r"sensitive_features\['g'\]: holds values of several types \(int, str\)"),
        ([True, 1], r"several types \(bool, int\)"),
        ([("a", 1.5)], r"several types \(float, str\)"),
        ([{"a": 1}], r"sensitive_features\['g'\]: expected strings, numbers or booleans; got dict"),
        ([b"a"], "got bytes"),
        (range(1001), "has 1001 different values, which are no groups"),
        (["x", EVERYONE], r"has a group named '\(all\)'"),
        (["x", "a \ud800"], r"sensitive_features\['g'\]: 'a \\ud800' holds a lone surrogate"),
    ],
)
def test_what_is_no_column_is_told(column, what):
    with pytest.raises(ArgumentError, match=what):
        attribute("g", column)


@pytest.mark.parametrize(
    ("given_features", "names"),
    [
        ({"sex": ["f"], 3: ["x"]}, ["sex", "3"]),
        (pd.DataFrame({"sex": ["f"], "age": [3]}), ["sex", "age"]),
        (pd.Series(["f"], name="sex"), ["sex"]),
        (pd.Series(["f"]), ["group"]),
        (["f", "m"], ["group"]),
        (np.array([["f", "x"]]), ["group 1", "group 2"]),
    ],
)
def test_columns_have_names(given_features, names):
    assert list(columns_of(given_features)) == names


def test_two_columns_of_one_name_are_told():
    with pytest.raises(ArgumentError, match="has more than one column '3'"):
        columns_of({3: ["f"], "3": ["x"]})


@pytest.mark.parametrize("given_features", ["f", 3])
def test_what_is_no_features_is_told(given_features):
    with pytest.raises(ArgumentError, match="sensitive_features: expected a column, or a mapping"):
        columns_of(given_features)


def test_texts_are_of_the_groups_that_they_mention():
    lexicon = load_lexicon("gender")
    texts = ["She met him.", "Nothing.", "My father", ""]
    (found,) = attributes_in_texts(texts, [lexicon, lexicon])
    assert (found.name, found.origin) == (lexicon.attribute, "text")
    assert named(found) == [{"female", "male"}, set(), {"male"}, set()]
    pieces = [attributes_in_texts(part, [lexicon])[0] for part in (texts[:1], texts[1:])]
    assert named(joined(pieces)) == named(found)


@given(COLUMNS)
def test_everyone_is_the_last_group(column):
    members = attribute("g", column).members
    found = with_everyone(members).toarray()
    assert found[:, -1].all()
    np.testing.assert_array_equal(found[:, :-1], members.toarray())
