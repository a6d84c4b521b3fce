"""`TextScores`: whole texts through the model, each distinct one once, and none of them lost."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence, Set
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.exceptions import (
    ArgumentError,
    Interrupted,
    RefusedError,
    ScoringError,
    SegmentationError,
    TruncationWarning,
)
from perturbx.jobs import Job
from perturbx.maskers.delete import Delete
from perturbx.maskers.variants import Variants
from perturbx.runner import Runner
from perturbx.score_table import ScoreTable
from perturbx.typing import IntArray, ScoreKind, ScoreMatrix, Scorer
from perturbx.units.text_input import as_one_text
from perturbx.units.units import Units

_AT_ONCE = 5_000
"""Texts that are made ready at once."""

_KEPT = torch.ones((1, 1), dtype=torch.bool)


class _Held:
    """Scores by 128 bits of each text."""

    def __init__(self) -> None:
        # Sorted by the first 64 bits, so that a million texts take 16 bytes each beside scores.
        self.keys = np.empty(0, dtype="i8,i8")
        # One column of NaN stands for nothing until the number of outputs is known.
        self.values: ScoreMatrix = np.empty((0, 1))

    def places(self, keys: Any) -> IntArray:
        """Return where each key is, -1 where it is not."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.searchsorted(self.keys, keys)
        at = np.minimum(at, len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)

    def add(self, keys: Any, values: ScoreMatrix) -> None:
        """Hold the scores of further texts."""
        every = np.concatenate([self.keys, keys])
        order = np.argsort(every, kind="stable")
        held = self.values if len(self.values) else np.empty((0, values.shape[1]))
        self.keys, self.values = every[order], np.concatenate([held, values])[order]


class TextScores:
    """The scores of whole texts, remembered by 128 bits of each.

    Parameters
    ----------
    scorer : Scorer
        The model.
    batch_tokens : int or "auto"
        See `Runner`.
    progress : bool
        Show a bar.

    Attributes
    ----------
    refused : dict of bytes to str
        Why there is no answer, by the key of each text that was refused; it is not asked again.
    tables : dict of str to ScoreTable
        What explaining texts has paid for.
    seed : int, optional
        Of the random numbers of the run, which another one draws again where it goes on from it.
    """

    def __init__(
        self, scorer: Scorer, *, batch_tokens: int | Literal["auto"] = "auto", progress: bool = True
    ) -> None:
        self.scorer = scorer
        self.kind: ScoreKind = "value"
        self.exclusive = True
        self.refused: dict[bytes, str] = {}
        self.tables: dict[str, ScoreTable] = {}
        self.seed: int | None = None
        self._runner = Runner(scorer, batch_tokens=batch_tokens, progress=progress)
        self._texts, self._variants = _Held(), _Held()

    def __len__(self) -> int:
        return len(self._texts.keys)

    @property
    def output_names(self) -> tuple[str, ...]:
        """A name per output; known after the first score."""
        names = self.scorer.output_names
        return names or tuple(map(str, range(self._texts.values.shape[1])))

    def of(self, texts: Sequence[str]) -> ScoreMatrix:
        """Return the scorer's own numbers, ``(n_texts, n_outputs)``; NaN of texts that it refuses.

        Raises
        ------
        ScoringError
            The model failed, refused too much, or said what is no number; what it said before is
            remembered, so that the same call goes on from there.
        Interrupted
            Ctrl-C; the same.
        """
        if not len(texts):
            return np.empty((0, self._texts.values.shape[1]))
        keys = _keys_of(texts)
        new, first = np.unique(keys, return_index=True)
        is_new = ~self._are_refused(new)
        for held in (self._variants, self._texts):
            is_new &= held.places(new) < 0
        wanted = np.sort(first[is_new])
        for start in range(0, len(wanted), _AT_ONCE):
            self._score(texts, keys, wanted[start : start + _AT_ONCE])
        values: ScoreMatrix = np.full((len(texts), self._texts.values.shape[1]), np.nan)
        for held in (self._variants, self._texts):
            places = held.places(keys)
            values[places >= 0] = held.values[places[places >= 0]]
        return values

    def hold_variants(self, keys: IntArray, values: ScoreMatrix) -> None:
        """Hold what explaining texts has paid for, so that `of` does not ask about it again.

        Parameters
        ----------
        keys : numpy.ndarray of int64, (n, 2)
            `Variants.keys` of strings.
        values : numpy.ndarray, (n, n_outputs)
            The scorer's own numbers; rows with NaN are left out.
        """
        own = np.ascontiguousarray(keys).view("i8,i8").ravel()
        new, first = np.unique(own, return_index=True)
        is_new = (self._variants.places(new) < 0) & are_answered(values[first])
        self._variants.add(new[is_new], values[first[is_new]])

    def why_refused(self, text: str) -> str | None:
        """Return why there is no answer to a text; None where it was not refused."""
        return self.refused.get(_keys_of([text])[0].tobytes())

    def _are_refused(self, keys: Any) -> NDArray[np.bool_]:
        if not self.refused:
            return np.zeros(len(keys), dtype=bool)
        return np.array([key.tobytes() in self.refused for key in keys], dtype=bool)

    def _score(self, texts: Sequence[str], keys: Any, wanted: IntArray) -> None:
        jobs = _jobs([texts[i] for i in wanted], self.scorer, wanted)
        outcome = self._runner.run(jobs, n_scored=len(self))
        scored = np.array([bool(result.scored[0]) for result in outcome.results])
        if outcome.n_outputs is not None:
            values = np.concatenate([result.scores for result in outcome.results])
            self.kind, self.exclusive = outcome.kind, outcome.exclusive
            self._remember(keys[wanted[scored]], values[scored])
        failure = outcome.failure
        if failure is None or self._go_without(failure, texts, keys, wanted[~scored]):
            return
        kept = f"{len(self):,} scores are kept: the same call buys only the others"
        if isinstance(failure, KeyboardInterrupt):
            raise Interrupted() from failure
        if isinstance(failure, ScoringError):
            failure.args = (f"{_placed(str(failure), wanted)}; {kept}",)
            raise failure
        raise ScoringError(
            f"model: raised {type(failure).__name__}: {failure}; {kept}"
        ) from failure

    def _go_without(
        self, failure: BaseException, texts: Sequence[str], keys: Any, left: IntArray
    ) -> bool:
        """Note the texts that have no score as refused; return False where it is not just that."""
        if not isinstance(failure, RefusedError) or failure.ends_run:
            return False
        reasons = [failure.refused.get(texts[i]) for i in left]
        if None in reasons:
            return False
        self.refused |= {keys[i].tobytes(): str(why) for i, why in zip(left, reasons, strict=True)}
        return True

    def _remember(self, keys: Any, values: ScoreMatrix) -> None:
        n_outputs = self._texts.values.shape[1]
        if len(self) and n_outputs != values.shape[1]:
            raise ScoringError(
                f"model: returned {values.shape[1]} outputs a text after {n_outputs} "
                f"until now; the number must not change"
            )
        self._texts.add(keys, values)


def are_answered(raw: ScoreMatrix) -> NDArray[np.bool_]:
    """Say which rows of `TextScores.of` the model has not refused, ``(n_texts,)``."""
    return np.asarray(np.isfinite(raw).all(axis=1))


def _keys_of(texts: Sequence[str]) -> Any:
    return Variants(texts=list(texts)).keys().view("i8,i8").ravel()


def _placed(message: str, wanted: IntArray) -> str:
    """Return a message of the runner with the places that the texts had where they came from."""
    return re.sub(
        r"texts\[(\d+)\](, masked)?", lambda found: f"texts[{wanted[int(found[1])]}]", message
    )


def _jobs(texts: Sequence[str], scorer: Scorer, places: IntArray) -> list[Job]:
    """Return each text as one unit that is kept."""
    takes_tokens = "tokens" in scorer.accepts
    tokenizer = getattr(scorer, "tokenizer", None) if takes_tokens else None
    window = getattr(scorer, "max_tokens", None) if takes_tokens else None
    masker, jobs, cut = Delete(), [], []
    for text, place in zip(texts, places, strict=True):
        units = Units(text, ((0, len(text)),) if text else ())
        encoding = masker.encode(units, tokenizer, window)
        if getattr(encoding, "n_truncated", 0):
            cut.append(int(place))
        jobs.append(Job(encoding, _KEPT[:, : units.n_units]))
    if cut:
        warnings.warn(
            f"{len(cut)} of {len(texts)} texts are longer than the model's window of {window} "
            f"tokens; the model does not read what lies beyond: texts {cut[:10]}",
            TruncationWarning,
            stacklevel=5,
        )
    return jobs


def checked_texts(texts: Any) -> list[str]:
    """Return the texts as a list.

    Raises
    ------
    ArgumentError
        Something is no text.
    SegmentationError
        A text holds a lone surrogate.
    """
    if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
        raise ArgumentError(
            f"texts: expected a list of texts, got {type(texts).__name__}; put a single text "
            f"into a list: [text]"
        )
    if isinstance(texts, (Set, Mapping)):
        raise ArgumentError(
            f"texts: expected a list of texts, got {type(texts).__name__}, which has no order or "
            f"holds more than texts"
        )
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise ArgumentError(
                f"texts[{place}]: expected a string; got {type(text).__name__} {text!r:.60}"
            )
        try:
            as_one_text(text)
        except SegmentationError as error:
            raise SegmentationError(f"texts[{place}]: {error}") from error
    return found
