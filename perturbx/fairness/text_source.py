"""Where an audit's rows come from: lists in memory, or a file that is read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from os import PathLike, fspath
from typing import Any, Final, Protocol

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.fairness.grouping import columns_of
from perturbx.fairness.loaders.files import Source, checked_path, read_rows
from perturbx.fairness.scoring import checked_texts
from perturbx.typing import IntArray

PIECE: Final = 20_000
"""Rows that are held at once."""


@dataclass(frozen=True)
class Piece:
    """Some rows.

    Parameters
    ----------
    texts : list of str
        The texts.
    labels : list, optional
        Their labels.
    columns : mapping of str to list
        The sensitive features.
    clusters : list, optional
        What rows stand or fall together with.
    """

    texts: list[str]
    labels: list[Any] | None
    columns: Mapping[str, list[Any]]
    clusters: list[Any] | None


class TextSource(Protocol):
    """Rows that can be read more than once."""

    @property
    def name(self) -> str:
        """What the data are called."""

    @property
    def cluster_name(self) -> str:
        """What the clusters are called."""

    def pieces(self) -> Iterator[Piece]:
        """Yield all rows in order."""

    def texts_at(self, rows: IntArray) -> list[str]:
        """Return the texts of some rows, given in ascending order."""


@dataclass(frozen=True)
class TextsInMemory:
    """Rows given as lists.

    Parameters
    ----------
    texts : sequence of str
        The texts.
    labels : sequence, optional
        Their labels.
    features : object
        The sensitive features; see `attributes_of_columns`.
    clusters : sequence, optional
        What rows stand or fall together with.
    name : str
        What the data are called.
    """

    texts: Sequence[str]
    labels: Any = None
    features: Any = None
    clusters: Any = None
    name: str = "texts"

    @property
    def cluster_name(self) -> str:
        """What the clusters are called."""
        return "clusters"

    def pieces(self) -> Iterator[Piece]:
        """Yield all rows at once: they are in memory anyway.

        Raises
        ------
        ArgumentError
            A column is of another length, or a text is none.
        """
        yield self._piece

    @cached_property
    def _piece(self) -> Piece:
        """The rows by their places: a series of pandas goes by labels, an iterator goes once."""
        texts = checked_texts(self.texts)
        columns = {} if self.features is None else columns_of(self.features)
        return Piece(
            texts,
            _of_length("y", self.labels, len(texts)),
            {
                name: _of_length(f"sensitive_features[{name!r}]", values, len(texts)) or []
                for name, values in columns.items()
            },
            _of_length("clusters", self.clusters, len(texts)),
        )

    def texts_at(self, rows: IntArray) -> list[str]:
        """Return the texts of some rows."""
        return [self._piece.texts[row] for row in rows.tolist()]


def _of_length(name: str, values: Any, n_rows: int) -> list[Any] | None:
    if values is None:
        return None
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__iter__"):
        # A mapping would give its keys, a set no order.
        raise ArgumentError(f"{name}: expected a value per text; got {values!r:.60}")
    shape: tuple[int, ...] = tuple(getattr(values, "shape", ()))
    if len(shape) > 1:
        if shape[1:] != (1,):
            raise ArgumentError(f"{name}: expected one column; got the shape {shape}")
        values = np.asarray(values, dtype=getattr(values, "dtype", object))[:, 0]
    held = list(values)
    if len(held) != n_rows:
        raise ArgumentError(f"{name}: has {len(held)} rows for {n_rows} texts")
    return held


@dataclass(frozen=True)
class TextFile:
    """Rows of a CSV, TSV, JSON-lines or Parquet file, read in pieces.

    Parameters
    ----------
    path : str or Path
        The file; its ending says what it is.
    text : str
        The column of the texts.
    label : str, optional
        The column of the labels; an empty cell is no label.
    groups : sequence of str
        The columns of the sensitive features; an empty cell is no group.
    cluster : str, optional
        The column of what rows stand or fall together with.
    """

    path: str | PathLike[str]
    text: str = "text"
    label: str | None = None
    groups: Sequence[str] = ()
    cluster: str | None = None
    piece: int = field(default=PIECE, repr=False)

    @property
    def name(self) -> str:
        """The name of the file."""
        return fspath(self.path).replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def cluster_name(self) -> str:
        """The column of the clusters."""
        return self.cluster or "clusters"

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows, 20,000 at a time.

        Raises
        ------
        ArgumentError
            The file is not there, lacks a column, or a cell that should be a text is none.
        MissingExtraError
            A Parquet file, and pyarrow is not installed (extra ``fairness``).
        """
        first = 0
        rows = self._rows()
        while held := list(islice(rows, self.piece)):
            texts = [self._text_of(row, first + i) for i, row in enumerate(held)]
            yield Piece(
                texts,
                None if self.label is None else [_cell(row[self.label]) for row in held],
                {name: [_cell(row[name]) for row in held] for name in self.groups},
                None if self.cluster is None else [row[self.cluster] for row in held],
            )
            first += len(held)

    def texts_at(self, rows: IntArray) -> list[str]:
        """Return the texts of some rows: the file is read once more."""
        wanted = set(rows.tolist())
        return [
            self._text_of(row, number)
            for number, row in enumerate(self._rows())
            if number in wanted
        ]

    def _rows(self) -> Iterator[dict[str, Any]]:
        needed = [self.text, *self.groups]
        needed += [name for name in (self.label, self.cluster) if name is not None]
        return read_rows(checked_path(self.path, _OWN), _OWN, needed)

    def _text_of(self, row: Mapping[str, Any], number: int) -> str:
        value = row[self.text]
        if not isinstance(value, str):
            raise ArgumentError(
                f"path: {fspath(self.path)}, row {number + 1}: the column {self.text!r} holds "
                f"{type(value).__name__} {value!r:.40} where a text is expected"
            )
        return value


class _OwnFile(Source):
    """A file of the user's own: there is no place where a right one is to be had."""

    def fault(self, path: str | PathLike[str], what: str) -> ArgumentError:
        return ArgumentError(f"path: {what} in {fspath(path)}")


_OWN = _OwnFile("the file", "", "", "the path that you gave")


def _cell(value: Any) -> Any:
    """Return a cell, None where it is empty."""
    return None if value is None or value == "" else value
