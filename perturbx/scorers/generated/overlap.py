"""ROUGE, BLEU and chrF: how much of the words, or letters, of two texts is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from perturbx.exceptions import ArgumentError, MissingExtraError
from perturbx.scorers.generated.tokens import overlap_tokens
from perturbx.typing import FloatArray

RougeKind = Literal["rouge1", "rouge2", "rougeL"]


@dataclass(frozen=True)
class Rouge:
    """ROUGE, the F-measure of shared words (Lin 2004), by the package ``rouge-score``.

    Between 0 and 1. In scripts without spaces letters count as words. Not a probability.

    Parameters
    ----------
    kind : {"rouge1", "rouge2", "rougeL"}, default="rougeL"
        Single words, pairs of neighbours, or the longest common subsequence.

    Raises
    ------
    MissingExtraError
        The extra ``text`` is not installed.
    """

    kind: RougeKind = "rougeL"
    is_probability: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(RougeKind):
            raise ArgumentError(
                f"kind: expected one of {', '.join(get_args(RougeKind))}, got {self.kind!r}"
            )
        _rouge_scorer()  # what is missing is told before answers are paid for

    @property
    def name(self) -> str:
        """Return the name of the output."""
        return self.kind

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return the score of each text beside the reference, ``(m,)``."""
        scorer = _rouge_scorer().RougeScorer([self.kind], tokenizer=_Words())
        return np.array([scorer.score(reference, own)[self.kind].fmeasure for own in texts])


class _Words:
    """A tokenizer as ``rouge-score`` wants one."""

    def tokenize(self, text: str) -> list[str]:
        return overlap_tokens(text)


@dataclass(frozen=True)
class Bleu:
    """BLEU of a sentence (Papineni et al. 2002), by the package ``sacrebleu``.

    Between 0 and 1. In scripts without spaces letters count as words, so that nothing has to be
    downloaded. Not a probability.

    Raises
    ------
    MissingExtraError
        The extra ``text`` is not installed.
    """

    name: ClassVar[str] = "bleu"
    is_probability: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _sacrebleu()

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return the score of each text beside the reference, ``(m,)``."""
        metric = _sacrebleu().BLEU(tokenize="none", effective_order=True, force=True)
        wanted = " ".join(overlap_tokens(reference))
        scores = [metric.sentence_score(" ".join(overlap_tokens(own)), [wanted]) for own in texts]
        return np.array([score.score / 100.0 for score in scores])


@dataclass(frozen=True)
class ChrF:
    """chrF, the F-measure of shared runs of letters (Popović 2015), by ``sacrebleu``.

    Between 0 and 1; the same in every script. Not a probability.

    Raises
    ------
    MissingExtraError
        The extra ``text`` is not installed.
    """

    name: ClassVar[str] = "chrf"
    is_probability: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _sacrebleu()

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return the score of each text beside the reference, ``(m,)``."""
        metric = _sacrebleu().CHRF()
        scores = [metric.sentence_score(own, [reference]) for own in texts]
        return np.array([score.score / 100.0 for score in scores])


def _rouge_scorer() -> Any:
    try:
        import rouge_score.rouge_scorer
    except ImportError as error:
        raise MissingExtraError("rouge-score", "text") from error
    return rouge_score.rouge_scorer


def _sacrebleu() -> Any:
    try:
        import sacrebleu.metrics
    except ImportError as error:
        raise MissingExtraError("sacrebleu", "text") from error
    return sacrebleu.metrics
