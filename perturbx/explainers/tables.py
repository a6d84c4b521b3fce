"""From coalitions and scores to tables, with what an earlier run paid for already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import ArgumentError
from perturbx.runner import Outcome, Result
from perturbx.score_table import ScoreTable
from perturbx.typing import MaskMatrix
from perturbx.units.units import Units


def rows_to_score(coalitions: Coalitions, known: ScoreTable | None) -> torch.Tensor:
    """Return which rows ``(n_masks,)`` bool of the design an earlier table does not hold."""
    if known is None or not len(known):
        return torch.ones(len(coalitions), dtype=torch.bool)
    paid = {row.tobytes() for row in known.masks}
    return torch.tensor([row.tobytes() not in paid for row in coalitions.masks.numpy()])


def check_known(known: ScoreTable, units: Units, provenance: Mapping[str, Any], name: str) -> None:
    """Raise an `ArgumentError` where an earlier table is not of this text, model and masker."""
    if known.units is None or replace(known.units, tree=units.tree) != units:
        raise ArgumentError(
            f"{name}: is of another text or other units; give the tables in the order of the texts"
        )
    for part in ("model", "masker"):
        if len(known) and known.provenance.get(part) != provenance[part]:
            raise ArgumentError(
                f"{name}: was scored with {part} {known.provenance.get(part)!r}, not with "
                f"{provenance[part]!r}"
            )


def build_table(
    units: Units | None,
    coalitions: Coalitions,
    fresh: torch.Tensor,
    result: Result,
    outcome: Outcome,
    output_names: Sequence[str],
    provenance: Mapping[str, Any],
    known: ScoreTable | None,
) -> ScoreTable:
    """Return the table of one text: the rows of its design that were scored, now or before.

    Parameters
    ----------
    units : Units or None
        The text's units.
    coalitions : Coalitions
        The design.
    fresh : torch.Tensor of bool, (n_masks,)
        The rows of the design that were given to the runner.
    result, outcome
        What came back.
    output_names : sequence of str
        The scorer's names.
    provenance : mapping
        For the record.
    known : ScoreTable, optional
        What an earlier run paid for; rows outside the design are kept, too.
    """
    scored = result.scored
    table = ScoreTable(
        masks=coalitions.masks[fresh].numpy()[scored],
        scores=result.scores[scored],
        output_names=tuple(output_names),
        units=units,
        variances=None if result.variances is None else result.variances[scored],
        variant_of_row=result.variant_of_row[scored],
        kind=outcome.kind,
        exclusive=outcome.exclusive,
        design=coalitions.design,
        provenance=provenance,
    )
    if known is not None and len(known):
        known = replace(known, units=units)
        table = known.merge(table) if len(table) else known
    return _with_design(table, coalitions)


def _with_design(table: ScoreTable, coalitions: Coalitions) -> ScoreTable:
    """Return the table in the order of the design, with the promises that it still keeps."""
    masks: MaskMatrix = coalitions.masks.numpy()
    place = {row.tobytes(): i for i, row in enumerate(table.masks)}
    found = np.array([place.get(row.tobytes(), -1) for row in masks], dtype=np.int64)
    ordered = table.rows(found[found >= 0])
    counts = coalitions.counts.numpy()
    designed = replace(
        ordered,
        counts=counts[found >= 0],
        probabilities=(
            None
            if coalitions.probabilities is None
            else coalitions.probabilities.numpy()[found >= 0]
        ),
        walks=None,
        design=coalitions.design,
        paired=coalitions.paired and bool((found >= 0).all()),
        exhaustive=coalitions.exhaustive and bool((found >= 0).all()),
    )
    if coalitions.walks is not None:
        position = np.full(len(masks), -1)
        position[found >= 0] = np.arange(len(ordered))
        walks = position[coalitions.walks.numpy()]
        whole = np.logical_and.reduce(walks >= 0, axis=1)
        designed = replace(designed, walks=walks[np.repeat(whole[0::2] & whole[1::2], 2)])
    extra = np.setdiff1d(np.arange(len(table)), found)
    return designed.merge(table.rows(extra)) if len(extra) else designed
