"""`GeneratedTextScorer`: a model that only answers in text, as numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.continuations import LanguageModel
from perturbx.scorers.outputs import checked_names, texts_of
from perturbx.scorers.scores import Scores
from perturbx.typing import FloatArray, InputKind, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants


class Scalarizer(Protocol):
    """Says how much texts are like a reference: `Rouge`, `EmbeddingSimilarity`, ..."""

    @property
    def name(self) -> str:
        """Return the name of the output."""

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return a number for each text, ``(m,)``."""


class GeneratedTextScorer:
    """Lets a model answer each variant, and compares its answers with the original one.

    For models that give neither probabilities nor logits. The numbers are similarities: no link
    makes probabilities of them.

    Parameters
    ----------
    generate : callable or LanguageModel
        From a list of prompts to a list of answers. The same prompt must get the same answer:
        each is asked once.
    scalarizers : sequence of Scalarizer
        An output each.
    reference : str
        The original answer.
    max_new_tokens : int, default=64
        Of a LanguageModel's answers.
    stop : sequence of str, default=()
        A LanguageModel's answers end before the first of these.
    name : str, optional
        A name for the record.

    Attributes
    ----------
    answers : dict of str to str
        What was said to each prompt so far.

    Examples
    --------
    >>> from perturbx.maskers.variants import Variants
    >>> def shout(prompts):
    ...     return [prompt.upper() for prompt in prompts]
    >>> class SameLength:
    ...     name = "same length"
    ...     def __call__(self, reference, texts):
    ...         return np.array([float(len(text) == len(reference)) for text in texts])
    >>> scorer = GeneratedTextScorer(shout, [SameLength()], reference="SO GOOD")
    >>> scorer.score(Variants(texts=["so good", "so"])).values
    array([[1.],
           [0.]])
    """

    accepts: tuple[InputKind, ...] = ("text",)
    kind: ScoreKind = "similarity"
    exclusive: bool = False

    def __init__(
        self,
        generate: Callable[[list[str]], Sequence[str]] | LanguageModel,
        scalarizers: Sequence[Scalarizer],
        reference: str,
        *,
        max_new_tokens: int = 64,
        stop: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        if not isinstance(generate, LanguageModel) and not callable(generate):
            raise ArgumentError(
                f"generate: expected a function of a list of prompts, or a LanguageModel; got "
                f"{generate!r:.80}"
            )
        if not isinstance(reference, str) or not reference.strip():
            raise ArgumentError(f"reference: expected the original answer, got {reference!r:.80}")
        if callable(scalarizers) or not len(scalarizers):
            raise ArgumentError("scalarizers: expected a list of one or more, such as [ChrF()]")
        self.generate = generate
        self.scalarizers = tuple(scalarizers)
        self.reference = reference
        self.max_new_tokens = max_new_tokens
        self.stop = tuple(stop)
        names = [scalarizer.name for scalarizer in scalarizers]
        self.output_names: tuple[str, ...] = checked_names(names, len(names)) or tuple(names)
        own = getattr(generate, "model_id", None) or getattr(generate, "__name__", None)
        # Else a run would go on with a table of likenesses to another answer.
        asked = repr([reference, names, max_new_tokens, self.stop]).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(asked, digest_size=6).hexdigest()
        self.model_id: str = f"{name or own or type(generate).__name__} asked={digest}"
        self.answers: dict[str, str] = {}
        self._numbers: dict[str, FloatArray] = {}

    def score(self, variants: Variants) -> Scores:
        """Return how much the answer to each variant is like the original one.

        Raises
        ------
        ScoringError
            If there is not an answer, a string, for each prompt.
        """
        prompts = [self._prompt(text) for text in texts_of(variants, self.model_id)]
        self._ask([own for own in dict.fromkeys(prompts) if own not in self.answers])
        said = [self.answers[prompt] for prompt in prompts]
        self._compare([own for own in dict.fromkeys(said) if own not in self._numbers])
        rows = [self._numbers[answer] for answer in said]
        values = np.array(rows).reshape(len(rows), len(self.output_names))
        return Scores(values, kind=self.kind, exclusive=self.exclusive)

    def _prompt(self, text: Any) -> str:
        if not isinstance(text, str):
            raise ScoringError(f"{self.model_id}: a prompt is one text; got a pair")
        return text

    def _ask(self, prompts: list[str]) -> None:
        if not prompts:
            return
        if isinstance(self.generate, LanguageModel):
            given: Any = self.generate.generate(
                prompts, max_new_tokens=self.max_new_tokens, stop=self.stop
            )
        else:
            given = self.generate(list(prompts))
        if isinstance(given, str) or len(given) != len(prompts):
            count = "a string" if isinstance(given, str) else f"{len(given)} answers"
            raise ScoringError(
                f"{self.model_id}: returned {count} for {len(prompts)} prompts; expected a list "
                f"with one each"
            )
        for prompt, answer in zip(prompts, given, strict=True):
            if not isinstance(answer, str):
                raise ScoringError(
                    f"{self.model_id}: answered {answer!r:.80} to {prompt!r:.80}; expected a string"
                )
        self.answers.update(zip(prompts, given, strict=True))

    def _compare(self, answers: list[str]) -> None:
        if not answers:
            return
        columns = [scalarizer(self.reference, answers) for scalarizer in self.scalarizers]
        for name, column in zip(self.output_names, columns, strict=True):
            if np.shape(column) != (len(answers),):
                raise ScoringError(
                    f"{name}: returned shape {np.shape(column)} for {len(answers)} answers"
                )
        table = np.stack(columns, axis=1).astype(np.float64)
        self._numbers.update(zip(answers, table, strict=True))

    def __repr__(self) -> str:
        return f"GeneratedTextScorer({self.model_id}, outputs={list(self.output_names)})"
