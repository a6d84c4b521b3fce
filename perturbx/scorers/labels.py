"""`LabelScorer`: any language model as a classifier, by the probabilities of its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.continuations import Continued, LanguageModel
from perturbx.scorers.language_scorer import LanguageScorer
from perturbx.scorers.readable import check_readable
from perturbx.scorers.scores import Scores
from perturbx.scorers.whole_labels import whole_label_log_probs
from perturbx.typing import FloatArray, IntArray, ScoreKind

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants


class LabelScorer(LanguageScorer):
    """Log-probabilities of labels behind a prompt, as logits of classes of which one holds.

    The softmax over them, ``link="probability"``, is the probability of each label given that the
    model answers with one of them. A label of many tokens has the sum of its tokens'
    log-probabilities, so that labels that begin alike are told apart by what follows; one whose
    tokens begin another's is less what goes on as that.

    Parameters
    ----------
    language_model : LanguageModel
        The model.
    labels : sequence of str, or mapping of str to str
        What may follow the prompt, to the character: with the space before it, if the prompt does
        not end in one. A mapping gives names to them.
    calibrate : str, optional
        A prompt without content (the template around "N/A", say). What the model prefers there is
        subtracted (contextual calibration, Zhao et al. 2021).
    length_normalized : bool, default=False
        Divide by the number of tokens, so that long labels are not the less probable for it.

    Raises
    ------
    ArgumentError
        If there are fewer than two labels, two of them are equal as tokens, or one is empty.
    """

    kind: ScoreKind = "logit"
    exclusive = True

    def __init__(
        self,
        language_model: LanguageModel,
        labels: Sequence[str] | Mapping[str, str],
        *,
        calibrate: str | None = None,
        length_normalized: bool = False,
    ) -> None:
        super().__init__(language_model)
        by_name = labels_by_name(labels)
        self.labels = tuple(by_name.values())
        self.output_names: tuple[str, ...] = tuple(by_name)
        self.calibrate = calibrate
        self.length_normalized = length_normalized
        self._tokens = self._tokenized()
        self.model_id = f"{language_model.model_id} labels={list(self.labels)!r}"
        if calibrate is not None:
            self.model_id += f" calibrate={calibrate!r}"
        if length_normalized:
            self.model_id += " length_normalized"

    def _tokenized(self) -> tuple[IntArray, ...]:
        prompts = [""] * len(self.labels)
        encoded = self.tokenizer(prompts, list(self.labels))
        tokens = tuple(
            np.array([i for i, number in zip(ids, numbers, strict=True) if number == 1])
            for ids, numbers in zip(encoded["input_ids"], encoded["token_type_ids"], strict=True)
        )
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        for label, own in zip(self.labels, tokens, strict=True):
            if not len(own):
                raise ArgumentError(f"labels: {label!r} has no token; take another word for it")
            if unknown is not None and unknown in own:
                raise ArgumentError(
                    f"labels: the tokenizer does not know {label!r}, it reads its unknown token; "
                    f"take another word for it"
                )
        seen: dict[bytes, str] = {}
        for label, own in zip(self.labels, tokens, strict=True):
            twin = seen.get(own.tobytes())
            seen[own.tobytes()] = label
            if twin is not None:
                raise ArgumentError(
                    f"labels: {twin!r} and {label!r} are the same tokens to this model; take words "
                    f"that it can tell apart"
                )
        return tokens

    def score_parts(
        self, variants: Variants, batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[tuple[IntArray, Scores]]:
        """Yield the rows that are scored and their numbers; see `LanguageScorer`."""
        _ = self._prior  # asked for before the stream begins
        yield from super().score_parts(variants, batch_tokens)

    def is_like(self, other: LabelScorer) -> bool:
        """Say whether another one asks the same model the same."""
        names = self.model_id, self.output_names
        is_same: bool = names == (other.model_id, other.output_names)
        return is_same and self.language_model is other.language_model

    @cached_property
    def _prior(self) -> FloatArray:
        """The numbers of the labels behind a prompt without content, ``(n_labels,)``."""
        if self.calibrate is None:
            return np.zeros(len(self.labels))
        ids = np.array(self.tokenizer([self.calibrate])["input_ids"][0], dtype=np.int64)
        question = Continued(ids, self._tokens)
        ((_, answers),) = chain.from_iterable(self.language_model.log_probs([question]))
        return self._sums(answers)

    def _continuations(self, row: IntArray, segments: IntArray) -> tuple[IntArray, ...]:
        if segments.any():
            raise ScoringError(
                f"{self.model_id}: labels follow a prompt of one text; got a pair of texts, or a "
                f"response; put both into one prompt, by a Template say"
            )
        return self._tokens

    def _numbers(self, answers: Sequence[FloatArray]) -> FloatArray:
        numbers: FloatArray = self._sums(answers) - self._prior
        return numbers

    def _sums(self, answers: Sequence[FloatArray]) -> FloatArray:
        sums = whole_label_log_probs([own.tolist() for own in self._tokens], answers)
        if self.length_normalized:
            sums /= [len(own) for own in self._tokens]
        return sums


def labels_by_name(labels: Sequence[str] | Mapping[str, str], *, least: int = 2) -> dict[str, str]:
    """Return labels by their names; those of a list are called as they read.

    Raises
    ------
    ArgumentError
        If there are fewer than `least`, or two of them are the same.
    """
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        raise ArgumentError(
            f"labels: expected a list of strings, or a mapping of names to them; got {labels!r}"
        )
    pairs = (
        list(labels.items())
        if isinstance(labels, Mapping)
        else [(label.strip() if isinstance(label, str) else label, label) for label in labels]
    )
    for name, label in pairs:
        if not isinstance(label, str) or not label.strip():
            raise ArgumentError(f"labels: expected strings with a word in them; got {label!r}")
        check_readable("labels", label)
        if not isinstance(name, str):
            raise ArgumentError(f"labels: expected names that are strings; got {name!r}")
    twins = [label for name, label in pairs if sum(name == other for other, _ in pairs) > 1]
    if len(set(twins)) > 1:
        raise ArgumentError(
            f"labels: {' and '.join(map(repr, twins))} would have one name; give a mapping of "
            f"names to labels"
        )
    if len(pairs) < least or len(dict(pairs)) != len(pairs):
        given = [label for _, label in pairs]
        raise ArgumentError(
            f"labels: expected {'two' if least == 2 else 'one'} or more, all of them different; "
            f"got {given!r}"
        )
    return dict(pairs)
