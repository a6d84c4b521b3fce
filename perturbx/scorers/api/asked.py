"""`Asked`: what a scorer wants to know of each text, whatever way the server offers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

from perturbx.exceptions import ArgumentError, CapabilityError
from perturbx.scorers.api.calibration import Calibration
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
from perturbx.scorers.api.readings.naming import LabelNames
from perturbx.scorers.labels import labels_by_name

Method: TypeAlias = Literal[
    "auto", "label_log_probs", "prompt_log_probs", "votes", "confidence", "similarity"
]

SCALARIZERS = ("ChrF", "Rouge", "Bleu")
"""Those that a record can hold."""

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
    by_character : bool
        See `ResponseInPrompt`. The questions are the same, so the fingerprint does not know of it.
    contrast : bool
        Responses come with others that they are compared with, for what that is expected to cost.
    """

    template: PromptTemplate
    labels: Mapping[str, str] | None
    own_template: bool
    n_samples: int
    temperature: float
    seed: int | None
    reference: str | None
    scalarizers: tuple[Any, ...] | None
    max_new_tokens: int | None
    stop: tuple[str, ...]
    calibrations: Mapping[str, Calibration] | None = field(default=None, repr=False)
    by_character: bool = False
    contrast: bool = False

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
        max_new_tokens: int | None,
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
        if by_name is not None and method in ("auto", "label_log_probs", "votes"):
            # Those that begin with a space are taken to the character, where they can be.
            LabelNames(
                [own for own in by_name.values() if method == "votes" or own == own.lstrip()]
            )
        sampling: dict[str, tuple[float | None, float | None]] = {
            "n_samples": (n_samples, 1),
            "temperature": (temperature, 1.0),
            "seed": (seed, None),
        }
        for name, (value, default) in sampling.items():
            if value != default and method not in ("auto", "votes"):
                raise ArgumentError(
                    f"{name}: is for method='votes', and has no meaning for {method!r}"
                )
        for name, given_value in (("reference", reference), ("scalarizers", scalarizers)):
            if given_value is not None and by_name is not None:
                raise ArgumentError(f"{name}: is for answers, and labels are asked for; give one")
        if system is not None and isinstance(template, PromptTemplate):
            raise ArgumentError("system: the template has its own; leave it out")
        most = 1 if max_new_tokens is None else max_new_tokens
        for name, value in (("n_samples", n_samples), ("max_new_tokens", most)):
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ArgumentError(f"{name}: expected a whole number above 0; got {value!r}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, Integral)):
            raise ArgumentError(f"seed: expected a whole number or None; got {seed!r}")
        if not (isinstance(temperature, Real) and 0.0 < temperature <= 2.0):
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
            n_samples=int(n_samples),
            temperature=float(temperature),
            seed=None if seed is None else int(seed),
            reference=reference,
            scalarizers=None if scalarizers is None else tuple(scalarizers),
            max_new_tokens=None if max_new_tokens is None else int(max_new_tokens),
            stop=tuple(stop),
        )

    @property
    def fingerprint(self) -> str:
        """Return what tells this apart from other ways of asking, in a few characters."""
        names = [getattr(own, "name", repr(own)) for own in self.scalarizers or ()]
        parts: list[Any] = [self.template, self.labels, self.n_samples, self.temperature, self.seed]
        parts += [self.reference, names, self.max_new_tokens, self.stop, self.calibrations]
        digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=6)
        shown = "" if self.labels is None else f"labels={list(self.labels)!r} "
        return f"{shown}asked={digest.hexdigest()}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, ready for JSON.

        Raises
        ------
        ArgumentError
            If a scalarizer is one of your own, which no record can hold.
        """
        named = None
        if self.scalarizers is not None:
            named = [type(own).__name__ for own in self.scalarizers]
            foreign = [name for name in named if name not in SCALARIZERS]
            if foreign:
                raise ArgumentError(
                    f"scalarizers: {foreign[0]} cannot be recorded; only {list(SCALARIZERS)} can"
                )
        record = {own.name: getattr(self, own.name) for own in fields(self)}
        lines = self.calibrations
        return {
            **record,
            "template": vars(self.template),
            "labels": None if self.labels is None else dict(self.labels),
            "scalarizers": named,
            "stop": list(self.stop),
            "calibrations": None if lines is None else {k: vars(v) for k, v in lines.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Asked:
        """Return what `to_dict` wrote."""
        import perturbx.scorers.generated as generated

        named, lines = record["scalarizers"], record["calibrations"]
        made = None if named is None else tuple(getattr(generated, own)() for own in named)
        read: dict[str, Any] = {
            "template": PromptTemplate(**record["template"]),
            "scalarizers": made,
            "stop": tuple(record["stop"]),
            "calibrations": lines and {k: Calibration(**v) for k, v in lines.items()},
        }
        known = {**record, **read}
        return cls(**{own.name: known[own.name] for own in fields(cls) if own.name in known})

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
            return self.response_in_prompt(provider, contrast=self.contrast)
        if method == "prompt_log_probs":
            return self.labels_in_prompt(provider)
        return LabelLogProbs(
            provider, self.template, self.labels, top_k=provider.most_top_log_probs[0]
        )

    @property
    def _most_tokens(self) -> dict[str, int]:
        """Return where answers are cut off, unless that is for each reading to say."""
        return {} if self.max_new_tokens is None else {"max_new_tokens": self.max_new_tokens}

    def votes(self, provider: Provider) -> Votes:
        """Return sampled votes.

        Raises
        ------
        ArgumentError
            If the provider's parameters would make one answer of all samples.
        """
        for name in ("temperature", "seed"):
            if name in provider.parameters:
                raise ArgumentError(
                    f"parameters: {name!r} among them would be that of all sampled answers; give "
                    f"{name}={provider.parameters[name]!r} to the scorer itself"
                )
        return Votes(
            provider,
            self.template,
            self.labels or {},
            n_samples=self.n_samples,
            temperature=self.temperature,
            seed=self.seed,
            **self._most_tokens,
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
        return Confidence(provider, templates, self.calibrations, **self._most_tokens)

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
            stop=self.stop,
            **self._most_tokens,
        )

    def response_in_prompt(self, provider: Provider, *, contrast: bool) -> ResponseInPrompt:
        """Return given responses as parts of the prompt, and maybe others beside them."""
        return ResponseInPrompt(
            provider, self.template, contrast=contrast, by_character=self.by_character
        )

    def labels_in_prompt(self, provider: Provider) -> LabelsInPrompt:
        """Return labels as parts of the prompt; behind our own template they follow a space."""
        labels = self.labels or {}
        if not self.own_template:
            labels = {name: f" {label.lstrip()}" for name, label in labels.items()}
        return LabelsInPrompt(provider, self.template, labels)


def _asking_for(label: str) -> str:
    return ASK_FOR_NUMBER.format(label=label.strip().replace("{", "{{").replace("}", "}}"))
