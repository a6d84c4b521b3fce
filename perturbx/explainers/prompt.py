"""`PromptExplainer`: which parts of a prompt made a language model say that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from perturbx.exceptions import ArgumentError
from perturbx.explainers.cost import CostEstimate
from perturbx.explainers.design import Design
from perturbx.explainers.failure import before_any_score
from perturbx.explainers.parameters import check_outputs, check_parameters
from perturbx.explainers.preparation import encode_texts
from perturbx.explainers.prompt_design import lasso_design, priced_in_tokens
from perturbx.explainers.prompt_models import (
    MOST_TOKENS,
    ApiPrompts,
    HostedPrompts,
    PromptModel,
    api_prompts,
    is_behind_api,
    said_to,
)
from perturbx.explainers.prompt_parameters import (
    check_contrast,
    check_outputs_of_tables,
    check_prompt_parameters,
    kind_of_tables,
    responses_in_tables,
    stand_ins,
)
from perturbx.explainers.prompt_units import Prompt, check_answers, check_list, units_of_prompt
from perturbx.explainers.responses import warn_of_empty_parts
from perturbx.explainers.shapley import ShapleyExplainer
from perturbx.explainers.stopping import check_rule
from perturbx.explanations import Explanations
from perturbx.maskers import Delete, as_masker
from perturbx.maskers.removal import Removal
from perturbx.maskers.retokenized import Retokenized
from perturbx.score_table import ScoreTable
from perturbx.scorers.continuations import LanguageModel
from perturbx.scorers.labels import LabelScorer, labels_by_name
from perturbx.scorers.language_models import as_language_model
from perturbx.typing import Encoding, Link, Masker, RandomState, Scorer, Segmenter
from perturbx.units.prompts import with_responses
from perturbx.units.template import Template
from perturbx.units.units import Units


class PromptExplainer(ShapleyExplainer):
    """Explains what a language model says to a prompt.

    Parameters
    ----------
    model : object
        A pair ``(model, tokenizer)`` of transformers (a decoder, or an encoder with a decoder), a
        pipeline for text generation, the path or hub name of such a model, or a `LanguageModel`.
    labels : sequence of str, or mapping of str to str, optional
        Explain the model as a classifier: the probability of each of these behind the prompt, to
        the character, so with the space before it where the prompt does not end in one. Without
        labels, responses are explained.
    calibrate : str, optional
        With labels: a prompt without content; see `LabelScorer`.
    estimator : str, default="auto"
        As for `ShapleyExplainer`, or "lasso": ContextCite's line.
    units : str, re.Pattern, callable or Segmenter, default="sentences"
        What is kept or removed as one.
    template : str or Template, optional
        The prompt with named fields; only what fills the `fields` is played with.
    fields : sequence of str, optional
        Which fields those are; by default all of them.
    roles : sequence of str, default=("user",)
        Of a chat, whose messages are played with; markup and other roles are frozen.
    chat_template_kwargs : mapping of str to object, optional
        What the chat template is told beside the messages, such as ``{"tools": [...]}``.
    masker : {"auto", "delete", "unk", "mask"} or Masker, default="auto"
        What a removed unit looks like; "auto" leaves it out.
    assembly : {"tokens", "retokenize"}, default="tokens"
        Where a variant comes from. "tokens": the prompt is tokenized once and a variant is those
        of its tokens that stay. "retokenize": the string is edited and tokenized anew, so that
        what stood apart may merge, as if someone had typed it so.
    outputs : "auto", "response", "sentences", "tokens", spans, or names of labels
        What is explained of a response: all of it, each of its sentences or tokens, or parts of
        it (``(start, stop)`` in characters, strings that stand in it, or a mapping of names to
        such). All of them cost the calls of one. With labels "all", "predicted" or some of
        them. "auto": the response, or all labels.
    link : {"log_prob", "log_odds", "probability"}, default="log_prob"
        The scale. Differences of log-probabilities add up over tokens and sentences.
    max_new_tokens : int, default=64
        Where a response that the model makes itself is cut off; where it is another number, also
        an answer in words that names a label, of a model behind an API.
    stop : sequence of str, default=()
        It ends before the first of these.
    budget, tolerance, top_k, random_state, device, dtype, batch_tokens, progress
        As for `ShapleyExplainer`. ``batch_tokens`` are those of one pass of the model.

    Notes
    -----
    Response scoring: Cohen-Wang et al. 2024 (ContextCite). Label scoring: Zhao et al. 2021. The
    value of a response is the sum of its tokens' values: with links other than "probability" the
    estimators "auto" and "odd_gp" fit each token (or each of 24 groups) as a game of its own, from
    the same calls, where not all coalitions are asked about. Of a model behind an API that scores
    prompts these are the words; where it does not, only whole answers are compared, and there are
    no parts to explain.
    """

    def __init__(
        self,
        model: Any,
        *,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        calibrate: str | None = None,
        estimator: str = "auto",
        units: Any = "sentences",
        template: str | Template | None = None,
        fields: Sequence[str] | None = None,
        roles: Sequence[str] = ("user",),
        chat_template_kwargs: Mapping[str, Any] | None = None,
        masker: str | Masker = "auto",
        assembly: Literal["tokens", "retokenize"] = "tokens",
        budget: int | str = "auto",
        tolerance: float = 0.1,
        top_k: int | None = None,
        outputs: Any = "auto",
        link: Link = "log_prob",
        max_new_tokens: int = MOST_TOKENS,
        stop: Sequence[str] = (),
        random_state: RandomState = None,
        device: Any = None,
        dtype: Any = None,
        batch_tokens: int | Literal["auto"] = "auto",
        progress: bool = True,
    ) -> None:
        self.model = model
        self.labels = labels
        self.calibrate = calibrate
        self.estimator: Any = estimator
        self.units = units
        self.template = template
        self.fields = fields
        self.roles = roles
        self.chat_template_kwargs = chat_template_kwargs
        self.masker = masker
        self.assembly = assembly
        self.budget = budget
        self.tolerance = tolerance
        self.top_k = top_k
        self.outputs = outputs
        self.link = link
        self.max_new_tokens = max_new_tokens
        self.stop = stop
        self.random_state = random_state
        self.device = device
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.progress = progress

    # A prompt is more than a text, and it may come with its response.
    def explain(  # type: ignore[override]
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[str] | None = None,
        *,
        alternatives: Sequence[str] | None = None,
        tables: Sequence[ScoreTable] | None = None,
    ) -> Explanations:
        """Explain what the model says to each prompt.

        Parameters
        ----------
        prompts : sequence of str, Units, mapping of str to str, or sequence of messages
            What the model reads. Values of the template's fields where there is a template;
            lists of ``{"role": ..., "content": ...}`` go through the model's own chat template.
        responses : sequence of str, optional
            What it said, or might have, to the character. Without them the model answers first,
            its likeliest token each time.
        alternatives : sequence of str, optional
            Explain why the response and not this: the difference of their log-probabilities.
        tables : sequence of ScoreTable, optional
            What an earlier run paid for, of the same prompts and responses; without `responses`
            those of the tables are explained.

        Returns
        -------
        Explanations
            One per prompt; ``.table`` holds every mask and score, ``.response`` the response.

        Raises
        ------
        ArgumentError
            An argument is not what it should be. No call has been made.
        MaskingError
            A prompt with its response is longer than the model's window.
        CapabilityError
            A service that scores no prompts is asked about parts of responses, or about a contrast.
        ScoringError, Interrupted
            The model failed, or Ctrl-C; ``.tables`` holds what was paid for.
        """
        scorer, masker, encodings = self._ready(prompts, responses, alternatives, tables=tables)
        encodings = self._prompt_model().as_scored(scorer, encodings, kind_of_tables(tables))
        check_outputs_of_tables(tables, encodings)
        with before_any_score():
            self._prompt_model().settle()
        explanations = self._explain_encoded(encodings, tables, scorer, masker)
        warn_of_empty_parts(encodings, explanations.tables)
        return explanations

    def estimate_cost(  # type: ignore[override]
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[str] | None = None,
        *,
        alternatives: Sequence[str] | None = None,
    ) -> CostEstimate:
        """Return what `explain` would cost at least and at most; the model is not called.

        Parameters
        ----------
        prompts, responses, alternatives
            As for `explain`. A response that the model would make first counts as
            ``max_new_tokens`` tokens.

        Returns
        -------
        CostEstimate
            Calls, and the tokens of all variants; shared beginnings are read once, so that fewer
            tokens go through a decoder. Behind an API also requests, tokens and money, without
            the one call a prompt for a response that the model makes first.
        """
        scorer, _, encodings = self._ready(prompts, responses, alternatives, is_estimate=True)
        return self._estimated(encodings, scorer)

    def _ready(
        self,
        prompts: Sequence[Prompt],
        responses: Sequence[str] | None,
        alternatives: Sequence[str] | None,
        *,
        tables: Sequence[ScoreTable] | None = None,
        is_estimate: bool = False,
    ) -> tuple[Scorer, Masker, list[Encoding]]:
        """Return the prompts with their responses, ready for masking.

        `tables` may know what the model said. For an estimate it is not asked, and what is compared
        with answers, but not sent, is left out.
        """
        self._check_parameters()
        check_list(prompts)
        cut = [self._units_of(number, prompt) for number, prompt in enumerate(prompts)]
        for name, given in (("responses", responses), ("alternatives", alternatives)):
            check_answers(name, given, len(cut), are_labels=self.labels is not None)
        scorer = self._scorer()
        masker = self._masker(scorer)
        if self.labels is not None:
            check_outputs(self._explained_outputs(), scorer.output_names)
            return scorer, masker, encode_texts(cut, masker, scorer, self._players)
        model, outputs = self._prompt_model(), self.outputs
        if isinstance(outputs, str) and outputs in ("auto", "all"):
            outputs = "response"
        if alternatives is not None:
            check_contrast(self.link, outputs)
        model.check_outputs(outputs, is_contrast=alternatives is not None)
        if is_estimate and not model.sends_responses:
            return scorer, masker, encode_texts(cut, masker, scorer, self._players)
        if responses is None and is_estimate:
            # Parts of a response cost what the whole does.
            outputs, responses = "response", stand_ins(cut, self.max_new_tokens)
        elif responses is None:
            known = responses_in_tables(tables, len(cut))
            responses = known or said_to(
                [own.text for own in cut],
                model,
                max_new_tokens=self.max_new_tokens,
                stop=self.stop,
            )
        if alternatives is not None:
            scorer = model.contrasting(scorer)
        answers = zip(responses, *([] if alternatives is None else [alternatives]), strict=True)
        answered = [with_responses(own, *given) for own, given in zip(cut, answers, strict=True)]
        encodings = encode_texts(answered, masker, scorer, self._players)
        return scorer, masker, [model.with_outputs(own, outputs) for own in encodings]

    def _prepared(self, texts: Sequence[Any]) -> tuple[Scorer, Masker, list[Encoding]]:
        return self._ready(texts, None, None)

    def _units_of(self, number: int, prompt: Prompt) -> Units:
        return units_of_prompt(
            number,
            prompt,
            template=self.template,
            fields=self.fields,
            units=self.units,
            roles=self.roles,
            chat_template_kwargs=self.chat_template_kwargs,
            tokenizer=lambda: self._prompt_model().tokenizer,
        )

    def _check_parameters(self) -> None:
        check_prompt_parameters(
            assembly=self.assembly,
            link=self.link,
            labels=self.labels,
            outputs=self.outputs,
            calibrate=self.calibrate,
            template=self.template,
            fields=self.fields,
            max_new_tokens=self.max_new_tokens,
            stop=self.stop,
            estimator=self.estimator,
        )
        check_parameters(self.link, self.batch_tokens, self._explained_outputs())
        check_rule(self._rule(), self.estimator, self.budget)

    def _segmenter(self) -> Segmenter:
        """Return what `fit` and `transform` cut: a text is a prompt, or fills the template."""
        return lambda text: self._units_of(0, text)

    def _explained_names(self, units: Units, y: Any) -> list[str]:
        if self.labels is not None:
            names = labels_by_name(self.labels)
            outputs = self._explained_outputs()
            if isinstance(outputs, str):
                return list(names) if outputs == "all" else [outputs]
            return list(outputs)
        if not self._wants_all() and self.outputs != "response":
            raise ArgumentError(
                f"outputs: a column per word takes labels or whole responses; got "
                f"{self.outputs!r:.80}"
            )
        return ["response"]

    def _wants_all(self) -> bool:
        return isinstance(self.outputs, str) and self.outputs in ("auto", "all")

    def _explained_outputs(self) -> str | Sequence[str]:
        if self.labels is None or self._wants_all():
            return "all"
        outputs: str | Sequence[str] = self.outputs
        return outputs

    def _language_model(self) -> LanguageModel:
        placed = (self.device, self.dtype)
        cached: tuple[Any, Any, LanguageModel] | None = self.__dict__.get("_loaded_model")
        if cached is None or cached[0] is not self.model or cached[1] != placed:
            loaded = as_language_model(self.model, device=self.device, dtype=self.dtype)
            cached = self._loaded_model = (self.model, placed, loaded)
        return cached[2]

    def _scorer(self) -> Scorer:
        made = self._prompt_model().scorer(
            self.labels, self.calibrate, max_new_tokens=self.max_new_tokens, stop=self.stop
        )
        kept = self.__dict__.get("_loaded_scorer")
        # The one that knows what the model says to the prompt without content.
        if isinstance(made, LabelScorer) and isinstance(kept, LabelScorer) and made.is_like(kept):
            return kept
        self._loaded_scorer = made
        return made

    def _prompt_model(self) -> PromptModel:
        if not is_behind_api(self.model):
            return HostedPrompts(self._language_model())
        cached: tuple[Any, ApiPrompts] | None = self.__dict__.get("_loaded_api")
        if cached is None or cached[0] is not self.model:
            made = api_prompts(self.model, device=self.device, dtype=self.dtype)
            cached = self._loaded_api = (self.model, made)
        return cached[1]

    def _explained_link(
        self, scorer: Scorer, encodings: Sequence[Encoding], known: Sequence[ScoreTable | None]
    ) -> Link:
        if not encodings:
            return self.link
        kind = kind_of_tables(known)
        return self._prompt_model().link(scorer, encodings[0], self.link, kind)

    def _masker(self, scorer: Scorer) -> Masker:
        # A decoder never saw its tokenizer's mask token, if there is one.
        masker = (
            Delete()
            if isinstance(self.masker, str) and self.masker == "auto"
            else as_masker(self.masker, getattr(scorer, "tokenizer", None))
        )
        # What is sent to an API is a string, which the service tokenizes.
        if self.assembly == "tokens" and not is_behind_api(self.model):
            return masker
        if not isinstance(masker, Removal):
            raise ArgumentError(
                f"assembly: 'retokenize' is for maskers such as Delete() or Replace(...); "
                f"{masker!r} has its own way"
            )
        return Retokenized(masker)

    def _design_of(self, number: int, encoding: Encoding) -> Design:
        if self.estimator == "lasso":
            return lasso_design(encoding, self.budget, self.link)
        design = super()._design_of(number, encoding)
        head_price = self._prompt_model().head_price
        return design if head_price is None else priced_in_tokens(design, encoding, head_price)
