"""What a run holds and buys: every score, for every text, over all rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from perturbx.coalitions.coalitions import Coalitions
from perturbx.exceptions import BudgetExceeded, RefusedError, ScoringError
from perturbx.explainers.draws import averaged, draws_of
from perturbx.explainers.failure import raise_with_tables
from perturbx.explainers.responses import read_out
from perturbx.explainers.tables import in_design, rows_to_score, with_rows, without_rows
from perturbx.explainers.turns import pairs_first
from perturbx.explainers.variant_keys import variant_keys
from perturbx.jobs import Job, Outcome
from perturbx.refusals import Refusals
from perturbx.runner import Runner
from perturbx.score_table import ScoreTable
from perturbx.scorers.outputs import default_names
from perturbx.surrogates.vote_noise import vote_variances
from perturbx.typing import Encoding, IntArray, ScoreMatrix
from perturbx.units.units import Units

DRAWN_AT_ONCE = 16
"""Masks asked about at once where each is drawn several times."""


class Purchases(ABC):
    """Everything paid for by text, and the way to buy more; no mask is bought twice.

    Parameters
    ----------
    known : sequence of (ScoreTable or None)
        What each text begins with.
    units : sequence of (Units or None)
        The units of each text.
    n_units : sequence of int
        Their numbers.

    Attributes
    ----------
    refused : dict
        Variants that the model has no answer to, and why; see `take_refusals`.
    """

    def __init__(
        self,
        known: Sequence[ScoreTable | None],
        units: Sequence[Units | None],
        n_units: Sequence[int],
    ) -> None:
        self._units, self._n_units = units, n_units
        self._paid: list[ScoreTable | None] = [
            None if table is None or not len(table) else replace(table, units=own, walks=None)
            for table, own in zip(known, units, strict=True)
        ]
        self._drawn: dict[int, Coalitions] = {}
        self.refused: dict[Any, str] = {}
        self.is_begun = any(table is not None for table in self._paid)

    @abstractmethod
    def buy(self, wanted: Mapping[int, Coalitions]) -> None:
        """Buy the rows of each text's design that are not there yet.

        Raises
        ------
        ScoringError, Interrupted
            What came back until then is kept, and in ``.tables``.
        """

    def take_refusals(self, wanted: Mapping[int, Coalitions]) -> None:
        """Buy some designs, and go without the variants that are refused.

        Raises
        ------
        ScoringError, Interrupted
            As `buy` does, also where too many are refused.
        """
        try:
            self.buy(wanted)
        except RefusedError as error:
            if error.ends_run:
                raise
            self.refused.update(error.refused)
        except BudgetExceeded as limit:
            self.refused.update(limit.refused)
            raise

    def design(self, text: int) -> Coalitions:
        """Return the latest design of a text."""
        return self._drawn[text]

    def holds(self, text: int, coalitions: Coalitions) -> bool:
        """Say whether every row of a design is there."""
        return not bool(rows_to_score(coalitions, self._paid[text]).any())

    def refused_of(self, text: int) -> dict[Any, str]:
        """Return those of the variants that were refused which are of a text's latest design."""
        return self.refused

    def n_rows(self, text: int) -> int:
        """Return the number of masks paid for."""
        paid = self._paid[text]
        return 0 if paid is None else len(paid)

    def table(self, text: int, later: Coalitions | None = None) -> ScoreTable:
        """Return the table of a text: the rows of its latest design, then what else there is.

        Parameters
        ----------
        text : int
            Its number.
        later : Coalitions, optional
            A design whose rows are left out as long as their turn has not come.
        """
        paid = self._paid[text]
        if paid is None:
            n_units = self._n_units[text]
            return ScoreTable(
                np.empty((0, n_units), bool), np.empty((0, 0)), (), units=self._units[text]
            )
        paid = replace(paid, provenance=self._provenance(text))
        if paid.samples is not None:
            pooled = vote_variances(paid.masks, paid.scores, paid.samples)
            paid = replace(paid, variances=pooled)
        return in_design(paid, self._drawn[text], later) if text in self._drawn else paid

    def tables(self) -> list[ScoreTable]:
        """Return all that is paid for, a table per text."""
        return [self.table(text) for text in range(len(self._paid))]

    def _provenance(self, text: int) -> Mapping[str, Any]:
        """Return the record of where a text's scores come from."""
        return {}

    def _missing(self, wanted: Mapping[int, Coalitions]) -> dict[int, torch.Tensor]:
        """Note the designs as the latest ones and return their masks that are not there yet."""
        self._drawn.update(wanted)
        rows = {i: rows_to_score(drawn, self._paid[i]) for i, drawn in wanted.items()}
        return {i: drawn.masks[rows[i]] for i, drawn in wanted.items() if bool(rows[i].any())}

    def _add(self, text: int, bought: ScoreTable) -> None:
        if len(bought):
            self._paid[text] = with_rows(without_rows(self._paid[text], bought), bought)
            self.is_begun = True


class TextPurchases(Purchases):
    """Buys from a model: each distinct variant once, whatever text or round asks for it.

    Parameters
    ----------
    encodings : sequence of Encoding
        The texts.
    known : sequence of (ScoreTable or None)
        What an earlier run paid for.
    runner : Runner
        Asks the model.
    provenances : sequence of mapping
        For the record, one per text.
    """

    def __init__(
        self,
        encodings: Sequence[Encoding],
        known: Sequence[ScoreTable | None],
        runner: Runner,
        provenances: Sequence[Mapping[str, Any]],
    ) -> None:
        units = [encoding.units for encoding in encodings]
        super().__init__(known, units, [own.n_units for own in units])
        self._encodings, self._runner, self._provenances = encodings, runner, provenances
        self._n_variants = 0
        self._sampled: dict[bytes, int] = {}
        for text, table in enumerate(self._paid):
            if table is not None:
                ids = self._n_variants + table.variant_of_row
                if table.samples is not None:
                    ids = self._ids_of_sampled(text, table.masks, ids)
                self._paid[text] = replace(
                    table, variant_of_row=ids, provenance=self._provenance(text)
                )
                self._n_variants += int(table.variant_of_row.max()) + 1
        self._hashed = [0] * len(encodings)
        self._place: dict[bytes, tuple[int, int]] = {}

    def buy(self, wanted: Mapping[int, Coalitions]) -> None:
        """Buy what is missing, all texts in one stream."""
        fresh = self._missing(wanted)
        if getattr(self._runner.scorer, "order", None) == "turns":
            fresh = {text: pairs_first(masks, wanted[text]) for text, masks in fresh.items()}
        if self.is_begun:
            fresh = {
                # What is drawn at random may be equal once, and is not the same for that.
                text: masks if self._is_drawn(text) else self._take_equal(text, masks)
                for text, masks in fresh.items()
            }
        refusals = Refusals()
        for part in self._parts({text: masks for text, masks in fresh.items() if len(masks)}):
            with refusals.kept():
                self._buy_part(part)
            if refusals.end_run:
                break
        raise_with_tables(refusals.error, self.tables())

    def _parts(self, fresh: dict[int, torch.Tensor]) -> Iterator[dict[int, torch.Tensor]]:
        """Yield what goes in one stream: everything, or few masks at once where each is drawn.

        A mask is worth something when all of its draws are there, so those come close together.
        """
        drawn = {text: masks for text, masks in fresh.items() if self._draws(text) > 1}
        sure = {text: masks for text, masks in fresh.items() if text not in drawn}
        if sure:
            yield sure
        longest = max(map(len, drawn.values()), default=0)
        for start in range(0, longest, DRAWN_AT_ONCE):
            slices = {text: masks[start : start + DRAWN_AT_ONCE] for text, masks in drawn.items()}
            yield {text: masks for text, masks in slices.items() if len(masks)}

    def _buy_part(self, fresh: dict[int, torch.Tensor]) -> None:
        numbers = list(fresh)
        draws = [draw for i in numbers for draw in draws_of(self._encodings[i])]
        owners = [i for i in numbers for _ in range(self._draws(i))]
        outcome = self._runner.run(
            [
                Job(draw, fresh[i], self._samples(i, fresh[i]))
                for draw, i in zip(draws, owners, strict=True)
            ],
            n_scored=sum(map(self.n_rows, range(len(self._paid)))),
        )
        results = [read_out(*each) for each in zip(outcome.results, draws, strict=True)]
        outcome = averaged(replace(outcome, results=results), [self._draws(i) for i in numbers])
        failure = outcome.failure or self._changed_width(outcome)
        if outcome.n_outputs is not None and failure is outcome.failure:
            for place, text in enumerate(numbers):
                self._add_result(text, fresh[text], outcome, place)
            self._n_variants += 1 + max(
                int(result.variant_of_row.max(initial=-1)) for result in outcome.results
            )
        if failure is not None:
            raise_with_tables(failure, self.tables())

    def _provenance(self, text: int) -> Mapping[str, Any]:
        return self._provenances[text]

    def refused_of(self, text: int) -> dict[Any, str]:
        """Return those of the variants that were refused which are of a text's latest design."""
        missing = self._drawn[text].masks[rows_to_score(self._drawn[text], self._paid[text])]
        draws = draws_of(self._encodings[text]) if len(missing) else ()
        own = [variant for draw in draws for variant in draw.variants(missing).texts or ()]
        return {variant: self.refused[variant] for variant in own if variant in self.refused}

    def _draws(self, text: int) -> int:
        return len(draws_of(self._encodings[text]))

    def _is_drawn(self, text: int) -> bool:
        """Say whether the same mask may be scored otherwise the next time."""
        return self._draws(text) > 1 or self._drawn[text].samples is not None

    def _samples(self, text: int, masks: torch.Tensor) -> IntArray | None:
        """Return how many answers each mask is worth by the latest design."""
        design = self._drawn[text]
        if design.samples is None:
            return None
        wanted = dict(zip(_names(design.masks), design.samples.tolist(), strict=True))
        return np.array([wanted[name] for name in _names(masks)], dtype=np.int64)

    def _add_result(self, text: int, masks: torch.Tensor, outcome: Outcome, place: int) -> None:
        result = outcome.results[place]
        got = result.scored
        variances = None if result.variances is None else result.variances[got]
        ids = self._n_variants + result.variant_of_row[got]
        if result.samples is not None:
            ids = self._ids_of_sampled(text, masks.numpy()[got], ids)
        names, paid = self._names(text), self._paid[text]
        if paid is not None and names == default_names(paid.n_outputs):
            names = paid.output_names  # a model without names goes on with those it was given
        self._add(
            text,
            replace(
                self._as_table(
                    text,
                    masks.numpy()[got],
                    result.scores[got],
                    variances,
                    ids,
                    outcome,
                    names,
                ),
                samples=None if result.samples is None else result.samples[got],
                summands=None if result.summands is None else result.summands[got],
            ),
        )

    def _ids_of_sampled(self, text: int, masks: Any, ids: IntArray) -> IntArray:
        """Return the numbers of sampled variants: those of twins that were asked about before."""
        if self._draws(text) > 1:
            return ids
        keys = variant_keys(self._encodings[text], torch.from_numpy(masks))
        pairs = zip(keys, ids.tolist(), strict=True)
        return np.array([self._sampled.setdefault(key.tobytes(), own) for key, own in pairs])

    def _names(self, text: int) -> tuple[str, ...] | None:
        own: tuple[str, ...] | None = getattr(self._encodings[text], "output_names", None)
        return own or self._runner.scorer.output_names

    def _as_table(
        self,
        text: int,
        masks: Any,
        scores: ScoreMatrix,
        variances: ScoreMatrix | None,
        ids: IntArray,
        like: Outcome | ScoreTable,
        names: tuple[str, ...] | None,
    ) -> ScoreTable:
        return ScoreTable(
            masks=masks,
            scores=scores,
            output_names=names or tuple(map(str, range(scores.shape[1]))),
            units=self._units[text],
            variances=variances,
            variant_of_row=ids,
            kind=like.kind,
            exclusive=like.exclusive,
            design=self._drawn[text].design,
            provenance=self._provenance(text),
        )

    def _take_equal(self, text: int, masks: torch.Tensor) -> torch.Tensor:
        """Give a text the scores of variants bought before; return the masks of the others.

        Two masks can give the model the same input, and so can two texts.
        """
        self._hash_new_rows()
        keys = variant_keys(self._encodings[text], masks)
        places = [self._place.get(key.tobytes()) for key in keys]
        # A twin may have other outputs read out of the same columns.
        places = [
            place if place is not None and self._names(place[0]) == self._names(text) else None
            for place in places
        ]
        for twin in sorted({place[0] for place in places if place is not None}):
            source = self._paid[twin]
            rows = [i for i, place in enumerate(places) if place is not None and place[0] == twin]
            at = [place[1] for place in places if place is not None and place[0] == twin]
            if source is not None:
                self._add(
                    text,
                    replace(
                        self._as_table(
                            text,
                            masks.numpy()[rows],
                            source.scores[at],
                            None if source.variances is None else source.variances[at],
                            source.variant_of_row[at],
                            source,
                            source.output_names,
                        ),
                        summands=None if source.summands is None else source.summands[at],
                    ),
                )
        return masks[[place is None for place in places]]

    def _hash_new_rows(self) -> None:
        for text, table in enumerate(self._paid):
            if table is not None and len(table) > self._hashed[text]:
                begin = self._hashed[text]
                masks = torch.from_numpy(table.masks[begin:])
                for row, key in enumerate(variant_keys(self._encodings[text], masks), begin):
                    self._place.setdefault(key.tobytes(), (text, row))
                self._hashed[text] = len(table)

    def _changed_width(self, outcome: Outcome) -> ScoringError | None:
        if any(getattr(encoding, "readout", None) is not None for encoding in self._encodings):
            return None
        widths = {table.n_outputs for table in self._paid if table is not None}
        if outcome.n_outputs is None or not widths or widths == {outcome.n_outputs}:
            return None
        return ScoringError(
            f"model: returned {outcome.n_outputs} outputs a variant after {max(widths)} until "
            f"now; the number must not change"
        )


def _names(masks: torch.Tensor) -> list[bytes]:
    return [row.tobytes() for row in masks.numpy()]
