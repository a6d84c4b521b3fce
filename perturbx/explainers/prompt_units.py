"""From what the user gives as a prompt to its units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.scorers.readable import check_readable
from perturbx.units import as_segmenter
from perturbx.units.prompts import chat_prompt
from perturbx.units.template import Template
from perturbx.units.units import Units

Prompt: TypeAlias = str | Units | Mapping[str, str] | Sequence[Mapping[str, Any]]
"""A text, its units, the values of a template's fields, or the messages of a chat."""


def check_list(prompts: Any) -> None:
    """Raise an `ArgumentError` for a single prompt, or a table, where a list is expected."""
    if hasattr(prompts, "columns"):
        raise ArgumentError(
            f"prompts: expected a list of prompts, got {type(prompts).__name__}; give the column "
            f"that holds them: frame['prompt']"
        )
    if isinstance(prompts, str | Mapping | Units) or not hasattr(prompts, "__iter__"):
        raise ArgumentError(
            f"prompts: expected a list of prompts, got {type(prompts).__name__}; put a single one "
            f"into a list: [prompt]"
        )


def check_answers(
    name: str, given: Sequence[str] | None, n_prompts: int, *, are_labels: bool
) -> None:
    """Raise an `ArgumentError` for responses that are not one string for each prompt.

    Parameters
    ----------
    name : str
        The argument.
    given : sequence of str, optional
        What came; None is right.
    n_prompts : int
        How many prompts there are.
    are_labels : bool
        Labels are explained, and no responses.
    """
    if given is None:
        return
    if are_labels:
        raise ArgumentError(f"{name}: labels are explained; leave one of them out")
    if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != n_prompts:
        is_list = hasattr(given, "__len__") and not isinstance(given, str)
        count = len(given) if is_list else type(given).__name__
        raise ArgumentError(f"{name}: expected one per prompt ({n_prompts}), got {count}")
    for i, answer in enumerate(given):
        if not isinstance(answer, str) or not answer:
            raise ArgumentError(
                f"{name}[{i}]: expected a string that is not empty, got {answer!r:.80}"
            )
        check_readable(f"{name}[{i}]", answer)


def units_of_prompt(
    number: int,
    prompt: Prompt,
    *,
    template: str | Template | None,
    fields: Sequence[str] | None,
    units: Any,
    roles: Sequence[str],
    chat_template_kwargs: Mapping[str, Any] | None,
    tokenizer: Callable[[], Any],
) -> Units:
    """Return the units of one prompt.

    Parameters
    ----------
    number : int
        Its place, for the message.
    prompt : Prompt
        What the user gave.
    template, fields, units, roles, chat_template_kwargs
        See `PromptExplainer`.
    tokenizer : callable
        Gives the model's tokenizer, which renders a chat.

    Raises
    ------
    ArgumentError, SegmentationError
        If it is no prompt, or cannot be cut.
    """
    made = Template(template) if isinstance(template, str) else template
    try:
        if _is_chat(prompt) and made is None:
            return chat_prompt(
                prompt,
                tokenizer(),
                units=units,
                roles=roles,
                chat_template_kwargs=chat_template_kwargs,
            )
        if chat_template_kwargs is not None and not isinstance(prompt, Units):
            raise ArgumentError(
                "chat_template_kwargs: the prompt is no list of messages, which a chat template "
                "would render; leave it out"
            )
        return _cut(prompt, made, fields, units)
    except (ArgumentError, SegmentationError) as error:
        raise type(error)(f"prompts[{number}]: {error}") from error


def _is_chat(prompt: Prompt) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """Say whether a prompt is the messages of a chat."""
    return isinstance(prompt, Sequence) and not isinstance(prompt, str)


def _cut(prompt: Prompt, made: Template | None, fields: Sequence[str] | None, units: Any) -> Units:
    if isinstance(prompt, Units):
        return prompt
    if isinstance(prompt, str) and made is None:
        return as_segmenter(units)(prompt)
    if made is not None and isinstance(prompt, str):
        if len(made.fields) != 1:
            raise ArgumentError(
                f"the template has the fields {', '.join(made.fields)}; "
                f"expected a mapping of each to its value, got {prompt!r:.80}"
            )
        prompt = {made.fields[0]: prompt}
    if isinstance(prompt, Mapping) and made is not None:
        return made.units(units, fields=fields, **prompt)
    if _is_chat(prompt) and made is not None:
        raise ArgumentError(
            f"the messages of a chat do not fill a template; expected the "
            f"values of its fields, {', '.join(made.fields)}"
        )
    raise ArgumentError(
        f"expected a string, Units, the messages of a chat, or (with a "
        f"template) the values of its fields; got {prompt!r:.80}"
    )
