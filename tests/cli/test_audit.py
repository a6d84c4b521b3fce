"""`perturbx audit` and `perturbx compare`, from the command line to the exit code."""

import csv
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.main import app

MODULE = """
def biased(texts):
    return [0.5 - 0.3 * ("woman" in t) + 0.2 * ("great" in t) for t in texts]

def fair(texts):
    return [0.5 + 0.2 * ("great" in t) for t in texts]

class Holder:
    model = staticmethod(fair)
"""


def perturbx(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a data set and a module with two models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    (tmp_path / "my_models.py").write_text(MODULE, encoding="utf-8")
    with (tmp_path / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["post", "good", "about", "author"])
        for number in range(40):
            for who in ("woman", "man"):
                kind = "great" if number % 2 else "dull"
                label = "yes" if number % 2 else "no"
                writer.writerow([f"The {who} sold a {kind} book, {number}.", label, who, number])
    yield tmp_path
    sys.modules.pop("my_models", None)


def audit(folder, *more, model="biased"):
    return perturbx(
        *("audit", folder / "data.csv", "--text", "post", "--label", "good", "--group", "about"),
        *("--positive-label", "yes", "-m", f"python:my_models:{model}", "--seed", 0, "-q"),
        *("--explained", 10, "--swaps", 30, *more),
    )


def test_verdicts_are_printed_and_reports_written(folder):
    paths = [folder / f"report.{ending}" for ending in ("html", "json", "md")]
    done = audit(folder, *(part for path in paths for part in ("-o", path)))
    assert done.exit_code == 0, done.stderr
    assert "mean score" in done.stdout
    page, record, words = (path.read_text(encoding="utf-8") for path in paths)
    assert page.startswith("<!DOCTYPE html>")
    report = px.FairnessReport.from_json(record)
    assert report.facts["dataset"] == "data.csv"
    assert report.verdicts[0].text.split(".")[0] in words
    (gap,) = report.gaps[report.gaps.metric == "mean_score"][lambda t: t.kind == "difference"].value
    assert gap == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("condition", "model", "confident", "code"),
    [
        ("equal_opportunity_difference > 0.1", "biased", False, 3),
        ("equal_opportunity_difference > 0.1", "fair", False, 0),
        ("about: demographic_parity_ratio < 0.8", "biased", True, 3),
        ("mean_score_difference > 0.3000001", "biased", False, 0),
        ("demographic_parity_difference > 0.4", "biased", False, 3),
        ("demographic_parity_difference > 0.98", "biased", True, 0),
    ],
)
def test_gates(folder, condition, model, confident, code):
    more = ["--confident"] if confident else []
    done = audit(folder, "--fail-if", condition, *more, model=model)
    assert done.exit_code == code, done.stderr
    assert ("failed: " in done.stderr) == (code == 3)


@pytest.mark.parametrize(
    ("attribute", "crossed", "is_audited"),
    [
        ("about", False, True),
        ("gender", False, True),
        ("shoes", False, False),
        ("about & gender", False, False),
        ("about & gender", True, True),
        ("about & shoes", True, False),
    ],
)
def test_gates_on_what_is_not_audited_are_refused_before_any_call(
    folder, attribute, crossed, is_audited
):
    gate = f"{attribute}: mean_score_difference > 0.9"
    more = ["--intersections"] if crossed else []
    model = "biased" if is_audited else "no_such_model"
    done = audit(folder, "--lexicon", "gender", "--fail-if", gate, *more, model=model)
    assert done.exit_code == (0 if is_audited else 2), done.stderr
    assert is_audited or f"{attribute!r} is not audited" in " ".join(done.stderr.split())


def test_a_report_that_cannot_be_written_is_printed(folder, monkeypatch):
    (folder / "kept.json").mkdir()
    early = audit(folder, "-o", "kept.json", model="no_such_model")
    assert (early.exit_code, early.stdout) == (2, "")
    assert "--output-file" in early.stderr

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    late = audit(folder, "-o", "report.html")
    assert late.exit_code == 1
    assert "man" in late.stdout
    assert "error: --output-file: [Errno 28]" in late.stderr


def test_json_goes_to_standard_output(folder):
    done = audit(folder, "--output", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["format"] == "perturbx.FairnessReport/1"


def test_groups_by_lexicon_and_an_attribute_of_an_object(folder):
    done = perturbx(
        *("audit", folder / "data.csv", "--text", "post", "--lexicon", "gender", "-q", "--seed", 0),
        *("-m", "python:my_models:Holder.model", "--explained", 0, "--swaps", 0),
        *("--output", "json"),
    )
    assert done.exit_code == 0, done.stderr
    assert set(px.FairnessReport.from_json(done.stdout).groups.group) == {"female", "male"}


def test_estimate_calls_nothing(folder):
    done = audit(folder, "--estimate", model="biased")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("about ")


@pytest.mark.parametrize("model", ["default", "python:my_models:biased"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--base-url", "http://x/v1"), ("--labels", "a,b"), ("--prompt-template", "data.csv")),
        *(("--system", "be kind"), ("--method", "votes"), ("--samples", 3), ("--max-calls", 3)),
        *(("--max-tokens", 3), ("--max-cost", 1), ("--prices", "1,2"), ("--concurrency", 2)),
        *(("--requests-per-minute", 9), ("--tokens-per-minute", 9), ("--cache", "c.sqlite")),
    ],
)
def test_options_for_an_api_are_refused_with_other_models(folder, model, option, value):
    done = perturbx("audit", "data.csv", "--group", "about", "-m", model, option, value)
    assert done.exit_code == 2
    assert f"Invalid value for {option}:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.csv", "--group", "about"], 2, "there is no file nowhere.csv"),
        (["data.csv"], 2, "say which groups"),
        (["data.csv", "--group", "about", "-o", "x.pdf"], 2, "ends in .html, .json or .md"),
        (["data.csv", "--group", "about", "-o", "no/x.html"], 2, "missing"),
        (["data.csv", "--group", "about"], 1, "no column 'text'"),
        (["data.csv", "--text", "post", "--group", "shoes"], 1, "no column 'shoes'"),
        (["data.csv", "--text", "post", "--lexicon", "shoes"], 1, "expected one of"),
        (["data.csv", "--text", "post", "--group", "about", "--fail-if", "x > 1"], 1, "gate: "),
        (["data.csv", "--text", "post", "--group", "about", "-m", "python:none:x"], 1, "import"),
        (["data.csv", "--text", "post", "--group", "about", "-m", "python:json:x"], 1, "has no"),
        (["data.csv", "--text", "post", "--group", "about", "-m", "python:json"], 1, "MODULE:OBJ"),
        (["data.csv", "--group", "about", "--max-calls", "3"], 2, "behind an API"),
        (
            ["twice.csv", "--group", "g", "-m", "python:my_models:fair"],
            1,
            "more than one column 'g'",
        ),
        (["data.csv", "--group", "about", "--confident"], 2, "is about a --fail-if"),
    ],
)
def test_errors(folder, arguments, code, message):
    Path("twice.csv").write_text("text,g,g\na,f,m\n", "utf-8")
    done = perturbx("audit", "-q", *arguments)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_two_audits_compared(folder):
    for name in ("biased", "fair"):
        assert audit(folder, "-o", folder / f"{name}.json", model=name).exit_code == 0
    same = perturbx("compare", "biased.json", "biased.json", "--fail-if-moved")
    assert same.exit_code == 0
    assert same.stdout.startswith("0 of ")
    moved = perturbx("compare", "biased.json", "fair.json", "--fail-if-moved")
    assert moved.exit_code == 3
    assert "mean_score_difference of man and woman went from +0.3 to +0" in moved.stdout
    rows = json.loads(perturbx("compare", "biased.json", "fair.json", "--output", "json").stdout)
    assert any(row["moved"] for row in rows)
    table = perturbx("compare", "biased.json", "fair.json", "--output", "csv").stdout
    assert table.startswith("attribute,outcome,metric,kind,group_a,group_b,first,second,change")
    assert perturbx("compare", "nowhere.json", "fair.json").exit_code == 2
    for name, content in (("odd.json", "{}"), ("page.json", "<p>")):
        (folder / name).write_text(content, encoding="utf-8")
        done = perturbx("compare", "fair.json", name)
        assert done.exit_code == 1
        assert done.stderr.startswith(f"error: {name} is no report of an audit (")
    marked = (folder / "fair.json").read_text(encoding="utf-8")
    assert px.FairnessReport.from_json("\ufeff" + marked).facts
    (folder / "marked.json").write_text(marked, encoding="utf-8-sig")
    assert perturbx("compare", "fair.json", "marked.json").exit_code == 0
    (folder / "latin.json").write_text('{"a": "é"}', encoding="latin-1")
    done = perturbx("compare", "fair.json", "latin.json")
    assert done.exit_code == 2
    assert "not UTF-8" in done.stderr
