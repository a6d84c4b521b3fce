"""The outputs that the README shows are those of the present code."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")

LAST_DIGIT = 0.011
"""Another machine may round differently."""


def rows_of(output):
    """Return the decimal numbers of each line by all else in it but the bars."""
    rows = {}
    for line in output.splitlines():
        numbers = re.findall(r"[+-]?\d+\.\d+", line)
        rest = re.sub(r"[+-]?\d+\.\d+|[│█▌▐]", " ", line)
        rows[" ".join(rest.split())] = [float(number) for number in numbers]
    return rows


def test_the_first_command_prints_what_is_shown():
    command, shown = re.search(r"    \$ (perturbx .+)\n\n((?:    .+\n|\n)+)", README).groups()
    printed = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        check=True,
    ).stdout
    expected, found = rows_of(shown), rows_of(printed)
    assert found.keys() == expected.keys()
    for words, numbers in expected.items():
        assert found[words] == pytest.approx(numbers, abs=LAST_DIGIT), words


def test_the_first_lines_of_python_give_what_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)[1]
    said = re.search(r"as_list\(\)  # \[(.+), \.\.\.\]", code)[1]
    names = {}
    exec(code, names)
    expected = ast.literal_eval(f"[{said}]")
    found = names["explanation"].as_list()[: len(expected)]
    assert [label for label, _ in found] == [label for label, _ in expected]
    assert [v for _, v in found] == pytest.approx([v for _, v in expected], abs=LAST_DIGIT)
    assert (tmp_path / "page.html").exists()
