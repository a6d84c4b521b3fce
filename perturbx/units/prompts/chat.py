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


def chat_prompt(
    messages: Sequence[Mapping[str, str]],
    tokenizer: Any,
    *,
    units: SegmenterLike = "sentences",
    roles: Sequence[str] = ("user",),
) -> Units:
    r"""Return a chat as the model reads it, up to where it answers.

    Parameters
    ----------
    messages : sequence of {"role": str, "content": str}
        The chat.
    tokenizer : transformers tokenizer
        Its own chat template renders it, special tokens included.
    units : str, re.Pattern, callable or Segmenter, default="sentences"
        What is kept or removed as one, within a message.
    roles : sequence of str, default=("user",)
        Whose messages are played with. All else is frozen: markup, roles, other messages.

    Raises
    ------
    ArgumentError
        If the messages are not such, none has one of the roles, or there is no chat template.
    SegmentationError
        If the template changes what a message says, so that it cannot be found again.
    """
    contents = _contents(messages)
    for i, content in enumerate(contents):
        check_characters(content, f"messages[{i}]")
    if isinstance(roles, str) or not isinstance(roles, Iterable):
        raise ArgumentError(f"roles: expected a list of roles, such as ['user']; got {roles!r:.80}")
    roles = list(roles)
    playable = [i for i, message in enumerate(messages) if message["role"] in roles]
    if not playable:
        raise ArgumentError(
            f"roles: no message has one of {roles}; there are "
            f"{sorted({message['role'] for message in messages})}"
        )
    text, shown, offsets = _rendered(messages, contents, tokenizer)
    segmenter = as_segmenter(units)
    placed = [(segmenter(shown[i]), offsets[i]) for i in playable]
    return _played(text, placed)


def in_chat(units: Units, tokenizer: Any, *, role: str = "user") -> Units:
    """Return the units of a message as those of a chat of that one message.

    Parameters
    ----------
    units : Units
        What the message says; its frozen parts stay frozen.
    tokenizer : transformers tokenizer
        See `chat_prompt`, also for the errors.
    role : str, default="user"
        Whose message it is.
    """
    message = {"role": role, "content": units.text}
    text, shown, offsets = _rendered([message], [units.text], tokenizer)
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
    messages: Sequence[Mapping[str, str]], contents: Sequence[str], tokenizer: Any
) -> tuple[str, list[str], list[list[int]]]:
    """Return the chat as text, each content as it stands there, and where it does."""
    if getattr(tokenizer, "chat_template", None) is None:
        raise ArgumentError(
            "tokenizer: it has no chat template; set tokenizer.chat_template, or write the prompt "
            "as a text or a Template"
        )
    text = _render(messages, tokenizer)
    # What is empty stays empty: a template may skip it.
    marks = [
        mark if content.strip() else ""
        for mark, content in zip(_marks(len(messages), text), contents, strict=True)
    ]
    marked = _render(
        [
            {**message, "content": mark or content}
            for message, mark, content in zip(messages, marks, contents, strict=True)
        ],
        tokenizer,
    )
    pieces = _cut_at(marked, marks)
    found = re.fullmatch(
        "".join(
            re.escape(piece) if owner is None else _any_form_of(contents[owner])
            for piece, owner in pieces
        ),
        text,
    )
    placed = None if found is None else _placed(found, pieces, contents)
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


def _render(messages: Sequence[Mapping[str, str]], tokenizer: Any) -> str:
    try:
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
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


def _contents(messages: Sequence[Mapping[str, str]]) -> list[str]:
    if isinstance(messages, str | Mapping) or not messages:
        raise ArgumentError(f"messages: expected a list of messages, got {messages!r:.80}")
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or not all(
            isinstance(message.get(key), str) for key in ("role", "content")
        ):
            raise ArgumentError(
                f"messages[{i}]: expected a role and a content, both strings; got {message!r:.80}"
            )
    return [message["content"] for message in messages]
