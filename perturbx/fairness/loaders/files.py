"""Files of tables, read a row at a time, with errors that say what is wrong and what to do."""

from __future__ import annotations

import csv
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeVar

from perturbx.exceptions import ArgumentError, MissingExtraError

T = TypeVar("T")
PathArgument = str | PathLike[str]

_LONGEST_FIELD: Final = 2**24
"""Texts longer than the csv module's 128 kB are no fault."""


@dataclass(frozen=True)
class Source:
    """A public set: what it is called, its licence, and where it is to be had.

    Parameters
    ----------
    name : str
        Its name.
    licence : str
        Its licence.
    reference : str
        Who made it.
    where : str
        Where it is to be had.
    """

    name: str
    licence: str
    reference: str
    where: str

    @property
    def line(self) -> str:
        """Licence, makers and place on one line."""
        return f"{self.licence}; {self.reference}; {self.where}"

    def fault(self, path: PathArgument, what: str) -> ArgumentError:
        """Return the error that says what is wrong with a file, and where the right one is."""
        return ArgumentError(f"path: {what} in {fspath(path)}; {self.name} is at {self.where}")


def checked_path(path: PathArgument, source: Source, name: str = "path") -> Path:
    """Return the path of a file that is there.

    Raises
    ------
    ArgumentError
        It is no path, a folder, a pickle, or not there.
    """
    if not isinstance(path, str | PathLike):
        raise ArgumentError(f"{name}: expected the path of a file; got {path!r}")
    file = Path(path)
    if file.suffix.lower() in (".pkl", ".pickle", ".p"):
        raise ArgumentError(
            f"{name}: {file} is a pickle, and opening one runs whatever code it holds; give a "
            f".csv, .jsonl or .parquet file ({source.name} is at {source.where})"
        )
    if not file.is_file():
        fault = "is a folder" if file.is_dir() else "does not exist"
        raise ArgumentError(f"{name}: {file} {fault}; {source.name} is at {source.where}")
    return file


def read_rows(
    path: PathArgument,
    source: Source,
    columns: Sequence[str | tuple[str, ...]],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a ``.jsonl`` or ``.parquet`` file, or else of one of CSV.

    The columns of CSV are parted by tabs where there is one in the first line, else by commas.

    Parameters
    ----------
    path : path
        The file.
    source : Source
        What it should be.
    columns : sequence of str, or of tuples of str
        The columns that are needed; of a tuple any one.

    Raises
    ------
    ArgumentError
        The file is not there or no such file, a column is missing, or a row has too many or too
        few cells.
    MissingExtraError
        A Parquet file, and pyarrow is not installed.
    """
    file = checked_path(path, source)
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(file, source, columns)
    elif suffix in (".jsonl", ".ndjson", ".json"):
        yield from _json_rows(file, source, columns)
    else:
        yield from _csv_rows(file, source, columns)


def named(found: Mapping[str, Any] | Iterable[str], names: Sequence[str]) -> str:
    """Return the first of `names` that is a column; the first one where none is."""
    found = set(found)
    return next((name for name in names if name in found), names[0])


def text_in(row: Mapping[str, Any], column: str, path: PathArgument, source: Source) -> str:
    """Return a cell that must be a text.

    Raises
    ------
    ArgumentError
        It is none.
    """
    value = row[column]
    if not isinstance(value, str):
        raise source.fault(path, f"{column} is {value!r}, no text,")
    return value


def one_of(
    value: Any, known: Mapping[Any, T], column: str, path: PathArgument, source: Source
) -> T:
    """Return what one of a few known cells stands for.

    Raises
    ------
    ArgumentError
        A cell that is not known.
    """
    if not isinstance(value, Hashable) or value not in known:
        raise source.fault(path, f"{column} is {value!r} (known: {', '.join(map(repr, known))})")
    return known[value]


def _check_columns(
    file: Path,
    source: Source,
    columns: Sequence[str | tuple[str, ...]],
    found: Sequence[str],
    where: str = "",
) -> None:
    for column in columns:
        choices = (column,) if isinstance(column, str) else column
        if not set(choices) & set(found):
            wanted = " or ".join(map(repr, choices))
            shown = ", ".join(map(repr, found[:20])) or "none"
            raise source.fault(file, f"{where}no column {wanted} (found: {shown})")


def _csv_rows(
    file: Path, source: Source, columns: Sequence[str | tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        # A byte order mark is no part of the first column's name.
        with file.open(encoding="utf-8-sig", newline="") as lines:
            delimiter = "\t" if "\t" in lines.readline() else ","
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=delimiter)
            names = list(reader.fieldnames or ())
            _check_columns(file, source, columns, names)
            wanted = {c for own in columns for c in ((own,) if isinstance(own, str) else own)}
            if twice := sorted(name for name in wanted if names.count(name) > 1):
                # The last one would be taken without a word.
                raise source.fault(file, f"more than one column {twice[0]!r}")
            for row in reader:
                if None in row or None in row.values():
                    beyond = row.pop(None, [])
                    n_cells = len(beyond) + sum(value is not None for value in row.values())
                    what = f"line {reader.line_num}: {n_cells} cells for {len(row)} columns"
                    raise source.fault(file, what)
                yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise source.fault(file, f"no CSV in UTF-8 ({error})") from error
    finally:
        csv.field_size_limit(limit)


def _json_rows(
    file: Path, source: Source, columns: Sequence[str | tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise source.fault(file, f"line {number}: no JSON object")
                _check_columns(file, source, columns, list(row), f"line {number}: ")
                yield row
    except UnicodeDecodeError as error:
        # Of a piece of the file, which begins and ends anywhere: the line is not known.
        raise source.fault(file, f"no JSON lines in UTF-8 ({error})") from error
    except json.JSONDecodeError as error:
        raise source.fault(file, f"line {number}: no JSON object a line ({error})") from error


def _parquet_rows(
    file: Path, source: Source, columns: Sequence[str | tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "fairness") from error

    try:
        with pq.ParquetFile(file) as table:
            _check_columns(file, source, columns, table.schema_arrow.names)
            for batch in table.iter_batches():
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise source.fault(file, f"no Parquet ({error})") from error
