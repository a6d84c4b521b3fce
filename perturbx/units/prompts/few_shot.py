"""Few-shot prompts: an example is kept or removed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from perturbx.exceptions import ArgumentError
from perturbx.units.template import Template
from perturbx.units.units import Units


def few_shot_prompt(
    template: str | Template,
    examples: Sequence[str | Mapping[str, str]],
    *,
    example_template: str | Template | None = None,
    field: str = "examples",
    separator: str = "\n\n",
    **fields: str,
) -> Units:
    r"""Return a prompt whose examples are the units.

    Parameters
    ----------
    template : str or Template
        The prompt.
    examples : sequence of str, or of mapping of str to str
        The examples as texts, or the values of the fields of `example_template`.
    example_template : str or Template, optional
        How an example is written.
    field : str, default="examples"
        The field of `template` that they fill.
    separator : str, default="\n\n"
        Stands between two examples and belongs to the one before it.
    **fields : str
        The values of the other fields, which are frozen.

    Raises
    ------
    ArgumentError
        If there is no example, or one does not fit the template.

    Examples
    --------
    >>> units = few_shot_prompt(
    ...     "{examples}\n\nIn: {text}\nOut:",
    ...     [{"text": "good", "label": "+"}, {"text": "bad", "label": "-"}],
    ...     example_template="In: {text}\nOut: {label}",
    ...     text="fine",
    ... )
    >>> units.pieces
    ('In: good\nOut: +\n\n', 'In: bad\nOut: -')
    """
    if isinstance(examples, str) or not examples:
        raise ArgumentError(f"examples: expected a list of one or more, got {examples!r:.80}")
    shown = [_written(i, example, example_template) for i, example in enumerate(examples)]
    joined = [text + separator for text in shown[:-1]] + [shown[-1]]
    made = template if isinstance(template, Template) else Template(template)
    ends = [0]
    for text in joined:
        ends.append(ends[-1] + len(text))
    spans = tuple(pairwise(ends))
    return made.units(spans, fields=[field], **{field: "".join(joined), **fields})


def _written(number: int, example: str | Mapping[str, str], template: str | Template | None) -> str:
    if isinstance(example, str) and template is None and example.strip():
        return example
    if isinstance(example, Mapping) and template is not None:
        made = template if isinstance(template, Template) else Template(template)
        try:
            return made.fill(**example)
        except ArgumentError as error:
            raise ArgumentError(f"examples[{number}]: {error}") from None
    raise ArgumentError(
        f"examples[{number}]: expected a text, or with an example_template the values of its "
        f"fields; got {example!r:.80}"
    )
