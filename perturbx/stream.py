"""The distinct variants of a run in the order of their scoring, and their scores by slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.coalitions import pack, unpack
from perturbx.exceptions import ScoringError
from perturbx.jobs import Job, Outcome, Result
from perturbx.maskers.variants import Variants
from perturbx.scorers.scores import Scores, widened
from perturbx.typing import IntArray, ScoreKind, ScoreMatrix

Order: TypeAlias = Literal["length", "jobs", "turns"]

PLAN_CHUNK = 2_000_000
"""Tokens held at once while the variants are hashed."""


class Plan:
    """The distinct variants of all jobs: token ids before strings, each longest first.

    Or in the order of the jobs, for a scorer that makes its own batches: text by text ("jobs"), or
    the first row of every text before the second of any ("turns"), so that whatever ends a run
    leaves all texts equally far.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device, *, order: Order) -> None:
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
        owners_of_first = flat_owners[first]
        chief = {
            "length": -flat_lengths[first].astype(np.int64),
            "jobs": np.zeros(len(first), dtype=np.int64),
            "turns": first - self.bounds[owners_of_first],
        }[order]
        by_rank = np.lexsort((first, owners_of_first, chief, strings))
        rank = np.empty(len(by_rank), dtype=np.int64)
        rank[by_rank] = np.arange(len(by_rank))
        self.rows = first[by_rank]
        self.owners = flat_owners[self.rows]
        self.lengths = np.maximum(flat_lengths[self.rows], 1)
        self.slot_of_row = rank[inverse.ravel()]
        self.samples = self._samples_of_slots()
        n_tokens = len(first) - int(strings.sum())
        self.streams = [(0, n_tokens), (n_tokens, len(first))]

    def __len__(self) -> int:
        return len(self.rows)

    def _samples_of_slots(self) -> IntArray | None:
        """Return how many answers each slot is worth: as many as any of its rows wants."""
        if all(job.samples is None for job in self.jobs):
            return None
        wanted = np.concatenate(
            [
                np.ones(len(job.masks), dtype=np.int64) if job.samples is None else job.samples
                for job in self.jobs
            ]
        )
        most = np.ones(len(self), dtype=np.int64)
        np.maximum.at(most, self.slot_of_row, wanted)
        return most

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
        variants = Variants.concatenate(
            [
                self.jobs[group[0]].encoding.variants(
                    self._to_device(self.jobs[group[0]].masks[torch.from_numpy(rows)])
                )
                for group, rows in groups
            ]
        )
        if self.samples is None:
            return variants
        return replace(variants, samples=self.samples[start:stop])


class Ledger:
    """Every score that came back, by slot."""

    def __init__(self, n_slots: int, *, widens: bool) -> None:
        self.widens = widens
        self.scored = np.zeros(n_slots, dtype=bool)
        self.scores: ScoreMatrix | None = None
        self.variances: ScoreMatrix | None = None
        self.samples: IntArray | None = None
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
            if scores.samples is not None:
                self.samples = np.zeros(len(self.scored), dtype=np.int64)
        if self.widens:
            width = max(values.shape[1], self.scores.shape[1])
            values, self.scores = widened(values, width), widened(self.scores, width)
        if values.shape[1] != self.scores.shape[1]:
            raise ScoringError(
                f"model: returned {values.shape[1]} outputs a variant after "
                f"{self.scores.shape[1]} until now; the number must not change"
            )
        sound: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(values), axis=1)
        rows = slots[sound]
        self.scores[rows] = values[sound]
        if scores.variances is not None:
            if self.variances is None:  # what came before was not noisy
                self.variances = np.zeros_like(self.scores)
            self.variances[rows] = scores.variances[sound]
        if self.samples is not None and scores.samples is not None:
            self.samples[rows] = scores.samples[sound]
        self.scored[rows] = True
        return sound

    def outcome(self, plan: Plan, failure: BaseException | None) -> Outcome:
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
                samples=None if self.samples is None else self.samples[slots],
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
