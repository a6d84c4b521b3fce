"""`OfflineModel`: a model of which only the answers are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perturbx.exceptions import BudgetExceeded, CapabilityError, ScoringError
from perturbx.scorers.api.cache import AnswerCache
from perturbx.scorers.api.model import ApiModel
from perturbx.scorers.api.questions import Answer, Json, Question
from perturbx.scorers.api.withheld import Check, error_of, known_answers, reasons


class MissingAnswersError(ScoringError):
    """Answers that are needed are not there, and nobody is asked."""


class OfflineModel(ApiModel):
    """Answers out of a cache, and asks nobody.

    Parameters
    ----------
    model : ApiModel
        Whose questions they were.
    cache : AnswerCache
        The answers.
    cut_short_by : str, optional
        The limit that ended the run: then answers that are missing end this one, too.

    Attributes
    ----------
    used : dict
        What was asked and found: key to question and raw answer.
    wanted : dict
        What was asked and not found: key to question.
    """

    def __init__(self, model: ApiModel, cache: AnswerCache, cut_short_by: str | None) -> None:
        super().__init__(model.provider)
        self.cache = cache
        self.cut_short_by = cut_short_by
        self.used: dict[str, tuple[Question, Json]] = {}
        self.wanted: dict[str, Question] = {}

    @property
    def is_asked(self) -> bool:
        """Say that nobody is."""
        return False

    @property
    def is_limited(self) -> bool:
        """Say whether one ended the run: what it asked about together is looked up together."""
        return self.cut_short_by is not None

    def ask(
        self, questions: Sequence[Question], check: Check | None = None, *, n_scored: int = 0
    ) -> Iterator[list[tuple[Question, Answer]]]:
        """Yield the answers that are there.

        Raises
        ------
        BudgetExceeded
            Some are not, as the run was cut short.
        MissingAnswersError
            Some are not, for no reason that is known.
        RefusedError
            All are, but some of them were refused.
        """
        distinct = list({question.key: question for question in questions}.values())
        known = known_answers(self.provider, self.cache, distinct, check)
        found = [(own, known[own.key]) for own in distinct if own.key in known]
        self.used.update((own.key, (own, answer.raw)) for own, answer in found)
        sound = [(own, answer) for own, answer in found if answer.refusal is None]
        if sound:
            yield sound
        withheld = {own.key: answer for own, answer in found if answer.refusal is not None}
        missing = [own for own in distinct if own.key not in known]
        self.wanted.update((own.key, own) for own in missing)
        if missing and self.cut_short_by is not None:
            limit = BudgetExceeded(
                f"{self.cut_short_by}: the run ended here", limit=self.cut_short_by
            )
            limit.refused = reasons(withheld)
            raise limit
        if missing:
            raise MissingAnswersError(
                f"answers: {len(missing)} of {len(distinct)} that are needed are not there"
            )
        if withheld:
            raise error_of(self.model_id, withheld, len(distinct))

    def answer(self, question: Question, check: Check | None = None) -> Answer:
        """Return the answer to a single question; one that is not there was refused then."""
        try:
            return super().answer(question, check)
        except (BudgetExceeded, MissingAnswersError) as error:
            raise CapabilityError(str(error)) from error
