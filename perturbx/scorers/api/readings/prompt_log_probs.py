"""The log-probabilities of given words behind a prompt, from a server that scores prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, takewhile
from math import isnan

import numpy as np

from perturbx.exceptions import ScoringError
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question, Token
from perturbx.scorers.api.readings.reading import NO_NUMBERS, Reading
from perturbx.scorers.whole_labels import whole_label_log_probs
from perturbx.typing import FloatArray, ScoreKind, TextInput

OPENING = "\n"
"""What stands for a prompt of which nothing is left: no server scores its first token."""


class _InPrompt(Reading):
    """What both readings share: the prompt comes back with a log-probability for each token."""

    name = "prompt_log_probs"

    def missing(self, answer: Answer) -> str | None:
        """Say if the prompt's tokens are not there."""
        if not answer.prompt:
            return "an answer without the prompt's log-probabilities that were asked for"
        if any(isnan(token.log_prob or 0.0) for token in answer.prompt[1:]):
            return NO_NUMBERS
        return None

    def _question(self, prompt: str, continuation: str) -> Question:
        whole = (prompt or OPENING) + continuation
        parts = self.calls_per_variant
        return self.provider.question(whole, parts=parts, max_tokens=1, echo=True)

    def _by_character(self, prompt: str, continuation: str, answer: Answer) -> FloatArray:
        """Return each token's log-probability where its first letter stands, and zeros elsewhere.

        Of tokens that all variants may not share, letters are what they do.
        """
        numbers = np.zeros(len(continuation))
        start = 0
        for text, log_prob in self._by_token(prompt, continuation, answer):
            space = len(text) - len(text.lstrip())
            letter = start if space == len(text) else start + space
            numbers[min(letter, len(numbers) - 1)] += log_prob
            start += len(text)
        return numbers

    def _by_token(self, prompt: str, continuation: str, answer: Answer) -> list[tuple[str, float]]:
        """Return each token of the continuation with its log-probability."""
        found = []
        for token in continuation_tokens(answer.prompt or (), prompt or OPENING, continuation):
            if token.log_prob is None:
                raise ScoringError(
                    f"{self.provider.name}:{self.provider.model}: gave no log-probability for a "
                    f"part of {continuation!r:.80}; begin the prompt with a word of its own"
                )
            found.append((token.text, token.log_prob))
        return found


class LabelsInPrompt(_InPrompt):
    """Log-probabilities of labels behind a prompt, a call each, to the last digit.

    Parameters
    ----------
    provider, template
        See `Reading`.
    labels : mapping of str to str
        What each is called, and how it reads behind the prompt, to the character.
    """

    kind: ScoreKind = "logit"

    def __init__(
        self, provider: Provider, template: PromptTemplate, labels: Mapping[str, str]
    ) -> None:
        super().__init__(provider, template)
        self.output_names = tuple(labels)
        self.labels = tuple(labels.values())
        self.calls_per_variant = len(self.labels)

    def questions(self, text: TextInput) -> list[Question]:
        """Return a question per label."""
        prompt = self.template.fill(text)
        return [self._question(prompt, label) for label in self.labels]

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return each label's sum over its tokens, less what goes on as a longer label."""
        prompt = self.template.fill(text)
        pairs = zip(self.labels, answers, strict=True)
        found = [self._by_token(prompt, label, answer) for label, answer in pairs]
        tokens = [[text for text, _ in own] for own in found]
        numbers = [np.array([log_prob for _, log_prob in own]) for own in found]
        return whole_label_log_probs(tokens, numbers), None


class ResponseInPrompt(_InPrompt):
    """The log-probability of each text's own response: variants are (prompt, response).

    A prompt of which every word is removed is a line end. A third segment is an answer that the
    response is contrasted with.

    Parameters
    ----------
    provider, template
        See `Reading`.
    contrast : bool
        There is a third segment.
    by_character : bool
        The numbers are a column for each character of the response, and then of the third segment,
        with the log-probability of the token whose first letter it is. They have no names.
    """

    kind: ScoreKind = "log_prob"
    exclusive = False

    def __init__(
        self,
        provider: Provider,
        template: PromptTemplate,
        *,
        contrast: bool,
        by_character: bool = False,
    ) -> None:
        super().__init__(provider, template)
        self.by_character = by_character
        self.output_names = ("response - alternative",) if contrast else ("response",)
        if by_character:
            self.output_names = ()
        self.calls_per_variant = 2 if contrast else 1

    def questions(self, text: TextInput) -> list[Question]:
        """Return a question per response."""
        prompt, *responses = tuple(text)
        return [self._question(self.template.fill(prompt), own) for own in responses]

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the sum over the tokens of the response, less that of the alternative."""
        prompt, *responses = tuple(text)
        filled = self.template.fill(prompt)
        numbers = [
            self._by_character(filled, own, answer)
            for own, answer in zip(responses, answers, strict=True)
        ]
        if self.by_character:
            return np.concatenate(numbers), None
        return np.array([numbers[0].sum() - sum(own.sum() for own in numbers[1:])]), None


def continuation_tokens(
    tokens: Sequence[Token], prompt: str, continuation: str
) -> tuple[Token, ...]:
    """Return the tokens of what follows a prompt, out of those of both.

    Parameters
    ----------
    tokens : sequence of Token
        Those that the server scored: with or without a mark for the beginning before them, and
        whatever it generated behind them.
    prompt, continuation : str
        What was sent.

    Raises
    ------
    ScoringError
        If a token belongs to both, or the tokens are not those of what was sent.

    Examples
    --------
    >>> tokens = [Token("so", None), Token(" good", -1.0), Token(" yes", -2.0), Token("!", -3.0)]
    >>> [token.text for token in continuation_tokens(tokens, "so good", " yes")]
    [' yes']
    """
    ends = list(accumulate(len(token.text) for token in tokens))
    joined = "".join(token.text for token in tokens)
    sent = prompt + continuation
    # A mark for the beginning comes first, a generated token last.
    start = joined.find(sent)
    if start >= 0:
        first, last = start + len(prompt), start + len(sent)
        edges = {0, *ends}
        if first not in edges or last not in edges:
            raise ScoringError(
                f"the server's tokenizer makes one token of the end of {prompt[-20:]!r} and the "
                f"beginning of {continuation[:20]!r}; put a space or a line end between them"
            )
        begins = [0, *ends[:-1]]
        return tuple(
            token
            for token, begin, end in zip(tokens, begins, ends, strict=True)
            if begin >= first and end <= last and end > begin
        )
    # Tokens that are parts of one character come back garbled. Those of the continuation may be
    # whole all the same: behind what looks most like the prompt, lest a generated token that says
    # the same again is taken for them.
    tails: dict[int, tuple[Token, ...]] = {}
    for stop in range(max(len(tokens) - 2, 1), len(tokens) + 1):
        for begin in range(stop - 1, -1, -1):
            tail = "".join(token.text for token in tokens[begin:stop])
            if tail == continuation:
                before = "".join(token.text for token in tokens[:begin])
                tails.setdefault(_n_alike(before, prompt), tuple(tokens[begin:stop]))
            if len(tail) > len(continuation):
                break
    if tails:
        return tails[max(tails)]
    raise ScoringError(
        f"the server scored other tokens than those that were sent: expected the prompt to end in "
        f"{sent[-40:]!r}, got {joined[-40:]!r}"
    )


def _n_alike(one: str, other: str) -> int:
    """Return how many characters two texts share at their ends."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
