"""The results: printed, or written to a file."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import typer

from perturbx.cli.messages import say
from perturbx.exceptions import PerturbxError

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


def check_writable(path: Path, option: str) -> None:
    """Raise a usage error where a file cannot be written, before anything is paid for.

    A file that is there keeps its content, and none is left where there was none.
    """
    if not path.parent.is_dir():
        raise typer.BadParameter(f"the folder {path.parent} is missing", param_hint=option)
    try:
        if path.is_file():
            path.open("ab").close()
        elif not path.exists():
            new = path.resolve()  # of a link to nothing, the link itself has to stay
            new.open("xb").close()
            new.unlink()
        # To open a named pipe would wait for its reader, and end what it reads.
        elif path.is_dir() or not os.access(path, os.W_OK):
            raise PermissionError(None, "it is a folder" if path.is_dir() else "no permission")
    except OSError as error:
        raise _not_written(path, error, option) from error


def check_results(path: Path | None) -> None:
    """Raise a usage error where results can be written neither to a file nor to standard output."""
    if path is not None:
        check_writable(path, "--output-file")
    elif sys.stdout is None:
        raise typer.BadParameter(
            "standard output is closed; name a file", param_hint="--output-file"
        )


def check_takes_files(folder: Path, option: str) -> None:
    """Raise a usage error where no new file can be written to a folder that is there."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _not_written(folder, error, option) from error


def _not_written(path: Path, error: OSError, option: str) -> typer.BadParameter:
    return typer.BadParameter(f"{path} cannot be written ({error.strerror})", param_hint=option)


def is_written(write: Callable[[], object], option: str) -> bool:
    """Write what was paid for; where that fails, say so and return False: the rest goes on."""
    try:
        write()
    except (PerturbxError, OSError) as error:
        say(f"error: {option}: {error}")
        return False
    return True


def write_results(explanations: Explanations, output: Format | None, path: Path | None) -> bool:
    """Write the explanations to a file, or to standard output; say whether the file was written.

    Where it cannot be written, they are printed as they are without one.

    Parameters
    ----------
    explanations : Explanations
        What is written.
    output : {"terminal", "json", "html", "csv"}, optional
        Coloured text; an object a line and text, as `Explanation.from_json` reads it; one page;
        a row per text, unit and output. By default what the name of the file tells.
    path : Path, optional
        The file; standard output by default.
    """
    chosen = choose_format(output, path)
    if path is not None:
        content = _RENDERERS[chosen](explanations).encode()
        if is_written(lambda: path.write_bytes(content), "--output-file"):
            return True
        if sys.stdout is not None:
            write_results(explanations, output, None)
        return False
    if chosen == "terminal":
        from rich.console import Console

        _print(explanations, Console())
        typer.get_text_stream("stdout").flush()
        return True
    stdout = typer.get_binary_stream("stdout")
    stdout.write(_RENDERERS[chosen](explanations).encode())
    # A closed pipe must be met here, not when Python exits and can only complain.
    stdout.flush()
    return True


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
