"""A line through a few units only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from perturbx.surrogates.fit_quality import Fit
from perturbx.surrogates.lime_text import SelectedRidge, check_n_features
from perturbx.surrogates.refitting import RefittedSurrogate

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


@dataclass(frozen=True)
class ForwardSelection(RefittedSurrogate):
    """Least squares on the units that, one after the other, raise R² most; the others get 0.

    Rows are weighted by their counts. Unlike `LimeText` there is no kernel and no penalty: the
    values describe the whole range of the masks.

    Parameters
    ----------
    n_features : int, default=6
        How many units to choose.

    Notes
    -----
    Errors, `r2`, and what simultaneous intervals are worth here (43 to 88% instead of 95%): see
    `perturbx.surrogates.refitting.RefittedSurrogate`.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.score_table import ScoreTable
    >>> masks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)
    >>> table = ScoreTable(masks, np.array([[0.0], [4.0], [0.0], [5.0]]), ("y",))
    >>> ForwardSelection(n_features=1).fit([table])[0].values.round(6).ravel()
    array([4.5, 0. ])
    """

    n_features: int = 6
    name: ClassVar[str] = "forward_selection"

    def __post_init__(self) -> None:
        check_n_features(self.n_features)

    def fitter(self, table: ScoreTable) -> Fit:
        """Return the function from rows of the table to values and base values."""
        return SelectedRidge(
            table.masks.astype(float),
            table.scores,
            table.counts.astype(float),
            n_features=self.n_features,
            selection="forward_selection",
            alpha=0.0,
        )
