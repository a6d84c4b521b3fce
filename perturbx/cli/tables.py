"""Where score tables are saved: one file for one text, a folder for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perturbx.cli.outputs import check_folder_of

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

SUFFIX = ".npz"


def prepare_tables(path: Path, n_texts: int) -> None:
    """Make sure, before any call to the model is paid for, that the tables can be saved.

    Raises
    ------
    typer.BadParameter
        `path` is one file for several texts, or cannot be written to.
    """
    if path.suffix == SUFFIX:
        if n_texts != 1:
            raise typer.BadParameter(
                f"{path} is one file, for one text; for {n_texts} texts give a folder (a name "
                f"that does not end in {SUFFIX})",
                param_hint="--save-table",
            )
        check_folder_of(path, "--save-table")
    elif path.exists() and not path.is_dir():
        raise typer.BadParameter(
            f"{path} is a file that does not end in {SUFFIX}, so it must be a folder",
            param_hint="--save-table",
        )
    else:
        path.mkdir(parents=True, exist_ok=True)


def save_tables(tables: Sequence[ScoreTable], path: Path) -> None:
    """Save a table per text: to `path` itself, or to ``1.npz``, ``2.npz``, ... in that folder."""
    if path.suffix == SUFFIX:
        (table,) = tables
        table.save(path)
        return
    width = len(str(len(tables)))
    for number, table in enumerate(tables, 1):
        table.save(path / f"{number:0{width}d}{SUFFIX}")
