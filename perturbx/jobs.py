"""`Job` and `Outcome`: what a run is asked, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.typing import Encoding, FloatArray, IntArray, ScoreKind, ScoreMatrix


@dataclass(frozen=True, eq=False)
class Job:
    """One text made ready, and the masks to ask about.

    Parameters
    ----------
    encoding : Encoding
        The text, ready for masking.
    masks : torch.Tensor of bool, (n_masks, n_units)
        The coalitions, on the CPU.
    samples : numpy.ndarray of int64, (n_masks,), optional
        How many answers each is worth, of a model that is sampled.
    """

    encoding: Encoding
    masks: torch.Tensor
    samples: IntArray | None = None


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
    samples : numpy.ndarray of int64, (n_masks,), optional
        Where its answers are sampled: how many each row is the share of.
    summands : numpy.ndarray, (n_masks, n_outputs, n_summands), optional
        What the scores are sums of, where that is known.
    """

    scores: ScoreMatrix
    scored: NDArray[np.bool_]
    variant_of_row: IntArray
    variances: ScoreMatrix | None
    samples: IntArray | None = None
    summands: FloatArray | None = None


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
