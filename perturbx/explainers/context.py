"""`ContextExplainer`: which sources made a language model give its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.explainers.cost import CostEstimate
from perturbx.explainers.prompt import PromptExplainer
from perturbx.explainers.prompt_models import MOST_TOKENS
from perturbx.explanations import Explanations
from perturbx.score_table import ScoreTable
from perturbx.typing import Link, Masker, RandomState
from perturbx.units.prompts import document_prompt, in_chat
from perturbx.units.template import Template
from perturbx.units.units import Units

DEFAULT_TEMPLATE = "Context: {context}\n\nQuestion: {query}\n\nAnswer:"


class ContextExplainer(PromptExplainer):
    """Explains an answer by the sentences, or other parts, of the context it was drawn from.

    Parameters
    ----------
    model : object
        See `PromptExplainer`, also for the parameters not listed here.
    units : str, re.Pattern, callable or Segmenter, default="sentences"
        The sources. They know their paragraph and their document, and a long context begins with
        those: what matters is taken apart, within the budget.
    template : str or Template
        The prompt, with the fields ``context`` and ``query``.
    chat : "auto" or bool, default="auto"
        Put the prompt into the model's own chat template, as the message of a user; "auto" does
        where there is one.
    chat_template_kwargs : mapping of str to object, optional
        What that is told beside the message, such as ``{"enable_thinking": False}``.
    budget : int or {"auto", "fast", "normal", "high"}, default="auto"
        Distinct model calls a context.

    Notes
    -----
    The values of "odd_gp" are Shapley values; ``estimator="lasso"`` is ContextCite's line
    (Cohen-Wang et al. 2024), with a penalty of 0.01 for each token of what is explained. Of the
    same table, ``refit(Lasso(0.01, response_scale=n_tokens))`` is.
    """

    def __init__(
        self,
        model: Any,
        *,
        estimator: str = "auto",
        units: Any = "sentences",
        template: str | Template = DEFAULT_TEMPLATE,
        chat: bool | Literal["auto"] = "auto",
        chat_template_kwargs: Mapping[str, Any] | None = None,
        masker: str | Masker = "auto",
        assembly: Literal["tokens", "retokenize"] = "tokens",
        budget: int | str = "auto",
        tolerance: float = 0.1,
        top_k: int | None = None,
        outputs: Any = "response",
        link: Link = "log_prob",
        max_new_tokens: int = MOST_TOKENS,
        stop: Sequence[str] = (),
        random_state: RandomState = None,
        device: Any = None,
        dtype: Any = None,
        batch_tokens: int | Literal["auto"] = "auto",
        progress: bool = True,
    ) -> None:
        super().__init__(
            model,
            estimator=estimator,
            units=units,
            template=template,
            chat_template_kwargs=chat_template_kwargs,
            masker=masker,
            assembly=assembly,
            budget=budget,
            tolerance=tolerance,
            top_k=top_k,
            outputs=outputs,
            link=link,
            max_new_tokens=max_new_tokens,
            stop=stop,
            random_state=random_state,
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            progress=progress,
        )
        self.chat = chat

    def explain(  # type: ignore[override]
        self,
        contexts: Sequence[str | Sequence[str] | Units],
        queries: str | Sequence[str] | None = None,
        responses: Sequence[str] | None = None,
        *,
        alternatives: Sequence[str] | None = None,
        tables: Sequence[ScoreTable] | None = None,
    ) -> Explanations:
        """Explain what the model answers from each context.

        Parameters
        ----------
        contexts : sequence of str, of sequences of str, or of Units
            A context each: a text, or the documents that were retrieved. `Units` are a whole
            prompt, and need no query.
        queries : str or sequence of str
            A question per context, or one for all.
        responses, alternatives : sequence of str, optional
            The answers that are explained, and others that they are compared with; see
            `PromptExplainer.explain`. Without responses the model answers first.
        tables : sequence of ScoreTable, optional
            What an earlier run paid for.

        Returns
        -------
        Explanations
            One per context.

        Raises
        ------
        ArgumentError, MaskingError, ScoringError, Interrupted
            See `PromptExplainer.explain`.
        """
        return super().explain(
            self._prompts(contexts, queries), responses, alternatives=alternatives, tables=tables
        )

    def estimate_cost(  # type: ignore[override]
        self,
        contexts: Sequence[str | Sequence[str] | Units],
        queries: str | Sequence[str] | None = None,
        responses: Sequence[str] | None = None,
        *,
        alternatives: Sequence[str] | None = None,
    ) -> CostEstimate:
        """Return what `explain` would cost at least and at most; see `PromptExplainer`."""
        return super().estimate_cost(
            self._prompts(contexts, queries), responses, alternatives=alternatives
        )

    def _prompts(
        self,
        contexts: Sequence[str | Sequence[str] | Units],
        queries: str | Sequence[str] | None,
    ) -> list[Units]:
        is_single = isinstance(contexts, str | Units | Mapping) or hasattr(contexts, "columns")
        if is_single or not hasattr(contexts, "__iter__"):
            raise ArgumentError(
                f"contexts: expected a list of contexts, got {type(contexts).__name__}; put a "
                f"single one into a list: [context]"
            )
        if self.chat != "auto" and not isinstance(self.chat, bool):
            raise ArgumentError(f"chat: expected 'auto', True or False, got {self.chat!r:.80}")
        contexts = list(contexts)
        template = self.template
        made = template if isinstance(template, Template) else Template(str(template))
        if not {"context", "query"} <= set(made.fields):
            raise ArgumentError(
                f"template: expected the fields {{context}} and {{query}}, got {list(made.fields)}"
            )
        asked = [queries] * len(contexts) if isinstance(queries, str) else queries
        if asked is not None and not hasattr(asked, "__len__"):
            raise ArgumentError(
                f"queries: expected a question, or a list of one per context; got {asked!r:.80}"
            )
        if asked is None:
            asked = [""] * len(contexts)
            if not all(isinstance(context, Units) for context in contexts):
                raise ArgumentError("queries: expected a question per context, got none")
        if len(asked) != len(contexts):
            raise ArgumentError(
                f"queries: expected one per context ({len(contexts)}), got {len(asked)}"
            )
        return [
            context if isinstance(context, Units) else self._prompt(made, i, context, query)
            for i, (context, query) in enumerate(zip(contexts, asked, strict=True))
        ]

    def _prompt(
        self, template: Template, number: int, context: str | Sequence[str], query: str
    ) -> Units:
        if isinstance(context, Mapping) or not isinstance(context, Iterable):
            raise ArgumentError(
                f"contexts[{number}]: expected a text, a list of documents, or Units; got "
                f"{context!r:.80}"
            )
        documents = [context] if isinstance(context, str) else list(context)
        tokenizer = self._prompt_model().tokenizer
        has_template = getattr(tokenizer, "chat_template", None) is not None
        is_chat = self.chat is True or (self.chat == "auto" and has_template)
        if self.chat_template_kwargs is not None and not is_chat:
            raise ArgumentError(
                "chat_template_kwargs: the prompt goes through no chat template; leave it out"
            )
        try:
            units = document_prompt(
                template, documents, field="context", units=self.units, query=query
            )
            if is_chat:
                units = in_chat(units, tokenizer, chat_template_kwargs=self.chat_template_kwargs)
        except (ArgumentError, SegmentationError) as error:
            raise type(error)(f"contexts[{number}]: {error}") from error
        return units
