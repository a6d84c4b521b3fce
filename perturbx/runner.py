"""The runner: many texts, one stream of distinct variants through the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from tqdm.auto import tqdm

from perturbx.batch_budget import BatchBudget, first_batch, free_memory, is_out_of_memory
from perturbx.exceptions import RefusedError, ScoringError
from perturbx.jobs import Job, Outcome
from perturbx.refusals import Refusals
from perturbx.scorers.outputs import require_finite
from perturbx.stream import PLAN_CHUNK, Ledger, Order, Plan
from perturbx.typing import IntArray, PartScorer, Scorer

FIRST_BATCH = 2_048
"""Tokens (characters for strings) of the first batch; the budget grows from there."""

FIRST_ROWS = 16
"""Rows of the first batch at least, however long they are."""

LARGEST_BATCH = 65_536
"""The token budget stops growing here."""


class Runner:
    """Scores the distinct variants of many texts, longest first, in batches of equal cost.

    Parameters
    ----------
    scorer : Scorer
        The model.
    batch_tokens : int or "auto"
        Most tokens (characters for strings, padding included) in one batch. "auto" doubles it
        while that makes the model faster. A batch that runs out of memory is halved.
    progress : bool
        Show a bar on standard error once a run takes longer than a second.
    """

    def __init__(
        self, scorer: Scorer, *, batch_tokens: int | Literal["auto"] = "auto", progress: bool = True
    ) -> None:
        self.scorer = scorer
        self.batch_tokens = batch_tokens
        self.progress = progress

    def run(self, jobs: Sequence[Job], *, n_scored: int = 0) -> Outcome:
        """Score every distinct variant of the jobs once.

        Parameters
        ----------
        jobs : sequence of Job
            Texts with their masks.
        n_scored : int
            How many variants of the same texts were scored before.

        Returns
        -------
        Outcome
            Where the model raises, returns no scores, or is interrupted, what was scored until
            then, with the reason as `failure`.
        """
        device = getattr(self.scorer, "device", torch.device("cpu"))
        in_parts = isinstance(self.scorer, PartScorer)
        order: Order = getattr(self.scorer, "order", "jobs") if in_parts else "length"
        plan = Plan(jobs, device, order=order)
        ledger = Ledger(len(plan), widens=in_parts and self.scorer.output_names is None)
        failure: BaseException | None = None
        with tqdm(
            total=len(plan),
            desc="scoring",
            unit="call",
            delay=1,
            leave=False,
            disable=not self.progress,
        ) as bar:
            try:
                for start, stop in plan.streams:
                    self._stream(plan, start, stop, ledger, bar, n_scored)
            except (Exception, KeyboardInterrupt) as error:
                failure = error
        return ledger.outcome(plan, failure)

    def _stream(
        self, plan: Plan, start: int, stop: int, ledger: Ledger, bar: Any, n_scored: int
    ) -> None:
        """Score the slots from `start` to `stop`, all of one kind."""
        if isinstance(self.scorer, PartScorer):
            self._stream_parts(self.scorer, plan, start, stop, ledger, bar, n_scored)
            return
        longest = int(plan.lengths[start:stop].max(initial=1))
        throttle = _Throttle(self.batch_tokens, longest, plan.device)
        done = start
        while done < stop:
            size = throttle.rows(plan.lengths[done:stop])
            variants = plan.variants(done, done + size)
            began = time.perf_counter()
            try:
                scores = self.scorer.score(variants)
            except RefusedError as error:
                error.ends_run = True  # nothing is known of the others
                raise
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if size == 1:
                    raise ScoringError(
                        "the model runs out of memory on a single variant of "
                        f"{int(plan.lengths[done])} tokens or characters; use a smaller dtype or "
                        "device with more memory"
                    ) from error
                throttle.halve(size, int(plan.lengths[done]))
                free_memory()
                continue
            seconds = time.perf_counter() - began
            sound = ledger.add(np.arange(done, done + size), scores)
            if not sound.all():
                owner = plan.owners[done + int(np.argmin(sound))]
                require_finite(scores.values, f"model (texts[{owner}], masked)", variants.texts)
            throttle.budget.note(size * int(plan.lengths[done]), seconds)
            done += size
            bar.update(size)

    def _stream_parts(
        self,
        scorer: PartScorer,
        plan: Plan,
        start: int,
        stop: int,
        ledger: Ledger,
        bar: Any,
        n_scored: int,
    ) -> None:
        """Hand a scorer that batches by itself as many variants as the memory may hold.

        Variants that it refuses are told when the others are scored.
        """
        done = start
        refusals = Refusals()
        while done < stop and not refusals.end_run:
            size = PLAN_CHUNK // int(plan.lengths[done:stop].max())
            size = max(size, getattr(scorer, "least_at_once", 1))
            size = min(size, stop - done)
            variants = replace(plan.variants(done, done + size), n_scored=n_scored)
            with refusals.kept():
                for rows, scores in scorer.score_parts(variants, self.batch_tokens):
                    sound = ledger.add(done + rows, scores)
                    if not sound.all():
                        owner = plan.owners[done + int(rows[int(np.argmin(sound))])]
                        require_finite(scores.values, f"model (texts[{owner}], masked)")
                    bar.update(len(rows))
            done += size
        refusals.tell()


class _Throttle:
    """Cuts the next variants into batches of equal cost."""

    def __init__(
        self, batch_tokens: int | Literal["auto"], longest: int, device: torch.device
    ) -> None:
        self.automatic = batch_tokens == "auto"
        if batch_tokens == "auto":
            first = max(first_batch(device, FIRST_BATCH), FIRST_ROWS * longest)
        else:
            first = int(batch_tokens)
        self.budget = BatchBudget(first, grows=self.automatic, largest=LARGEST_BATCH)

    def rows(self, lengths: IntArray) -> int:
        """Return how many of the next variants (longest first) make a batch."""
        size = max(1, self.budget.tokens // int(lengths[0]))
        # A remainder below half a batch would be a wasteful batch of its own.
        most = 1.5 * size if self.automatic else size
        size = len(lengths) if len(lengths) <= most else size
        # Without padding a model needs no attention mask: 4,096 tokens took a quarter less time.
        alike = int(np.searchsorted(-lengths[:size], -lengths[0], side="right"))
        return alike if 2 * alike >= size else size

    def halve(self, size: int, length: int) -> None:
        """Shrink after a batch of `size` rows ran out of memory, for good."""
        self.budget.shrink(max(1, size // 2) * length)
