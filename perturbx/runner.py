"""The runner: many texts, one stream of distinct variants through the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from perturbx.batch_budget import BatchBudget, free_memory, is_out_of_memory
from perturbx.coalitions import pack, unpack
from perturbx.exceptions import ScoringError
from perturbx.maskers.variants import Variants
from perturbx.scorers.outputs import require_finite
from perturbx.scorers.scores import Scores
from perturbx.typing import Encoding, IntArray, PartScorer, ScoreKind, ScoreMatrix, Scorer

FIRST_BATCH = 2_048
"""Tokens (characters for strings) of the first batch; the budget grows from there."""

FIRST_ROWS = 16
"""Rows of the first batch at least, however long they are."""

LARGEST_BATCH = 65_536
"""The token budget stops growing here."""

PLAN_CHUNK = 2_000_000
"""Tokens held at once while the variants are hashed."""


@dataclass(frozen=True, eq=False)
class Job:
    """One text made ready, and the masks to ask about.

    Parameters
    ----------
    encoding : Encoding
        The text, ready for masking.
    masks : torch.Tensor of bool, (n_masks, n_units)
        The coalitions, on the CPU.
    """

    encoding: Encoding
    masks: torch.Tensor


@dataclass(frozen=True, eq=False)
class Result:
    """What came back for one job.

    Parameters
    ----------
    scores : numpy.ndarray, (n_masks, n_outputs)
        The scores; rows that were not reached hold NaN.
    scored : numpy.ndarray of bool, (n_masks,)
        The rows that were reached.
    variant_of_row : numpy.ndarray of int64, (n_masks,)
        Which distinct variant each row is, over all jobs of the run.
    variances : numpy.ndarray, (n_masks, n_outputs), optional
        Where the model is noisy.
    """

    scores: ScoreMatrix
    scored: NDArray[np.bool_]
    variant_of_row: IntArray
    variances: ScoreMatrix | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """All results of a run, whole or cut short.

    Parameters
    ----------
    results : list of Result
        One per job, in order.
    kind, exclusive
        What the scores are (see `Scores`).
    n_outputs : int or None
        Number of outputs; None where not one variant was scored.
    n_calls : int
        Distinct variants scored.
    failure : BaseException, optional
        What cut the run short.
    """

    results: list[Result]
    kind: ScoreKind
    exclusive: bool
    n_outputs: int | None
    n_calls: int
    failure: BaseException | None


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

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Score every distinct variant of the jobs once.

        Parameters
        ----------
        jobs : sequence of Job
            Texts with their masks.

        Returns
        -------
        Outcome
            Where the model raises, returns no scores, or is interrupted, what was scored until
            then, with the reason as `failure`.
        """
        device = getattr(self.scorer, "device", torch.device("cpu"))
        in_parts = isinstance(self.scorer, PartScorer)
        plan = _Plan(jobs, device, longest_first=not in_parts)
        ledger = _Ledger(len(plan), widens=in_parts and self.scorer.output_names is None)
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
                    self._stream(plan, start, stop, ledger, bar)
            except (Exception, KeyboardInterrupt) as error:
                failure = error
        return ledger.outcome(plan, failure)

    def _stream(self, plan: _Plan, start: int, stop: int, ledger: _Ledger, bar: Any) -> None:
        """Score the slots from `start` to `stop`, all of one kind."""
        if isinstance(self.scorer, PartScorer):
            self._stream_parts(self.scorer, plan, start, stop, ledger, bar)
            return
        throttle = _Throttle(self.batch_tokens, int(plan.lengths[start:stop].max(initial=1)))
        done = start
        while done < stop:
            size = throttle.rows(plan.lengths[done:stop])
            variants = plan.variants(done, done + size)
            began = time.perf_counter()
            try:
                scores = self.scorer.score(variants)
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
        self, scorer: PartScorer, plan: _Plan, start: int, stop: int, ledger: _Ledger, bar: Any
    ) -> None:
        """Hand a scorer that batches by itself as many variants as the memory may hold."""
        done = start
        while done < stop:
            size = max(1, PLAN_CHUNK // int(plan.lengths[done:stop].max()))
            size = min(size, stop - done)
            variants = plan.variants(done, done + size)
            for rows, scores in scorer.score_parts(variants, self.batch_tokens):
                sound = ledger.add(done + rows, scores)
                if not sound.all():
                    owner = plan.owners[done + int(rows[int(np.argmin(sound))])]
                    require_finite(scores.values, f"model (texts[{owner}], masked)")
                bar.update(len(rows))
            done += size


class _Plan:
    """The distinct variants of all jobs: token ids before strings, each longest first.

    Or text by text, for a scorer that makes its own batches.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device, *, longest_first: bool) -> None:
        self.jobs = jobs
        self.device = device
        keys, lengths, owners = [], [], []
        for number, job in enumerate(jobs):
            row_lengths = job.encoding.lengths(job.masks)
            lengths.append(row_lengths.cpu().numpy().astype(np.int32))
            keys.append(self._keys(job, int(row_lengths.max()) if len(row_lengths) else 1))
            owners.append(np.full(len(job.masks), number, dtype=np.int32))
        self.bounds = np.cumsum([0, *(len(job.masks) for job in jobs)])
        all_keys = np.concatenate(keys) if keys else np.empty((0, 2), dtype=np.int64)
        _, first, inverse = np.unique(
            all_keys.view("i8,i8").ravel(), return_index=True, return_inverse=True
        )
        flat_lengths = np.concatenate(lengths) if lengths else np.empty(0, dtype=np.int32)
        flat_owners = np.concatenate(owners) if owners else np.empty(0, dtype=np.int32)
        is_text = np.array([job.encoding.kind == "text" for job in jobs], dtype=bool)
        strings = is_text[flat_owners[first]]
        by_length = -flat_lengths[first] * longest_first
        order = np.lexsort((first, flat_owners[first], by_length, strings))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        self.rows = first[order]
        self.owners = flat_owners[self.rows]
        self.lengths = np.maximum(flat_lengths[self.rows], 1)
        self.slot_of_row = rank[inverse.ravel()]
        n_tokens = len(first) - int(strings.sum())
        self.streams = [(0, n_tokens), (n_tokens, len(first))]

    def __len__(self) -> int:
        return len(self.rows)

    def _keys(self, job: Job, width: int) -> IntArray:
        step = max(1, PLAN_CHUNK // max(width, 1))
        chunks = [
            job.encoding.variants(self._to_device(job.masks[start : start + step])).keys()
            for start in range(0, max(len(job.masks), 1), step)
        ]
        return np.concatenate(chunks)

    def _to_device(self, masks: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return masks
        return unpack(pack(masks).to(self.device, non_blocking=True), masks.shape[1])

    def variants(self, start: int, stop: int) -> Variants:
        """Return the variants of the slots from `start` to `stop`, in order."""
        owners = self.owners[start:stop]
        local = self.rows[start:stop] - self.bounds[owners]
        edges = np.flatnonzero(np.diff(owners)) + 1
        groups = zip(np.split(owners, edges), np.split(local, edges), strict=True)
        return Variants.concatenate(
            [
                self.jobs[group[0]].encoding.variants(
                    self._to_device(self.jobs[group[0]].masks[torch.from_numpy(rows)])
                )
                for group, rows in groups
            ]
        )


class _Ledger:
    """Every score that came back, by slot."""

    def __init__(self, n_slots: int, *, widens: bool) -> None:
        self.widens = widens
        self.scored = np.zeros(n_slots, dtype=bool)
        self.scores: ScoreMatrix | None = None
        self.variances: ScoreMatrix | None = None
        self.kind: ScoreKind = "value"
        self.exclusive = True

    def add(self, slots: IntArray, scores: Scores) -> NDArray[np.bool_]:
        """Keep the finite rows of a batch; return which ones those are."""
        values = scores.values
        if len(values) != len(slots):
            raise ScoringError(
                f"model: returned {len(values)} rows for {len(slots)} variants; expected one row "
                f"each"
            )
        if self.scores is None:
            self.scores = np.full((len(self.scored), values.shape[1]), np.nan)
            self.kind, self.exclusive = scores.kind, scores.exclusive
            if scores.variances is not None:
                self.variances = np.full_like(self.scores, np.nan)
        if self.widens:
            width = max(values.shape[1], self.scores.shape[1])
            values, self.scores = _widened(values, width), _widened(self.scores, width)
        if values.shape[1] != self.scores.shape[1]:
            raise ScoringError(
                f"model: returned {values.shape[1]} outputs a variant after "
                f"{self.scores.shape[1]} until now; the number must not change"
            )
        sound: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values), axis=1)
        rows = slots[sound]
        self.scores[rows] = values[sound]
        if self.variances is not None and scores.variances is not None:
            self.variances[rows] = scores.variances[sound]
        self.scored[rows] = True
        return sound

    def outcome(self, plan: _Plan, failure: BaseException | None) -> Outcome:
        """Return the scores job by job."""
        n_outputs = None if self.scores is None else self.scores.shape[1]
        scores = np.empty((len(plan), 0)) if self.scores is None else self.scores
        slices = [
            plan.slot_of_row[start:stop]
            for start, stop in zip(plan.bounds[:-1], plan.bounds[1:], strict=True)
        ]
        results = [
            Result(
                scores=scores[slots],
                scored=self.scored[slots],
                variant_of_row=slots,
                variances=None if self.variances is None else self.variances[slots],
            )
            for slots in slices
        ]
        return Outcome(
            results,
            self.kind,
            self.exclusive,
            n_outputs,
            int(self.scored.sum()),
            failure,
        )


def _widened(values: ScoreMatrix, width: int) -> ScoreMatrix:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))


class _Throttle:
    """Cuts the next variants into batches of equal cost."""

    def __init__(self, batch_tokens: int | Literal["auto"], longest: int) -> None:
        self.automatic = batch_tokens == "auto"
        first = (
            max(FIRST_BATCH, FIRST_ROWS * longest) if batch_tokens == "auto" else int(batch_tokens)
        )
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
