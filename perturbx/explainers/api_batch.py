"""Batch APIs: requests as a file, answers as a file, for half the price."""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from perturbx.exceptions import AnswersWarning, ArgumentError, TableError
from perturbx.explainers.api_record import behind_api
from perturbx.explainers.base import BaseExplainer
from perturbx.scorers.api import ApiModel
from perturbx.scorers.api.offline import MissingAnswersError, OfflineModel
from perturbx.scorers.api.spending import Spending


@dataclass(frozen=True)
class BatchAnswers:
    """What came back of a batch.

    Parameters
    ----------
    n_answered : int
        Answers that are in the cache now.
    failed : dict of str to str
        Requests that ended in an error, and which.
    missing : tuple of str
        Requests without any answer; known where the request file was given.
    used : Spending
        Their calls and tokens; the cost is the batch's own.
    """

    n_answered: int
    failed: dict[str, str]
    missing: tuple[str, ...]
    used: Spending = field(repr=False)

    def __str__(self) -> str:
        said = f"{self.n_answered:,} answers, {len(self.failed):,} failed"
        if self.failed:
            said += f" ({next(iter(self.failed.values()))})"
        return f"{said}, {len(self.missing):,} missing"


def write_batch(
    path: str | PathLike[str], explainer: BaseExplainer, *arguments: Any, **options: Any
) -> int:
    """Write the requests of an explanation that are not answered yet, and ask nothing.

    An explanation in rounds (budget "auto") asks for those of its next round: write, let the
    service answer, `read_batch`, and write again until there are none.

    Parameters
    ----------
    path : path
        A file of JSON lines, as the provider's batch API takes it. It is not written where
        nothing is left to ask.
    explainer : BaseExplainer
        Its model is an `ApiScorer`, with a cache.
    *arguments, **options
        Of ``explainer.explain``.

    Returns
    -------
    int
        How many requests there are.

    Raises
    ------
    ArgumentError
        If the model is not behind an API, its method is not known, or the explainer draws other
        masks each time.
    """
    scorer, model = behind_api(explainer)
    if scorer is None:
        raise ArgumentError("explainer: a batch needs labels or a reference; give an ApiScorer")
    parameters = explainer.get_params(deep=False)
    if parameters.get("random_state") is None and not scorer.keeps_answers:
        raise ArgumentError(
            "random_state: a batch needs one, or a model with a cache file, to find its masks again"
        )
    offline = OfflineModel(model, model.cache, None)
    inside = scorer.expecting(offline)
    # A generator that is drawn from here would draw other masks for the explanation itself.
    seed = deepcopy(parameters.get("random_state"))
    options_of_run = {"model": inside, "random_state": seed, "progress": False}
    again = type(explainer)(**{**parameters, **options_of_run})
    try:
        again.explain(*arguments, **options)
    except MissingAnswersError:
        lines = [json.dumps(model.provider.batch_row(own)) for own in offline.wanted.values()]
        Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(offline.wanted)


def read_batch(
    path: str | PathLike[str],
    model: ApiModel,
    *,
    requests: str | PathLike[str] | None = None,
    discount: float = 0.5,
) -> BatchAnswers:
    """Read the answers of a batch into the cache of a model, in whatever order they are.

    What failed or is missing is asked by the next explanation, or written by the next
    `write_batch`.

    Parameters
    ----------
    path : path
        The answer file of the provider's batch API.
    model : ApiModel
        Whose cache it is.
    requests : path, optional
        The request file, which tells what is missing, and what was asked: without it an exported
        cache holds the answers of the batch with empty questions.
    discount : float, default=0.5
        What a batch costs, in parts of the model's prices.

    Raises
    ------
    TableError
        If the file is not such.

    Warns
    -----
    AnswersWarning
        The last line is cut off, as by a download that broke off: what stands before it is read.
    """
    provider, failed = model.provider, {}
    answers: dict[str, Any] = {}
    used = Spending(cost=None if model.prices is None else 0.0)
    for number, row in enumerate(_rows(path, may_be_cut=True), 1):
        try:
            key, found = provider.read_batch_row(row)
            answer = found if isinstance(found, str) else provider.read(found)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise TableError(
                f"path: line {number} of {path} is no answer of {provider.name!r} ({error!r})"
            ) from error
        if isinstance(answer, str):
            failed[key] = provider.without_key(answer)
            continue
        answers[key] = answer.raw
        used.calls += 1
        if answer.usage is not None:
            used.prompt_tokens += answer.usage.prompt_tokens
            used.completion_tokens += answer.usage.completion_tokens
    if model.prices is not None:
        used.cost = discount * model.prices.cost(used.prompt_tokens, used.completion_tokens)
    # The body of a request, by the name that the service has for it.
    asked: dict[str, Any] = {}
    if requests is not None:
        for row in _rows(requests):
            asked[str(row["custom_id"])] = row.get("body", row.get("params", {}))
    model.cache.put_raw(
        (key, provider.source, provider.model, 0, asked.get(key, {}), raw)
        for key, raw in answers.items()
    )
    missing = tuple(key for key in asked if key not in answers and key not in failed)
    return BatchAnswers(len(answers), failed, missing, used)


def _rows(path: str | PathLike[str], *, may_be_cut: bool = False) -> list[dict[str, Any]]:
    """Return what stands in each line; of a file that may be cut off, without a torn last one."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines[:-1] if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"path: {path} is no file of JSON lines ({error})") from error
    try:
        return [*rows, json.loads(lines[-1])] if lines[-1].strip() else rows
    except (ValueError, RecursionError) as error:
        if not may_be_cut or not rows:
            raise TableError(f"path: {path} is no file of JSON lines ({error})") from error
    warnings.warn(
        f"{path}: the last line is cut off, and its answer is left out; fetch the file again, or "
        f"let the next run ask for it",
        AnswersWarning,
        stacklevel=3,
    )
    return rows
