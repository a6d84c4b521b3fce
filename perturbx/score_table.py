"""`ScoreTable`: every coalition paid for, and what the model said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from perturbx.exceptions import ArgumentError, CapabilityError, TableError
from perturbx.score_table_merging import merged
from perturbx.score_table_record import joined, plain, split
from perturbx.scorers.links import apply_link
from perturbx.typing import FloatArray, IntArray, Link, MaskMatrix, ScoreKind, ScoreMatrix
from perturbx.units.units import Units
from perturbx.whole_files import whole_file


def _not_given() -> IntArray:
    return np.empty(0, dtype=np.int64)


def _same_rows(masks: MaskMatrix) -> tuple[int, int] | None:
    """Return the first two rows that are the same, None where all differ or there are no units."""
    if not masks.size:
        return None
    packed = np.ascontiguousarray(np.packbits(masks, axis=1))
    keys = packed.view(f"V{packed.shape[1]}").ravel()
    _, first, owner = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == len(masks):
        return None
    again = int(np.argmax(first[owner] != np.arange(len(masks))))
    return int(first[owner[again]]), again


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Coalitions of one text with their scores: what every surrogate is fitted to.

    Parameters
    ----------
    masks : numpy.ndarray of bool, (n_masks, n_units)
        Distinct coalitions, True = kept.
    scores : numpy.ndarray of float64, (n_masks, n_outputs)
        The scorer's own numbers; links are applied at the fit.
    output_names : tuple of str
        A name per output.
    units : Units, optional
        The units of the text; None for a game without a text.
    variances : numpy.ndarray, (n_masks, n_outputs), optional
        Variances of the scores of a noisy model.
    counts : numpy.ndarray of int64, (n_masks,), optional
        How often the design drew each row; ones by default.
    probabilities : numpy.ndarray, (n_masks,), optional
        Inclusion probabilities of the design.
    walks : numpy.ndarray of int64, (n_walks, n_units + 1), optional
        Chains of rows from the empty coalition to the full one.
    variant_of_row : numpy.ndarray of int64, (n_masks,), optional
        The distinct variant behind each row: two masks may give the model the same input.
    samples : numpy.ndarray of int64, (n_masks,), optional
        Where scores are shares of sampled answers: of how many. Each answer is a call.
    summands : numpy.ndarray, (n_masks, n_outputs, n_summands), optional
        What the scores are sums of, before a link, where that is known: the log-probabilities of a
        response's tokens, or of groups of them. Files hold those that surrogates read: of at most
        1,000 rows and 64 units (or of groups of units), not of all coalitions where these are many.
    design : str
        The sampler that drew the rows.
    paired, exhaustive : bool
        Promises of the design (see `Coalitions`).
    kind : {"logit", "probability", "log_prob", "value"}
        What the scores are.
    exclusive : bool
        The outputs are classes of which exactly one holds.
    provenance : mapping
        Where the scores come from: model, masker, parameters, seed, time. JSON values.
    """

    masks: MaskMatrix
    scores: ScoreMatrix
    output_names: tuple[str, ...]
    units: Units | None = None
    variances: ScoreMatrix | None = None
    counts: IntArray = field(default_factory=_not_given)
    probabilities: ScoreMatrix | None = None
    walks: IntArray | None = None
    variant_of_row: IntArray = field(default_factory=_not_given)
    samples: IntArray | None = None
    summands: FloatArray | None = None
    design: str = "custom"
    paired: bool = False
    exhaustive: bool = False
    kind: ScoreKind = "value"
    exclusive: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "output_names", tuple(self.output_names))
        if self.masks.ndim != 2 or self.masks.dtype != np.bool_:
            raise TableError(
                f"masks: expected a boolean matrix, got {self.masks.dtype} {self.masks.shape}"
            )
        same = _same_rows(self.masks)
        if same is not None:
            raise TableError(
                f"masks: rows {same[0]} and {same[1]} are the same coalition; give each once, with "
                f"the mean of its scores, and in counts how often it was drawn"
            )
        if self.units is not None and self.units.n_units != self.n_units:
            raise TableError(
                f"units: expected {self.n_units}, a column of masks each; got {self.units.n_units}"
            )
        if self.scores.shape != (len(self.masks), len(self.output_names)):
            raise TableError(
                f"scores: expected {(len(self.masks), len(self.output_names))} for "
                f"{len(self.masks)} masks and {len(self.output_names)} outputs, "
                f"got {self.scores.shape}"
            )
        if self.summands is not None and (
            self.summands.ndim != 3 or self.summands.shape[:2] != self.scores.shape
        ):
            raise TableError(
                f"summands: expected {self.scores.shape} and one more axis, got "
                f"{self.summands.shape}"
            )
        if not len(self.counts):
            object.__setattr__(self, "counts", np.ones(len(self.masks), dtype=np.int64))
        if not len(self.variant_of_row):
            object.__setattr__(self, "variant_of_row", np.arange(len(self.masks)))
        self._check_lengths()
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    def _check_lengths(self) -> None:
        """Raise a `TableError` where something beside the scores is not of as many rows."""
        rows = (len(self.masks),)
        wanted = {"variances": self.scores.shape, "counts": rows, "probabilities": rows}
        for name, shape in {**wanted, "variant_of_row": rows, "samples": rows}.items():
            given = getattr(self, name)
            if given is not None and given.shape != shape:
                raise TableError(
                    f"{name}: expected {shape} for {len(self.masks)} masks and "
                    f"{len(self.output_names)} outputs, got {given.shape}"
                )
        if self.walks is not None and len(self.walks):
            steps = self.n_units + 1
            first, last = self.walks.min(), self.walks.max()
            if self.walks.shape[1:] != (steps,) or first < 0 or last >= len(self.masks):
                raise TableError(
                    f"walks: expected {steps} of the {len(self.masks)} rows each, got walks "
                    f"{self.walks.shape} of rows {first} to {last}"
                )

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return (
            f"ScoreTable({len(self)} masks of {self.n_units} units, outputs="
            f"{list(self.output_names)}, design={self.design!r}, n_calls={self.n_calls})"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "provenance": dict(self.provenance)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        object.__setattr__(self, "provenance", MappingProxyType(state["provenance"]))

    @property
    def n_units(self) -> int:
        """The number of units."""
        return int(self.masks.shape[1])

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return len(self.output_names)

    @property
    def n_calls(self) -> int:
        """The number of distinct variants scored, or of the answers that were sampled."""
        if not len(self):
            return 0
        if self.samples is None:
            return len(set(self.variant_of_row.tolist()))
        # Of two rows that are one variant, the answers of the one are among those of the other.
        variants, place = np.unique(self.variant_of_row, return_inverse=True)
        most = np.zeros(len(variants), dtype=np.int64)
        np.maximum.at(most, place, self.samples)
        return int(most.sum())

    def row_of(self, kept: bool) -> int | None:
        """Return the row where every unit is kept (or removed), None where it was not scored."""
        rows = np.flatnonzero(self.masks.all(axis=1) if kept else ~self.masks.any(axis=1))
        return int(rows[0]) if len(rows) else None

    @property
    def full_scores(self) -> FloatArray:
        """The scores ``(n_outputs,)`` of the whole text.

        Raises
        ------
        TableError
            The whole text was not scored.
        """
        row = self.row_of(kept=True)
        if row is None:
            raise TableError("masks: the table has no row in which every unit is kept")
        scores: FloatArray = self.scores[row]
        return scores

    @property
    def is_contrast(self) -> bool:
        """Whether the scores compare the log-probabilities of two answers to a prompt."""
        answers = () if self.units is None else self.units.segments[1:]
        return self.kind == "log_prob" and len(answers) > 1

    def linked(self, link: Link) -> ScoreTable:
        """Return the table with its scores on the scale of `link`.

        Raises
        ------
        CapabilityError
            The scores have no such scale: a contrast of two answers is no probability.
        """
        if link in ("probability", "log_odds") and self.is_contrast:
            raise CapabilityError(
                f"link={link!r}: the scores are differences of two answers' log-probabilities "
                f"and no probabilities; take link='log_prob'"
            )
        scores, variances = apply_link(
            self.scores, self.variances, link=link, kind=self.kind, exclusive=self.exclusive
        )
        kind: ScoreKind = self.kind if link == "identity" else "value"
        # Of probabilities, what tokens contribute is no sum.
        summands = None if link == "probability" else self.summands
        return replace(self, scores=scores, variances=variances, kind=kind, summands=summands)

    def select(self, outputs: str | Sequence[str]) -> ScoreTable:
        """Return the table with only some outputs.

        Parameters
        ----------
        outputs : str or sequence of str
            "all", "predicted" (the one with the highest score on the whole text), or names.

        Raises
        ------
        ArgumentError
            An output of that name is not there.
        """
        if isinstance(outputs, str) and outputs == "all":
            return self
        if isinstance(outputs, str) and outputs == "predicted":
            columns = [int(np.argmax(self.full_scores))]
        else:
            names = [outputs] if isinstance(outputs, str) else list(dict.fromkeys(outputs))
            unknown = [name for name in names if name not in self.output_names]
            if unknown or not names:
                raise ArgumentError(
                    f"outputs: expected 'all', 'predicted' or names out of "
                    f"{list(self.output_names)}; got {outputs!r}"
                )
            columns = [self.output_names.index(name) for name in names]
        return replace(
            self,
            scores=self.scores[:, columns],
            variances=None if self.variances is None else self.variances[:, columns],
            output_names=tuple(self.output_names[column] for column in columns),
            summands=None if self.summands is None else self.summands[:, columns],
        )

    def rows(self, kept: Any) -> ScoreTable:
        """Return the table of some rows (a boolean vector or indices); walks that break are cut."""
        index = np.arange(len(self))[kept]
        position = np.full(len(self), -1)
        position[index] = np.arange(len(index))
        walks = self.walks
        if walks is not None:
            moved = position[walks]
            whole = np.logical_and.reduce(moved >= 0, axis=1)
            if len(whole) % 2 == 0:  # each stands beside its reversal
                whole = np.repeat(whole[0::2] & whole[1::2], 2)
            walks = moved[whole] if whole.any() else None
        complete = len(index) == len(self)
        return replace(
            self,
            masks=self.masks[index],
            scores=self.scores[index],
            variances=None if self.variances is None else self.variances[index],
            counts=self.counts[index],
            probabilities=None if self.probabilities is None else self.probabilities[index],
            walks=walks,
            variant_of_row=self.variant_of_row[index],
            samples=None if self.samples is None else self.samples[index],
            summands=None if self.summands is None else self.summands[index],
            paired=self.paired and complete,
            exhaustive=self.exhaustive and complete,
        )

    def merge(self, other: ScoreTable) -> ScoreTable:
        """Return one table with the rows of both; this one's scores win where both have a row.

        Counts add up, but for tables whose draws are the same (of one design and seed, or merged of
        such already); so do walks, those of another design than this one's left out. The merged
        rows follow no design with known inclusion probabilities, so those are dropped, but where a
        part of this table comes back to it. Rows of a table without variances have none: theirs are
        0. Summands of rows of which neither table has them are not a number: surrogates fit
        summands again where `rows` leaves only rows that have them. A hierarchy that only one table
        has is kept; a table of a text that was not reached changes nothing.

        Raises
        ------
        TableError
            The tables are of different texts, units, hierarchies, outputs, models or maskers, or
            an output of one name is another part of a response.
        """
        return merged(self, other)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the table to one ``.npz`` file (arrays and JSON, no pickle); return its path."""
        record, arrays = split(self)
        target = Path(path)
        with whole_file(target) as file:
            np.savez_compressed(file, record=np.array(json.dumps(record)), **arrays)
        return target

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ScoreTable:
        """Return the table that `save` wrote.

        Raises
        ------
        TableError
            The file is not such a table, or is damaged.
        """
        with Path(path).open("rb") as opened:
            try:
                with np.load(opened, allow_pickle=False) as file:
                    record = json.loads(str(file["record"]))
                    listed = record.get("arrays", file.files)  # not in older files
                    arrays = {name: file[name] for name in listed if name != "record"}
                return cls(**joined(record, arrays))
            except Exception as error:  # of a damaged file, zip and numpy raise anything at all
                raise TableError(f"path: {path} is no ScoreTable of perturbx ({error})") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values, ready for JSON."""
        record, arrays = split(self)
        return {
            **record,
            "arrays": {
                name: {"dtype": str(array.dtype), "values": plain(array)}
                for name, array in arrays.items()
            },
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ScoreTable:
        """Return the table that `to_dict` wrote.

        Raises
        ------
        TableError
            The record is not one of those.
        """
        try:
            arrays = {
                name: np.array(entry["values"], dtype=entry["dtype"])
                for name, entry in record["arrays"].items()
            }
            return cls(**joined(record, arrays))
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise TableError(f"table: is not a record of a ScoreTable ({error!r})") from error
