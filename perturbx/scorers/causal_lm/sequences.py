"""Questions to a decoder as plain sequences, and their answers put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from perturbx.scorers.continuations import Continued, Scored
from perturbx.typing import FloatArray, IntArray


class Sequences:
    """Every continuation behind its prompt, as the tokens that the model reads.

    The last token of a continuation is asked about and never read.

    Parameters
    ----------
    questions : sequence of Continued
        Prompts of at least one token.
    """

    def __init__(self, questions: Sequence[Continued]) -> None:
        self._questions = questions
        pairs = [(i, j) for i, own in enumerate(questions) for j in range(len(own.continuations))]
        self._owner_and_place = pairs
        self.targets = [questions[i].continuations[j] for i, j in pairs]
        self.tokens: list[IntArray] = [
            np.concatenate([questions[i].prompt, target[:-1]])
            for (i, _), target in zip(pairs, self.targets, strict=True)
        ]
        self.starts = [len(questions[i].prompt) - 1 for i, _ in pairs]

    def __len__(self) -> int:
        return len(self.tokens)

    def answers(self, parts: Iterable[list[tuple[int, FloatArray]]]) -> Iterator[Scored]:
        """Yield the questions whose continuations have all come, part by part."""
        found = [[np.empty(0)] * len(own.continuations) for own in self._questions]
        missing = [len(own.continuations) for own in self._questions]
        for part in parts:
            done: Scored = []
            for sequence, log_p in part:
                owner, place = self._owner_and_place[sequence]
                found[owner][place] = log_p
                missing[owner] -= 1
                if missing[owner] == 0:
                    done.append((owner, found[owner]))
            if done:
                yield done
