"""`Infill`: a masked language model writes something else in the place of removed units."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from perturbx.exceptions import ArgumentError, MaskingError
from perturbx.maskers.masks import check_masks
from perturbx.maskers.tokenized import owning_spans, tokenize, window
from perturbx.maskers.variants import Variants
from perturbx.typing import InputKind, IntArray
from perturbx.units.units import FRAME, Units

TOKENS_AT_ONCE = 1_024
"""Tokens in one pass: a vocabulary of 30,000 has 123 MB of logits for so many."""

_UNUSED = re.compile(r"\[unused\d+\]")

_CHINESE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_NO_GAP = re.compile(rf"(?<=[{_CHINESE}]) (?=[{_CHINESE}])")
"""Spaces that word-piece tokenizers put between letters (and kana, and punctuation) of Chinese and
Japanese, each of which is a token of its own to them."""

REMEMBERED = 1 << 16
"""Strings kept for each draw of a text, so that a mask asked about twice is filled once."""


@dataclass(frozen=True, eq=False, repr=False)
class Infill:
    """Fill removed units with what a masked language model expects there.

    For models to which a hole or a mask token would be strange. Every token of a removed unit
    gives way to one that the model draws, all of them in one pass: each is likely given what is
    left of the text, though neighbours do not know of each other. White space at the ends of a
    unit stays.

    A fill is random, so a mask is asked about with several of them: its score is their mean, and
    their spread goes into the error bars as the variance of that mean. Budgets and ``n_calls``
    count masks; each costs up to `n_draws` calls.

    Parameters
    ----------
    model : (model, tokenizer) or str
        A masked language model of transformers with its fast tokenizer, or its path or hub name.
    n_draws : int, default=4
        Fills of each mask, 2 at least. Their spread counts as known: where all masks of very few
        units are asked about, 95% intervals held .92 of the values with 4 fills, .87 with 2.
    temperature : float, default=1.0
        Below 1 likely tokens are drawn more often still.
    seed : int, default=0
        A mask of a text has the same fills wherever and whenever it is asked about.

    Raises
    ------
    ArgumentError
        If a parameter is not what it should be, or the tokenizer has no mask token.
    """

    model: Any
    n_draws: int = 4
    temperature: float = 1.0
    seed: int = 0
    _loaded: list[Any] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.n_draws, bool) or not isinstance(self.n_draws, int) or self.n_draws < 2:
            raise ArgumentError(
                f"n_draws: expected a whole number above 1, as errors come from how fills differ; "
                f"got {self.n_draws!r}"
            )
        is_number = isinstance(self.temperature, int | float) and isfinite(self.temperature)
        if not is_number or self.temperature <= 0:
            raise ArgumentError(f"temperature: expected a number above 0, got {self.temperature!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ArgumentError(f"seed: expected a whole number, got {self.seed!r}")
        is_pair = isinstance(self.model, tuple | list) and len(self.model) == 2
        if not is_pair and not isinstance(self.model, str):
            raise ArgumentError(
                f"model: expected (model, tokenizer) or a name, got {self.model!r:.80}"
            )
        if is_pair:
            _check(*self.model)

    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> InfillEncoding:
        """Return the text ready for masking; its variants are strings.

        Parameters
        ----------
        units : Units
            The units of one text, of whole tokens of the masked language model. The responses
            behind a prompt have none, and stay.
        tokenizer, max_tokens
            Of the explained model, which tokenizes the strings itself; a text longer than its
            window is cut to it first.

        Raises
        ------
        MaskingError
            If a token lies in two units, there are units in both texts of a pair, or what the
            model reads is longer than the window of the masked language model.
        """
        model, own = self._model()
        prompt = _prompt_of(units)
        units_read, n_truncated = np.ones(units.n_units, dtype=np.bool_), 0
        if tokenizer is not None and len(units.segments) == 1:
            seen = tokenize(units, tokenizer, max_tokens)
            ((start, stop),), n_truncated = window(units, seen), seen.n_truncated
            prompt = prompt.within(start, stop)
            inside = [a < stop and b > start for a, b in units.spans]
            units_read = np.isin(np.arange(units.n_units), np.array(units.unit_of_span)[inside])
        tokens = tokenize(prompt, own)
        most = _window(model)
        if most is not None and len(tokens.ids) > most:
            raise MaskingError(
                f"units: the text has {len(tokens.ids)} tokens and the masked language model "
                f"reads {most}; take one with a larger window, or shorter texts"
            )
        owners = None if tokens.spans is None else owning_spans(prompt, tokens.spans)
        if owners is None:
            raise MaskingError(
                "units: some are parts of tokens of the masked language model; take words or "
                "larger units"
            )
        text = _Text(units, units_read, prompt, tokens.ids, owners, *_never_drawn(model, own))
        draws = tuple(_Draw(self, text, number) for number in range(self.n_draws))
        return InfillEncoding(units, draws, n_truncated, units_read)

    def _model(self) -> tuple[Any, Any]:
        if not isinstance(self.model, str):
            model, tokenizer = self.model
            return model, tokenizer
        if not self._loaded:
            import transformers

            try:
                self._loaded.extend(
                    [
                        transformers.AutoModelForMaskedLM.from_pretrained(self.model),
                        transformers.AutoTokenizer.from_pretrained(self.model),
                    ]
                )
            except Exception as error:  # the libraries underneath raise whatever they like
                raise ArgumentError(
                    f"model: cannot load {self.model!r} as a masked language model "
                    f"({type(error).__name__}: {str(error).splitlines()[0]:.200})"
                ) from error
            _check(*self._loaded)
        return self._loaded[0], self._loaded[1]

    def __repr__(self) -> str:
        name = self.model
        if not isinstance(name, str):
            own = self.model[0]
            name = getattr(own.config, "_name_or_path", "") or type(own).__name__
        return (
            f"Infill({name!r}, n_draws={self.n_draws}, temperature={self.temperature}, "
            f"seed={self.seed})"
        )


@dataclass(frozen=True, eq=False)
class InfillEncoding:
    """A text whose removed units are filled, several times over.

    Parameters
    ----------
    units : Units
        The units.
    draws : tuple of Encoding
        The same text, each with fills of its own; a mask's score is the mean over them.
    n_truncated : int
        The number of tokens that lie beyond the explained model's window.
    units_read : numpy.ndarray of bool, (n_units,)
        False for units that lie beyond it.
    """

    units: Units
    draws: tuple[_Draw, ...]
    n_truncated: int
    units_read: NDArray[np.bool_] = field(repr=False)

    @property
    def kind(self) -> InputKind:
        """Return "text"."""
        return "text"

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return about how many characters each variant has, ``(m,)`` int64."""
        return self.draws[0].lengths(masks)

    def variants(self, masks: torch.Tensor) -> Variants:
        """Return the strings of the first draw for each row of `masks`, ``(m, n_units)`` bool."""
        return self.draws[0].variants(masks)


@dataclass(frozen=True, eq=False)
class _Text:
    """A prompt as tokens of the masked language model; `owners` are spans of its units.

    `units` are those of the whole text, of which the prompt has those that are read.
    """

    units: Units
    units_read: NDArray[np.bool_]
    prompt: Units
    ids: IntArray
    owners: IntArray
    never: list[int]
    never_first: list[int]

    @cached_property
    def begins(self) -> NDArray[np.bool_]:
        """Which tokens ``(n_tokens,)`` are the first of their span."""
        first: NDArray[np.bool_] = np.diff(self.owners, prepend=FRAME - 1) != 0
        return first

    @cached_property
    def responses(self) -> tuple[str, ...]:
        """What stands behind the prompt, and is never filled."""
        return tuple(self.units.text[start:stop] for start, stop in self.units.segments[1:])


@dataclass(frozen=True, eq=False)
class _Draw:
    """One draw of fills."""

    masker: Infill
    text: _Text
    number: int
    _filled: dict[bytes, str] = field(default_factory=dict, repr=False)

    @property
    def units(self) -> Units:
        return self.text.units

    @property
    def kind(self) -> InputKind:
        return "text"

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        check_masks(masks, self.units.n_units)
        return torch.full((len(masks),), len(self.units.text), dtype=torch.int64)

    def variants(self, masks: torch.Tensor) -> Variants:
        check_masks(masks, self.units.n_units)
        rows = masks.cpu().numpy()[:, self.text.units_read]
        keys = [row.tobytes() for row in rows]
        known = {key: self._filled[key] for key in keys if key in self._filled}
        fresh = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
        known |= zip(fresh, self._fill(list(fresh.values())), strict=True)
        if len(self._filled) + len(fresh) > REMEMBERED:
            self._filled.clear()
        self._filled.update((key, known[key]) for key in fresh)
        texts = [known[key] for key in keys]
        if not self.text.responses:
            return Variants(texts=texts)
        columns = [[response] * len(texts) for response in self.text.responses]
        return Variants(texts=list(zip(texts, *columns, strict=True)))

    def _fill(self, rows: Sequence[NDArray[np.bool_]]) -> list[str]:
        """Return the text for each mask; every row has as many tokens, so nothing is padded."""
        at_once = max(1, TOKENS_AT_ONCE // len(self.text.ids))
        return [
            filled
            for start in range(0, len(rows), at_once)
            for filled in self._fill_batch(np.array(rows[start : start + at_once]))
        ]

    def _fill_batch(self, rows: NDArray[np.bool_]) -> list[str]:
        model, tokenizer = self.masker._model()
        unit_of_span = np.append(np.array(self.text.prompt.unit_of_span, dtype=np.int64), FRAME)
        unit_of_token = unit_of_span[self.text.owners]
        with_frame = np.concatenate([rows, np.ones((len(rows), 1), dtype=bool)], axis=1)
        removed = ~with_frame[:, unit_of_token]
        ids = np.where(removed, tokenizer.mask_token_id, self.text.ids)
        if removed.any():
            drawn = self._drawn(model, ids, removed, rows)
            ids = np.where(removed, drawn, self.text.ids)
        return [self._written(own, gone, tokenizer) for own, gone in zip(ids, removed, strict=True)]

    def _drawn(
        self,
        model: Any,
        ids: IntArray,
        removed: NDArray[np.bool_],
        rows: NDArray[np.bool_],
    ) -> IntArray:
        """Return a token for every place ``(m, n_tokens)``; those of removed places count."""
        device = next(model.parameters()).device
        training = [module for module in model.modules() if module.training]
        model.eval()
        try:
            with torch.no_grad():
                logits = model(input_ids=torch.from_numpy(ids).to(device)).logits.float().cpu()
        finally:
            for module in training:
                module.training = True
        logits[..., self.text.never] = -torch.inf
        begins = torch.from_numpy(self.text.begins).nonzero()
        logits[:, begins, torch.tensor(self.text.never_first, dtype=torch.int64)] = -torch.inf
        drawn = np.zeros_like(ids)
        for row, (gone, mask) in enumerate(zip(removed, rows, strict=True)):
            if gone.any():
                generator = torch.Generator().manual_seed(self._seed(mask))
                shares = torch.softmax(logits[row][gone] / self.masker.temperature, dim=-1)
                own = torch.multinomial(shares, 1, generator=generator)
                drawn[row, gone] = own[:, 0].numpy()
        return drawn

    def _seed(self, mask: NDArray[np.bool_]) -> int:
        about = f"{self.masker.seed} {self.number} {self.text.prompt.text}".encode(
            "utf-8", "replace"
        )
        digest = hashlib.blake2b(about + mask.tobytes(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1

    def _written(self, ids: IntArray, removed: NDArray[np.bool_], tokenizer: Any) -> str:
        """Return the text with what was drawn in the place of the removed spans."""
        parts: list[str] = []
        last = 0
        text = self.text.prompt.text
        for span, (start, stop) in enumerate(self.text.prompt.spans):
            own = self.text.owners == span
            if not (own & removed).any():
                continue
            piece = text[start:stop]
            bare = piece.lstrip()
            lead, tail = len(piece) - len(bare), len(bare.rstrip())
            said = tokenizer.decode(ids[own], skip_special_tokens=True).strip()
            parts += [text[last:start], piece[:lead], _NO_GAP.sub("", said), bare[tail:]]
            last = stop
        return "".join([*parts, text[last:]])


def _prompt_of(units: Units) -> Units:
    """Return the first of several texts with its units.

    Raises
    ------
    MaskingError
        If others have units as well.
    """
    if len(units.segments) == 1:
        return units
    _, end = units.segments[0]
    if any(stop > end for _, stop in units.spans):
        raise MaskingError("units: a masked language model fills one text, got a pair of texts")
    return units.within(0, end)


def _check(model: Any, tokenizer: Any) -> None:
    if not isinstance(model, torch.nn.Module) or not callable(tokenizer):
        raise ArgumentError(
            f"model: expected a masked language model and its tokenizer, got "
            f"{type(model).__name__} and {type(tokenizer).__name__}"
        )
    if getattr(tokenizer, "mask_token_id", None) is None:
        raise ArgumentError(
            "model: its tokenizer has no mask token, so it cannot fill holes; give a masked "
            "language model such as BERT"
        )
    head: Any = getattr(model, "get_output_embeddings", lambda: None)
    is_causal = type(model).__name__.endswith(("ForCausalLM", "LMHeadModel"))
    if head() is None or is_causal:
        raise ArgumentError(
            f"model: {type(model).__name__} does not fill holes; load one with AutoModelForMaskedLM"
        )


def _window(model: Any) -> int | None:
    """Return the most tokens that the model reads."""
    window: int | None = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from the one after the padding's.
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            window = int(module.num_embeddings) - padding - 1
    return window


def _never_drawn(model: Any, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the tokens that are no text, and those that only go on with a word."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    unused = [index for piece, index in vocabulary.items() if _UNUSED.fullmatch(piece)]
    # A head with more rows than there are tokens is common, and an id of none reads as nothing.
    unused += {*range(model.config.vocab_size)} - {*vocabulary.values()}
    sequels = [index for piece, index in vocabulary.items() if piece.startswith("##")]
    return [*map(int, tokenizer.all_special_ids), *unused], sequels
