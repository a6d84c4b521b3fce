"""`ScoreTable` as arrays and plain values: what files and JSON hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.exceptions import TableError
from perturbx.summand_limits import are_read
from perturbx.units.units import Units

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

FORMAT = "perturbx.ScoreTable/1"


_ARRAYS = (
    "scores",
    "variances",
    "counts",
    "probabilities",
    "walks",
    "variant_of_row",
    "samples",
    "summands",
)


def split(table: ScoreTable) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a table holds as values for JSON, and its arrays."""
    arrays = {name: getattr(table, name) for name in _ARRAYS if getattr(table, name) is not None}
    arrays = {"masks": np.packbits(table.masks, axis=1), **arrays}
    if not are_read(table):
        arrays.pop("summands", None)
    record = {
        "format": FORMAT,
        "arrays": list(arrays),
        "n_units": table.n_units,
        "n_masks": len(table),
        "output_names": list(table.output_names),
        "units": None if table.units is None else table.units.to_dict(),
        "design": table.design,
        "paired": table.paired,
        "exhaustive": table.exhaustive,
        "kind": table.kind,
        "exclusive": table.exclusive,
        "provenance": dict(table.provenance),
    }
    return record, arrays


def plain(array: Any) -> list[Any]:
    """Return nested lists, with None for what is not known: JSON has no such number."""
    unknown = np.isnan(array)
    if unknown.any():
        array = array.astype(object)
        array[unknown] = None
    return list(array.tolist())


def joined(record: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the table that `split` took apart."""
    if record["format"] != FORMAT:
        raise TableError(f"table: expected format {FORMAT}, got {record['format']!r}")
    n_masks, n_units = record["n_masks"], record["n_units"]
    packed = arrays["masks"].reshape(n_masks, -(-n_units // 8))
    n_outputs = len(record["output_names"])
    shaped = {name: arrays[name] for name in _ARRAYS if name in arrays}
    for name in ("scores", "variances"):
        if name in shaped:
            shaped[name] = shaped[name].reshape(n_masks, n_outputs)
    if "walks" in shaped:
        shaped["walks"] = shaped["walks"].reshape(-1, n_units + 1)
    if "summands" in shaped and not shaped["summands"].size:
        del shaped["summands"]
    return {
        "masks": np.unpackbits(packed, axis=1, count=n_units).astype(bool),
        "output_names": tuple(record["output_names"]),
        "units": None if record["units"] is None else Units.from_dict(record["units"]),
        **{
            name: record[name]
            for name in ("design", "paired", "exhaustive", "kind", "exclusive", "provenance")
        },
        **shaped,
    }
