"""Parameters of prompts, checked before a model is asked anything."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from perturbx.exceptions import ArgumentError
from perturbx.explainers.design import SHAPLEY_ESTIMATORS, check_estimator
from perturbx.explainers.tables import check_number
from perturbx.score_table import ScoreTable
from perturbx.scorers.readable import check_readable
from perturbx.typing import Encoding, ScoreKind
from perturbx.units.prompts.responses import named_parts, response_of
from perturbx.units.units import Units


def check_prompt_parameters(
    *,
    assembly: Any,
    link: Any,
    labels: Any,
    outputs: Any,
    calibrate: Any,
    template: Any,
    fields: Any,
    max_new_tokens: Any,
    stop: Any,
    estimator: Any,
) -> None:
    """Raise an `ArgumentError` for a parameter of `PromptExplainer` that cannot be."""
    check_estimator(estimator, (*SHAPLEY_ESTIMATORS, "lasso"))
    if assembly not in ("tokens", "retokenize"):
        raise ArgumentError(f"assembly: expected 'tokens' or 'retokenize', got {assembly!r}")
    if link == "identity":
        raise ArgumentError("link: expected 'log_prob', 'log_odds' or 'probability'")
    if labels is None:
        named_parts(outputs)
    if calibrate is not None and labels is None:
        raise ArgumentError("calibrate: is for labels, and none are given")
    if calibrate is not None and not isinstance(calibrate, str):
        raise ArgumentError(f"calibrate: expected a prompt without content, got {calibrate!r:.80}")
    if calibrate is not None:
        check_readable("calibrate", calibrate)
    if fields is not None and template is None:
        raise ArgumentError("fields: are those of a template, and none is given")
    is_number = isinstance(max_new_tokens, Integral) and not isinstance(max_new_tokens, bool)
    if not is_number or max_new_tokens < 1:
        raise ArgumentError(
            f"max_new_tokens: expected a whole number above 0, got {max_new_tokens!r}"
        )
    are_ends = not isinstance(stop, str) and isinstance(stop, Sequence)
    if not are_ends or not all(isinstance(end, str) and end for end in stop):
        raise ArgumentError(
            f"stop: expected a list of strings that are not empty, got {stop!r:.80}"
        )
    for i, end in enumerate(stop):
        check_readable(f"stop[{i}]", end)


def check_contrast(link: Any, outputs: Any) -> None:
    """Raise an `ArgumentError` for a contrast of parts of responses, or on another scale."""
    if link != "log_prob":
        raise ArgumentError(
            f"alternatives: what is explained is a difference of log-probabilities, which has "
            f"no {link!r}; take link='log_prob'"
        )
    if outputs != "response":
        raise ArgumentError(
            f"outputs: an alternative is compared with the whole response; expected "
            f"'response', got {outputs!r:.80}"
        )


def check_outputs_of_tables(
    tables: Sequence[ScoreTable] | None, encodings: Sequence[Encoding]
) -> None:
    """Raise an `ArgumentError` where earlier tables hold other parts of the responses.

    Parameters
    ----------
    tables : sequence of ScoreTable, optional
        What an earlier run paid for.
    encodings : sequence of Encoding
        The prompts with their responses.
    """
    given = tables if isinstance(tables, Sequence) else ()
    for number, (known, encoding) in enumerate(zip(given, encodings, strict=False)):
        wanted = getattr(encoding, "output_names", None)
        # What is none, or of another text, is told later.
        if wanted is None or not isinstance(known, ScoreTable) or known.units is None:
            continue
        if known.units.text != encoding.units.text:
            continue
        if len(known) and known.output_names != wanted:
            raise ArgumentError(
                f"tables[{number}]: holds the scores of {_listed(known.output_names)} of the "
                f"response, and outputs asks for {_listed(wanted)}; take the outputs of that run"
            )
        held, parts = known.provenance.get("parts", {}), getattr(encoding, "parts", {})
        for name in (name for name in wanted if name in held and name in parts):
            if held[name] != parts[name]:
                raise ArgumentError(
                    f"tables[{number}]: holds the scores of another part of the response as "
                    f"{name!r} (places {held[name]!s:.80}) than outputs asks for (places "
                    f"{parts[name]!s:.80}); take the outputs of that run"
                )


def responses_in_tables(tables: Sequence[ScoreTable] | None, n_prompts: int) -> list[str] | None:
    """Return what the model said to each prompt in an earlier run, None where that is not known.

    It is not asked again: another answer would be another game.
    """
    if tables is None:
        return None
    check_number(tables, n_prompts)
    units = [known.units for known in tables if isinstance(known, ScoreTable)]
    said = [None if own is None else response_of(own) for own in units]
    found = [own for own in said if own is not None]
    return found if len(found) == n_prompts else None


def stand_ins(prompts: Sequence[Units], n_tokens: int) -> list[str]:
    """Return what stands for the responses that nobody knows yet: others for other prompts.

    Examples
    --------
    >>> stand_ins([Units("so", ()), Units("so", ()), Units("not so", ())], 3)
    [' a a a', ' a a a', ' b a a']
    """
    numbers: dict[str, int] = {}
    own = [numbers.setdefault(units.text, len(numbers)) for units in prompts]
    return ["".join(f" {'ab'[number >> i & 1]}" for i in range(n_tokens)) for number in own]


def kind_of_tables(tables: Sequence[ScoreTable | None] | None) -> ScoreKind | None:
    """Return of what kind the scores of an earlier run are, None where there are none."""
    given = tables if isinstance(tables, Sequence) else ()
    return next((own.kind for own in given if isinstance(own, ScoreTable) and len(own)), None)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return f"{shown}, ..." if len(names) > 3 else shown
