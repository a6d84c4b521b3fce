"""Chats: the model's own template renders the messages, and only their contents are played."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from perturbx.exceptions import ArgumentError, SegmentationError
from perturbx.units.front_door import SegmenterLike, as_segmenter
from perturbx.units.frozen import freeze, gaps
from perturbx.units.segmenter import place
from perturbx.units.text_input import check_characters
from perturbx.units.units import Units

SET_HERE = frozenset(
    {
        "conversation",
        "add_generation_prompt",
        "continue_final_message",
        "tokenize",
        "tokenizer_kwargs",
        "padding",
        "truncation",
        "max_length",
        "return_tensors",
        "return_dict",
        "return_assistant_tokens_mask",
    }
)
"""Arguments of ``apply_chat_template`` that are no options of the template."""


def chat_prompt(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Any,
    *,
    units: SegmenterLike = "sentences",
    roles: Sequence[str] = ("user",),
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> Units:
    r"""Return a chat as the model reads it, up to where it answers.

    Parameters
    ----------
    messages : sequence of {"role": str, "content": str}
        The chat. Whatever else a message holds ("tool_calls", "name") is the template's; one with
        more than a role may do without a content.
    tokenizer : transformers tokenizer
        Its own chat template renders it, special tokens included.
    units : str, re.Pattern, callable or Segmenter, default="sentences"
        What is kept or removed as one, within a message.
    roles : sequence of str, default=("user",)
        Whose messages are played with. All else is frozen: markup, roles, other messages.
    chat_template_kwargs : mapping of str to object, optional
        What else the template is told: ``tools=[...]``, ``enable_thinking=False``.

    Raises
    ------
    ArgumentError
        If the messages are not such, none has one of the roles, there is no chat template, or it
        names no such option.
    SegmentationError
        If the template changes what a message says, so that it cannot be found again.
    """
    contents = _contents(messages)
    for i, content in enumerate(contents):
        check_characters(content or "", f"messages[{i}]")
    if isinstance(roles, str) or not isinstance(roles, Iterable):
        raise ArgumentError(f"roles: expected a list of roles, such as ['user']; got {roles!r:.80}")
    roles = list(roles)
    speaking = [
        (i, str(message["role"])) for i, message in enumerate(messages) if contents[i] is not None
    ]
    playable = [i for i, role in speaking if role in roles]
    if not playable:
        raise ArgumentError(
            f"roles: no message with a content has one of {roles}; there are "
            f"{sorted({role for _, role in speaking})}"
        )
    text, shown, offsets = _rendered(messages, contents, tokenizer, chat_template_kwargs)
    segmenter = as_segmenter(units)
    placed = [(segmenter(shown[i]), offsets[i]) for i in playable]
    return _played(text, placed)


def in_chat(
    units: Units,
    tokenizer: Any,
    *,
    role: str = "user",
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> Units:
    """Return the units of a message as those of a chat of that one message.

    Parameters
    ----------
    units : Units
        What the message says; its frozen parts stay frozen.
    tokenizer, chat_template_kwargs
        See `chat_prompt`, also for the errors.
    role : str, default="user"
        Whose message it is.
    """
    message = {"role": role, "content": units.text}
    text, shown, offsets = _rendered([message], [units.text], tokenizer, chat_template_kwargs)
    if shown[0] != units.text:
        start = units.text.find(shown[0])
        units = _trimmed(units, start, start + len(shown[0]))
    return _played(text, [(units, offsets[0])], tree=units)


def _played(
    text: str, placed: Sequence[tuple[Units, Sequence[int]]], tree: Units | None = None
) -> Units:
    """Return the units of the placed texts; what lies in none of them is frozen."""
    whole = place(text, placed, level=placed[0][0].level)
    spans = sorted(
        (offset, offset + len(units.text)) for units, offsets in placed for offset in offsets
    )
    frozen = freeze(whole, gaps(spans, len(text)))
    if tree is None or tree.tree is None or tree.n_units != frozen.n_units:
        return frozen
    return replace(frozen, tree=tree.tree)


def _rendered(
    messages: Sequence[Mapping[str, Any]],
    contents: Sequence[str | None],
    tokenizer: Any,
    options: Mapping[str, Any] | None,
) -> tuple[str, list[str], list[list[int]]]:
    """Return the chat as text, each content as it stands there, and where it does."""
    template = getattr(tokenizer, "chat_template", None)
    if template is None:
        raise ArgumentError(
            "tokenizer: it has no chat template; set tokenizer.chat_template, or write the prompt "
            "as a text or a Template"
        )
    options = _checked_options(options, template)
    text = _render(messages, tokenizer, options)
    # What is empty stays empty: a template may skip it.
    marks = [
        mark if content is not None and content.strip() else ""
        for mark, content in zip(_marks(len(messages), text), contents, strict=True)
    ]
    marked = _render(
        [
            {**message, "content": mark} if mark else message
            for message, mark in zip(messages, marks, strict=True)
        ],
        tokenizer,
        options,
    )
    said = [content or "" for content in contents]
    pieces = _cut_at(marked, marks)
    found = re.fullmatch(
        "".join(
            re.escape(piece) if owner is None else _any_form_of(said[owner])
            for piece, owner in pieces
        ),
        text,
    )
    placed = None if found is None else _placed(found, pieces, said)
    if placed is None:
        raise SegmentationError(
            "messages: the chat template changes what they say, so that it cannot be found again "
            "in its text; render the chat yourself and freeze what is not to be played with"
        )
    return text, *placed


def _placed(
    found: re.Match[str], pieces: Sequence[tuple[str, int | None]], contents: Sequence[str]
) -> tuple[list[str], list[list[int]]] | None:
    """Return each content as it stands in the text, and where; None if two ways of it do."""
    shown = list(contents)
    offsets: list[list[int]] = [[] for _ in contents]
    owners = [owner for _, owner in pieces if owner is not None]
    for group, owner in enumerate(owners, 1):
        if offsets[owner] and found[group] != shown[owner]:
            return None
        shown[owner] = found[group]
        offsets[owner].append(found.start(group))
    return shown, offsets


def _any_form_of(content: str) -> str:
    """Return a pattern for what templates make of a content: itself, or without outer spaces."""
    forms = dict.fromkeys(change(content) for change in (str, str.strip, str.lstrip, str.rstrip))
    return f"({'|'.join(map(re.escape, forms))})"


def _checked_options(options: Mapping[str, Any] | None, template: Any) -> dict[str, Any]:
    """Return what the template is told beside the messages.

    Raises
    ------
    ArgumentError
        If it is no such mapping, or has a name that stands nowhere in the template: that would be
        passed over in silence.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise ArgumentError(
            f"chat_template_kwargs: expected a mapping of names to values, got {options!r:.80}"
        )
    taken = sorted(SET_HERE & set(options))
    if taken:
        raise ArgumentError(f"chat_template_kwargs: {', '.join(taken)} cannot be set here")
    source = "\n".join(template.values()) if isinstance(template, Mapping) else str(template)
    unknown = [name for name in options if not re.search(rf"\b{re.escape(name)}\b", source)]
    if unknown:
        raise ArgumentError(
            f"chat_template_kwargs: the chat template has nothing called {', '.join(unknown)}"
        )
    return dict(options)


def _render(
    messages: Sequence[Mapping[str, Any]], tokenizer: Any, options: Mapping[str, Any]
) -> str:
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True, **options
        )
    except Exception as error:  # whatever a template raises
        raise ArgumentError(f"messages: the chat template refuses them: {error}") from error
    return text


def _marks(n_marks: int, text: str) -> list[str]:
    """Return strings that stand for the contents, none of which occurs in the text."""
    stem = next(word for word in (f"content{n}mark" for n in itertools.count()) if word not in text)
    return [f"{stem}{i}end" for i in range(n_marks)]


def _cut_at(text: str, marks: Sequence[str]) -> list[tuple[str, int | None]]:
    """Return the text in pieces, the marks apart, each with the number of the mark that it is."""
    cut: list[tuple[str, int | None]] = [(text, None)]
    for number, mark in enumerate(marks):
        if not mark:
            continue
        after: list[tuple[str, int | None]] = []
        for piece, owner in cut:
            if owner is not None:
                after.append((piece, owner))
                continue
            for i, part in enumerate(piece.split(mark)):
                after += ([(mark, number)] if i else []) + [(part, None)]
        cut = after
    return cut


def _trimmed(units: Units, start: int, stop: int) -> Units:
    """Return the units of a part of their text."""

    def clipped(span: tuple[int, int]) -> tuple[int, int]:
        return max(span[0], start) - start, min(span[1], stop) - start

    owned = [
        (clipped(span), owner)
        for span, owner in zip(units.spans, units.unit_of_span, strict=True)
        if min(span[1], stop) > max(span[0], start)
    ]
    left = {owner: i for i, owner in enumerate(sorted({owner for _, owner in owned}))}
    return Units(
        units.text[start:stop],
        spans=tuple(span for span, _ in owned),
        unit_of_span=tuple(left[owner] for _, owner in owned),
        level=units.level,
        frozen=tuple(clipped(s) for s in units.frozen if min(s[1], stop) > max(s[0], start)),
        locale=units.locale,
        tree=units.tree if len(left) == units.n_units else None,
    )


def _contents(messages: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Return what each message says; None where it only calls a tool, say."""
    if isinstance(messages, str | Mapping) or not messages:
        raise ArgumentError(f"messages: expected a list of messages, got {messages!r:.80}")
    for i, message in enumerate(messages):
        says_else = isinstance(message, Mapping) and bool(set(message) - {"role", "content"})
        if (
            not isinstance(message, Mapping)
            or not isinstance(message.get("role"), str)
            or not isinstance(message.get("content"), str | None if says_else else str)
        ):
            raise ArgumentError(
                f"messages[{i}]: expected a role and a content, both strings; got {message!r:.80}"
            )
    return [message.get("content") for message in messages]
