"""`PromptTokenizer`: a prompt and what follows it, tokenized apart and read as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perturbx.exceptions import ArgumentError, MaskingError

ANCHOR = "\n"

UNFINISHED = "\ufffd"
"""What decoders write for bytes that are no character."""


class PromptTokenizer:
    """A tokenizer that joins a prompt and its continuations as a language model reads them.

    The first text is the prompt: it gets the tokenizer's opening token (BOS) unless it begins
    with that already, as what a chat template wrote does. Each further text is a continuation:
    no special token stands before or behind it. ``token_type_ids`` number the texts from 0.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        The model's own.
    closes : bool, default=False
        A prompt also gets the tokenizer's closing token, as an encoder reads it, and what follows
        begins a text of its own.
    most_each : int, optional
        The most tokens of each text, where an encoder reads one and its decoder writes the other.

    Raises
    ------
    ArgumentError
        If `closes` is False and it puts a token behind every text, which would end the prompt.
    """

    max_segments = 8
    """A prompt and up to seven continuations."""

    def __init__(
        self, tokenizer: Any, *, closes: bool = False, most_each: int | None = None
    ) -> None:
        self.wrapped = tokenizer
        self._closes = closes
        self._most_each = most_each
        bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        whole = list(tokenizer("a")["input_ids"])
        n_before = next(
            (i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), len(whole)
        )
        self._opening = [int(index) for index in whole[:n_before]]
        self._closing = [int(index) for index in whole[n_before + len(bare) :]]
        if self._closing and not closes:
            raise ArgumentError(
                "tokenizer: it puts a special token behind every text, and a model that goes on "
                "with a prompt would read it as the end; load it with add_eos_token=False"
            )
        first = str(tokenizer.convert_ids_to_tokens([bare[0]])[0]) if bare else ""
        # SentencePiece puts a space before a text, and so do tokenizers of bytes that were told to:
        # right for the prompt, wrong for its sequel. What an encoder's partner says is a text of
        # its own.
        self._adds_space = first.startswith(("\u2581", "\u0120")) and not closes
        self._anchor = self.wrapped(ANCHOR, add_special_tokens=False)["input_ids"]

    def __getattr__(self, name: str) -> Any:
        if name == "wrapped":  # while it is being unpickled
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __len__(self) -> int:
        return len(self.wrapped)

    def __call__(self, *segments: Any, **options: Any) -> Any:
        """Return the columns of the joined texts, a row per prompt.

        Parameters
        ----------
        *segments : str, or sequence of str
            The prompts, then their first continuations, and so on. A single string is tokenized
            as the tokenizer itself does.
        **options
            As for the tokenizer; ``return_offsets_mapping`` and ``return_special_tokens_mask``
            add their columns.

        Raises
        ------
        MaskingError
            If it is asked to truncate, or a text is too long: a prompt without its end asks
            something else.
        """
        if isinstance(segments[0], str):
            return self.wrapped(*segments, **options)
        if options.get("truncation"):
            raise MaskingError(
                f"prompt: with its response it is longer than the {options['max_length']} tokens "
                f"that the model reads; shorten it, or give fewer documents"
            )
        wants_offsets = bool(options.get("return_offsets_mapping"))
        rows = [self._row(texts, wants_offsets) for texts in zip(*segments, strict=True)]
        return _Encoded({name: [row[name] for row in rows] for name in rows[0]})

    def said(self, ids: Sequence[int]) -> str:
        """Return what a model said behind a prompt, to the character.

        Behind a text: decoders of SentencePiece leave out the space that a text begins with. A
        character at the end of which only some bytes were said is left out.
        """
        anchor = [] if self._closes else self._anchor
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        before = self.wrapped.decode(anchor, **options)
        text: str = self.wrapped.decode([*anchor, *ids], **options)
        if not text.startswith(before):
            text, before = self.wrapped.decode(list(ids), **options), ""
        return text[len(before) :].rstrip(UNFINISHED)

    def _row(self, texts: Sequence[str], wants_offsets: bool) -> dict[str, list[Any]]:
        row: dict[str, list[Any]] = {
            "input_ids": [],
            "token_type_ids": [],
            "special_tokens_mask": [],
        }
        offsets: list[tuple[int, int]] = []
        for number, text in enumerate(texts):
            ids, spans = self._tokens(text, wants_offsets, is_prompt=number == 0)
            opening = self._missing_opening(ids) if number == 0 else []
            closing = self._closing if number == 0 else []
            n_tokens = len(opening) + len(ids) + len(closing)
            if self._most_each is not None and n_tokens > self._most_each:
                what = "response" if number else "prompt"
                raise MaskingError(
                    f"{what}: has {n_tokens} tokens and the model reads {self._most_each}; shorten "
                    f"it, or give fewer documents"
                )
            row["input_ids"] += [*opening, *ids, *closing]
            row["token_type_ids"] += [number] * n_tokens
            row["special_tokens_mask"] += [1] * len(opening) + [0] * len(ids) + [1] * len(closing)
            offsets += [(0, 0)] * len(opening) + spans + [(0, 0)] * len(closing)
        if wants_offsets:
            row["offset_mapping"] = offsets
        return row

    def _missing_opening(self, ids: Sequence[int]) -> list[int]:
        begins_so = list(ids[: len(self._opening)]) == self._opening
        return [] if begins_so else self._opening

    def _tokens(
        self, text: str, wants_offsets: bool, *, is_prompt: bool
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of one text, and the characters of each where they are wanted."""
        if not is_prompt and self._adds_space:
            ids, spans = self._plain(ANCHOR + text, wants_offsets)
            n = len(self._anchor)
            if ids[:n] == self._anchor:
                return ids[n:], [(max(a - 1, 0), b - 1) for a, b in spans[n:]]
        return self._plain(text, wants_offsets)

    def _plain(self, text: str, wants_offsets: bool) -> tuple[list[int], list[tuple[int, int]]]:
        encoded = self.wrapped(
            text,
            add_special_tokens=False,
            verbose=False,
            return_offsets_mapping=wants_offsets,
        )
        spans = [(int(a), int(b)) for a, b in encoded["offset_mapping"]] if wants_offsets else []
        return [int(index) for index in encoded["input_ids"]], spans


class _Encoded(dict[str, list[list[Any]]]):
    """Columns by name, as the tokenizers of transformers return them."""

    def sequence_ids(self, row: int) -> list[int | None]:
        """Return the number of the text that each token of a row is of; None for special ones."""
        pairs = zip(self["token_type_ids"][row], self["special_tokens_mask"][row], strict=True)
        return [None if special else number for number, special in pairs]
