"""What is written: tried before anything is paid for, and never lost afterwards."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import perturbx as px
from perturbx.cli.main import app
from perturbx.cli.outputs import check_takes_files, check_writable
from perturbx.scorers.classifier import TransformersClassifier
from perturbx.surrogates import ExactShapley

PRAISE = "the acting is superb"


def perturbx(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write to")
@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--output-file", "/proc/x.html"),
        ("--output-file", "folder.html"),
        ("--save-table", "/proc/x.npz"),
        ("--save-table", "/proc/x"),
        ("--save-table", "/proc/self"),
    ],
)
def test_what_cannot_be_written_is_told_before_any_call(tmp_path, monkeypatch, option, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    monkeypatch.setattr(TransformersClassifier, "score", None)
    done = perturbx("explain", PRAISE, option, path)
    assert done.exit_code == 2
    assert option in done.stderr


def test_a_file_is_tried_without_a_trace(tmp_path):
    old, new, link = (tmp_path / name for name in ("old", "new", "link"))
    old.write_text("kept", encoding="utf-8")
    link.symlink_to(new)
    for path in (old, new, link):
        check_writable(path, "--output-file")
    check_takes_files(tmp_path, "--save-table")
    assert {path.name for path in tmp_path.iterdir()} == {"old", "link"}
    assert old.read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize("option", ["--output-file", "--save-table"])
def test_results_that_cannot_be_written_are_printed(tmp_path, monkeypatch, option):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        *((Path, "write_bytes") if option[2] == "o" else (px.ScoreTable, "save")), full
    )
    done = perturbx("explain", PRAISE, "--seed", 0, option, tmp_path / "x.npz")
    assert done.exit_code == 1
    assert done.stdout == perturbx("explain", PRAISE, "--seed", 0).stdout
    assert done.stderr == f"error: {option}: [Errno 28] No space left on device\n"


def test_what_is_paid_is_saved_whatever_goes_wrong_afterwards(tmp_path, monkeypatch):
    def fails(self, tables):
        raise px.SurrogateError("no line through this")

    with monkeypatch.context() as context:
        context.setattr(ExactShapley, "fit", fails)
        done = perturbx("explain", "so good", "--save-table", tmp_path / "t.npz")
    assert done.exit_code == 1
    assert "no line through this" in done.stderr
    assert len(px.ScoreTable.load(tmp_path / "t.npz")) == 4
    monkeypatch.setattr(TransformersClassifier, "score", None)
    assert perturbx("explain", "so good", "--resume", tmp_path / "t.npz").exit_code == 0
