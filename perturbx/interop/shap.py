"""Explanations as a ``shap.Explanation``, for shap's plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx.exceptions import ArgumentError
from perturbx.typing import FloatArray
from perturbx.units.units import FRAME, Units

if TYPE_CHECKING:
    import shap

    from perturbx.explanation import Explanation


def to_shap(explanations: Sequence[Explanation]) -> shap.Explanation:
    """Return what shap's own text explainer would: parallel lists, a row per piece of text.

    The pieces of ``data`` join to the text, so that ``shap.plots.text`` shows all of it. White
    space in the frame goes with the piece before it. Frame text that can be seen (a frozen
    prompt), and the later spans of a unit that owns several, are rows of their own with the
    value 0; a text without them has one row per unit, in text order.

    ``to_shap([e])[0]`` is one text ``(n_rows, n_outputs)``, ``to_shap([e])[0][:, "POSITIVE"]``
    one output of it, which the bar and waterfall plots take. With a single output the values
    have no output axis, as shap has it. Standard errors are in ``error_std``.

    Parameters
    ----------
    explanations : sequence of Explanation
        One per text, all of the same outputs, or of one output each.

    Raises
    ------
    ArgumentError
        There is no explanation, or they have different outputs.
    """
    if not len(explanations):
        raise ArgumentError("explanations: expected at least one; got none")
    names = {explanation.output_names for explanation in explanations}
    single = all(len(outputs) == 1 for outputs in names)
    if len(names) > 1 and not single:
        raise ArgumentError(
            f"explanations: shap needs the same outputs for every text; got {sorted(names)}. "
            f"Convert them one by one, or explain the same outputs"
        )
    import shap

    first = explanations[0].output_names
    one_name = first[0] if len(names) == 1 else None
    rows = [_rows(explanation.units) for explanation in explanations]
    values = [_spread(e.values, r, single=single) for e, r in zip(explanations, rows, strict=True)]
    errors = [
        _spread(e.std_errors, r, single=single) for e, r in zip(explanations, rows, strict=True)
    ]
    base_values = np.stack([explanation.base_values for explanation in explanations])
    return shap.Explanation(
        values=_ragged(values),
        base_values=base_values[:, 0] if single else base_values,
        data=tuple(np.array([piece for _, piece in r], dtype=object) for r in rows),
        feature_names=[
            [e.units.labels[owner] if owner != FRAME else piece.strip() for owner, piece in r]
            for e, r in zip(explanations, rows, strict=True)
        ],
        output_names=one_name if single else list(first),
        error_std=_ragged(errors),
    )


def _rows(units: Units) -> list[tuple[int, str]]:
    """Return ``(unit, piece)`` for every row; a row without a value of its own has no unit."""
    rows: list[tuple[int, str]] = []
    leading = ""
    seen: set[int] = set()
    for owner, part in units.parts:
        if owner == FRAME and not part.strip():
            if rows:
                rows[-1] = (rows[-1][0], rows[-1][1] + part)
            else:
                leading = part
            continue
        rows.append((FRAME if owner in seen else owner, leading + part))
        leading = ""
        seen.add(owner)
    return rows or [(FRAME, leading)]


def _spread(matrix: FloatArray, rows: list[tuple[int, str]], *, single: bool) -> FloatArray:
    """Return a row per piece, 0 where it has no unit; without the output axis of a single one."""
    owners = np.array([owner for owner, _ in rows])
    padded = np.vstack([matrix, np.zeros((1, matrix.shape[1]))])
    spread: FloatArray = padded[np.where(owners == FRAME, len(matrix), owners)]
    return spread[:, 0] if single else spread


def _ragged(arrays: list[FloatArray]) -> Any:
    """Return one array where all texts have as many rows, else an array of arrays."""
    if len({len(array) for array in arrays}) == 1:
        return np.stack(arrays)
    ragged = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        ragged[i] = array
    return ragged
