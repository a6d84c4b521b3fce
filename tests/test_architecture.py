"""The rules of the house, read from the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import perturbx

PACKAGE = Path(perturbx.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("units", "coalitions", "scorers", "surrogates")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}
LAZY_ONLY = {
    "shap",
    "lime",
    "lightgbm",
    "matplotlib",
    "pandas",
    "openai",
    "gradio",
    "ray",
    "anthropic",
    "rouge_score",
    "sacrebleu",
    "fairlearn",
    "pyarrow",
}


def imports_of(path, *, top_level_only):
    """Yield the modules that a file imports at run time (TYPE_CHECKING blocks are left out)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        parents, parent = [], getattr(node, "parent", None)
        while parent is not None:
            parents.append(parent)
            parent = getattr(parent, "parent", None)
        if any(isinstance(p, ast.If) and "TYPE_CHECKING" in ast.dump(p.test) for p in parents):
            continue
        inside = any(isinstance(p, ast.FunctionDef | ast.AsyncFunctionDef) for p in parents)
        if top_level_only and inside:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.module:
            yield node.module


def names_from(path, module):
    """Return what a file imports from a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module == module]
    return {alias.name for node in nodes for alias in node.names}


def place(path):
    return path.relative_to(PACKAGE).as_posix()


def room(path):
    return path.relative_to(PACKAGE).parts[0]


def ours(modules):
    return {name for name in modules if name.split(".")[0] == "perturbx"}


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_run_one_way(path):
    every = ours(imports_of(path, top_level_only=False))
    eager = ours(imports_of(path, top_level_only=True))
    if place(path) in ("typing.py", "exceptions.py"):
        assert not every, "imports nothing of ours at run time"
    if room(path) in ROOMS:
        others = [f"perturbx.{name}" for name in ROOMS if name != room(path)]
        assert not [m for m in every for other in others if m.startswith(other)]
    if room(path) == "maskers":
        assert not [m for m in every for o in ROOMS[1:] if m.startswith(f"perturbx.{o}")]
    above = ("perturbx.cli", "perturbx.interop", "perturbx.reports")
    if room(path) not in ("cli", "interop", "reports", "__main__.py"):
        assert not [m for m in eager if m.startswith(above)]
    lazily = ("explanation.py", "explanations.py", "__main__.py")
    is_lazy = room(path) in lazily or place(path) == "fairness/report.py"
    if room(path) not in ("cli", "interop", "reports") and not is_lazy:
        assert not [m for m in every if m.startswith(above)]
    if room(path) in (*ROOMS, "maskers", "jobs.py", "runner.py", "stream.py", "score_table.py"):
        upward = ("perturbx.explainers", "perturbx.explanation", *above)
        assert not [m for m in every if m.startswith(upward)]
    if room(path) == "lexicons":
        # Units of identity terms and the swapping masker build on lexicons, not the other way.
        # Of units they share what scripts and ICU say of characters.
        others = (*ROOMS, "maskers", "explainers", "fairness")
        shared = {"perturbx.units", "perturbx.units.scripts", "perturbx.units.icu"}
        above = [m for m in every for o in others if m.startswith(f"perturbx.{o}")]
        assert set(above) <= shared
        assert names_from(path, "perturbx.units") <= {"icu", "scripts"}
    if room(path) not in ("fairness", "cli", "reports", "__init__.py"):
        assert not [m for m in every if m.startswith("perturbx.fairness")]


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_heavy_packages_are_imported_where_used(path):
    eager = {name.split(".")[0] for name in imports_of(path, top_level_only=True)}
    every = {name.split(".")[0] for name in imports_of(path, top_level_only=False)}
    assert not eager & LAZY_ONLY
    assert "transformers" not in eager
    if room(path) != "scorers" and path.name != "infill.py":
        assert "transformers" not in every


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_files_have_names_and_one_idea(path):
    assert not FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 400, f"{n_lines} lines: this file wants to be two"


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("Units", "units.units"),
        ("Coalitions", "coalitions.coalitions"),
        ("Variants", "maskers.variants"),
        ("Scores", "scorers.scores"),
        ("Attribution", "surrogates.attribution"),
    ],
)
def test_the_nouns_live_at_home(name, home):
    module = PACKAGE.joinpath(*home.split(".")).with_suffix(".py")
    classes = [n for n in ast.parse(module.read_text("utf-8")).body if isinstance(n, ast.ClassDef)]
    assert name in {c.name for c in classes}


def test_every_public_name_can_be_imported():
    for name in perturbx.__all__:
        assert getattr(perturbx, name) is not None
        assert name in dir(perturbx)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = perturbx.no_such_name


def test_import_is_light():
    code = (
        "import sys, perturbx; "
        "heavy = {'torch', 'transformers', 'lime', 'shap', 'sklearn', 'scipy', 'matplotlib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
