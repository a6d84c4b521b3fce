"""What all maskers share, and `Removal`: the rule that decides between tokens and strings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from perturbx.exceptions import MaskingError
from perturbx.maskers.filler import Filler, StandIn
from perturbx.maskers.text_encoding import TextEncoding, encode_text
from perturbx.maskers.token_encoding import TokenEncoding, encode_tokens
from perturbx.maskers.tokenized import Tokenized, tokenize, window
from perturbx.maskers.variants import Variants
from perturbx.units.units import Units


class Editing(ABC):
    """A masker that can edit the string: what it puts in the place of a removed unit is fixed."""

    @abstractmethod
    def filler(self, tokenizer: Any = None) -> StandIn | None:
        """Return what stands in for removed units; None where nothing does.

        Parameters
        ----------
        tokenizer : transformers tokenizer, optional
            The model's tokenizer.

        Raises
        ------
        MaskingError
            If the tokenizer is needed and does not have it.
        """

    @abstractmethod
    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> TokenEncoding | TextEncoding:
        """Return the text ready for masking, as tokens or as strings."""

    def encode_strings(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> TextEncoding:
        """Return the text ready for masking as strings, whoever scores them tokenizes them.

        Parameters are those of `encode`; any number of segments is written out, as a prompt with a
        response and a contrast is.
        """
        if tokenizer is None:
            return encode_text(units, self.filler())
        return self._encode_read_text(units, tokenize(units, tokenizer, max_tokens), tokenizer)

    def _encode_read_text(self, units: Units, tokens: Tokenized, tokenizer: Any) -> TextEncoding:
        return encode_text(
            units,
            self.filler(tokenizer),
            tokenizer,
            read=window(units, tokens),
            n_truncated=tokens.n_truncated,
        )

    def variants(self, units: Units, masks: Any, tokenizer: Any = None) -> Variants:
        """Return what the model sees for each row of `masks`.

        Parameters
        ----------
        units : Units
            The units of one text, or of a pair.
        masks : array of bool, (m, n_units)
            True = kept; a torch tensor on any device, or anything that makes one.
        tokenizer : transformers tokenizer, optional
            See `encode`.

        Returns
        -------
        Variants
            The strings, or the token ids on the device of the masks.
        """
        return self.encode(units, tokenizer).variants(torch.as_tensor(masks))


class Removal(Editing):
    """A masker that leaves a removed unit out or puts a fixed string in its place.

    **The rule.** Where a tokenizer is given and every token of the text lies in one unit (or in
    the frame), the tokens are masked, and nothing is tokenized again. Otherwise (no tokenizer;
    units inside of tokens, such as characters of a word) strings are edited, and whoever scores
    them tokenizes each variant again.

    Where the tokens are masked they are what is meant. For word-piece tokenizers and units that
    end at white space both ways give the same ids. For byte-pair and sentence-piece tokenizers
    they can differ: there an edited string may merge into other tokens.

    A text longer than the model's window is cut to it first, on either way, so that it is the
    text that the model reads which is explained. A string that outgrows the window once units in
    it are replaced is cut by its scorer, with a `TruncationWarning`.
    """

    @abstractmethod
    def filler(self, tokenizer: Any = None) -> Filler | None:
        """Return what stands in for a removed unit; None where nothing does.

        Parameters
        ----------
        tokenizer : transformers tokenizer, optional
            The model's tokenizer.

        Raises
        ------
        MaskingError
            If the tokenizer is needed and does not have it.
        """

    def encode(
        self, units: Units, tokenizer: Any = None, max_tokens: int | None = None
    ) -> TokenEncoding | TextEncoding:
        """Return the text ready for masking.

        Parameters
        ----------
        units : Units
            The units of one text, or of a pair.
        tokenizer : transformers tokenizer, optional
            Fast or slow; None for a model that takes strings.
        max_tokens : int, optional
            The window of the model in tokens, special tokens included; None for no limit.

        Returns
        -------
        TokenEncoding or TextEncoding
            By the rule above. ``n_truncated`` says how many tokens lie beyond the window,
            ``units_read`` which units the model reads at all.

        Raises
        ------
        MaskingError
            If the tokenizer is missing or lacks the token to put in, if the window does not hold
            the special tokens, or if a replacement could make a variant longer than the window.
        """
        check_segments(units, tokenizer)
        filler = self.filler(tokenizer)
        if tokenizer is None:
            return encode_text(units, filler)
        tokens = tokenize(units, tokenizer, max_tokens)
        return encode_tokens(
            units, tokens, filler, tokenizer, max_tokens
        ) or self._encode_read_text(units, tokens, tokenizer)


def check_segments(units: Units, tokenizer: Any = None) -> None:
    """Raise if a model takes fewer texts than `units` has.

    Raises
    ------
    MaskingError
        If it does.
    """
    most = getattr(tokenizer, "max_segments", 2)
    if len(units.segments) > most:
        raise MaskingError(
            f"units: a model takes one text or a pair, got {len(units.segments)} segments"
            if most == 2
            else f"units: expected at most {most} segments, got {len(units.segments)}"
        )
