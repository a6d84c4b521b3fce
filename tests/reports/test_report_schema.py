import json
from importlib import resources

import jsonschema
import pytest

from perturbx.fairness.frames import FRAMES
from perturbx.fairness.report import FairnessReport
from perturbx.reports.audit_schema import NAME, schema, schema_text


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def test_the_file_is_what_the_tables_give():
    found = (resources.files("perturbx.reports") / NAME).read_text(encoding="utf-8")
    assert found == schema_text(), "run python -m perturbx.reports.audit_schema"


@pytest.mark.parametrize("few", [(), ("men",)])
@pytest.mark.parametrize("facts", [None, {}])
def test_reports_are_as_it_says_and_come_back(audit_report, validator, few, facts):
    report = audit_report(few=few, facts=facts, outcomes=("toxic", "threat"))
    record = json.loads(report.to_json())
    validator.validate(record)
    again = FairnessReport.from_json(report.to_json())
    assert again.to_dict() == record


def test_an_empty_report_is_one(audit_report, validator):
    validator.validate(json.loads(audit_report(without=tuple(FRAMES)).to_json()))


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_is_needed_and_no_other_is_allowed(audit_report, validator, name):
    record = json.loads(audit_report().to_json())
    row = record["frames"][name][0]
    for column in FRAMES[name]:
        value = row.pop(column.name)
        assert not validator.is_valid(record)
        row[column.name] = [value]
        assert not validator.is_valid(record)
        row[column.name] = None
        assert validator.is_valid(record) == (column.kind == "number")
        row[column.name] = value
    assert validator.is_valid(record)
    row["another"] = 1
    assert not validator.is_valid(record)


def test_every_column_says_what_stands_in_it():
    tables = schema()["properties"]["frames"]["properties"]
    for name, columns in FRAMES.items():
        own = tables[name]["items"]["properties"]
        assert {key: value["description"] for key, value in own.items()} == {
            column.name: column.meaning for column in columns
        }
