"""Where score tables are saved and read again: a file for one text, a folder for any number."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perturbx.cli.messages import say
from perturbx.cli.outputs import check_takes_files, check_writable, is_written
from perturbx.exceptions import ArgumentError, Interrupted, PerturbxError

if TYPE_CHECKING:
    from perturbx.explanations import Explanations
    from perturbx.score_table import ScoreTable

SUFFIX = ".npz"


def prepare_tables(path: Path, n_texts: int) -> None:
    """Make sure, before any call to the model is paid for, that the tables can be saved.

    Raises
    ------
    typer.BadParameter
        `path` is one file for several texts, cannot be written to, or is a folder with tables of
        further texts, which ``--resume`` would take for this run's.
    """
    if path.suffix == SUFFIX:
        if n_texts != 1:
            raise typer.BadParameter(
                f"{path} is one file, for one text; for {n_texts} texts give a folder (a name "
                f"that does not end in {SUFFIX})",
                param_hint="--save-table",
            )
        check_writable(path, "--save-table")
        check_takes_files(path.parent, "--save-table")
    elif path.exists() and not path.is_dir():
        raise typer.BadParameter(
            f"{path} is a file that does not end in {SUFFIX}, so it must be a folder",
            param_hint="--save-table",
        )
    else:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise typer.BadParameter(
                f"{path} cannot be made ({error.strerror})", param_hint="--save-table"
            ) from error
        check_takes_files(path, "--save-table")
        others = {file.name for file in path.glob(f"*{SUFFIX}")} - set(_names(n_texts))
        if others:
            raise typer.BadParameter(
                f"{path} holds {min(others)}, of no text of this run; give an empty folder",
                param_hint="--save-table",
            )


def save_tables(tables: Sequence[ScoreTable], path: Path) -> None:
    """Save a table per text: to `path` itself, or to ``1.npz``, ``2.npz``, ... in that folder."""
    if path.suffix == SUFFIX:
        (table,) = tables
        table.save(path)
        return
    for name, table in zip(_names(len(tables)), tables, strict=True):
        table.save(path / name)


def _names(n_texts: int) -> list[str]:
    width = len(str(n_texts))
    return [f"{number:0{width}d}{SUFFIX}" for number in range(1, n_texts + 1)]


def load_tables(path: Path, texts: Sequence[str] | None) -> list[ScoreTable]:
    """Return the tables of an earlier run of the same texts.

    Parameters
    ----------
    path : Path
        What ``--save-table`` wrote (a ``.npz`` file, or a folder of them), or the JSON that
        ``--output json`` wrote.
    texts : sequence of str, optional
        The texts, in the same order; None leaves it to the explainer to tell.

    Raises
    ------
    typer.BadParameter
        There is no such file or folder.
    ArgumentError
        It holds the tables of other texts, or no tables.
    """
    from perturbx.score_table import ScoreTable

    if not path.exists():
        raise typer.BadParameter(f"{path} does not exist", param_hint="--resume")
    try:
        if path.is_dir():
            tables = [ScoreTable.load(file) for file in sorted(path.glob(f"*{SUFFIX}"))]
        elif path.suffix == SUFFIX:
            tables = [ScoreTable.load(path)]
        else:
            tables = _tables_of_json(path)
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # TableErrors, too
        raise ArgumentError(
            f"--resume: {path} is neither what --save-table nor what --output json writes ({error})"
        ) from None
    found = [None if table.units is None else table.units.text for table in tables]
    if texts is not None and found != list(texts):
        raise ArgumentError(
            f"--resume: {path} holds the scores of {len(tables)} texts, and they are not the "
            f"{len(texts)} texts given, in their order"
        )
    return tables


def _tables_of_json(path: Path) -> list[ScoreTable]:
    """Return the tables in a file with an explanation a line."""
    from perturbx.score_table import ScoreTable

    # str.splitlines would also cut at line separators inside a JSON string.
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return [ScoreTable.from_dict(json.loads(line)["table"]) for line in lines if line.strip()]


def explain_and_save(
    explain: Callable[[], Explanations], save_table: Path | None
) -> tuple[Explanations, bool]:
    """Return what `explain` gives, and whether its tables could be saved where they were to be.

    Every score paid for is saved, whether it ends well or not.
    """
    try:
        explanations = explain()
    except (PerturbxError, Interrupted) as failure:
        n_scored = sum(len(table) for table in failure.tables)
        if save_table is not None and n_scored and _are_saved(failure.tables, save_table):
            say(f"saved the {n_scored} scores of the unfinished run to {save_table}")
        raise
    return explanations, save_table is None or _are_saved(explanations.tables, save_table)


def _are_saved(tables: Sequence[ScoreTable], path: Path) -> bool:
    return is_written(lambda: save_tables(tables, path), "--save-table")
