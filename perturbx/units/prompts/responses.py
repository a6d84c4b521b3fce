"""A prompt with what was said to it: segments of one text, of which only the first is masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any

from perturbx.exceptions import ArgumentError
from perturbx.typing import Span
from perturbx.units.front_door import as_segmenter
from perturbx.units.units import Units


def with_responses(units: Units, *responses: str) -> Units:
    """Return the units of a prompt with responses behind it, each a segment of its own.

    Parameters
    ----------
    units : Units
        The prompt: one segment.
    *responses : str
        What was said, to the character; a second one is what it is contrasted with.

    Returns
    -------
    Units
        The same units; the responses are frozen.

    Raises
    ------
    ArgumentError
        If a response is empty, or the units have responses already.

    Examples
    --------
    >>> units = with_responses(Units("so good", ((0, 3), (3, 7))), " yes")
    >>> units.text, units.segments
    ('so good yes', ((0, 7), (7, 11)))
    """
    if len(units.segments) != 1:
        raise ArgumentError(
            f"units: expected one prompt, got {len(units.segments)} segments; a response is given "
            f"once"
        )
    text, segments = units.text, list(units.segments)
    for response in responses:
        if not isinstance(response, str) or not response:
            raise ArgumentError(
                f"response: expected a string that is not empty, got {response!r:.80}"
            )
        segments.append((len(text), len(text) + len(response)))
        text += response
    return replace(
        units,
        text=text,
        segments=tuple(segments),
        frozen=(*units.frozen, *segments[1:]),
    )


def response_of(units: Units) -> str | None:
    """Return the response behind a prompt, None where there is none.

    A response is frozen as a whole; the second text of a pair, which has units, is none.
    """
    if len(units.segments) < 2 or units.segments[1] not in units.frozen:
        return None
    start, stop = units.segments[1]
    return units.text[start:stop]


def response_spans(units: Units, outputs: Any) -> tuple[list[str], list[list[Span]]]:
    """Return the parts of a response that are explained: a name and the spans of each.

    Parameters
    ----------
    units : Units
        A prompt with its response.
    outputs : "response", "sentences", sequence, or mapping of str to any of these
        Parts: ``(start, stop)`` in characters of the response, or strings that stand in it
        (everywhere they do).

    Returns
    -------
    names : list of str
    spans : list of list of (start, stop)
        In characters of the response.

    Raises
    ------
    ArgumentError
        If there is no response, or a part does not lie in it.

    Examples
    --------
    >>> units = with_responses(Units("so", ((0, 2),)), "He left. She stayed.")
    >>> response_spans(units, "sentences")
    (['He left.', 'She stayed.'], [[(0, 9)], [(9, 20)]])
    >>> response_spans(units, {"who": "She"})
    (['who'], [[(9, 12)]])
    """
    response = response_of(units)
    if response is None:
        raise ArgumentError("units: have no response; see with_responses")
    if isinstance(outputs, str):
        if outputs == "response":
            return ["response"], [[(0, len(response))]]
        if outputs == "sentences":
            cut = as_segmenter("sentences")(response)
            if not cut.spans:
                raise ArgumentError(
                    f"outputs: {response!r:.80} has no sentence; take outputs='response'"
                )
            return [piece.strip() for piece in cut.pieces], [[span] for span in cut.spans]
    names, spans = [], []
    for name, part in named_parts(outputs):
        found = _found(response, part)
        spans.append(found)
        names.append(str(name) if name is not None else response[found[0][0] : found[0][1]].strip())
    return names, spans


def named_parts(outputs: Any) -> list[tuple[Any, Any]]:
    """Return the parts that are asked for, each with its name, or None where it has none.

    Raises
    ------
    ArgumentError
        If they are no parts, whatever the response is.
    """
    if isinstance(outputs, str):
        outputs = [outputs]
    parts: list[tuple[Any, Any]] = (
        list(outputs.items())
        if isinstance(outputs, Mapping)
        else [(None, part) for part in outputs]
        if isinstance(outputs, Sequence)
        else []
    )
    if not parts:
        raise ArgumentError(
            f"outputs: expected 'response', 'sentences', 'tokens', or parts of the response; got "
            f"{outputs!r:.80}"
        )
    return parts


def _found(response: str, part: Any) -> list[Span]:
    if isinstance(part, str):
        found: list[Span] = []
        at = response.find(part) if part else -1
        while at >= 0:
            found.append((at, at + len(part)))
            at = response.find(part, at + len(part))
        if not found:
            raise ArgumentError(f"outputs: {part!r:.80} does not stand in {response!r:.80}")
        return found
    try:
        start, stop = map(index, part)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"outputs: expected (start, stop) or a string of the response; got {part!r:.80}"
        ) from error
    if not 0 <= start < stop <= len(response):
        raise ArgumentError(
            f"outputs: {(start, stop)} does not lie within the {len(response)} characters of the "
            f"response"
        )
    return [(start, stop)]
