"""`BatchBudget`: how many tokens go through a model at once; it finds itself."""

from __future__ import annotations

import torch

WORTHWHILE = 1.05
"""A larger batch is kept where it scores at least this many times as much a second."""

GPU_FIRST = 16_384
"""Tokens of the first batch on a GPU: it fills one, and smaller ones wait for their launches."""


class BatchBudget:
    """Doubles the tokens of a batch while that makes the model faster.

    Parameters
    ----------
    tokens : int
        Where it begins, or where it stays.
    grows : bool
        Search for a better one.
    largest : int
        It stops growing here.
    """

    def __init__(self, tokens: int, *, grows: bool, largest: int) -> None:
        self.tokens = tokens
        self.growing = grows
        self.largest = largest
        self._warm = False
        self._fruitless = 0
        self._best = (0.0, tokens)

    def note(self, tokens: int, seconds: float, *, work: float | None = None) -> None:
        """Learn from a finished batch; the very first does not count, the model warms up in it.

        Parameters
        ----------
        tokens : int
            How large it was.
        seconds : float
            How long it took.
        work : float, optional
            What it had to do, in tokens, where tokens differ in their cost; by default `tokens`.
        """
        if not self.growing or tokens < self.tokens / 2:
            return
        if not self._warm:
            self._warm = True
            return
        throughput = (tokens if work is None else work) / max(seconds, 1e-9)
        # A larger batch has to earn its place: the best of several noisy figures is often noise.
        if throughput > WORTHWHILE * self._best[0]:
            self._fruitless, self._best = 0, (throughput, self.tokens)
        else:
            self._fruitless += 1
        # One slow batch may be the machine's doing; two in a row are the model's.
        self.growing = self._fruitless < 2 and self.tokens < self.largest
        self.tokens = 2 * self.tokens if self.growing else self._best[1]

    def shrink(self, tokens: int) -> None:
        """Stay at so many tokens, for good: more than that ran out of memory."""
        self.growing = False
        self.tokens = max(1, tokens)


def first_batch(device: torch.device, elsewhere: int) -> int:
    """Return how many tokens a search begins with; `elsewhere` is for any device but a GPU."""
    return max(GPU_FIRST, elsewhere) if device.type == "cuda" else elsewhere


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error of torch or Python means that the memory is used up."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = str(error).lower()
    return "out of memory" in words or "not enough memory" in words or "can't allocate" in words


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was told: else a batch takes no longer than its launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory() -> None:
    """Give back what a GPU holds in reserve."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
