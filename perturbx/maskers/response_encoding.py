"""`ResponseEncoding`: a prompt with its response, whose outputs are parts of the response."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from perturbx.maskers.variants import Variants
from perturbx.typing import Encoding, FloatArray, InputKind, IntArray
from perturbx.units.units import Units


@dataclass(frozen=True, eq=False)
class ResponseEncoding:
    """A prompt ready for masking, that says what is read out of its response's columns.

    Parameters
    ----------
    prompt : Encoding
        The prompt with its response, which is never masked.
    output_names : tuple of str
        The outputs: parts of the response.
    readout : numpy.ndarray, (n_columns, n_outputs)
        The weight of each token's log-probability in each output: 1 where the token is in the
        part, and -1 where it is in the answer that the response is contrasted with.
    words : numpy.ndarray of int64, (n_columns,), optional
        Where the columns are characters, each with the token that begins there: the word of each.
        None: the columns are tokens.
    """

    prompt: Encoding
    output_names: tuple[str, ...]
    readout: FloatArray = field(repr=False)
    words: IntArray | None = field(default=None, repr=False)

    @property
    def units(self) -> Units:
        """Return the units of the prompt."""
        return self.prompt.units

    @property
    def kind(self) -> InputKind:
        """Return what the variants are."""
        return self.prompt.kind

    @property
    def parts(self) -> dict[str, list[list[int]]]:
        """Return the ranges ``[start, stop]`` of columns that each output is made of, for JSON."""
        edges = np.diff(self.readout != 0, axis=0, prepend=False, append=False)
        return {
            name: np.flatnonzero(column).reshape(-1, 2).tolist()
            for name, column in zip(self.output_names, edges.T, strict=True)
        }

    @property
    def n_truncated(self) -> int:
        """Return how many tokens the model does not read."""
        return int(getattr(self.prompt, "n_truncated", 0))

    @property
    def units_read(self) -> Any:
        """Return which units the model reads at all."""
        return getattr(self.prompt, "units_read", None)

    @property
    def draws(self) -> tuple[ResponseEncoding, ...]:
        """Return the prompt with each of its draws, where removed units are filled at random."""
        drawn: tuple[Encoding, ...] = getattr(self.prompt, "draws", (self.prompt,))
        return tuple(replace(self, prompt=own) for own in drawn)

    def lengths(self, masks: torch.Tensor) -> torch.Tensor:
        """Return the length ``(m,)`` of each variant, its response included."""
        return self.prompt.lengths(masks)

    def variants(self, masks: torch.Tensor) -> Variants:
        """Return what the model sees for each row of `masks`, ``(m, n_units)`` bool."""
        return self.prompt.variants(masks)
