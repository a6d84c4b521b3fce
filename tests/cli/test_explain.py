"""The command `perturbx explain`, from the words of the command line to its exit code."""

import json
import warnings
from typing import get_args

import pandas as pd
import pytest
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.explain import ExplainerName
from perturbx.cli.main import app
from perturbx.cli.messages import reporting
from perturbx.cli.options import BUDGETS
from perturbx.explainers import EXPLAINERS
from perturbx.explainers.budget import CALLS_PER_UNIT
from perturbx.scorers.classifier import TransformersClassifier

PRAISE = "the acting is superb"
BLAME = "the plot is dull"
LONG = f"{PRAISE} but {BLAME} and far too long"


def perturbx(*arguments, **how):
    """Run the command in this process."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False, **how)


def explain(*arguments, **how):
    """Run `perturbx explain` and expect it to succeed."""
    done = perturbx("explain", "--seed", 0, *arguments, **how)
    assert done.exit_code == 0, done.stderr
    return done


def json_of(done):
    """Return the explanations on standard output."""
    return [px.Explanation.from_json(line) for line in done.stdout.splitlines()]


@pytest.fixture
def broken_model(monkeypatch):
    """Return a function that makes the model fail with an exception at its second batch."""

    def fail_with(failure):
        score = TransformersClassifier.score
        batches = []

        def score_once(self, variants):
            batches.append(variants)
            if len(batches) > 1:
                raise failure
            return score(self, variants)

        monkeypatch.setattr(TransformersClassifier, "score", score_once)

    return fail_with


def test_the_terminal_view_names_the_words():
    done = explain(PRAISE)
    (direct,) = px.explain("default", [PRAISE], outputs="predicted", random_state=0)
    assert [line.rstrip() for line in done.stdout.splitlines()] == str(direct).splitlines()
    assert "superb" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_same_seed_gives_the_same_numbers():
    text = f"{PRAISE}, yet {BLAME}, and nothing else about it is worth a single word"
    one, two = (explain(text, "--output", "csv", "--budget", "fast").stdout for _ in range(2))
    assert one == two


def test_json_is_an_object_a_line_that_reads_back():
    one, two = json_of(explain(PRAISE, BLAME, "--output", "json"))
    direct = px.explain("default", [PRAISE, BLAME], outputs="predicted", random_state=0)
    assert [one.text, two.text] == [PRAISE, BLAME]
    for read, made in zip([one, two], direct, strict=True):
        assert read.values == pytest.approx(made.values, abs=1e-5)
        assert read.output_names == made.output_names


def test_csv_is_what_pandas_would_show(tmp_path):
    path = tmp_path / "values.csv"
    explain(PRAISE, '"Dull", he said.\nDull!', "--outputs", "all", "-o", path)
    direct = px.explain("default", [PRAISE, '"Dull", he said.\nDull!'], random_state=0)
    written, frame = pd.read_csv(path), direct.to_pandas()
    assert list(written) == list(frame)
    exact = ["text", "unit", "label", "piece", "start", "stop", "output"]
    assert written[exact].to_dict("list") == frame[exact].to_dict("list")
    numbers = ["value", "std_error", "low", "high"]
    assert written[numbers].to_numpy() == pytest.approx(frame[numbers].to_numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.html", "<!"), ("a.csv", "text,unit"), ("a.jsonl", '{"format"'), ("a.JSON", '{"format"')],
)
def test_the_name_of_the_file_chooses_the_format(tmp_path, name, begin):
    done = explain(PRAISE, "-o", tmp_path / name)
    assert (tmp_path / name).read_text("utf-8").lower().startswith(begin)
    assert done.stdout == ""
    assert done.stderr == f"wrote {tmp_path / name}\n"


def test_the_format_asked_for_wins(tmp_path):
    explain(PRAISE, "--output", "json", "-o", tmp_path / "a.html")
    assert json.loads((tmp_path / "a.html").read_text("utf-8"))["text"] == PRAISE


def test_a_text_file_is_plain(tmp_path):
    explain(PRAISE, "-o", tmp_path / "a.txt", env={"FORCE_COLOR": "1"})
    written = (tmp_path / "a.txt").read_text("utf-8")
    assert "superb" in written
    assert "\x1b" not in written


def test_colours_can_be_forced_and_forbidden():
    assert "\x1b[" in explain(PRAISE, env={"FORCE_COLOR": "1", "NO_COLOR": None}).stdout
    assert "\x1b[" not in explain(PRAISE, env={"FORCE_COLOR": None, "NO_COLOR": "1"}).stdout


def test_the_predicted_output_comes_first():
    one, two = (explain(text, "--outputs", "all").stdout for text in (PRAISE, BLAME))
    assert one.index("POSITIVE") < one.index("NEGATIVE")
    assert two.index("NEGATIVE") < two.index("POSITIVE")


def test_outputs_can_be_named():
    names = ["NEGATIVE", "POSITIVE"]
    (read,) = json_of(
        explain(PRAISE, "--output", "json", "--outputs", names[0], "--outputs", names[1])
    )
    assert list(read.output_names) == names


@pytest.mark.parametrize("name", get_args(ExplainerName))
def test_every_explainer_can_be_chosen(name):
    (read,) = json_of(explain(PRAISE, "--explainer", name, "--output", "json"))
    (direct,) = px.explain("default", [PRAISE], explainer=name, outputs="predicted", random_state=0)
    assert read.method == direct.method
    assert read.values == pytest.approx(direct.values, abs=1e-5)


def test_the_choices_are_those_of_the_library():
    assert list(get_args(ExplainerName)) == list(EXPLAINERS)
    assert set(BUDGETS) == set(CALLS_PER_UNIT)


def test_every_option_reaches_the_explainer():
    text = f"{PRAISE}.\n\n{BLAME}."
    options = ["--units", "characters", "--masker", "unk", "--budget", 60, "--link", "log_odds"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (read,) = json_of(explain(text, *options, "--output", "json", "--batch-tokens", 500))
    assert read.units.level == "characters"
    assert read.link == "log_odds"
    assert len(read.table) == 60
    assert "unk" in read.table.provenance["masker"].lower()
    assert read.table.provenance["seed"] == 0


def test_a_multiline_text_from_a_pipe_is_one_text():
    (read,) = json_of(explain("--output", "json", input=f"{PRAISE}\n{BLAME}\n"))
    assert read.text == f"{PRAISE}\n{BLAME}"


def test_a_file_gives_a_text_a_row(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text(f"id,comment\n1,{PRAISE}\n2,{BLAME}\n")
    done = explain("--input", path, "--column", "comment")
    assert "text 1 of 2" in done.stdout
    assert "text 2 of 2" in done.stdout


def test_one_table_is_a_file(tmp_path):
    explain(PRAISE, "--save-table", tmp_path / "table.npz")
    table = px.ScoreTable.load(tmp_path / "table.npz")
    assert table.units.text == PRAISE
    assert table.output_names == ("NEGATIVE", "POSITIVE")


def test_many_tables_are_a_folder(tmp_path):
    words = ["good", "bad", "dull", "fine", "nice", "poor", "great", "awful", "weak", "best"]
    done = explain(*words, "--save-table", tmp_path / "new" / "tables", "--quiet")
    saved = sorted((tmp_path / "new" / "tables").iterdir())
    assert [px.ScoreTable.load(path).units.text for path in saved] == words
    assert done.stderr == ""


def test_a_folder_of_more_tables_is_refused_before_any_call(tmp_path):
    explain(PRAISE, BLAME, LONG, "--save-table", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersClassifier, "score", None)
        for texts in ([PRAISE, BLAME], [f"{PRAISE} {i}" for i in range(10)]):
            done = perturbx("explain", *texts, "--save-table", tmp_path)
            assert done.exit_code == 2
            assert "--save-table" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    explain(PRAISE, BLAME, LONG, "--resume", tmp_path, "--save-table", tmp_path)


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("a\nb"), 1, "error: model: raised ValueError: a b;"),
    ],
)
def test_an_unfinished_run_keeps_what_was_paid_for(tmp_path, broken_model, failure, code, said):
    broken_model(failure)
    options = ["--seed", 0, "--batch-tokens", 100, "--save-table", tmp_path]
    done = perturbx("explain", PRAISE, BLAME, *options)
    note, message = done.stderr.splitlines()
    assert done.exit_code == code
    assert message.startswith(said)
    assert done.stdout == ""
    tables = [px.ScoreTable.load(tmp_path / f"{number}.npz") for number in (1, 2)]
    n_scored = sum(map(len, tables))
    assert note == f"saved the {n_scored} scores of the unfinished run to {tmp_path}"
    assert 0 < n_scored < 32


def test_a_saved_unfinished_run_goes_on(tmp_path, broken_model, monkeypatch):
    broken_model(KeyboardInterrupt())
    perturbx("explain", PRAISE, "--batch-tokens", 60, "--save-table", tmp_path / "part.npz")
    monkeypatch.undo()
    part = px.ScoreTable.load(tmp_path / "part.npz")
    (resumed,) = px.ShapleyExplainer("default").explain([PRAISE], tables=[part])
    (direct,) = px.ShapleyExplainer("default").explain([PRAISE])
    assert len(part) < len(resumed.table)
    assert resumed.values == pytest.approx(direct.values, abs=1e-5)


def test_a_stopped_run_is_resumed(tmp_path, broken_model, monkeypatch):
    broken_model(KeyboardInterrupt())
    options = ["--seed", 0, "--batch-tokens", 60, "--save-table", tmp_path / "tables"]
    assert perturbx("explain", PRAISE, LONG, *options).exit_code == 130
    monkeypatch.undo()
    part = [px.ScoreTable.load(path) for path in sorted((tmp_path / "tables").iterdir())]
    assert 0 < sum(map(len, part)) < 40
    end = json_of(explain(PRAISE, LONG, "--resume", tmp_path / "tables", "--output", "json"))
    whole = px.explain("default", [PRAISE, LONG], outputs="predicted", random_state=0)
    for read, made, begun in zip(end, whole, part, strict=True):
        assert read.values == pytest.approx(made.values, abs=1e-4)
        assert set(map(bytes, begun.masks)) <= set(map(bytes, read.table.masks))


def test_the_results_of_a_run_can_be_bought_on_top_of(tmp_path, monkeypatch):
    first = explain(PRAISE, LONG, "--budget", "fast", "-o", tmp_path / "a.json", "--quiet")
    assert first.stdout == ""
    asked = []
    score = TransformersClassifier.score

    def counted(self, variants):
        asked.append(len(variants))
        return score(self, variants)

    monkeypatch.setattr(TransformersClassifier, "score", counted)
    options = ["--resume", tmp_path / "a.json", "--output", "json", "--budget"]
    same = json_of(explain(PRAISE, LONG, *options, "fast"))
    assert asked == []
    more = json_of(explain(PRAISE, LONG, *options, "high"))
    assert more[1].n_calls > same[1].n_calls
    assert sum(asked) == more[1].n_calls - same[1].n_calls


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[1, 2]", "is neither what"),
        ("a.json", "[" * 100_000, "is neither what"),
        ("a.npz", "no table", "is neither what"),
        ("a.jsonl", "", "holds the scores of 0 texts"),
    ],
)
def test_what_cannot_be_resumed(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    done = perturbx("explain", PRAISE, "--resume", tmp_path / name)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: --resume: ")
    assert said in done.stderr
    explain(BLAME, "--save-table", tmp_path / "other.npz")
    done = perturbx("explain", PRAISE, "--resume", tmp_path / "other.npz")
    assert "are not the 1 texts given" in done.stderr
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:-30])
    done = perturbx("explain", BLAME, "--resume", tmp_path / "cut.npz")
    assert done.exit_code == 1
    assert "is neither what --save-table nor" in done.stderr


def test_a_looser_tolerance_costs_less():
    loose, tight = (
        json_of(explain(LONG, "--output", "json", "--tolerance", tolerance))[0]
        for tolerance in (0.9, 0.02)
    )
    assert loose.n_calls < tight.n_calls
    (separated,) = json_of(
        explain(LONG, "--output", "json", "--tolerance", 0.001, "--top-k", 1, "--link", "log_odds")
    )
    assert separated.budget_report.reason in ("top_k", "cap")


def test_an_estimate_calls_nothing(tmp_path, monkeypatch):
    def never(self, variants):
        raise AssertionError

    monkeypatch.setattr(TransformersClassifier, "score", never)
    done = explain(PRAISE, LONG, "--estimate", "--save-table", tmp_path / "tables")
    cost = px.ShapleyExplainer("default", random_state=0).estimate_cost([PRAISE, LONG])
    assert done.stdout == f"{cost}\n"
    assert "tokens" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tolerance", "0", PRAISE], "error: tolerance: expected"),
        (["--tolerance", "0.2", "--budget", "60", PRAISE], "error: tolerance: ends the rounds"),
        (["--top-k", "2", "--explainer", "occlusion", PRAISE], "error: top_k: OcclusionExpl"),
        (["--model", "./no/such/model", PRAISE], "error: model: there is no folder"),
        (["--model", "gopher:x", PRAISE], "error: model: 'gopher:' is not a known prefix"),
        (["--outputs", "maybe", PRAISE], "error: outputs: expected"),
        (["--device", "abacus", PRAISE], "error: device"),
        (["--explainer", "occlusion", "--budget", "2", PRAISE], "error: budget: leaving out"),
        (["--input", "-"], "error: --input: standard input: holds no text"),
    ],
)
def test_errors_are_one_line_on_standard_error(arguments, said):
    done = perturbx("explain", *arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", "missing.csv"],
        ["--input", "."],
        ["--explainer", "magic", PRAISE],
        ["--budget", "lots", PRAISE],
        ["--budget", "0", PRAISE],
        ["--batch-tokens", "-1", PRAISE],
        ["--link", "logit", PRAISE],
        ["--output", "pdf", PRAISE],
        ["--seed", "x", PRAISE],
        ["-o", "no/such/folder/a.html", PRAISE],
        ["--save-table", "table.npz", PRAISE, BLAME],
        ["--resume", "missing.npz", PRAISE],
        ["--top-k", "few", PRAISE],
        ["--save-table", "no/such/folder/table.npz", PRAISE],
        ["--save-table", "README", PRAISE],
        ["--frobnicate"],
        ["\udcff"],
    ],
)
def test_wrong_options_are_usage_errors(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README").touch()
    done = perturbx("explain", *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage: perturbx explain" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["README"]


@pytest.mark.parametrize("method", ["auto", "similarity"])
def test_a_model_behind_an_api_is_told_what_it_may_answer(method):
    server = ["--base-url", "http://127.0.0.1:9/v1", "--method", method]
    done = perturbx("explain", "--model", "openai:x", *server, PRAISE)
    assert done.exit_code == 2
    assert "--labels" in done.stderr
    assert "explain-prompt" in done.stderr


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line(capsys):
    with reporting():
        warnings.warn("the fit is\npoor", px.PoorFitWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: the fit is poor\n"


def test_json_is_utf8_whatever_the_terminal_speaks():
    done = CliRunner(charset="ascii").invoke(app, ["explain", "如此美好", "--output", "json"])
    assert px.Explanation.from_json(done.stdout_bytes.decode("utf-8")).text == "如此美好"


def test_an_empty_text_is_explained_by_nothing():
    (read,) = json_of(explain("", "--output", "json"))
    assert read.units.n_units == 0
    assert read.values.shape == (0, 1)
