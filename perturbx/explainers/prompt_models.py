"""What a `PromptExplainer` needs of a model: one that you host, or one behind an API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from perturbx.exceptions import ArgumentError, CapabilityError, RefusedError, ScoringError
from perturbx.explainers.failure import before_any_score
from perturbx.explainers.responses import with_readout, with_readout_by_character
from perturbx.maskers.response_encoding import ResponseEncoding
from perturbx.scorers.api_names import names_api_model
from perturbx.scorers.continuations import LanguageModel, until_stop
from perturbx.scorers.labels import LabelScorer
from perturbx.scorers.responses import ResponseScorer
from perturbx.typing import Encoding, Link, ScoreKind, Scorer

if TYPE_CHECKING:
    from perturbx.scorers.api import ApiModel, ApiScorer
    from perturbx.scorers.api.readings import Reading

Labels: TypeAlias = Sequence[str] | Mapping[str, str] | None


MOST_TOKENS = 64
"""Tokens of a response that a model makes itself, at most, by default."""


class PromptModel(Protocol):
    """A model that answers prompts, whatever way it is asked."""

    @property
    def tokenizer(self) -> Any:
        """Return what renders chats, with a ``chat_template`` if the model has one."""

    @property
    def head_price(self) -> float | None:
        """Return what a scored position costs in tokens; None where calls are what is paid for."""

    def settle(self) -> None:
        """Find out what `head_price` depends on: else a first run might be designed otherwise."""

    def scorer(
        self, labels: Labels, calibrate: str | None, *, max_new_tokens: int, stop: Sequence[str]
    ) -> Scorer:
        """Return the scorer of labels, or of responses; answers that are compared end there."""

    def answers(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """Return what the model says to each prompt."""

    @property
    def sends_responses(self) -> bool:
        """Say whether the model scores responses; else its answers are compared with them."""

    def check_outputs(self, outputs: Any, *, is_contrast: bool) -> None:
        """Raise an error for what no response could be asked about, before there is one."""

    def with_outputs(self, encoding: Encoding, outputs: Any) -> Encoding:
        """Return a prompt with its response that knows what is explained of the response."""

    def contrasting(self, scorer: Scorer) -> Scorer:
        """Return the scorer of responses that come with others to compare them with."""

    def as_scored(
        self, scorer: Scorer, encodings: Sequence[Encoding], kind: ScoreKind | None
    ) -> list[Encoding]:
        """Return the prompts as the model turns out to score them.

        One may be asked about, where no earlier run shows of what kind its scores are.
        """

    def link(self, scorer: Scorer, encoding: Encoding, link: Link, kind: ScoreKind | None) -> Link:
        """Return the scale on which the scores of a prompt are explained; asked as above."""


@dataclass(frozen=True)
class HostedPrompts:
    """A model at hand."""

    model: LanguageModel

    @property
    def tokenizer(self) -> Any:
        """Return the model's own."""
        return self.model.tokenizer

    @property
    def head_price(self) -> float | None:
        """Return the price of the model's head, where beginnings are shared."""
        price: float | None = getattr(self.model, "head_price", None)
        return price

    def settle(self) -> None:
        """Let the model find out how it is read, if it has to."""
        getattr(self.model, "settle", lambda: None)()

    def scorer(
        self, labels: Labels, calibrate: str | None, *, max_new_tokens: int, stop: Sequence[str]
    ) -> Scorer:
        """Return the scorer of labels, or of responses."""
        if labels is None:
            return ResponseScorer(self.model)
        return LabelScorer(self.model, labels, calibrate=calibrate)

    def answers(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """Return what the model says to each prompt."""
        return self.model.generate(prompts, max_new_tokens=max_new_tokens, stop=stop)

    @property
    def sends_responses(self) -> bool:
        """Say that it scores them."""
        return True

    def check_outputs(self, outputs: Any, *, is_contrast: bool) -> None:
        """Raise an `ArgumentError` for parts, where nobody knows which tokens these are."""
        if outputs != "response" and not self.tokenizer.is_fast:
            raise ArgumentError(
                "outputs: parts of a response need a fast tokenizer, which says where its tokens "
                "lie; take outputs='response'"
            )

    def with_outputs(self, encoding: Encoding, outputs: Any) -> Encoding:
        """Return the prompt with what is read out of the tokens of its response."""
        return with_readout(encoding, outputs, self.tokenizer)

    def contrasting(self, scorer: Scorer) -> Scorer:
        """Return the scorer: both are read in one pass."""
        return scorer

    def as_scored(
        self, scorer: Scorer, encodings: Sequence[Encoding], kind: ScoreKind | None
    ) -> list[Encoding]:
        """Return the prompts: there is one way to score them."""
        return list(encodings)

    def link(self, scorer: Scorer, encoding: Encoding, link: Link, kind: ScoreKind | None) -> Link:
        """Return the link that was asked for."""
        return link


@dataclass(frozen=True)
class ApiPrompts:
    """A model behind an API.

    Parameters
    ----------
    model : ApiModel
        The model.
    like : ApiScorer, optional
        Says how it is asked, whatever about.
    """

    model: ApiModel
    like: ApiScorer | None = None

    @property
    def tokenizer(self) -> Any:
        """Return what writes a chat as one text, out of which the messages are sent."""
        from perturbx.scorers.api.prompting import ChatMarks

        return ChatMarks() if self.model.provider.is_chat else None

    @property
    def head_price(self) -> float | None:
        """Return None: a call is a call."""
        return None

    def settle(self) -> None:
        """Ask nothing: nothing depends on it."""

    def scorer(
        self, labels: Labels, calibrate: str | None, *, max_new_tokens: int, stop: Sequence[str]
    ) -> ApiScorer:
        """Return the scorer of labels, or of responses; an `ApiScorer` may say where those end."""
        from perturbx.scorers.api import ApiScorer
        from perturbx.scorers.api.prompting import PromptTemplate

        if calibrate is not None:
            raise ArgumentError("calibrate: is for a model that you host; leave it out")
        template = PromptTemplate(is_marked=self.model.provider.is_chat)
        asked = {"labels": labels, "prompt_template": template, **self._options}
        if labels is None:
            if self.like is not None and self.like.asked.labels is not None:
                raise ArgumentError(
                    "labels: the ApiScorer has some and the explainer none, which explains what is "
                    "said; give them to the explainer, too"
                )
            asked["stop"] = asked.get("stop") or stop
        # Responses are compared at the length that they were made with; labels are short.
        if labels is None or max_new_tokens != MOST_TOKENS:
            asked["max_new_tokens"] = asked.get("max_new_tokens") or max_new_tokens
        made = ApiScorer(self.model, **asked)
        if self.like is not None and self.like.is_expected:
            made = made.expecting(self.model)
        return made if labels is not None else made.by_character()

    @property
    def _options(self) -> Mapping[str, Any]:
        return {} if self.like is None else self.like.asked.options(self.like.method)

    def answers(
        self, prompts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """Return what the model says to each prompt, its likeliest token each time."""
        from perturbx.scorers.api.prompting import PromptTemplate

        provider = self.model.provider
        asked = self.scorer(None, None, max_new_tokens=max_new_tokens, stop=stop).asked
        if not provider.can_echo:
            # They will be compared: a package that this needs is missed before they are paid for.
            asked.similarity(provider)
        template = PromptTemplate(is_marked=provider.is_chat)
        questions = [
            provider.question(
                template.prompt(prompt, is_chat=provider.is_chat),
                max_tokens=asked.max_new_tokens,
                stop=asked.stop,
            )
            for prompt in prompts
        ]
        try:
            said = {
                question.key: until_stop(answer.text, asked.stop)
                for part in self.model.ask(questions)
                for question, answer in part
            }
        except RefusedError as error:
            why = {
                number: error.refused[question.key]
                for number, question in enumerate(questions)
                if question.key in error.refused
            }
            first = next(iter(why))
            raise RefusedError(
                f"prompts[{first}]: {self.model.model_id} gives no answer of use to it "
                f"({why[first]}), and to {len(why)} of {len(prompts)} in all; what it says to the "
                f"others is kept; leave them out, or give the responses to explain",
                refused={prompts[number]: own for number, own in why.items()},
                ends_run=error.ends_run,
            ) from error
        return [said[question.key] for question in questions]

    @property
    def sends_responses(self) -> bool:
        """Say whether the service scores prompts, as far as nobody asked it."""
        method = self._options.get("method", "auto")
        return self.model.provider.can_echo and method in ("auto", "prompt_log_probs")

    def check_outputs(self, outputs: Any, *, is_contrast: bool) -> None:
        """Raise an error for parts, or a contrast, that only a service that scores prompts has.

        Raises
        ------
        ArgumentError
            If it does not, or tokens are asked for.
        CapabilityError
            If it does not, and a contrast is asked for.
        """
        if is_contrast and not self.sends_responses:
            raise CapabilityError(
                f"alternatives: {self.model.model_id} gives no log-probabilities of prompts; leave "
                f"them out, or take labels"
            )
        if outputs != "response" and not self.sends_responses:
            raise ArgumentError(
                f"outputs: parts of a response need a service that scores prompts, and here "
                f"answers are compared; expected 'response', got {outputs!r:.80}"
            )
        if outputs == "tokens":
            raise ArgumentError(
                "outputs: the tokens of a model behind an API are its own; expected 'response', "
                "'sentences', or parts of the response, got 'tokens'"
            )

    def with_outputs(self, encoding: Encoding, outputs: Any) -> Encoding:
        """Return the prompt with what is read out of the letters of its response, if it can be."""
        return with_readout_by_character(encoding, outputs) if self.sends_responses else encoding

    def contrasting(self, scorer: Scorer) -> Scorer:
        """Return the scorer, which asks twice for a variant."""
        from perturbx.scorers.api import ApiScorer

        assert isinstance(scorer, ApiScorer)
        return scorer.by_character(contrast=True)

    def as_scored(
        self, scorer: Scorer, encodings: Sequence[Encoding], kind: ScoreKind | None
    ) -> list[Encoding]:
        """Return the prompts as they are, where the service turns out to compare answers.

        Raises
        ------
        CapabilityError
            If parts of a response are asked for.
        """
        made = [own for own in encodings if isinstance(own, ResponseEncoding)]
        if not made or (kind or self._reading(scorer, made[0]).kind) != "similarity":
            return list(encodings)
        for own in made:
            if own.output_names != ("response",):
                raise CapabilityError(
                    f"outputs: {self.model.model_id} scores no prompts, so answers are compared; "
                    f"expected 'response', got {list(own.output_names)!r:.80}"
                )
        return [own.prompt if isinstance(own, ResponseEncoding) else own for own in encodings]

    def link(self, scorer: Scorer, encoding: Encoding, link: Link, kind: ScoreKind | None) -> Link:
        """Return the link, or the scale of numbers that have no logarithm.

        Similarities stay as they are, and shares of sampled answers are probabilities.
        """
        kind = kind or self._reading(scorer, encoding).kind
        if kind in ("similarity", "value"):
            return "identity"
        return "probability" if kind == "probability" and link == "log_prob" else link

    @staticmethod
    def _reading(scorer: Scorer, encoding: Encoding) -> Reading:
        """Return how the service is asked; a whole prompt shows what it can do."""
        import torch

        from perturbx.scorers.api import ApiScorer

        whole = encoding.variants(torch.ones(1, encoding.units.n_units, dtype=torch.bool))
        assert whole.texts is not None
        assert isinstance(scorer, ApiScorer)
        return scorer.reading(whole.texts[0])


def said_to(
    prompts: Sequence[str], model: PromptModel, *, max_new_tokens: int, stop: Sequence[str]
) -> list[str]:
    """Return what a model says to each prompt.

    Raises
    ------
    ScoringError, Interrupted
        If it fails or says nothing, or at Ctrl-C.
    """
    with before_any_score():
        said = model.answers(prompts, max_new_tokens=max_new_tokens, stop=stop)
    for number, answer in enumerate(said):
        if not answer.strip():
            raise ScoringError(
                f"prompts[{number}]: the model says nothing to it; give a response to explain, "
                f"or end the prompt where an answer must follow"
            )
    return said


def is_behind_api(model: Any) -> bool:
    """Say whether a model is one that is asked over the network."""
    # By their names: importing them to ask would take as long as all their libraries.
    kinds = {kind.__name__ for kind in type(model).__mro__}
    return names_api_model(model) or bool(kinds & {"ApiModel", "ApiScorer"})


def api_prompts(model: Any, *, device: Any, dtype: Any) -> ApiPrompts:
    """Return a model behind an API by its name, as an `ApiModel`, or out of an `ApiScorer`.

    Raises
    ------
    ArgumentError
        If options are given that mean nothing there: prompts are whole, and a response is theirs.
    """
    from perturbx.scorers.api import ApiModel, ApiScorer

    if device is not None or dtype is not None:
        raise ArgumentError("device, dtype: a model behind an API has its own; leave them out")
    if not isinstance(model, ApiScorer):
        return ApiPrompts(model if isinstance(model, ApiModel) else ApiModel(model))
    asked = model.asked
    of_texts = {
        "system": asked.template.system,
        "prompt_template": asked.own_template or None,
        "reference": asked.reference,
        "calibrate": asked.calibrations,
    }
    given = [name for name, value in of_texts.items() if value is not None]
    if given:
        raise ArgumentError(
            f"model: the ApiScorer has {', '.join(given)} of its own, and here prompts are whole "
            f"and come with their responses; write into the prompts what they should say"
        )
    return ApiPrompts(model.model, model)
