"""What a game's values cost: the value function, asked once a round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import Interrupted, ScoringError
from perturbx.explainers.purchases import Purchases
from perturbx.score_table import ScoreTable
from perturbx.scorers.outputs import checked, require_finite
from perturbx.typing import MaskMatrix, ScoreMatrix, ValueFunction

SOURCE = "value_function"


class GamePurchases(Purchases):
    """Buys from a set function on boolean masks; the only text is number 0.

    Parameters
    ----------
    value_function : callable
        See `explain_game`.
    n_units : int
        Number of players.
    """

    def __init__(self, value_function: ValueFunction, n_units: int) -> None:
        super().__init__([None], [None], [n_units])
        self._value_function = value_function

    def buy(self, wanted: Mapping[int, Coalitions]) -> None:
        """Ask for the missing rows in one call."""
        fresh = self._missing(wanted)
        if not fresh:
            return
        masks: MaskMatrix = fresh[0].numpy()
        try:
            bought = self._bought(masks)
        except ScoringError as error:
            error.tables = self.tables()
            raise
        except KeyboardInterrupt as interrupt:
            raise Interrupted(self.tables()) from interrupt
        self._add(0, bought)

    def _bought(self, masks: MaskMatrix) -> ScoreTable:
        paid = self._paid[0]
        scores, variances = _read(
            self._ask(masks), len(masks), None if paid is None else paid.n_outputs
        )
        if paid is not None and (paid.variances is None) != (variances is None):
            raise ScoringError(
                f"{SOURCE}: returned variances in one round and none in another; return "
                f"(values, variances) always or never"
            )
        n_known = 0 if paid is None else len(paid)
        return ScoreTable(
            masks=masks,
            scores=scores,
            variances=variances,
            output_names=tuple(map(str, range(scores.shape[1]))),
            variant_of_row=n_known + np.arange(len(masks)),
            design=self._drawn[0].design,
        )

    def _ask(self, masks: MaskMatrix) -> Any:
        try:
            return self._value_function(masks.copy())
        except Exception as error:
            raise ScoringError(
                f"{SOURCE}: raised {type(error).__name__} for {masks.shape} masks: {error}"
            ) from error


def _read(
    answer: Any, n_rows: int, n_outputs: int | None
) -> tuple[ScoreMatrix, ScoreMatrix | None]:
    """Return values and variances, or say what is wrong with them."""
    if not isinstance(answer, tuple):
        scores = checked(answer, n_rows, n_outputs, source=SOURCE)
        require_finite(scores, SOURCE)
        return scores, None
    if len(answer) != 2:
        raise ScoringError(
            f"{SOURCE}: returned a tuple of {len(answer)}; expected values, or the tuple "
            f"(values, variances)"
        )
    scores = checked(answer[0], n_rows, n_outputs, source=f"{SOURCE} (values)")
    require_finite(scores, f"{SOURCE} (values)")
    variances = checked(answer[1], n_rows, scores.shape[1], source=f"{SOURCE} (variances)")
    require_finite(variances, f"{SOURCE} (variances)")
    if (variances < 0).any():
        raise ScoringError(
            f"{SOURCE} (variances): returned {variances.min()}; a variance is at least 0"
        )
    return scores, variances
