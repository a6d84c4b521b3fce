"""`LabelledTexts`: texts with what is known of them, ready for an audit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from perturbx.exceptions import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

RESERVED: Final = ("text", "label", "cluster")
"""Names that no attribute and no extra column may have: they are columns of the table."""


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with labels, the groups that they speak of, and what belongs together.

    Any sequences will do (lists, arrays, columns of a table); they are kept as tuples. Nothing is
    dropped or put in another order.

    Parameters
    ----------
    texts : sequence of str, (n,)
        The texts.
    labels : sequence of hashable, (n,), optional
        What each text should be called. Loaders give 1 and 0 where there are two classes (1 is
        what the set is about: toxic, hateful, positive), and a name otherwise.
    groups : mapping of str to sequence of (str or None), (n,)
        For each attribute ("gender", "religion", ...) the group that a text speaks of or comes
        from; None (or NaN) where it has none, or none that is known.
    clusters : sequence of hashable, (n,), optional
        What a text shares with others, so that they are no independent draws: its template, its
        pair, its author.
    name : str, default="texts"
        What the set is called.
    licence : str, default=""
        The licence and the source, on one line.
    extra : mapping of str to sequence, (n,)
        Other columns.
    notes : sequence of str
        What a reader of the figures should know: odd rows, rows without a group.

    Raises
    ------
    ArgumentError
        Columns of unequal length, a text that is no str, a group that is neither a str nor None,
        or a name used twice.

    Examples
    --------
    >>> data = LabelledTexts(
    ...     ["She is a good doctor.", "He is a good doctor."],
    ...     [1, 1],
    ...     groups={"gender": ["female", "male"]},
    ...     clusters=["doctor", "doctor"],
    ... )
    >>> len(data), data.attributes, data.group_names("gender")
    (2, ('gender',), ('female', 'male'))
    >>> data.rows([1]).texts
    ('He is a good doctor.',)
    """

    texts: Sequence[str]
    labels: Sequence[Any] | None = None
    groups: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    clusters: Sequence[Hashable] | None = None
    name: str = "texts"
    licence: str = ""
    extra: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        texts = _column("texts", self.texts, None)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise ArgumentError(f"texts: expected str; got {_shown(text)} in row {row}")
        n_texts = len(texts)
        self._set("texts", texts)
        for name in ("labels", "clusters"):
            values = getattr(self, name)
            if values is not None:
                self._set(name, _column(name, values, n_texts))
        for name in ("groups", "extra"):
            columns = getattr(self, name)
            if not isinstance(columns, Mapping):
                raise ArgumentError(
                    f"{name}: expected a mapping of names to columns; got {_shown(columns)}"
                )
            self._set(name, {k: _column(f"{name}[{k!r}]", v, n_texts) for k, v in columns.items()})
        self._set("groups", {k: _as_groups(k, values) for k, values in self.groups.items()})
        self._set("notes", (self.notes,) if isinstance(self.notes, str) else tuple(self.notes))
        _check_names(self.groups, self.extra)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        labelled = "labelled" if self.labels is not None else "unlabelled"
        of = f", groups by {', '.join(self.attributes)}" if self.groups else ""
        return f"LabelledTexts({self.name}: {len(self)} texts, {labelled}{of})"

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes."""
        return tuple(self.groups)

    def groups_of(self, attribute: str) -> tuple[str | None, ...]:
        """Return the group of each row, ``(n,)``, by one attribute.

        Raises
        ------
        ArgumentError
            There is no such attribute.
        """
        if attribute not in self.groups:
            raise ArgumentError(
                f"attribute: {self.name} has no {attribute!r}; its attributes are "
                f"{', '.join(map(repr, self.groups)) or 'none'}"
            )
        return tuple(self.groups[attribute])

    def group_names(self, attribute: str) -> tuple[str, ...]:
        """Return the distinct groups of one attribute in alphabetical order, None left out."""
        return tuple(sorted({g for g in self.groups_of(attribute) if g is not None}))

    def rows(self, indices: Iterable[int] | slice) -> LabelledTexts:
        """Return some of the rows, in the order of `indices`.

        Parameters
        ----------
        indices : sequence of int, boolean mask ``(n,)``, or slice
            Which rows; a row may come more than once (a bootstrap does that).

        Raises
        ------
        ArgumentError
            A row that is not there, or a mask of another length.

        Examples
        --------
        >>> LabelledTexts(["a", "b", "c"], [0, 1, 0]).rows([True, False, True]).labels
        (0, 0)
        """
        chosen = _chosen(indices, len(self))

        def take(column: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(column[i] for i in chosen)

        return replace(
            self,
            texts=take(self.texts),
            labels=None if self.labels is None else take(self.labels),
            groups={name: take(column) for name, column in self.groups.items()},
            clusters=None if self.clusters is None else take(self.clusters),
            extra={name: take(column) for name, column in self.extra.items()},
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per text: ``text``, ``label``, the attributes, ``cluster``, the rest.

        Raises
        ------
        MissingExtraError
            Pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error

        columns: dict[str, Sequence[Any]] = {"text": self.texts}
        if self.labels is not None:
            columns["label"] = self.labels
        columns |= self.groups
        if self.clusters is not None:
            columns["cluster"] = self.clusters
        columns |= self.extra
        # Numbers are numbers; all else stays as it is: tuples, None, and strings that no encoding
        # takes, which pandas' own kind of string could not hold.
        kinds = {k: set(map(type, v)) or {str} for k, v in columns.items()}
        return pd.DataFrame(
            {
                k: pd.Series(list(v), dtype=None if kinds[k] <= {int, float} else object)
                for k, v in columns.items()
            }
        )


def _column(name: str, values: Any, n_texts: int | None) -> tuple[Any, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError(f"{name}: expected a sequence, an entry per text; got {_shown(values)}")
    # The scalars of numpy look like Python's own but print, hash and serialise unlike them.
    column = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
    if n_texts is not None and len(column) != n_texts:
        raise ArgumentError(f"{name}: {len(column)} entries for {n_texts} texts")
    return column


def _as_groups(attribute: str, values: Sequence[Any]) -> tuple[str | None, ...]:
    for row, value in enumerate(values):
        if not isinstance(value, str) and not _is_missing(value):
            raise ArgumentError(
                f"groups[{attribute!r}]: expected str or None; got {_shown(value)} in row {row}"
            )
    return tuple(value if isinstance(value, str) else None for value in values)


def _is_missing(value: Any) -> bool:
    """None, NaN, and pandas' own NA, whose comparisons have no truth value."""
    return (
        value is None
        or (isinstance(value, float) and value != value)
        or type(value).__name__ == "NAType"
    )


def _check_names(groups: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    for name in (*groups, *extra):
        if not isinstance(name, str) or name in RESERVED:
            raise ArgumentError(
                f"groups, extra: names must be str other than {', '.join(RESERVED)}; got {name!r}"
            )
    if twice := sorted(groups.keys() & extra.keys()):
        raise ArgumentError(f"extra: {', '.join(map(repr, twice))} is an attribute too")


def _chosen(indices: Iterable[int] | slice, n_texts: int) -> list[int]:
    if isinstance(indices, slice):
        return list(range(n_texts)[indices])
    chosen = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
    if chosen.dtype == bool:
        if chosen.shape != (n_texts,):
            raise ArgumentError(f"indices: a mask of shape {chosen.shape} for {n_texts} texts")
        return [int(i) for i in np.flatnonzero(chosen)]
    if chosen.size and not (chosen.ndim == 1 and np.issubdtype(chosen.dtype, np.integer)):
        raise ArgumentError(f"indices: expected row numbers or a mask; got {_shown(indices)}")
    for row in chosen:
        if not -n_texts <= row < n_texts:
            raise ArgumentError(f"indices: row {row} of {n_texts} texts")
    return [int(row) for row in chosen]


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
