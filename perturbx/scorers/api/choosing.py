"""Which way to get numbers a server offers: found by asking it once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.scorers.api.model import ApiModel
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.readings import (
    AnswerSimilarity,
    Confidence,
    LabelLogProbs,
    LabelsInPrompt,
    Reading,
    ResponseInPrompt,
    Votes,
)
from perturbx.scorers.api.readings.confidence import Calibration
from perturbx.scorers.labels import labels_by_name
from perturbx.typing import TextInput

Method: TypeAlias = Literal[
    "auto", "label_log_probs", "prompt_log_probs", "votes", "confidence", "similarity"
]

logger = logging.getLogger("perturbx")

ASK_FOR_LABEL = (
    "Which of these fits the following text best: {labels}? Answer with one of them only.\n\n"
    "Text: {{text}}\n\nAnswer:"
)

ASK_FOR_NUMBER = (
    "How likely is it that {label!r} fits the following text? Answer with a number from 0 to 100 "
    "only.\n\nText: {{text}}\n\nAnswer:"
)


@dataclass(frozen=True)
class Asked:
    """What a scorer wants to know of each text, whatever way the server offers.

    Parameters
    ----------
    template : PromptTemplate
        Makes the prompts.
    labels : dict of str to str, optional
        What may follow, by name.
    own_template : bool
        The user gave the template.
    n_samples, temperature, seed, reference, scalarizers, max_new_tokens, stop
        See `ApiScorer`.
    calibrations : mapping of str to callable, optional
        See `Confidence`.
    """

    template: PromptTemplate
    labels: Mapping[str, str] | None
    own_template: bool
    n_samples: int
    temperature: float
    seed: int | None
    reference: str | None
    scalarizers: tuple[Any, ...] | None
    max_new_tokens: int
    stop: tuple[str, ...]
    calibrations: Mapping[str, Calibration] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        provider: Provider,
        *,
        labels: Sequence[str] | Mapping[str, str] | None,
        template: str | PromptTemplate | None,
        system: str | None,
        method: Method,
        n_samples: int,
        temperature: float,
        seed: int | None,
        reference: str | None,
        scalarizers: Sequence[Any] | None,
        max_new_tokens: int,
        stop: Sequence[str],
    ) -> Asked:
        """Return it, after checking that the parts go together.

        Raises
        ------
        ArgumentError
            If they do not.
        """
        least = 1 if method == "confidence" else 2
        by_name = None if labels is None else labels_by_name(labels, least=least)
        if system is not None and not provider.is_chat:
            raise ArgumentError(
                "system: this endpoint knows no system message; write it into prompt_template"
            )
        wants_labels = method in ("label_log_probs", "votes", "confidence")
        if wants_labels and by_name is None:
            raise ArgumentError(f"labels: method={method!r} needs them; give labels=[...]")
        if method == "similarity" and by_name is not None:
            raise ArgumentError("labels: similarities of answers have none; leave them out")
        for name, value in (("n_samples", n_samples), ("max_new_tokens", max_new_tokens)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name}: expected a whole number above 0; got {value!r}")
        if not 0.0 < temperature <= 2.0:
            raise ArgumentError(f"temperature: expected above 0 and at most 2; got {temperature!r}")
        if isinstance(stop, str):
            raise ArgumentError(f"stop: expected a list of strings; got {stop!r}")
        made: str | PromptTemplate
        if template is None and by_name is not None and method != "confidence":
            given = ", ".join(label.strip() for label in by_name.values())
            made = ASK_FOR_LABEL.format(labels=given.replace("{", "{{").replace("}", "}}"))
        else:
            made = "{text}" if template is None else template
        return cls(
            template=made if isinstance(made, PromptTemplate) else PromptTemplate(made, system),
            labels=by_name,
            own_template=template is not None,
            n_samples=n_samples,
            temperature=temperature,
            seed=seed,
            reference=reference,
            scalarizers=None if scalarizers is None else tuple(scalarizers),
            max_new_tokens=max_new_tokens,
            stop=tuple(stop),
        )

    @property
    def fingerprint(self) -> str:
        """Return what tells this apart from other ways of asking, in a few characters."""
        names = [getattr(own, "name", repr(own)) for own in self.scalarizers or ()]
        parts: list[Any] = [self.template, self.labels, self.n_samples, self.temperature, self.seed]
        parts += [self.reference, names, self.max_new_tokens, self.stop]
        digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=6)
        shown = "" if self.labels is None else f"labels={list(self.labels)!r} "
        return f"{shown}asked={digest.hexdigest()}"

    def options(self, method: Method) -> dict[str, Any]:
        """Return the options of `ApiScorer` for the same way of asking, about other prompts."""
        names = ("n_samples", "temperature", "seed", "scalarizers", "max_new_tokens", "stop")
        return {"method": method, **{name: getattr(self, name) for name in names}}

    def reading_known(self, provider: Provider, method: Method) -> Reading | None:
        """Return the reading where no server needs to be asked which one it is."""
        if method == "votes" or (
            method == "auto" and self.labels is not None and not provider.most_top_log_probs
        ):
            return self.votes(provider)
        if method == "confidence":
            return self.confidence(provider)
        if method == "similarity":
            return self.similarity(provider)
        if method in ("label_log_probs", "prompt_log_probs"):
            offered = (
                provider.most_top_log_probs if method == "label_log_probs" else provider.can_echo
            )
            if not offered:
                raise CapabilityError(
                    f"method: {provider.name!r} gives no {method.replace('_', '-')}; take "
                    f"'votes', 'confidence' or 'similarity'"
                )
        return None

    def reading_expected(self, provider: Provider, method: Method) -> Reading:
        """Return the reading to count with as long as no server was asked."""
        known = self.reading_known(provider, method)
        if known is not None:
            return known
        if self.labels is None:
            return ResponseInPrompt(provider, self.template, contrast=False)
        if method == "prompt_log_probs":
            return self.labels_in_prompt(provider)
        return LabelLogProbs(
            provider, self.template, self.labels, top_k=provider.most_top_log_probs[0]
        )

    def votes(self, provider: Provider) -> Votes:
        """Return sampled votes."""
        return Votes(
            provider,
            self.template,
            self.labels or {},
            n_samples=self.n_samples,
            temperature=self.temperature,
            seed=self.seed,
        )

    def confidence(self, provider: Provider) -> Confidence:
        """Return verbalised confidence, with the user's prompt or one of ours."""
        labels = self.labels or {}
        if self.own_template:
            if len(labels) > 1:
                raise ArgumentError(
                    "prompt_template: asks for one number, and there are several labels; leave it "
                    "out, or give one label"
                )
            templates = dict.fromkeys(labels, self.template)
        else:
            templates = {
                name: replace(self.template, template=_asking_for(label))
                for name, label in labels.items()
            }
        return Confidence(provider, templates, self.calibrations)

    def similarity(self, provider: Provider) -> AnswerSimilarity:
        """Return similarities of answers."""
        scalarizers = self.scalarizers
        if scalarizers is None:
            from perturbx.scorers.generated import ChrF

            scalarizers = (ChrF(),)
        return AnswerSimilarity(
            provider,
            self.template,
            scalarizers,
            reference=self.reference,
            max_new_tokens=self.max_new_tokens,
            stop=self.stop,
        )

    def labels_in_prompt(self, provider: Provider) -> LabelsInPrompt:
        """Return labels as parts of the prompt; behind our own template they follow a space."""
        labels = self.labels or {}
        if not self.own_template:
            labels = {name: f" {label.lstrip()}" for name, label in labels.items()}
        return LabelsInPrompt(provider, self.template, labels)


def _asking_for(label: str) -> str:
    return ASK_FOR_NUMBER.format(label=label.strip().replace("{", "{{").replace("}", "}}"))


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


def _for_responses(model: ApiModel, asked: Asked, method: Method, text: TextInput) -> Reading:
    is_response = not isinstance(text, str) and len(text) > 1
    provider = model.provider
    refused: list[str] = []
    if is_response and asked.reference is None and provider.can_echo:
        in_prompt = ResponseInPrompt(provider, asked.template, contrast=len(text) > 2)
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
        if _if_offered(model, reading, text, refused) is not None:
            return reading
    return None


def _if_offered(model: ApiModel, reading: Any, text: TextInput, refused: list[str]) -> Any | None:
    """Return the reading if the server answers its first question with all that it needs."""
    try:
        model.answer(reading.questions(text)[0], reading.missing)
    except CapabilityError as error:
        refused.append(str(error))
        return None
    return reading


def _tells_all(model: ApiModel, reading: LabelLogProbs | None, text: TextInput) -> bool:
    """Say whether the likeliest tokens hold every label, for the text that is at hand."""
    if reading is None:
        return False
    return reading.all_found(model.answer(reading.questions(text)[0], reading.missing))
