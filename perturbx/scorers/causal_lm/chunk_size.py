"""`ChunkSize`: how many nodes of a trie go through a model at once; it learns as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perturbx.batch_budget import BatchBudget, free_memory, is_out_of_memory
from perturbx.exceptions import ScoringError
from perturbx.scorers.row_batches import LOGITS_AT_ONCE

FIRST = 1_024
"""Tokens of the first chunk: fewer leave the products of small models slow on a CPU."""

LARGEST = 16_384
"""A chunk stops growing here: every node of it is compared with every other."""


class ChunkSize:
    """Finds the size of a chunk: doubles it while that raises the throughput.

    Parameters
    ----------
    most : int or "auto"
        Tokens in one pass; "auto" searches.
    n_vocabulary : int
        Logits of one scored position; they bound how many positions one pass may score.
    head_price : float
        What scoring a position costs, in tokens read: chunks that score many are no slower for
        their size.
    """

    def __init__(
        self, most: int | Literal["auto"], n_vocabulary: int, head_price: float = 0.0
    ) -> None:
        automatic = most == "auto"
        first = FIRST if most == "auto" else int(most)
        self.budget = BatchBudget(first, grows=automatic, largest=LARGEST)
        self.most_scored = max(1, LOGITS_AT_ONCE // n_vocabulary)
        self.head_price = head_price

    def nodes(self, scored: NDArray[np.bool_]) -> int:
        """Return how many of the next nodes go through at once.

        Parameters
        ----------
        scored : numpy.ndarray of bool, (n_left,)
            Which of all that are left are asked about.
        """
        size = min(self.budget.tokens, len(scored))
        at = np.flatnonzero(scored[:size])
        return size if len(at) <= self.most_scored else int(at[self.most_scored])

    @contextmanager
    def timed(self, n_tokens: int, n_scored: int) -> Iterator[None]:
        """Learn from a pass over so many tokens, if it comes to its end."""
        began = time.perf_counter()
        yield
        work = n_tokens + self.head_price * n_scored
        self.budget.note(n_tokens, time.perf_counter() - began, work=work)

    def shrink(self, n_tokens: int, error: BaseException) -> None:
        """Halve the chunks after one that ran out of memory.

        Raises
        ------
        ScoringError
            If it held a single token.
        BaseException
            The error itself, if it was about something else.
        """
        if not is_out_of_memory(error):
            raise error
        if n_tokens == 1:
            raise ScoringError(
                "the model runs out of memory on a single token; use a smaller dtype or a device "
                "with more memory"
            ) from error
        self.budget.shrink(n_tokens // 2)
        free_memory()
