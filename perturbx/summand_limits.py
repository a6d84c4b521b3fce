"""Which summands of a table surrogates read: of larger tables the fits would take minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable

MOST_UNITS, MOST_ROWS = 64, 1_000
"""Larger tables are fitted as they are: the summands would take minutes."""

MOST_NUMBERS_OF_GAMES = 50_000
"""Units x rows x summands up to which processes on whole games fit summands, too: 20 units, 100
rows and 24 summands take two seconds there, 60 units and 600 rows would take half a minute."""


def are_read(table: ScoreTable) -> bool:
    """Say whether a table's summands are fitted by any surrogate, whatever its outputs.

    Of all coalitions only predictions read them, which take fewer numbers. The groups of a long
    text are fitted again, from fewer rows, by a run that goes on with its table.
    """
    if table.summands is None or table.variances is not None:
        return False
    if table.design == "refined":
        return True
    if table.n_units > MOST_UNITS or len(table) > MOST_ROWS:
        return False
    n_numbers = table.n_units * len(table) * table.summands.shape[2]
    has_all = len(table) == 1 << table.n_units
    return not has_all or n_numbers <= MOST_NUMBERS_OF_GAMES
