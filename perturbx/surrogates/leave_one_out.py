"""What the score loses when one unit is removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.surrogate import BatchSurrogate
from perturbx.typing import IntArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class LeaveOneOut(BatchSurrogate):
    """Occlusion: v(N) - v(N∖i), from any table that has these rows.

    Nothing is estimated: errors come only from the variances of a noisy model (those are taken for
    known, so intervals are normal), and there is no `r2`. The base is v(∅) where the table has it,
    else v(N) less all values.

    Parameters
    ----------
    when_missing : {"error", "unknown"}, default="error"
        What becomes of a unit without a row of its own: an error, or the value 0 with an infinite
        standard error, as nothing tells its value.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[1, 1], [0, 1], [1, 0]], bool)
    >>> table = ScoreTable(masks, np.array([[7.0], [2.0], [6.0]]), ("y",))
    >>> LeaveOneOut().fit([table])[0].values.ravel()
    array([5., 1.])
    """

    when_missing: Literal["error", "unknown"] = "error"
    name: ClassVar[str] = "leave_one_out"

    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where a row is missing."""
        if table.row_of(kept=True) is None:
            raise SurrogateError(f"{self.name} needs the score of the whole text; it is missing")
        missing = np.flatnonzero(_rows_without(table) < 0)
        if len(missing) == table.n_units or (len(missing) and self.when_missing == "error"):
            raise SurrogateError(
                f"{self.name} needs a row without each unit in turn, and {len(missing)} of "
                f"{table.n_units} are missing (the first is unit {missing[0]}); draw them with the "
                f"sampler 'leave_one_out'"
            )

    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units and outputs."""
        return [self._fit(table) for table in tables]

    def _fit(self, table: ScoreTable) -> Attribution:
        without = _rows_without(table)
        full, empty = table.row_of(kept=True), table.row_of(kept=False)
        values = table.scores[full] - table.scores[without]
        variance = np.zeros_like(values)
        if table.variances is not None:
            variance = table.variances[full] + table.variances[without]
        values[without < 0], variance[without < 0] = 0.0, np.inf
        base = table.scores[full] - values.sum(axis=0) if empty is None else table.scores[empty]
        return Attribution(
            values=values,
            base_values=base.copy(),
            std_errors=np.sqrt(variance),
            method=self.name,
            n_calls=table.n_calls,
        )


def _rows_without(table: ScoreTable) -> IntArray:
    """Return the row ``(n_units,)`` without each unit, -1 where there is none."""
    rows = np.flatnonzero(table.masks.sum(axis=1) == table.n_units - 1)
    without = np.full(table.n_units, -1, dtype=np.int64)
    without[np.argmin(table.masks[rows], axis=1)] = rows
    return without
