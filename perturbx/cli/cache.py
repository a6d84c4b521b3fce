"""``perturbx cache``: what is in a file of paid answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from perturbx.cli.messages import reporting, say

app = typer.Typer(
    name="cache",
    no_args_is_help=True,
    help="Look into, empty or export a file of paid answers (--cache).",
)

CacheFile: TypeAlias = Annotated[Path, typer.Argument(metavar="PATH", help="The file.")]


@app.command()
def info(path: CacheFile) -> None:
    """Print how many answers there are, of which models."""
    with reporting():
        from perturbx.scorers.api import AnswerCache

        typer.echo(str(AnswerCache(path, must_exist=True).info()))


@app.command()
def clear(
    path: CacheFile,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only the answers of this model.", show_default="all"),
    ] = None,
) -> None:
    """Remove answers."""
    with reporting():
        from perturbx.scorers.api import AnswerCache

        say(f"removed {AnswerCache(path, must_exist=True).clear(model=model):,} answers")


@app.command()
def export(path: CacheFile) -> None:
    """Print every question with its answer, a JSON object a line, oldest first."""
    with reporting():
        from perturbx.scorers.api import AnswerCache

        for row in AnswerCache(path, must_exist=True).export():
            typer.echo(json.dumps(row))
