"""From the rows of a table to the entries of a lexicon."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from perturbx.exceptions import ArgumentError
from perturbx.lexicons.entry import KINDS, NEUTRAL, Entry, Kind
from perturbx.lexicons.pattern import normal

_COLUMNS = ("form", "kind", "ambiguous", NEUTRAL)


def read_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Return the rows of a CSV file, each with where it stands.

    Raises
    ------
    ArgumentError
        If the file cannot be read, a column is missing or stands twice in it, or a row has more or
        fewer cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if twice := [name for name in header if header.count(name) > 1]:
                raise ArgumentError(f"{path}, line 1: has more than one column {twice[0]!r}")
            if header:
                _groups(f"{path}, line 1", header)
            rows = []
            for cells in reader:
                where = f"{path}, line {reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise ArgumentError(
                        f"{where}: expected {len(header)} cells as in the header, got {len(cells)}"
                    )
                rows.append((where, dict(zip(header, cells, strict=True))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArgumentError(f"path: cannot read {path} as a UTF-8 CSV file ({error})") from error
    if not rows:
        raise ArgumentError(f"{path}: expected a header and a row at least, got none")
    return rows


def entries_of(
    rows: Iterable[tuple[str, Mapping[str, str]]],
) -> tuple[tuple[str, ...], tuple[Entry, ...]]:
    """Return the groups and the entries of rows, each given with where it stands.

    Raises
    ------
    ArgumentError
        If a column is missing, a row says nothing or is of an unknown kind, or a spelling stands
        for two groups. The message says where.
    """
    groups: tuple[str, ...] = ()
    entries: list[Entry] = []
    owner: dict[str, tuple[str, str]] = {}
    for where, row in rows:
        if not groups:
            groups = _groups(where, list(row))
        elif set(row) - set(_COLUMNS) != set(groups):
            raise ArgumentError(
                f"{where}: expected the groups {', '.join(groups)} as in the first row; got "
                f"{', '.join(name for name in row if name not in _COLUMNS)}"
            )
        entry = _entry(where, row, groups)
        entries.append(entry)
        for group, cell in zip(groups, entry.cells, strict=True):
            for spelling in cell:
                first, place = owner.setdefault(normal(spelling), (group, where))
                if first != group:
                    raise ArgumentError(
                        f"{where}: {spelling!r} stands for {group!r} here and for {first!r} in "
                        f"{place.rpartition(', ')[2]}; a term belongs to one group"
                    )
    return groups, tuple(entries)


def _groups(where: str, columns: Sequence[str]) -> tuple[str, ...]:
    groups = tuple(name for name in columns if name not in _COLUMNS)
    is_lacking = not {"form", "kind"} <= set(columns) or not groups or not all(groups)
    # "Neutral" is meant as the column of that name, and would be a group.
    if is_lacking or any(name.lower() in _COLUMNS for name in groups):
        raise ArgumentError(
            f"{where}: expected the columns form, kind, (ambiguous, neutral,) and one for each "
            f"group; got {', '.join(map(repr, columns))}"
        )
    return groups


def _entry(where: str, row: Mapping[str, str], groups: tuple[str, ...]) -> Entry:
    form, kind = row["form"].strip(), row["kind"].strip()
    if not form:
        raise ArgumentError(f"{where}: form: expected a word such as 'noun', got none")
    if kind not in KINDS:
        raise ArgumentError(f"{where}: kind: expected one of {', '.join(KINDS)}; got {kind!r}")
    cells = tuple(_spellings(row.get(group) or "") for group in groups)
    neutral = _spellings(row.get(NEUTRAL) or "")
    given = [spelling for cell in cells for spelling in cell]
    if kind == "other" and (given or not neutral):
        raise ArgumentError(
            f"{where}: a row of the kind 'other' has its expressions in the column neutral, and "
            f"nothing in those of the groups"
        )
    if kind != "other" and not given:
        raise ArgumentError(f"{where}: expected a spelling for one group at least, got none")
    said = _spellings(row.get("ambiguous") or "")
    ambiguous = frozenset(given if said == ("yes",) else said)
    if not ambiguous <= set(given):
        raise ArgumentError(
            f"{where}: ambiguous: expected 'yes', nothing, or spellings of the row; got "
            f"{', '.join(sorted(ambiguous - set(given)))}"
        )
    return Entry(form, cast(Kind, kind), groups, cells, neutral, ambiguous)


def _spellings(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(str.strip, cell.split("|")))))
