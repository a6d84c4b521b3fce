"""The command as a program of its own."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

import perturbx

TEXT = "the plot is thin, but the acting is superb"
COMMAND = [sys.executable, "-m", "perturbx"]


def run(*arguments, **how):
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **how)


def test_a_text_is_explained_where_the_terminal_speaks_no_unicode():
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PATH": ""}
    done = run("explain", f"{TEXT} – 如此", "--seed", "0", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "superb" in done.stdout.decode("ascii")


def test_a_closed_pipe_is_met_in_silence():
    command = [sys.executable, "-m", "perturbx", "explain", TEXT, "--output", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=120)


def closed(stream, *arguments):
    """Run the command with one of its three streams closed."""
    command = [*COMMAND, *arguments]
    code = f"import os; os.close({stream}); os.execv({command[0]!r}, {command!r})"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=120, check=False, input=b""
    )


@pytest.mark.skipif(sys.platform == "win32", reason="streams are closed by their numbers")
def test_streams_may_be_closed(tmp_path):
    done = closed(1, "explain", TEXT)
    assert done.returncode == 2
    assert b"standard output is closed" in done.stderr
    done = closed(1, "explain", TEXT, "-o", str(tmp_path / "page.html"))
    assert (done.returncode, (tmp_path / "page.html").is_file()) == (0, True)
    done = closed(2, "explain", TEXT, "--output", "json", "-o", str(tmp_path / "x.json"))
    assert (done.returncode, done.stdout) == (0, b"")
    done = closed(0, "explain")
    assert done.returncode == 1
    assert b"standard input is empty" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["explain", "--help"]])
def test_help_and_version_are_light(arguments):
    code = (
        "import sys\n"
        "from perturbx.cli.main import main\n"
        f"sys.argv = ['perturbx', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    heavy = {'torch', 'transformers', 'sklearn', 'scipy', 'lime', 'shap', 'icu4py'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "perturbx" in done.stdout


def test_the_version_is_the_package_version():
    assert run("--version").stdout.decode().split() == ["perturbx", perturbx.__version__]


def test_the_help_has_worked_examples():
    shown = run("explain", "--help").stdout.decode()
    assert 'perturbx explain "the plot is thin, but the acting is superb"' in shown
    assert "--save-table" in shown


def test_the_entry_point_is_this_command():
    (script,) = entry_points(group="console_scripts", name="perturbx")
    assert script.value == "perturbx.cli.main:main"
