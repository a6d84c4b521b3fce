"""What a table of labelled texts keeps, and what it refuses."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturbx.exceptions import ArgumentError
from perturbx.fairness.labelled_texts import LabelledTexts


@st.composite
def tables(draw):
    n = draw(st.integers(0, 6))

    def column(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    return LabelledTexts(
        column(st.text(max_size=5)),
        draw(st.sampled_from([None, column(st.integers(0, 1))])),
        groups={"g": column(st.sampled_from(["a", "b", None]))},
        clusters=draw(st.sampled_from([None, column(st.integers(0, 2))])),
        extra={"x": column(st.floats(0, 1) | st.none()), "pair": column(st.just((1, 2)))},
    )


def columns(table):
    named = {"text": table.texts, "label": table.labels, "cluster": table.clusters}
    return {k: v for k, v in (named | table.groups | table.extra).items() if v is not None}


@given(tables(), st.data())
def test_rows_are_taken_from_every_column(table, data):
    n = len(table)
    chosen = data.draw(st.lists(st.integers(-n, n - 1), max_size=8)) if n else []
    taken = columns(table.rows(chosen))
    assert taken == {k: tuple(v[i] for i in chosen) for k, v in columns(table).items()}


@given(tables(), st.data())
def test_a_mask_a_slice_and_row_numbers_agree(table, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)))
    numbers = [i for i, kept in enumerate(mask) if kept]
    if mask:
        assert table.rows(mask) == table.rows(numbers) == table.rows(np.array(mask))
    assert table.rows(slice(1, None, 2)) == table.rows(range(1, len(table), 2))
    assert table.rows(range(len(table))) == table
    assert len(table.rows([])) == 0


@given(tables())
def test_a_table_of_pandas_holds_the_same(table):
    frame = table.to_pandas()
    assert list(frame) == ["text"] + [
        name for name in ("label", "g", "cluster", "x", "pair") if name in columns(table)
    ]
    for name, values in columns(table).items():
        assert tuple(frame[name]) == values
    again = LabelledTexts(
        frame["text"],
        frame["label"] if table.labels is not None else None,
        groups={"g": frame["g"]},
        clusters=frame["cluster"] if table.clusters is not None else None,
        extra={"x": frame["x"], "pair": frame["pair"]},
    )
    assert again == table == pickle.loads(pickle.dumps(table)) == copy.deepcopy(table)


def test_columns_of_numpy_and_pandas_become_plain_values():
    frame = pd.DataFrame({"text": ["a", "b"], "group": ["f", None], "label": [1, 0]})
    table = LabelledTexts(
        frame["text"],
        frame["label"].to_numpy(),
        groups={"g": frame["group"], "h": [float("nan"), "x"], "i": [pd.NA, "x"]},
        clusters=np.array([3, 4]),
    )
    assert table.groups == {"g": ("f", None), "h": (None, "x"), "i": (None, "x")}
    assert repr((table.labels, table.clusters)) == "((1, 0), (3, 4))"
    assert table.group_names("g") == ("f",)


def test_it_cannot_be_changed_from_outside():
    texts, groups = ["a"], {"g": ["x"]}
    table = LabelledTexts(texts, groups=groups)
    texts.append("b")
    groups["g"].append("y")
    groups["h"] = ["z"]
    assert columns(table) == {"text": ("a",), "g": ("x",)}
    with pytest.raises(AttributeError):
        table.texts = ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "ab"}, "texts: expected a sequence"),
        ({"texts": ["a", 1]}, "texts: expected str; got int 1 in row 1"),
        ({"labels": [1]}, "labels: 1 entries for 2 texts"),
        ({"labels": 1}, "labels: expected a sequence"),
        ({"clusters": [1, 2, 3]}, "clusters: 3 entries for 2 texts"),
        ({"groups": {"g": ["x"]}}, r"groups\['g'\]: 1 entries for 2 texts"),
        ({"groups": {"g": ["x", 7]}}, r"groups\['g'\]: expected str or None; got int 7 in row 1"),
        ({"groups": [["x", "y"]]}, "groups: expected a mapping"),
        ({"groups": {"label": ["x", "y"]}}, "other than text, label, cluster; got 'label'"),
        ({"groups": {"g": ["x", "y"]}, "extra": {"g": [1, 2]}}, "'g' is an attribute too"),
        ({"extra": {"e": [1]}}, r"extra\['e'\]: 1 entries"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        LabelledTexts(**({"texts": ["a", "b"]} | arguments))


def test_rows_and_attributes_that_are_not_there():
    table = LabelledTexts(["a", "b"], groups={"g": ["x", "y"]}, name="mine")
    for indices in ([2], [-3]):
        with pytest.raises(ArgumentError, match="of 2 texts"):
            table.rows(indices)
    with pytest.raises(ArgumentError, match="mask of shape"):
        table.rows([True])
    with pytest.raises(ArgumentError, match="row numbers or a mask; got"):
        table.rows([0.5])
    with pytest.raises(ArgumentError, match="mine has no 'h'; its attributes are 'g'"):
        table.groups_of("h")
