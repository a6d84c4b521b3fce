"""A cheap scorer beside the one that is paid for: it plays the same games, and costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from perturbx.coalitions import OddPairs
from perturbx.exceptions import ArgumentError, CapabilityError, ScoringError
from perturbx.explainers.budget import seed_of_text
from perturbx.jobs import Job
from perturbx.runner import Runner
from perturbx.score_table import ScoreTable
from perturbx.scorers.outputs import default_names
from perturbx.surrogates.attribution import Attribution
from perturbx.surrogates.with_proxy import WithProxy
from perturbx.typing import Encoding, Link, MaskMatrix, Scorer

MOST_UNITS_ENUMERATED = 10
"""Of a text with at most so many units the proxy scores every mask."""

CALLS_PER_UNIT = 80
"""What it scores of a longer one: its own values must be as good as known."""


@dataclass(eq=False)
class ProxyGames:
    """The games of all texts, as the proxy plays them; it is asked when a fit needs it.

    Parameters
    ----------
    encodings : sequence of Encoding
        The texts, ready for the proxy.
    runner : Runner
        Asks the proxy.
    link : str
        The scale on which the paid scores are explained; the proxy's are taken to it, if they can.
    paid : Scorer
        The model that is paid for, for the names of its outputs.
    """

    encodings: Sequence[Encoding]
    runner: Runner
    link: Link
    paid: Scorer
    tables: dict[int, ScoreTable] = field(default_factory=dict)

    def table(self, text: int, masks: MaskMatrix) -> ScoreTable:
        """Return the proxy's scores of a text: of these masks, and of many more."""
        if not self.tables:
            wanted = {i: _own_masks(own) for i, own in enumerate(self.encodings)}
            self._ask(wanted)
        known = {row.tobytes() for row in self.tables[text].masks}
        missing = np.array([row.tobytes() not in known for row in masks], dtype=bool)
        if missing.any():
            self._ask({text: torch.from_numpy(masks[missing])})
        return self.tables[text]

    def like(self, table: ScoreTable, text: int) -> ScoreTable:
        """Return the proxy's scores for the outputs of a paid table.

        By their names, in any case; else by their places among all outputs, where both models
        have as many; else the one output that the proxy has.

        Raises
        ------
        ArgumentError
            If none of these tells.
        """
        own = self.table(text, table.masks)
        columns = [self._column(name, own.output_names) for name in table.output_names]
        return replace(
            own, scores=own.scores[:, columns], output_names=table.output_names, summands=None
        )

    def _column(self, name: str, own: Sequence[str]) -> int:
        folded = [other.casefold() for other in own]
        if name.casefold() in folded:
            return folded.index(name.casefold())
        paid = self.paid.output_names or ()
        if name in paid and len(paid) == len(own):
            return paid.index(name)
        if len(own) == 1:
            return 0
        raise ArgumentError(
            f"proxy: which of its outputs {list(own)} goes with {name!r} is not clear; give it "
            f"outputs of the same names"
        )

    def _ask(self, wanted: dict[int, torch.Tensor]) -> None:
        jobs = [Job(self.encodings[i], masks) for i, masks in wanted.items()]
        outcome = self.runner.run(jobs)
        failure = outcome.failure
        if isinstance(failure, KeyboardInterrupt):
            raise failure
        if failure is not None:
            raise ScoringError(
                f"proxy: raised {type(failure).__name__}: {failure}; what was paid for is in the "
                f".tables of this error"
            ) from failure
        for (text, masks), result in zip(wanted.items(), outcome.results, strict=True):
            n_outputs = result.scores.shape[1]
            asked = ScoreTable(
                masks.numpy(),
                result.scores,
                self.runner.scorer.output_names or default_names(n_outputs),
                kind=outcome.kind,
                exclusive=outcome.exclusive,
            )
            try:
                linked = asked.linked(self.link)
            except CapabilityError:  # any scale will do: what is taken off is fitted to the scores
                linked = asked
            known = self.tables.get(text)
            self.tables[text] = linked if known is None else known.merge(linked)


@dataclass(frozen=True, eq=False)
class AskedProxy:
    """The surrogate of one text: `WithProxy`, which asks the proxy about what it is fitted to.

    Parameters
    ----------
    games : ProxyGames
        The proxy's games.
    text : int
        Which of them.
    """

    games: ProxyGames
    text: int
    name: str = WithProxy.name

    def fit(self, tables: Sequence[ScoreTable]) -> list[Attribution]:
        """Return the attributions of tables of this text."""
        return [WithProxy(self.games.like(table, self.text)).fit([table])[0] for table in tables]


def _own_masks(encoding: Encoding) -> torch.Tensor:
    """Return what the proxy scores of a text, whatever is paid for."""
    n_units = encoding.units.n_units
    calls = CALLS_PER_UNIT * n_units
    if n_units <= MOST_UNITS_ENUMERATED:
        calls = max(calls, 2**n_units)
    generator = torch.Generator().manual_seed(seed_of_text(0, encoding.units))
    return OddPairs().sample(encoding.units, calls, generator).masks
