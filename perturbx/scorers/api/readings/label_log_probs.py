"""`LabelLogProbs`: the probabilities of labels out of the likeliest first tokens of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, isnan, log

import numpy as np

from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Answer, Question, Token
from perturbx.scorers.api.readings.label_text import (
    GARBLED,
    can_be_sent,
    is_begun,
    is_shown,
    is_whole,
    joined,
    tokens_to_tell_apart,
)
from perturbx.scorers.api.readings.reading import NO_NUMBERS, Reading
from perturbx.typing import FloatArray, ScoreKind, TextInput

FORMS = 3
"""In how many forms a label may begin that is matched loosely: as it is, with a space before it,
with a capital."""

LEAST_MARKUP = 0.01
"""Quotes and asterisks before a label are looked behind from this probability on: nearly every
answer may begin so, and what is as rare would be all that is unknown of a rare label."""

LEAST = 1e-12
"""The least bound on a probability, so that its logarithm is a number."""


@dataclass
class _Mass:
    """What is known of a label's probability: it lies in [found, found + hidden]."""

    found: float = 0.0
    hidden: float = 0.0


@dataclass(frozen=True)
class _Node:
    """A place in an answer: what stands before it, and how probable that is."""

    prefix: str
    mass: float
    labels: tuple[str, ...]
    tokens: tuple[Token, ...] = field(repr=False)


class LabelLogProbs(Reading):
    """Log-probabilities of labels from ``top_logprobs``, as logits of classes of which one holds.

    The tokens at the first place that begin a label are its probability. Where several labels
    begin with the same token, the next place tells them apart: that of the same answer if it goes
    on with this token, and of a further call (a model that goes on with a text) or else unknown. A
    token that is a label and the beginning of a longer one counts for the label, but for what the
    next place, where it is known, gives to the longer. A label that is not among the likeliest
    tokens has at most the probability of the last one that is there, and at most what all of them
    leave over. Behind white space, and behind quotes and asterisks of 1% or more, any label may
    come. What is unknown is taken as uniform between its bounds, which gives the logarithm's mean
    and variance.

    Parameters
    ----------
    provider : Provider
        With log-probabilities.
    template : PromptTemplate
        Makes the prompts.
    labels : mapping of str to str
        What each label is called, and how it reads. One that begins with a space is taken to the
        character; others in any case, with or without a space.
    top_k : int
        How many tokens to ask for.
    """

    name = "label_log_probs"
    kind: ScoreKind = "logit"

    def __init__(
        self,
        provider: Provider,
        template: PromptTemplate,
        labels: Mapping[str, str],
        *,
        top_k: int,
    ) -> None:
        super().__init__(provider, template)
        self.output_names = tuple(labels)
        self.labels = tuple(labels.values())
        self.top_k = top_k
        self.most_tokens = tokens_to_tell_apart(self.labels)
        self.may_follow_up = not provider.is_chat
        # Behind a first word that labels share is asked once more, see `follow_ups`.
        first = {(label.split() or [label])[0].casefold() for label in self.labels}
        if len(first) < len(self.labels) and not provider.is_chat:
            self.calls_per_variant = 2

    def questions(self, text: TextInput) -> list[Question]:
        """Return one question."""
        return [self._question(self.template.fill(text), text)]

    def _question(self, prompt: str, text: TextInput) -> Question:
        whole = self.template.prompt(text, is_chat=True) if self.provider.is_chat else prompt
        return self.provider.question(whole, max_tokens=self.most_tokens, top_log_probs=self.top_k)

    def missing(self, answer: Answer) -> str | None:
        """Say if there are no likeliest tokens, or fewer than were asked for."""
        if answer.tokens is None:
            return "an answer without the log-probabilities that were asked for"
        if not answer.tokens:
            return "an answer without any token"
        if any(not token.top for token in answer.tokens):
            return "an answer without the likeliest tokens that were asked for"
        if any(isnan(own) for token in answer.tokens for own in token.top.values()):
            return NO_NUMBERS
        return None

    def follow_ups(self, text: TextInput, answers: Sequence[Answer]) -> list[Question]:
        """Return a question behind each shared token that the answers do not go on with."""
        if self.provider.is_chat:
            return []
        _, unknown = self._walk(answers)
        prompt = self.template.fill(text)
        return [self._question(prompt + node.prefix, text) for node in unknown]

    def numbers(
        self, text: TextInput, answers: Sequence[Answer]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the labels' log-probabilities and the variances that their bounds leave."""
        masses, unknown = self._walk(answers)
        for node in unknown:
            for label in node.labels:
                masses[label].hidden += node.mass
        moments = [_log_moments(masses[label]) for label in self.labels]
        values, variances = np.array(moments, dtype=np.float64).T
        return values, variances

    def all_found(self, answer: Answer) -> bool:
        """Say whether every label stands among the likeliest tokens of an answer."""
        masses, _ = self._walk([answer])
        return all(mass.found > 0 for mass in masses.values())

    def _walk(self, answers: Sequence[Answer]) -> tuple[dict[str, _Mass], list[_Node]]:
        """Return what is known of each label, and the places that no answer tells of yet.

        The answers behind the first one belong to those places, in their order.
        """
        masses = {label: _Mass() for label in self.labels}
        later = iter(answers[1:])
        waiting = [_Node("", 1.0, self.labels, answers[0].tokens or ())]
        unknown: list[_Node] = []
        while waiting:
            node = waiting.pop(0)
            if not node.tokens:
                answer = next(later, None)
                if answer is None:
                    unknown.append(node)
                    continue
                node = _Node(node.prefix, node.mass, node.labels, answer.tokens or ())
                if not node.tokens:
                    continue
            waiting += self._spread(node, masses)
        return masses, unknown

    def _spread(self, node: _Node, masses: dict[str, _Mass]) -> list[_Node]:
        """Give the labels what the tokens at a place say; return the places behind it."""
        here, behind = node.tokens[0], node.tokens[1:]
        top = dict(here.top)
        if here.log_prob is not None:
            top.setdefault(here.text, here.log_prob)
        seen: set[str] = set()
        shadowed: dict[str, float] = {}
        further: list[_Node] = []
        for token, log_prob in top.items():
            mass = node.mass * exp(min(log_prob, 0.0))
            text = joined(node.prefix, token)
            whole = [label for label in node.labels if is_whole(text, label)]
            begun = [label for label in node.labels if token and is_begun(text, label)]
            seen.update(whole)
            goes_on = behind if token == here.text else ()
            if whole:
                longer = mass * _share_that_goes_on(text, begun, goes_on)
                for label in whole:
                    masses[label].found += mass - longer
                if begun and goes_on:
                    further.append(_Node(text, mass, tuple(begun), goes_on))
                elif begun and here.text != token:
                    shadowed.update(dict.fromkeys(begun, mass))
            elif begun and (
                (shown := is_shown(text, begun)) or not text.strip() or mass >= LEAST_MARKUP
            ):
                # Behind white space a label may begin otherwise as well, and what is garbled may
                # be something else.
                is_label = shown and GARBLED not in text
                if is_label:
                    seen.update(begun)
                if is_label and len(begun) == 1:
                    masses[begun[0]].found += mass
                elif goes_on or (not self.provider.is_chat and can_be_sent(text)):
                    further.append(_Node(text, mass, tuple(begun), goes_on))
                else:
                    for label in begun:
                        masses[label].hidden += mass
        last = exp(min(min(top.values(), default=-inf), 0.0))
        rest = max(0.0, 1.0 - sum(exp(min(own, 0.0)) for own in top.values()))
        for label, mass in shadowed.items():
            if label not in seen:  # it may begin with the token that is another label
                masses[label].hidden += mass
        for label in node.labels:
            if label not in seen:
                forms = 1 if label[0].isspace() else FORMS
                masses[label].hidden += node.mass * min(forms * last, rest)
        return further


def _share_that_goes_on(text: str, labels: Sequence[str], behind: Sequence[Token]) -> float:
    """Return how probable it is that a label goes on to be a longer one, by the next place."""
    if not behind:
        return 0.0
    nexts = {**behind[0].top, behind[0].text: behind[0].log_prob or 0.0}
    longer = {joined(text, token): log_prob for token, log_prob in nexts.items()}
    return sum(
        exp(min(log_prob, 0.0))
        for own, log_prob in longer.items()
        if any(is_whole(own, label) or is_begun(own, label) for label in labels)
    )


def _log_moments(mass: _Mass) -> tuple[float, float]:
    """Return mean and variance of log X, X uniform between the bounds of a probability.

    With bounds a < b: E log X = (b log b - a log a) / (b - a) - 1, and E log² X likewise from
    x (log² x - 2 log x + 2).

    Examples
    --------
    >>> mean, variance = _log_moments(_Mass(0.0, 0.01))
    >>> round(mean - log(0.01), 9), round(variance, 9)
    (-1.0, 1.0)
    """
    low, high = mass.found, min(mass.found + mass.hidden, 1.0)
    high = max(high, LEAST)
    if high - low <= 1e-6 * high:
        return log(high), 0.0
    logs = [log(x) if x > 0 else 0.0 for x in (low, high)]
    below, above = (x * own for x, own in zip((low, high), logs, strict=True))
    first = (above - below) / (high - low) - 1.0
    below, above = (
        x * (own**2 - 2.0 * own + 2.0) for x, own in zip((low, high), logs, strict=True)
    )
    return first, max(0.0, (above - below) / (high - low) - first**2)
