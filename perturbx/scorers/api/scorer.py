"""`ApiScorer`: a model behind an API as a scorer, by whatever way it gives numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perturbx.exceptions import ArgumentError, BudgetExceeded
from perturbx.refusals import Refusals
from perturbx.scorers.api.asked import Asked, Method
from perturbx.scorers.api.cache import IN_MEMORY
from perturbx.scorers.api.calibration import Calibration
from perturbx.scorers.api.choosing import choose_reading, reading_by_first
from perturbx.scorers.api.estimate import CHAT_MARKUP, Bill, tokens_per_character
from perturbx.scorers.api.model import ApiModel
from perturbx.scorers.api.prompting import PromptTemplate
from perturbx.scorers.api.provider import Provider
from perturbx.scorers.api.questions import Question
from perturbx.scorers.api.readings import Reading, Votes
from perturbx.scorers.api.readings.votes import FIRST
from perturbx.scorers.api.rows import Row, answered, in_order, scores_of
from perturbx.scorers.outputs import texts_of
from perturbx.scorers.scores import Scores
from perturbx.typing import InputKind, IntArray, ScoreKind, TextInput

if TYPE_CHECKING:
    from perturbx.maskers.variants import Variants

logger = logging.getLogger("perturbx")

FEW_AT_ONCE = 16
"""Rows, where behind the first answer more may be asked, and a limit may come before that."""

METHODS: tuple[Method, ...] = (
    "auto",
    "label_log_probs",
    "prompt_log_probs",
    "votes",
    "confidence",
    "similarity",
)


class ApiScorer:
    """Scores texts by asking a model behind an API about each.

    Parameters
    ----------
    model : str, Provider or ApiModel
        ``"openai:NAME"``, ``"openai-completions:NAME"``, ``"anthropic:NAME"``; see `ApiModel`.
    labels : sequence of str, or mapping of str to str, optional
        The model as a classifier: what may follow the prompt, and what that is called. Without
        labels, answers are explained: variants are (prompt, answer), or there is a `reference`.
    prompt_template : str, optional
        The whole prompt with ``{text}`` in it. By default one that names the labels and asks for
        one of them; without labels, the text itself.
    system : str, optional
        The system message of a chat.
    method : str, default="auto"
        Where the numbers come from.

        - "label_log_probs": the likeliest first tokens of the answer. A label that is not among
          them has a bound on its probability, which enters as uncertainty.
        - "prompt_log_probs": the log-probabilities of the label, or of a given answer, as part of
          the prompt, where the server scores prompts (``echo``, ``prompt_logprobs``).
        - "votes": `n_samples` answers are sampled and counted, with the variance that leaves. An
          answer counts for the label that it begins with, or else for the only one in it. Where
          none of the first answers names a label, that is a `CapabilityError` before more are
          bought; where many do not, an `AnswersWarning` says how many.
        - "confidence": the number that the model says when asked how sure it is; uncalibrated
          until `calibrate`.
        - "similarity": how much the answer is like the original one.
        - "auto": with labels the first of the first three that the server can do, without them
          "prompt_log_probs" or else "similarity". The first variant asked about shows it, and
          its answer counts.
    n_samples : int, default=1
        Sampled answers for a variant, where those are counted. One for each of many variants
        tells more than many for a few.
    temperature : float, default=1.0
        Of sampled answers.
    seed : int, optional
        Of the first sample, sent to services that know of seeds.
    reference : str, optional
        The original answer, for similarities.
    scalarizers : sequence of Scalarizer, optional
        Kinds of similarity, by default `ChrF` (extra ``text``); see `perturbx.scorers.generated`.
    max_new_tokens : int, optional
        Where answers in words are cut off: by default after 64 tokens where they are compared, and
        after 16 where a label or a number is looked for. Models that think first need hundreds.
    stop : sequence of str, default=()
        It ends before the first of these.
    **options
        Of the `ApiModel`, where `model` is a name: ``base_url``, ``concurrency``, ``max_calls``,
        ``max_cost``, ``prices``, ``cache``, ...

    Attributes
    ----------
    model : ApiModel
        Limits, cache, and what was spent (``scorer.model.spending``).
    method_ : str or None
        The way that is used, once it is known.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.

    Examples
    --------
    >>> scorer = ApiScorer(
    ...     "openai:small", base_url="http://localhost:8000/v1", labels=["positive", "negative"]
    ... )
    >>> scorer.output_names
    ('positive', 'negative')
    """

    accepts: tuple[InputKind, ...] = ("text",)
    order = "turns"
    least_at_once = 4096
    is_expected = False  # see `expecting`

    def __init__(
        self,
        model: str | Provider | ApiModel,
        *,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        prompt_template: str | PromptTemplate | None = None,
        system: str | None = None,
        method: Method = "auto",
        n_samples: int = 1,
        temperature: float = 1.0,
        seed: int | None = None,
        reference: str | None = None,
        scalarizers: Sequence[Any] | None = None,
        max_new_tokens: int | None = None,
        stop: Sequence[str] = (),
        **options: Any,
    ) -> None:
        if method not in METHODS:
            raise ArgumentError(f"method: expected one of {', '.join(METHODS)}; got {method!r}")
        if isinstance(model, ApiModel) and options:
            raise ArgumentError(f"{', '.join(options)}: an ApiModel has its own; leave them out")
        self.model = model if isinstance(model, ApiModel) else ApiModel(model, **options)
        self.method = method
        self.asked = Asked.of(
            self.model.provider,
            labels=labels,
            template=prompt_template,
            system=system,
            method=method,
            n_samples=n_samples,
            temperature=temperature,
            seed=seed,
            reference=reference,
            scalarizers=scalarizers,
            max_new_tokens=max_new_tokens,
            stop=stop,
        )
        self._reading: Reading | None = self.asked.reading_known(self.model.provider, method)
        if method == "auto" and isinstance(self._reading, Votes):
            logger.warning(
                "%s gives no log-probabilities: its answers are sampled and counted",
                self.model.model_id,
            )

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """Return a name per output; None before the first score where that decides the way."""
        if self._reading is not None:
            return self._reading.output_names or None
        return None if self.asked.labels is None else tuple(self.asked.labels)

    @property
    def kind(self) -> ScoreKind:
        """Return what the numbers are; "value", which may be anything, before that is known."""
        return "value" if self._reading is None else self._reading.kind

    @property
    def method_(self) -> str | None:
        """Return the way that is used, None before it is known."""
        return None if self._reading is None else self._reading.name

    @property
    def model_id(self) -> str:
        """Return a name for the record: the model, and what it is asked."""
        return f"{self.model.model_id} {self.method} {self.asked.fingerprint}"

    def score(self, variants: Variants) -> Scores:
        """Return one row of numbers per variant."""
        return in_order(list(self.score_parts(variants)), len(self.output_names or ()))

    def score_parts(
        self, variants: Variants, batch_tokens: int | Literal["auto"] = "auto"
    ) -> Iterator[tuple[IntArray, Scores]]:
        """Yield rows and their numbers as the answers come; `batch_tokens` has no meaning here.

        Raises
        ------
        BudgetExceeded, RefusedError, CapabilityError, RateLimitError, ScoringError
            See `Dispatcher.ask`. What was answered until then has been yielded; before a
            `RefusedError` all that is answered.
        """
        texts, samples = texts_of(variants, self.model_id), variants.samples
        if not texts:
            return
        n_scored = variants.n_scored
        reading = reading_by_first(texts, self.reading, n_scored)
        asked = [self._questions(reading, text, row, samples) for row, text in enumerate(texts)]
        rows = [Row(row, text, asked[row]) for row, text in enumerate(texts)]
        if not isinstance(reading, Votes):
            yield from self._scored(rows, reading, n_scored)
            return
        ahead, refusals = self._n_ahead(rows, reading), Refusals()
        try:
            for part in (rows[:ahead], rows[ahead:]):
                with refusals.kept():
                    yield from self._scored(part, reading, n_scored)
                if refusals.end_run:
                    break
                reading.tally.check(self.model.model_id)
        except BudgetExceeded:
            reading.tally.warn(self.model.model_id)
            raise
        reading.tally.warn(self.model.model_id)
        refusals.tell()

    def _n_ahead(self, rows: Sequence[Row], reading: Votes) -> int:
        """Return how many are asked about first, lest all be paid for and none name a label."""
        if reading.tally.n_named or not self.model.is_asked:
            return 0
        n_answers = np.cumsum([len(row.pending) for row in rows])
        return int(np.searchsorted(n_answers, FIRST)) + 1

    def _scored(
        self, rows: Sequence[Row], reading: Reading, n_scored: int
    ) -> Iterator[tuple[IntArray, Scores]]:
        """Yield rows and their numbers as the answers come; what is refused is told at the end."""
        refusals = Refusals()
        # Half of what is asked about a row is worth nothing.
        few = reading.may_follow_up and self.model.is_limited
        size = FEW_AT_ONCE if few else max(len(rows), 1)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            while part and not refusals.end_run:
                further: list[Row] = []
                with refusals.kept():
                    for done in answered(part, self.model, reading, n_scored):
                        for row in done:
                            row.pending = reading.follow_ups(row.text, row.answers)
                        finished = [row for row in done if not row.pending]
                        further += [row for row in done if row.pending]
                        if finished:
                            yield scores_of(finished, reading)
                part = further
        refusals.tell()

    @property
    def keeps_answers(self) -> bool:
        """Say whether answers are kept for later runs, which should then ask the same."""
        return self.model.cache.path != IN_MEMORY

    @property
    def n_samples(self) -> int:
        """Return how many answers are sampled for a variant at least, where they are."""
        return self.asked.n_samples

    @property
    def samples_answers(self) -> bool:
        """Say whether answers are sampled; that is known once the method is, see `prepare`."""
        reading = self._reading or self.asked.reading_known(self.model.provider, self.method)
        return isinstance(reading, Votes)

    def prepare(self, text: TextInput) -> None:
        """Find out what the server can do, by a text that will be asked about anyway."""
        self.reading(text)

    def _questions(
        self, reading: Reading, text: TextInput, row: int, samples: IntArray | None
    ) -> list[Question]:
        if samples is None or not isinstance(reading, Votes):
            return reading.questions(text)
        return [reading.sample(text, number) for number in range(int(samples[row]))]

    def estimate(self, n_variants: int, n_characters: int, sample: str) -> Bill:
        """Return what so many variants will cost, roughly; nothing is asked.

        Parameters
        ----------
        n_variants : int
            Distinct variants; where answers are sampled, their number.
        n_characters : int
            Their characters, added up.
        sample : str
            Some of the text, by whose script the tokens are estimated.
        """
        provider = self.model.provider
        reading = self._reading or self.asked.reading_expected(provider, self.method)
        template = reading.template
        around = template.template + (template.system or "")
        markup = CHAT_MARKUP if provider.is_chat else 0
        of_template = len(around) * tokens_per_character(around) + markup
        per_pass = n_characters * tokens_per_character(sample) + n_variants * of_template
        n_calls = n_variants * reading.calls_per_variant
        prompt_tokens = reading.calls_per_variant * per_pass
        most = n_calls * provider.most_tokens(reading.most_tokens)
        return Bill.of(n_calls, prompt_tokens, most, self.model.prices)

    def reading(self, text: TextInput) -> Reading:
        """Return the way to get numbers; the first text shows what the server can do."""
        if self._reading is None:
            self._reading = choose_reading(self.model, self.asked, self.method, text)
        return self._reading

    def calibrate(self, texts: Sequence[TextInput], y: Sequence[str]) -> ApiScorer:
        """Return the scorer with verbalised confidence made a probability.

        Parameters
        ----------
        texts : sequence of str
            Labelled texts, which are asked about.
        y : sequence of str
            The name of the label of each.

        Raises
        ------
        ArgumentError
            If the method is another one, or the labels are not those of the scorer.
        """
        labels = self.asked.labels or {}
        if self.method != "confidence":
            raise ArgumentError(f"method: 'confidence' is calibrated, not {self.method!r}")
        if len(texts) != len(y) or not set(y) & set(labels):
            raise ArgumentError(
                f"y: expected a label for each of {len(texts)} texts, some of {list(labels)}; got "
                f"{len(y)}: {list(y)[:5]}"
            )
        from perturbx.maskers.variants import Variants

        plain = self._asking(replace(self.asked, calibrations=None))
        said = plain.score(Variants(texts=list(texts))).values
        holds = np.array([[own == label for label in labels] for own in y])
        lines = {label: Calibration.fit(said[:, i], holds[:, i]) for i, label in enumerate(labels)}
        return self._asking(replace(self.asked, calibrations=lines))

    def by_character(self, *, contrast: bool = False) -> ApiScorer:
        """Return a scorer that asks the same and tells characters, see `ResponseInPrompt`."""
        return self._asking(replace(self.asked, by_character=True, contrast=contrast))

    def _asking(self, asked: Asked) -> ApiScorer:
        """Return a scorer of the same model that asks in another way."""
        made: ApiScorer = object.__new__(type(self))
        made.model, made.method, made.asked = self.model, self.method, asked
        made._reading = asked.reading_known(self.model.provider, self.method)
        return made.expecting(self.model) if self.is_expected else made

    def to_dict(self) -> dict[str, Any]:
        """Return what is asked as plain values, ready for JSON; the model is not among them."""
        return {"method": self.method_ or self.method, **self.asked.to_dict()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], model: ApiModel) -> ApiScorer:
        """Return the scorer that `to_dict` wrote, of a model."""
        made: ApiScorer = object.__new__(cls)
        made.model, made.method, made.asked = model, record["method"], Asked.from_dict(record)
        made._reading = made.asked.reading_known(model.provider, made.method)
        return made

    def expecting(self, model: ApiModel) -> ApiScorer:
        """Return the scorer for another model, sure of its method without asking.

        Raises
        ------
        ArgumentError
            If the method is "auto" and not known yet.
        """
        if self._reading is None and self.method == "auto":
            raise ArgumentError(
                "method: 'auto' has to ask the server what it can do; give the method, or score a "
                "text first"
            )
        made = self.from_dict(self.to_dict(), model)
        made._reading = self._reading or self.asked.reading_expected(model.provider, self.method)
        made.least_at_once = 10**9  # a part of which answers are missing ends the run
        made.is_expected = True
        return made

    def __repr__(self) -> str:
        return f"ApiScorer({self.model_id})"
