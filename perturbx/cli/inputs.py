"""The texts to explain: from the arguments, from standard input, or out of a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from perturbx.exceptions import ArgumentError

DASH = "-"
"""The name that stands for standard input."""

DEFAULT_COLUMN = "text"


def read_texts(arguments: Sequence[str], file: Path | None, column: str | None) -> list[str]:
    """Return the texts that the command line asks for.

    Parameters
    ----------
    arguments : sequence of str
        A text each; "-" alone, or none where standard input is no terminal: all of standard
        input as one text, without its last line end.
    file : Path, optional
        A ``.csv``, ``.tsv`` or ``.jsonl`` file with a text a record, or a ``.txt`` file with a
        text a line; "-" is standard input with a text a line.
    column : str, optional
        The column or key that holds the text, "text" by default.

    Raises
    ------
    typer.BadParameter
        The options do not go together, or there is nothing to read.
    ArgumentError
        What was read holds no texts.
    """
    if file is not None:
        if arguments:
            raise typer.BadParameter(
                "comes in place of TEXT; give one of both", param_hint="--input"
            )
        return _read_file(file, column)
    if column is not None:
        raise typer.BadParameter("names a column of a file; give --input", param_hint="--column")
    if DASH in arguments and len(arguments) > 1:
        raise typer.BadParameter("'-' (standard input) must be the only TEXT", param_hint="TEXT")
    if not arguments and sys.stdin.isatty():
        raise typer.BadParameter(
            "nothing to explain: give a TEXT, pipe one in, or name a file with --input",
            param_hint="TEXT",
        )
    if not arguments or DASH in arguments:
        return [_read_standard_input()]
    for text in arguments:
        _check_argument(text)
    return list(arguments)


def _check_argument(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter(
            f"is no text: the byte at character {error.start} does not decode; write the text "
            f"to a file in UTF-8 and name it with --input",
            param_hint="TEXT",
        ) from None


def _read_standard_input() -> str:
    text = _decode(typer.get_binary_stream("stdin").read(), "TEXT: standard input")
    if not text.strip():
        raise ArgumentError("TEXT: standard input is empty; give a TEXT or pipe one in")
    return text.removesuffix("\n").removesuffix("\r")


def _read_file(path: Path, column: str | None) -> list[str]:
    is_standard_input = str(path) == DASH
    if not is_standard_input and (not path.exists() or path.is_dir()):
        fault = "is a folder" if path.is_dir() else "does not exist"
        raise typer.BadParameter(f"{path} {fault}", param_hint="--input")
    where = "--input: standard input" if is_standard_input else f"--input: {path}"
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise ArgumentError(
            f"{where}: cannot tell what {kind} holds; expected a name in .csv, .tsv, .jsonl or "
            f".txt, or '-' for standard input with a text a line"
        )
    reader = _READERS[kind]
    if reader is _lines and column is not None:
        raise typer.BadParameter(
            f"has no meaning for {where.removeprefix('--input: ')}, which is a text a line",
            param_hint="--column",
        )
    raw = typer.get_binary_stream("stdin").read() if is_standard_input else path.read_bytes()
    texts = list(reader(_decode(raw, where), column or DEFAULT_COLUMN, where))
    if not texts:
        raise ArgumentError(f"{where}: holds no text to explain")
    return texts


def _decode(raw: bytes, where: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ArgumentError(
            f"{where}: is not a text in UTF-8 (the byte 0x{error.object[error.start]:02x} at "
            f"position {error.start} does not decode); convert it first"
        ) from None
    if "\0" in text:
        raise ArgumentError(f"{where}: holds NUL bytes, so it is not a text in UTF-8")
    return text


def _lines(content: str, column: str, where: str) -> Iterator[str]:
    """Yield every line that is not blank."""
    for line in io.StringIO(content, newline=None):
        if line.strip():
            yield line.removesuffix("\n")


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a ``.jsonl`` file, one a line; "-" is standard input.

    Raises
    ------
    typer.BadParameter
        There is no such file.
    ArgumentError
        It is not UTF-8, a line is no object, or there is none.
    """
    is_standard_input = str(path) == DASH
    if not is_standard_input and not path.is_file():
        raise typer.BadParameter(f"there is no file {path}", param_hint="--input")
    where = "--input: standard input" if is_standard_input else f"--input: {path}"
    raw = typer.get_binary_stream("stdin").read() if is_standard_input else path.read_bytes()
    records = [record for _, record in _objects(_decode(raw, where), where)]
    if not records:
        raise ArgumentError(f"{where}: holds no record")
    return records


def _objects(content: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every line that is not blank: its place, and the object that it holds."""
    # str.splitlines would also cut at line separators inside a JSON string.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"{place}: is not JSON ({error})") from None
        if not isinstance(record, dict):
            raise ArgumentError(f"{place}: expected an object; got {type(record).__name__}")
        yield place, record


def _json_lines(content: str, column: str, where: str) -> Iterator[str]:
    for place, record in _objects(content, where):
        if column not in record:
            raise ArgumentError(
                f"{place}: has no key {column!r} (--column); it has {_listed(record)}"
            )
        if not isinstance(record[column], str):
            raise ArgumentError(
                f"{place}: {column!r} is not a string but {type(record[column]).__name__}"
            )
        yield record[column]


def _rows(delimiter: str) -> Callable[[str, str, str], Iterator[str]]:
    def read(content: str, column: str, where: str) -> Iterator[str]:
        csv.field_size_limit(max(csv.field_size_limit(), len(content)))
        rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        try:
            header = next(rows, [])
            if header.count(column) != 1:
                found = "twice" if column in header else "not"
                raise ArgumentError(
                    f"{where}: the column {column!r} (--column) is {found} there; the columns "
                    f"are {_listed(header)}"
                )
            place = header.index(column)
            for row in rows:
                if len(row) not in (0, len(header)):
                    raise ArgumentError(
                        f"{where}, line {rows.line_num}: has {len(row)} fields where the header "
                        f"has {len(header)}; a field that holds {delimiter!r} must be in quotes"
                    )
                if row:
                    yield row[place]
        except csv.Error as error:
            raise ArgumentError(f"{where}, line {rows.line_num}: {error}") from None

    return read


def _listed(names: Sequence[str] | dict[str, object]) -> str:
    return ", ".join(map(repr, names)) or "none"


_READERS: dict[str, Callable[[str, str, str], Iterator[str]]] = {
    ".csv": _rows(","),
    ".tsv": _rows("\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".txt": _lines,
    "": _lines,
}
