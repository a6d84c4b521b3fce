"""``perturbx compare``: two audits held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perturbx.cli.messages import reporting
from perturbx.exceptions import TableError

if TYPE_CHECKING:
    from perturbx.fairness import FairnessReport

EXAMPLES = """
Examples:

    perturbx audit posts.csv --group race -m ./old -o old.json
    perturbx audit posts.csv --group race -m ./new -o new.json
    perturbx compare old.json new.json
"""


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", help="A report.", show_default=False)],
    second: Annotated[
        Path,
        typer.Argument(
            metavar="B.json",
            help="Another: of a second data set, model, version or date.",
            show_default=False,
        ),
    ],
    level: Annotated[
        float, typer.Option(metavar="NUMBER", help="Confidence of intervals and decisions.")
    ] = 0.95,
    output: Annotated[
        Literal["terminal", "json", "csv"],
        typer.Option(help="'json' and 'csv': a row per gap that both reports have."),
    ] = "terminal",
    fail_if_moved: Annotated[
        bool, typer.Option("--fail-if-moved", help="End with exit code 3 where a gap moved.")
    ] = False,
) -> None:
    """Say which gaps differ between two audits beyond noise, and whether the words agree."""
    with reporting():
        from perturbx.fairness import compare as hold_against

        found = hold_against(_read(first), _read(second), level=level)
        if output == "terminal":
            typer.echo(str(found))
        elif output == "csv":
            typer.echo(found.gaps.to_csv(index=False), nl=False)
        else:
            typer.echo(found.gaps.to_json(orient="records", force_ascii=False))
    if fail_if_moved and len(found.moved):
        raise typer.Exit(3)


def _read(path: Path) -> FairnessReport:
    from perturbx.fairness import FairnessReport

    if not path.is_file():
        raise typer.BadParameter(f"there is no file {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8 ({error})") from None
    try:
        return FairnessReport.from_json(text)
    except TableError as error:
        raise TableError(f"{path} is no report of an audit ({error})") from error
