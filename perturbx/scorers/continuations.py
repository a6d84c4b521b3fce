"""What a language model is asked: how probable some tokens are behind a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from perturbx.exceptions import MaskingError, ScoringError
from perturbx.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Continued:
    """A prompt and what may follow it.

    Parameters
    ----------
    prompt : numpy.ndarray of int64, (n_tokens,)
        What the model reads.
    continuations : tuple of numpy.ndarray of int64, (n_tokens,)
        What is asked about, each on its own behind the prompt; at least one token each.
    """

    prompt: IntArray
    continuations: tuple[IntArray, ...]


Scored: TypeAlias = list[tuple[int, list[FloatArray]]]
"""The numbers of questions, each with the log-probabilities of its continuations' tokens."""


@runtime_checkable
class LanguageModel(Protocol):
    """A model that says how probable tokens are behind a prompt, and that can go on by itself."""

    tokenizer: Any
    model_id: str

    @property
    def max_tokens(self) -> int | None:
        """Return the most tokens that a prompt and its continuation may have together.

        None where nothing limits them, or each has a limit of its own.
        """

    @property
    def device(self) -> Any:
        """Return where the model is."""

    def log_probs(
        self, questions: Sequence[Continued], batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[Scored]:
        """Yield the answers part by part, in whatever order is the fastest."""

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[str]:
        """Return what the model itself says behind each prompt, its likeliest token each time."""


def until_stop(text: str, stop: Sequence[str]) -> str:
    """Return a text as far as the first of some strings that stands in it.

    Examples
    --------
    >>> until_stop("yes, so", [".", ","])
    'yes'
    """
    return text[: min((text.find(end) for end in stop if end in text), default=len(text))]


def with_opening(question: Continued, tokenizer: Any, model_id: str) -> Continued:
    """Return the question, with a token in place of an empty prompt: no model reads nothing.

    Raises
    ------
    ScoringError
        If the tokenizer has no special token to stand for it.
    """
    if len(question.prompt):
        return question
    for role in ("bos", "eos", "cls", "unk", "pad"):
        index = getattr(tokenizer, f"{role}_token_id", None)
        if index is not None:
            return replace(question, prompt=np.array([index], dtype=np.int64))
    raise ScoringError(
        f"{model_id}: a variant has no tokens at all and the tokenizer has no special token to "
        f"stand for the empty prompt; keep a part of the prompt frozen"
    )


def check_tokens(questions: Sequence[Continued], model: Any, model_id: str) -> None:
    """Raise a `ScoringError` for a token that the model has no vector for.

    Parameters
    ----------
    questions : sequence of Continued
        What is to be asked.
    model : transformers model
        Embeddings that do not say how many they are hold every token.
    model_id : str
        For the message.
    """
    n_known = getattr(model.get_input_embeddings(), "num_embeddings", None)
    if n_known is None:
        return
    rows = (row for own in questions for row in (own.prompt, *own.continuations))
    highest = max((int(row.max()) for row in rows if len(row)), default=0)
    if highest >= n_known:
        raise ScoringError(
            f"{model_id}: the tokenizer says token {highest} and the model knows {n_known}; take "
            f"the model's own tokenizer, or resize_token_embeddings for the tokens that were added"
        )


def prompt_rows(
    tokenizer: Any, prompts: Sequence[str], model: Any, model_id: str
) -> list[list[int]]:
    """Return the tokens of each prompt, one at least.

    Raises
    ------
    ScoringError
        If the tokenizer says that one is too long, or has tokens that the model does not know.
    """
    questions = []
    for number, prompt in enumerate(prompts):
        try:
            (row,) = tokenizer([prompt])["input_ids"]
        except MaskingError as error:
            raise ScoringError(f"prompts[{number}]: {error}") from None
        questions.append(Continued(np.array(row, dtype=np.int64), ()))
    check_tokens(questions, model, model_id)
    return [with_opening(own, tokenizer, model_id).prompt.tolist() for own in questions]
