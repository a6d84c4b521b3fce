"""Records of explanations through an API: everything that an audit needs, and the way back."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._version import __version__
from perturbx.exceptions import ArgumentError, PerturbxError, TableError
from perturbx.explainers.base import BaseExplainer
from perturbx.explainers.context import ContextExplainer
from perturbx.explainers.explain import EXPLAINERS
from perturbx.explainers.prompt import PromptExplainer
from perturbx.explanations import Explanations
from perturbx.scorers.api import AnswerCache, ApiModel, ApiScorer
from perturbx.scorers.api.model import PROVIDERS
from perturbx.scorers.api.offline import MissingAnswersError, OfflineModel

FORMAT = "perturbx.Record/1"

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (*EXPLAINERS.values(), PromptExplainer, ContextExplainer)
}

_OF_THE_RUN = ("model", "device", "dtype", "batch_tokens", "progress", "random_state")


def write_record(
    path: str | PathLike[str],
    explainer: BaseExplainer,
    explanations: Explanations,
    *arguments: Any,
    with_prompts: bool = False,
    **options: Any,
) -> Path:
    """Write what is behind explanations: parameters, versions, and every raw answer.

    The explanations are made once more, out of the cached answers alone, and must come out the
    same: what is written is what they follow from. Where a parameter cannot be written (a function,
    an object) that is told here, after the run, but nothing that was paid for is lost: the answers
    stay in the model's cache, and the tables in the explanations.

    Parameters
    ----------
    path : path
        A file of JSON lines: what was asked and how, then an answer a line.
    explainer : BaseExplainer
        The explainer, whose model is an `ApiScorer` or `ApiModel`.
    explanations : Explanations
        What ``explainer.explain(*arguments, **options)`` gave.
    *arguments, **options
        The texts, prompts, responses, ...
    with_prompts : bool, default=False
        Write texts and prompts, too; else only hashes of them, and whoever replays the record has
        to bring the texts.

    Raises
    ------
    ArgumentError
        If the model is not behind an API, or a parameter is neither a JSON value nor one of
        numpy's numbers or arrays.
    TableError
        If answers are missing, or others come out of them.
    """
    scorer, model = behind_api(explainer)
    given = {"arguments": list(arguments), "options": options}
    _check_plain("arguments", given)
    offline = OfflineModel(model, model.cache, _cut_short_by(explanations))
    again = _of_model(explainer, scorer, offline, explanations)
    try:
        with warnings.catch_warnings():
            # They were told when the explanations were made.
            warnings.simplefilter("ignore")
            found = again.explain(*arguments, **options)
        _check_same(found, explanations)
    except MissingAnswersError as error:
        raise TableError(f"explanations: not all of their answers are at hand ({error})") from error
    header = {
        "format": FORMAT,
        "perturbx": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "explainer": type(explainer).__name__,
        "parameters": _parameters(again),
        "model": model.record(),
        "asked": None if scorer is None else scorer.to_dict(),
        "given_hash": _hash(given),
        **({"given": given} if with_prompts else {}),
        "cut_short_by": _cut_short_by(explanations),
        "values": [own.values.tolist() for own in explanations],
    }
    target = Path(path)
    with target.open("w", encoding="utf-8") as file:
        file.write(_line(header))
        for question, raw in offline.used.values():
            row = {
                "key": question.key,
                "source": question.source,
                "sample": question.sample,
                "prompt_hash": _hash(question.body),
                "answer": raw,
            }
            file.write(_line({**row, "question": question.body} if with_prompts else row))
    return target


def replay_record(path: str | PathLike[str], *arguments: Any, **options: Any) -> Explanations:
    """Return the explanations of a record, made anew from its answers: nothing is asked.

    Parameters
    ----------
    path : path
        What `write_record` wrote.
    *arguments, **options
        What was explained, where the record holds only hashes of it.

    Raises
    ------
    TableError
        If the file is no such record, the arguments are not those of it, answers are missing, or
        other values come out of them.
    """
    header, rows = _read(Path(path))
    given: Any = header.get("given")
    came = {"arguments": list(arguments), "options": options}
    if given is None:
        given = came
        if _hash(given) != header.get("given_hash"):
            raise TableError(
                "texts: the record holds only a hash of what was explained, and what came has "
                "another one; give the texts of the run, all of them, in their order"
            )
    elif (arguments or options) and _hash(came) != _hash(given):
        raise TableError("texts: the record holds other texts; leave them out to replay those")
    with _reading(path):
        explainer = _recorded_explainer(header, rows)
        explained, named = given["arguments"], given["options"]
    try:
        found: Explanations = explainer.explain(*explained, **named)
    except MissingAnswersError as error:
        raise TableError(f"path: {path} is not whole: {error}") from error
    with _reading(path):
        pairs = zip(found, header["values"], strict=True)
        values = [np.array(said, dtype=float).reshape(own.values.shape) for own, said in pairs]
    for own, said in zip(found, values, strict=True):
        _check_values(own.values, said)
    return found


@contextmanager
def _reading(path: str | PathLike[str]) -> Iterator[None]:
    """Raise a `TableError` where a record does not hold what one does."""
    try:
        yield
    except PerturbxError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise TableError(f"path: {path} is not a record that perturbx wrote ({error!r})") from error


def _recorded_explainer(header: Mapping[str, Any], rows: Iterator[dict[str, Any]]) -> Any:
    """Return the explainer of a record, asking the answers in it alone."""
    asked_of = header["model"]
    model = ApiModel(
        f"{asked_of['provider']}:{asked_of['model']}",
        # Not the address that the environment has for who gives none.
        base_url=asked_of["base_url"] or PROVIDERS[asked_of["provider"]].home,
        api_key="none",
        parameters=asked_of["parameters"],
    )
    offline = OfflineModel(model, _cache_of(rows), header["cut_short_by"])
    inside: Any = offline
    if header["asked"] is not None:
        inside = ApiScorer.from_dict(header["asked"], offline)
    return _KINDS[header["explainer"]](inside, **header["parameters"], progress=False)


def behind_api(explainer: BaseExplainer) -> tuple[ApiScorer | None, ApiModel]:
    """Return the model of an explainer, and the scorer if it has one.

    Raises
    ------
    ArgumentError
        If the model is not behind an API.
    """
    model = explainer.model
    if isinstance(model, ApiScorer):
        return model, model.model
    if isinstance(model, ApiModel):
        return None, model
    raise ArgumentError(
        "explainer: expected one whose model is an ApiScorer or an ApiModel; of other models the "
        "tables hold all there is (explanations.tables)"
    )


def _of_model(
    explainer: BaseExplainer,
    scorer: ApiScorer | None,
    offline: OfflineModel,
    explanations: Explanations,
) -> BaseExplainer:
    """Return the explainer with the run's seed, asking the cache alone."""
    inside: Any = offline if scorer is None else ApiScorer.from_dict(scorer.to_dict(), offline)
    seeds = {own.table.provenance.get("seed") for own in explanations}
    parameters = explainer.get_params(deep=False)
    own = {name: value for name, value in parameters.items() if name not in _OF_THE_RUN}
    seed = seeds.pop() if len(seeds) == 1 else None
    again: BaseExplainer = type(explainer)(inside, **own, random_state=seed, progress=False)
    return again


def _parameters(explainer: BaseExplainer) -> dict[str, Any]:
    parameters = explainer.get_params(deep=False)
    kept = {k: v for k, v in parameters.items() if k == "random_state" or k not in _OF_THE_RUN}
    for name, value in kept.items():
        _check_plain(name, value)
    return kept


def _check_plain(name: str, value: Any) -> None:
    try:
        _written(value)
    except TypeError:
        raise ArgumentError(
            f"{name}: {value!r:.80} holds an object, which no record can hold; give names, "
            f"strings, lists and numbers"
        ) from None


def _cut_short_by(explanations: Explanations) -> str | None:
    return next((own.cut_short_by for own in explanations if own.cut_short_by), None)


def _check_same(found: Explanations, given: Explanations) -> None:
    if len(found) != len(given):
        raise TableError(f"explanations: expected {len(found)}, got {len(given)}")
    for own, other in zip(found, given, strict=True):
        _check_values(own.values, other.values)


def _check_values(found: Any, given: Any) -> None:
    if found.shape != given.shape or not np.allclose(found, given, rtol=1e-6, atol=1e-9):
        raise TableError(
            "explanations: other values follow from the answers at hand; they are of other texts, "
            "other parameters or another run"
        )


def _hash(value: Any) -> str:
    content = _written(value, sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _line(value: Mapping[str, Any]) -> str:
    return _written(value) + "\n"


def _written(value: Any, *, sort_keys: bool = False) -> str:
    """Return a value as JSON; numbers and arrays of numpy are what they hold."""

    def plain(own: Any) -> Any:
        if isinstance(own, np.generic | np.ndarray):
            return own.tolist()
        raise TypeError(f"{type(own).__name__} is no JSON value")

    return json.dumps(value, sort_keys=sort_keys, default=plain)


def _read(path: Path) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        header = rows[0]
        if header["format"] != FORMAT:
            raise TableError(f"path: expected format {FORMAT}, got {header['format']!r}")
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"path: {path} is not a record that perturbx wrote") from error
    return header, iter(rows[1:])


def _cache_of(rows: Iterator[dict[str, Any]]) -> AnswerCache:
    cache = AnswerCache()
    cache.put_raw(
        (row["key"], row["source"], "", row["sample"], row.get("question", {}), row["answer"])
        for row in rows
    )
    return cache
