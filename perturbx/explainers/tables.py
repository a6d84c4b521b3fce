"""From coalitions and scores to tables, with what an earlier run paid for already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError
from perturbx.score_table import ScoreTable
from perturbx.typing import IntArray, MaskMatrix
from perturbx.units.units import Units


def rows_to_score(coalitions: Coalitions, known: ScoreTable | None) -> torch.Tensor:
    """Return which rows ``(n_masks,)`` bool of the design an earlier table does not hold.

    Or holds with fewer answers than the design wants, where those are sampled.
    """
    if known is None or not len(known):
        return torch.ones(len(coalitions), dtype=torch.bool)
    names = [row.tobytes() for row in known.masks]
    rows = [row.tobytes() for row in coalitions.masks.numpy()]
    if coalitions.samples is None or known.samples is None:
        paid = set(names)
        return torch.tensor([row not in paid for row in rows])
    answers = dict(zip(names, known.samples.tolist(), strict=True))
    wanted = coalitions.samples.tolist()
    return torch.tensor([answers.get(r, 0) < n for r, n in zip(rows, wanted, strict=True)])


def without_rows(known: ScoreTable | None, bought: ScoreTable) -> ScoreTable | None:
    """Return a table without the masks of another one, which has more answers to them."""
    if known is None or bought.samples is None:
        return known
    new = {row.tobytes() for row in bought.masks}
    kept = [row.tobytes() not in new for row in known.masks]
    return known.rows(np.array(kept, dtype=bool)) if any(kept) else None


def check_number(tables: Any, n_texts: int) -> None:
    """Raise an `ArgumentError` where earlier tables are no list with one for each text."""
    if not isinstance(tables, Sequence):
        raise ArgumentError(
            f"tables: expected a list with a ScoreTable for each text; got {tables!r}"
        )
    if len(tables) != n_texts:
        raise ArgumentError(f"tables: expected one per text, got {len(tables)} for {n_texts} texts")


def check_tables(
    tables: Sequence[ScoreTable],
    units: Sequence[Units],
    source: Mapping[str, Any],
    output_names: Sequence[str] | None = None,
) -> None:
    """Raise an `ArgumentError` where earlier tables are not of these texts, model and masker.

    Nor of these outputs, where their names are known: rows could not be added to such a table.
    """
    check_number(tables, len(units))
    for number, (known, own) in enumerate(zip(tables, units, strict=True)):
        name = f"tables[{number}]"
        # Without trees: one explainer's hierarchy does not fit the units of another text.
        if known.units is None or replace(known.units, tree=None) != replace(own, tree=None):
            raise ArgumentError(
                f"{name}: is of another text or other units; give the tables in the order of the "
                f"texts"
            )
        for part in ("model", "masker"):
            if len(known) and known.provenance.get(part) != source[part]:
                raise ArgumentError(
                    f"{name}: was scored with {part} {known.provenance.get(part)!r}, not with "
                    f"{source[part]!r}"
                )
        if output_names is not None and len(known) and known.output_names != tuple(output_names):
            raise ArgumentError(
                f"{name}: holds scores of the outputs {list(known.output_names)!s:.80}, and the "
                f"model's are {list(output_names)!s:.80}; name them as that run did"
            )


def with_rows(known: ScoreTable | None, bought: ScoreTable) -> ScoreTable:
    """Return one table with the rows of both, of which none is the same; variants keep their ids.

    Raises
    ------
    TableError
        The tables are of different units, outputs, models or maskers.
    """
    if known is None:
        return bought
    variants = np.concatenate([known.variant_of_row, bought.variant_of_row])
    return replace(known.merge(bought), variant_of_row=variants)


def in_design(paid: ScoreTable, coalitions: Coalitions, later: Coalitions | None) -> ScoreTable:
    """Return the rows of a design in its order, with the promises that they still keep.

    Parameters
    ----------
    paid : ScoreTable
        All that is paid for, in any order.
    coalitions : Coalitions
        The design. Rows outside it come last, with the counts that they had.
    later : Coalitions, optional
        A design whose further rows are left out.
    """
    masks: MaskMatrix = coalitions.masks.numpy()
    place = {row.tobytes(): i for i, row in enumerate(paid.masks)}
    found = np.array([place.get(row.tobytes(), -1) for row in masks], dtype=np.int64)
    at = found[found >= 0]
    is_whole = len(at) == len(masks)
    designed = replace(
        paid.rows(at),
        counts=coalitions.counts.numpy()[found >= 0],
        probabilities=(
            None
            if coalitions.probabilities is None
            else coalitions.probabilities.numpy()[found >= 0]
        ),
        walks=_whole_walks(coalitions, found),
        design=coalitions.design,
        paired=coalitions.paired and is_whole,
        exhaustive=coalitions.exhaustive and is_whole,
    )
    left_out = set() if later is None else {row.tobytes() for row in later.masks.numpy()}
    known = set(at.tolist())
    extra = [i for mask, i in place.items() if i not in known and mask not in left_out]
    if not extra:
        return designed
    table = designed.merge(paid.rows(extra))
    return replace(table, variant_of_row=paid.variant_of_row[[*at, *extra]])


def _whole_walks(coalitions: Coalitions, found: IntArray) -> IntArray | None:
    """Return the walks of which every row, and every row of the reversal, was scored."""
    if coalitions.walks is None:
        return None
    position = np.full(len(found), -1)
    position[found >= 0] = np.arange(int((found >= 0).sum()))
    walks: IntArray = position[coalitions.walks.numpy()]
    whole = np.logical_and.reduce(walks >= 0, axis=1)
    complete: IntArray = walks[np.repeat(whole[0::2] & whole[1::2], 2)]
    return complete


def join_designs(before: Coalitions, after: Coalitions) -> Coalitions:
    """Return a larger design that holds a smaller one.

    The larger one itself where it does. Elsewhere (designs whose last rows are drawn anew for
    each budget) the smaller one, filled up with the first rows of the other.
    """
    had = {row.tobytes() for row in before.masks.numpy()}
    is_new = [row.tobytes() not in had for row in after.masks.numpy()]
    n_new = len(after) - len(before)
    if sum(is_new) == n_new:
        return after
    rows = torch.tensor(is_new).nonzero().ravel()[:n_new]
    return replace(
        before,
        masks=torch.cat([before.masks, after.masks[rows]]),
        counts=torch.cat([before.counts, after.counts[rows]]),
        paired=before.paired and after.paired,
    )
