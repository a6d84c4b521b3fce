"""What the surrogates here share: checks, the smallest texts, batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock, local
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from perturbx.exceptions import SurrogateError
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.extreme_scores import (
    LARGEST_OF_SQUARES,
    divided,
    exponents,
    in_one_unit,
    multiplied,
)
from perturbx.surrogates.fit_quality import ROUNDING, additivities
from perturbx.surrogates.stacks import batches
from perturbx.typing import FloatArray

if TYPE_CHECKING:
    from perturbx.score_table import ScoreTable


MOST_UNITS_WITH_COVARIANCE = 256
"""Above it a covariance is n² numbers for each output that hardly anyone reads."""


MOST_UNITS_ON_ONE_THREAD = 256
"""Up to here threads that wait for each other cost more than they do: on a busy machine a fit of
3 ms took 300 ms on two of them."""


_FITTING: list[int] = []
"""For each fit that runs on one thread now, how many torch had before the first of them began."""

_FITTING_LOCK = Lock()

_own = local()


@contextmanager
def _one_thread(n_units: int) -> Iterator[None]:
    """Run small problems on one thread, and give torch its threads back afterwards.

    Fits may overlap: the number is torch's for all threads to come, yet each that runs keeps its
    own. So every thread restores its own, to what was there before any of them began.
    """
    if n_units > MOST_UNITS_ON_ONE_THREAD or getattr(_own, "is_fitting", False):
        yield
        return
    with _FITTING_LOCK:
        found = torch.get_num_threads()
        n_threads = _FITTING[0] if _FITTING else found
        _FITTING.append(n_threads)
        torch.set_num_threads(1)
    _own.is_fitting = True
    try:
        yield
    finally:
        _own.is_fitting = False
        with _FITTING_LOCK:
            _FITTING.pop()
            torch.set_num_threads(n_threads)


class BatchSurrogate(ABC):
    """A surrogate that fits many tables of the same numbers of units and outputs at once.

    A subclass gives `check`, what it needs of a table, and `fit_alike`.
    """

    name: ClassVar[str]
    has_scale: ClassVar[bool] = False
    """It has a parameter in units of the score, which is to be no other for extreme scores."""

    def fit(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return one attribution per table; a batch gives what one by one gives.

        Parameters
        ----------
        tables : sequence of ScoreTable
            Texts of any lengths. Their scores are fitted as they are: a link is applied before.

        Returns
        -------
        list of Attribution
            In the order of the tables.

        Raises
        ------
        SurrogateError
            A table lacks what this surrogate needs; the message says which and what.
        """
        fitted: dict[int, Attribution] = {}
        for number, table in enumerate(tables):
            try:
                _check_scores(table, self.name)
                if self.has_scale and (exponents(table) > LARGEST_OF_SQUARES).any():
                    raise SurrogateError(
                        f"scores: as large as {np.abs(table.scores).max():.0e}, and the penalty of "
                        f"{self.name} is on their scale; divide them, or use 'ridge'"
                    )
                if table.n_units > 1:
                    self.check(table)
                elif table.n_units == 1:
                    ends(table, self.name)
            except SurrogateError as error:
                raise SurrogateError(f"tables[{number}]: {error}") from None
        for batch in batches(tables):
            part = [tables[i] for i in batch]
            if part[0].n_units == 0:
                attributions = [_without_units(table, self.name) for table in part]
            elif part[0].n_units == 1:
                attributions = [self.fit_single_unit(table) for table in part]
            else:
                # Nothing here is differentiated, and views cost a third less without the books.
                with torch.inference_mode(), _one_thread(part[0].n_units):
                    attributions = self._fit_part(part)
            fitted.update(zip(batch, attributions, strict=True))
        return [fitted[i] for i in range(len(tables))]

    def _fit_part(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        powers = [exponents(table) * (not self.has_scale) for table in tables]
        fits = self.fit_alike([divided(*one) for one in zip(tables, powers, strict=True)])
        shares = additivities([in_one_unit(table) for table in tables])
        return [
            _told(replace(multiplied(fit, table, own), additivity=share.r2), table)
            for fit, table, own, share in zip(fits, tables, powers, shares, strict=True)
        ]

    @abstractmethod
    def fit_alike(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables with the same numbers of units (>= 2) and outputs."""

    @abstractmethod
    def check(self, table: ScoreTable) -> None:
        """Raise a `SurrogateError` where the table (of two units or more) does not do."""

    def fit_single_unit(self, table: ScoreTable) -> Attribution:
        """Return the attribution of the only unit: what the whole text adds to nothing."""
        full, empty = ends(table, self.name)
        noise = np.zeros(table.n_outputs)
        if table.variances is not None:
            noise = table.variances[full] + table.variances[empty]
        return Attribution(
            values=(table.scores[full] - table.scores[empty])[None],
            base_values=table.scores[empty].copy(),
            std_errors=np.sqrt(noise)[None],
            method=self.name,
            n_calls=table.n_calls,
            covariance=noise[:, None, None],
        )


def _told(fit: Attribution, table: ScoreTable) -> Attribution:
    """Return the fit without R² of outputs that never change: there is nothing to predict."""
    constant = np.ptp(table.scores, axis=0) <= ROUNDING * np.abs(table.scores).max(axis=0)
    if fit.r2_by_output is None or not constant.any():
        return fit
    if constant.all():
        return replace(fit, r2=None, r2_by_output=None)
    return replace(fit, r2_by_output=np.where(constant, np.nan, fit.r2_by_output))


def ends(table: ScoreTable, name: str) -> tuple[int, int]:
    """Return the rows of the full and the empty coalition.

    Raises
    ------
    SurrogateError
        One of them was not scored.
    """
    full, empty = table.row_of(kept=True), table.row_of(kept=False)
    if full is None or empty is None:
        missing = [
            label
            for label, row in (("the whole text", full), ("the text with all removed", empty))
            if row is None
        ]
        raise SurrogateError(
            f"{name} needs the scores of both ends, and {' and '.join(missing)} was not scored; "
            f"add the missing rows, or use a surrogate that needs none ('ridge', 'banzhaf')"
        )
    return full, empty


def _check_scores(table: ScoreTable, name: str) -> None:
    if not len(table):
        raise SurrogateError(f"{name} needs scores, and the table has no rows")
    broken = ~np.isfinite(table.scores).all(axis=1)
    if broken.any():
        raise SurrogateError(
            f"scores: {int(broken.sum())} of {len(table)} rows are not finite, the first of them "
            f"row {int(np.argmax(broken))}; choose another link, or drop those rows with "
            f"table.rows(...)"
        )
    if table.variances is not None:
        broken = ~((table.variances >= 0) & np.isfinite(table.variances)).all(axis=1)
        if broken.any():
            raise SurrogateError(
                f"variances: those of {int(broken.sum())} of {len(table)} rows are no variances, "
                f"the first of them row {int(np.argmax(broken))}: "
                f"{table.variances[np.argmax(broken)]}"
            )


def _without_units(table: ScoreTable, name: str) -> Attribution:
    nothing: FloatArray = np.zeros((0, table.n_outputs))
    return Attribution(
        values=nothing,
        base_values=table.scores[0].copy(),
        std_errors=nothing.copy(),
        method=name,
        n_calls=table.n_calls,
    )
