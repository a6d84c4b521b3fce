"""The results: printed, or written to a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import typer

if TYPE_CHECKING:
    from rich.console import Console

    from perturbx.explanations import Explanations

Format: TypeAlias = Literal["terminal", "json", "html", "csv"]

_FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".json": "json",
    ".jsonl": "json",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
}
_FILE_WIDTH = 100
COLUMNS = (
    *("text", "unit", "label", "piece", "start", "stop", "output"),
    *("value", "std_error", "low", "high"),
)


def choose_format(chosen: Format | None, path: Path | None) -> Format:
    """Return the format asked for, else the one that the name of the file tells, else terminal."""
    if chosen is not None:
        return chosen
    return "terminal" if path is None else _FORMAT_OF_SUFFIX.get(path.suffix.lower(), "terminal")


def check_folder_of(path: Path, option: str) -> None:
    """Raise a usage error where a file cannot be written because its folder is missing."""
    if not path.parent.is_dir():
        raise typer.BadParameter(f"the folder {path.parent} is missing", param_hint=option)


def write_results(explanations: Explanations, output: Format, path: Path | None) -> None:
    """Write the explanations to a file, or to standard output.

    Parameters
    ----------
    explanations : Explanations
        What is written.
    output : {"terminal", "json", "html", "csv"}
        Coloured text; an object a line and text, as `Explanation.from_json` reads it; one page;
        a row per text, unit and output.
    path : Path, optional
        The file; standard output by default.
    """
    if output == "terminal" and path is None:
        from rich.console import Console

        _print(explanations, Console())
        typer.get_text_stream("stdout").flush()
        return
    content = _RENDERERS[output](explanations).encode()
    if path is not None:
        path.write_bytes(content)
        return
    stdout = typer.get_binary_stream("stdout")
    stdout.write(content)
    # A closed pipe must be met here, not when Python exits and can only complain.
    stdout.flush()


def _print(explanations: Explanations, console: Console) -> None:
    """Print every output of every text, the highest score of a text first."""
    from perturbx.reports.terminal import print_terminal

    for number, explanation in enumerate(explanations, 1):
        if number > 1:
            console.print()
        if len(explanations) > 1:
            console.rule(f"text {number} of {len(explanations)}", align="left", style="dim")
        for rank, output in enumerate(np.argsort(-explanation.scores, kind="stable")):
            if rank:
                console.print()
            print_terminal(explanation, output=int(output), console=console)


def _plain_text(explanations: Explanations) -> str:
    from rich.console import Console

    page = io.StringIO()
    _print(explanations, Console(file=page, width=_FILE_WIDTH, color_system=None))
    return "\n".join(line.rstrip() for line in page.getvalue().split("\n"))


def _json_lines(explanations: Explanations) -> str:
    return "".join(f"{explanation.to_json()}\n" for explanation in explanations)


def _page(explanations: Explanations) -> str:
    return explanations.to_html()


def _rows(explanations: Explanations) -> str:
    """Return the columns of `Explanation.to_pandas`, which needs pandas."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(COLUMNS)
    for text, explanation in enumerate(explanations):
        units, fit = explanation.units, explanation.attribution
        ends = fit.confidence_interval()
        numbers = (fit.values, fit.std_errors, ends.low, ends.high)
        for unit, span in enumerate(units.first_spans):
            about = (text, unit, units.labels[unit], units.pieces[unit], *span)
            for column, output in enumerate(explanation.output_names):
                own = (float(matrix[unit, column]) for matrix in numbers)
                writer.writerow((*about, output, *own))
    return page.getvalue()


_RENDERERS = {"terminal": _plain_text, "json": _json_lines, "html": _page, "csv": _rows}
