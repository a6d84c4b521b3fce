"""The tables of a report: columns, types, and what JSON makes of them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perturbx.exceptions import TableError
from perturbx.fairness.frames import FRAMES, frame, records
from perturbx.fairness.report import FairnessReport

CELLS = {
    "text": st.text(max_size=8),
    "number": st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-9, 9)),
    "count": st.integers(0, 10**12),
    "flag": st.booleans(),
}


@st.composite
def tables(draw):
    found = {}
    for name, columns in FRAMES.items():
        row = st.fixed_dictionaries({column.name: CELLS[column.kind] for column in columns})
        found[name] = draw(st.lists(row, max_size=2))
    return found


def as_json(value):
    return None if isinstance(value, float) and np.isnan(value) else value


@given(tables())
@settings(max_examples=8)
def test_reports_survive_json(rows):
    report = FairnessReport({"n_texts": 3}, {name: frame(name, rows[name]) for name in FRAMES})
    text = report.to_json()
    again = FairnessReport.from_json(text)
    assert again.to_json() == text
    assert again.facts == report.facts
    for name, table in report.frames.items():
        assert table.equals(again.frames[name])
        assert table.dtypes.tolist() == again.frames[name].dtypes.tolist()
        held = json.loads(text)["frames"][name]
        assert held == [{k: as_json(v) for k, v in row.items()} for row in rows[name]]
        assert getattr(report, name) is table


def test_a_column_that_a_row_lacks_is_an_error():
    with pytest.raises(KeyError, match="group"):
        frame("groups", [{"attribute": "a"}])


def test_what_is_infinite_or_missing_is_none():
    row = {column.name: "" if column.kind == "text" else 0 for column in FRAMES["gaps"]}
    table = frame("gaps", [row | {"value": np.inf, "low": -np.inf, "high": None}])
    (found,) = records(table)
    assert (found["value"], found["low"], found["high"]) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "text: is not JSON"),
        ("[" * 100_000, "text: is not JSON"),
        ("[]", "record: expected an object, got list"),
        ("{}", "record: expected format perturbx.FairnessReport/1, got None"),
        ('{"format": "perturbx.FairnessReport/1"}', "record: lacks"),
        ('{"format": "perturbx.FairnessReport/1", "facts": {}, "frames": {}}', "record: lacks"),
    ],
)
def test_what_is_no_report_is_told(text, what):
    with pytest.raises(TableError, match=what):
        FairnessReport.from_json(text)


def test_a_count_that_is_too_large_is_told():
    report = FairnessReport({}, {name: frame(name) for name in FRAMES})
    row = {column.name: "" if column.kind == "text" else 10**30 for column in FRAMES["groups"]}
    whole = report.to_dict()
    with pytest.raises(TableError, match="record: "):
        FairnessReport.from_dict({**whole, "frames": {**whole["frames"], "groups": [row]}})


def test_a_name_that_is_no_table_is_told():
    report = FairnessReport({}, {name: frame(name) for name in FRAMES})
    with pytest.raises(AttributeError, match="has no 'beauty'; its tables are"):
        _ = report.beauty
    assert set(FRAMES) <= set(dir(report))


def test_every_column_says_what_stands_in_it():
    for columns in FRAMES.values():
        assert len({column.name for column in columns}) == len(columns)
        assert all(column.meaning for column in columns)
