"""Which way to get numbers a server offers: found by asking it once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from perturbx.exceptions import CapabilityError, RefusedError
from perturbx.refusals import Refusals
from perturbx.scorers.api.asked import Asked, Method
from perturbx.scorers.api.model import ApiModel
from perturbx.scorers.api.readings import LabelLogProbs, Reading
from perturbx.scorers.api.readings.reading import NO_NUMBERS
from perturbx.scorers.api.withheld import IncompleteError, are_too_many
from perturbx.typing import TextInput

logger = logging.getLogger("perturbx")


def choose_reading(model: ApiModel, asked: Asked, method: Method, text: TextInput) -> Reading:
    """Return the first way that the server offers, by asking it about one text.

    The calls are like any other: they count, and their answers are kept.

    Parameters
    ----------
    model : ApiModel
        Is asked.
    asked : Asked
        What is wanted.
    method : str
        The way, or "auto".
    text : str or (str, str)
        A variant.

    Raises
    ------
    CapabilityError
        If there is none, with what the server said.
    RefusedError
        If this text is refused: that says nothing of the others.
    """
    provider = model.provider
    if asked.labels is None:
        return _for_responses(model, asked, method, text)
    refused: list[str] = []
    if method == "prompt_log_probs":
        chosen: Reading | None = _if_offered(model, asked.labels_in_prompt(provider), text, refused)
    else:
        chosen = _label_log_probs(model, asked, text, refused)
        if method == "auto" and provider.can_echo and not _tells_all(model, chosen, text):
            in_prompt = _if_offered(model, asked.labels_in_prompt(provider), text, refused)
            chosen = in_prompt or chosen
        if method == "auto" and chosen is None:
            chosen = asked.votes(provider)
            logger.warning(
                "%s gives no log-probabilities (%s): its answers are sampled and counted",
                model.model_id,
                refused[-1],
            )
    if chosen is None:
        raise CapabilityError(
            f"method: {model.model_id} gives no {method.replace('_', '-')} ({'; '.join(refused)}); "
            f"take method='votes' or 'confidence', which need answers only"
        )
    return chosen


def reading_by_first(
    texts: Sequence[TextInput], reading_by: Callable[[TextInput], Reading], n_scored: int
) -> Reading:
    """Return the way to get numbers, by the first text that is not refused.

    Where as many are as would end a run, this one ends. They are asked once all the same.

    Parameters
    ----------
    texts : sequence of str or (str, str)
        The variants.
    reading_by : callable
        The way that one of them shows.
    n_scored : int
        Variants that were answered before.

    Raises
    ------
    RefusedError
        If there is no such text.
    """
    refusals = Refusals()
    for number, text in enumerate(texts, 1):
        with refusals.kept():
            return reading_by(text)
        if are_too_many(Fraction(number), Fraction(n_scored)):
            break
    assert refusals.error is not None
    refusals.error.ends_run = number < len(texts)
    raise refusals.error


def _for_responses(model: ApiModel, asked: Asked, method: Method, text: TextInput) -> Reading:
    is_response = not isinstance(text, str) and len(text) > 1
    provider = model.provider
    refused: list[str] = []
    if is_response and asked.reference is None and provider.can_echo:
        in_prompt = asked.response_in_prompt(provider, contrast=len(text) > 2)
        if _if_offered(model, in_prompt, text, refused) is not None:
            return in_prompt
    elif method == "prompt_log_probs":
        raise CapabilityError(
            "method: 'prompt_log_probs' needs labels, or an answer for each prompt; give labels, "
            "or explain with PromptExplainer"
        )
    if method == "prompt_log_probs" or (len(text) > 2 and is_response):
        raise CapabilityError(
            f"method: {model.model_id} gives no log-probabilities of prompts "
            f"({'; '.join(refused)}); take method='similarity', or labels"
        )
    return asked.similarity(provider)


def _label_log_probs(
    model: ApiModel, asked: Asked, text: TextInput, refused: list[str]
) -> LabelLogProbs | None:
    for top_k in model.provider.most_top_log_probs:
        reading = LabelLogProbs(model.provider, asked.template, asked.labels or {}, top_k=top_k)
        refusal = _refusal(model, reading, text)
        if refusal is None:
            return reading
        refused.append(str(refusal))
        if isinstance(refusal, IncompleteError):  # fewer of them would not come either
            break
    return None


def _if_offered(model: ApiModel, reading: Any, text: TextInput, refused: list[str]) -> Any | None:
    """Return the reading if the server answers its first question with all that it needs."""
    refusal = _refusal(model, reading, text)
    if refusal is None:
        return reading
    refused.append(str(refusal))
    return None


def _refusal(model: ApiModel, reading: Reading, text: TextInput) -> CapabilityError | None:
    try:
        model.answer(reading.questions(text)[0], reading.missing)
    except RefusedError as error:
        (why,) = error.refused.values()
        if isinstance(error, IncompleteError) and why != NO_NUMBERS:
            return error
        raise RefusedError(
            f"{model.model_id}: no answer of use to {text!r:.80}: {why}; what the server can do is "
            f"to be found out by it; leave that text out, change it, or take a `method` that "
            f"needs answers only",
            refused={text: why},
        ) from error
    except CapabilityError as error:
        return error
    return None


def _tells_all(model: ApiModel, reading: LabelLogProbs | None, text: TextInput) -> bool:
    """Say whether the likeliest tokens hold every label, for the text that is at hand."""
    if reading is None:
        return False
    return reading.all_found(model.answer(reading.questions(text)[0], reading.missing))
