"""Two tables as one: rows that both hold are told apart from those that only one does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from perturbx.exceptions import TableError
from perturbx.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable
    from perturbx.units.units import Units


def merged(table: ScoreTable, other: ScoreTable) -> ScoreTable:
    """Return one table with the rows of both; see `ScoreTable.merge`."""
    units = _units_of_both(table, other)
    if not table.output_names:  # nothing came back for it, not even how many outputs there are
        return other
    if not other.output_names:
        return table
    _check_mergeable(table, other)
    known = {row.tobytes(): i for i, row in enumerate(table.masks)}
    twin = np.array([known.get(row.tobytes(), -1) for row in other.masks], dtype=np.int64)
    new = np.flatnonzero(twin < 0)
    offset = int(table.variant_of_row.max(initial=-1)) + 1
    alias = {
        int(other.variant_of_row[i]): int(table.variant_of_row[twin[i]])
        for i in np.flatnonzero(twin >= 0)
    }
    variants = [alias.get(int(v), offset + int(v)) for v in other.variant_of_row[new]]
    position = twin.copy()
    position[new] = len(table) + np.arange(len(new))
    counts = np.concatenate([table.counts, other.counts[new]])
    runs, further = _runs(table), _runs(other)
    is_known = runs and further and (runs <= further or further <= runs)
    join = np.maximum if is_known else np.add
    join.at(counts, twin[twin >= 0], other.counts[twin >= 0])
    variances = None
    if table.variances is not None or other.variances is not None:
        known_noise = [
            np.zeros_like(own.scores) if own.variances is None else own.variances
            for own in (table, other)
        ]
        variances = np.concatenate([known_noise[0], known_noise[1][new]])
    moved = None if other.walks is None else position[other.walks]
    walks, design = _walks(table, moved, other.design)
    masks = np.concatenate([table.masks, other.masks[new]])
    return replace(
        table,
        masks=masks,
        units=units,
        scores=np.concatenate([table.scores, other.scores[new]]),
        variances=variances,
        counts=counts,
        probabilities=table.probabilities if is_known and not len(new) else None,
        walks=walks,
        variant_of_row=np.concatenate([table.variant_of_row, variants]).astype(np.int64),
        samples=(
            None
            if table.samples is None or other.samples is None
            else np.concatenate([table.samples, other.samples[new]])
        ),
        summands=_summands(table, other, position, len(masks)),
        design=design,
        paired=table.paired and other.paired,
        exhaustive=table.n_units < 63 and len(masks) == 2**table.n_units,
        provenance={**table.provenance, **_told(runs | further)},
    )


def _runs(table: ScoreTable) -> set[tuple[str, int]]:
    """Return the design and the seed of each run whose draws a table counts, as far as known."""
    seed = table.provenance.get("seed")
    own = [] if seed is None else [(table.design, seed)]
    return {(design, number) for design, number in table.provenance.get("runs", own)}


def _told(runs: set[tuple[str, int]]) -> dict[str, list[tuple[str, int]]]:
    """Return what `_runs` reads; of a single one, the table tells design and seed itself."""
    return {"runs": sorted(runs)} if len(runs) > 1 else {}


def _walks(table: ScoreTable, walks: IntArray | None, design: str) -> tuple[IntArray | None, str]:
    """Return the walks of both, none twice, and the design that they, or all rows, follow."""
    if table.walks is None or walks is None or table.design != design:
        kept, named = (walks, design) if table.walks is None else (table.walks, table.design)
        return kept, named if kept is not None or table.design == design else "merged"
    known = {walk.tobytes() for walk in table.walks}
    is_new = np.array([walk.tobytes() not in known for walk in walks], dtype=bool)
    return np.concatenate([table.walks, walks[is_new]]), design


def _summands(
    table: ScoreTable, other: ScoreTable, position: IntArray, n_rows: int
) -> FloatArray | None:
    """Return the summands of the rows of which either table has them, NaN of the others.

    None where they are grouped otherwise: then no two rows' are of the same tokens.
    """
    held = [own.summands for own in (table, other) if own.summands is not None]
    if not held or len({own.shape[1:] for own in held}) > 1:
        return None
    whole: FloatArray = np.full((n_rows, *held[0].shape[1:]), np.nan)
    if other.summands is not None:
        whole[position] = other.summands
    if table.summands is not None:
        whole[: len(table)] = np.where(
            np.isnan(table.summands), whole[: len(table)], table.summands
        )
    return whole


def _units_of_both(table: ScoreTable, other: ScoreTable) -> Units | None:
    """Return the units of both tables, with the hierarchy that one of them, or both, may have."""
    one, two = table.units, other.units
    if one is None or two is None or one.text != two.text:
        if one is two is None and table.n_units == other.n_units:
            return None
        told = [
            f"{own.n_units} units" if own.units is None else f"{own.units.text!r:.80}"
            for own in (table, other)
        ]
        raise TableError(f"units: both tables must be of one text to be merged; got {told}")
    trees = {own.tree for own in (one, two) if own.tree is not None}
    if len(trees) > 1 or replace(one, tree=None) != replace(two, tree=None):
        raise TableError(
            f"units: both tables must be of the same units to be merged, in one hierarchy; got "
            f"{one.n_units} {one.level} and {two.n_units} {two.level}"
        )
    return one if two.tree is None else two


def _check_mergeable(table: ScoreTable, other: ScoreTable) -> None:
    for name in ("output_names", "kind", "exclusive"):
        if getattr(table, name) != getattr(other, name):
            raise TableError(
                f"{name}: both tables must agree to be merged; got "
                f"{getattr(table, name)!r} and {getattr(other, name)!r}"
            )
    for name in ("model", "masker"):
        if table.provenance.get(name) != other.provenance.get(name):
            raise TableError(
                f"{name}: both tables must come from the same one to be merged; got "
                f"{table.provenance.get(name)!r} and {other.provenance.get(name)!r}"
            )
    # Tables of older versions do not say what their outputs are parts of.
    parts = [own.provenance.get("parts", {}) for own in (table, other)]
    for name in table.output_names:
        one, two = (own.get(name) for own in parts)
        if one is not None and two is not None and one != two:
            raise TableError(
                f"output_names: {name!r} is another part of the response in one table than in the "
                f"other; got the places {one!s:.80} and {two!s:.80}"
            )
