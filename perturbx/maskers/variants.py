"""`Variants`: what the model sees, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from perturbx.exceptions import MaskingError
from perturbx.maskers.fingerprints import text_keys, token_keys
from perturbx.typing import InputKind, IntArray, TextInput


@dataclass(frozen=True, eq=False)
class Variants:
    """A batch of perturbed inputs: either token ids or strings.

    Parameters
    ----------
    token_ids : torch.Tensor of int64, (n_variants, width), optional
        Padded on the right with `pad_id`.
    lengths : torch.Tensor of int64, (n_variants,), optional
        Number of real tokens in each row.
    extras : mapping of str to torch.Tensor (n_variants, width)
        Other inputs of the model column by column (``token_type_ids``), padded with 0.
    pad_id : int
        The id that fills the rows up.
    texts : sequence of str or of (str, str), optional
        The strings, for a model that takes strings; pairs for a model that compares two.
    samples : numpy.ndarray of int64, (n_variants,), optional
        How many answers each is worth, for a model whose answers are sampled.
    n_scored : int
        How many others of the same texts were scored before, for a model that refuses some.
    """

    token_ids: torch.Tensor | None = None
    lengths: torch.Tensor | None = None
    extras: Mapping[str, torch.Tensor] = field(default_factory=dict)
    pad_id: int = 0
    texts: Sequence[TextInput] | None = None
    samples: IntArray | None = None
    n_scored: int = 0

    def __post_init__(self) -> None:
        if (self.token_ids is None) == (self.texts is None):
            raise MaskingError("variants: give either token_ids with lengths, or texts")
        if self.token_ids is not None and self.lengths is None:
            raise MaskingError("lengths: needed beside token_ids")

    @property
    def kind(self) -> InputKind:
        """Return "tokens" or "text"."""
        return "text" if self.texts is not None else "tokens"

    def __len__(self) -> int:
        if self.texts is not None:
            return len(self.texts)
        assert self.token_ids is not None
        return int(self.token_ids.shape[0])

    @property
    def attention_mask(self) -> torch.Tensor:
        """Return 1 for real tokens and 0 for padding, ``(n_variants, width)`` int64."""
        assert self.token_ids is not None
        assert self.lengths is not None
        columns = torch.arange(self.token_ids.shape[1], device=self.token_ids.device)
        return (columns < self.lengths[:, None]).long()

    def keys(self) -> IntArray:
        """Return 128 bits per variant, ``(m, 2)`` int64, that are equal where the variants are."""
        if self.texts is not None:
            return text_keys(self.texts)
        assert self.token_ids is not None
        assert self.lengths is not None
        extras = [self.extras[name] for name in sorted(self.extras)]
        return token_keys([self.token_ids, *extras], self.lengths)

    @classmethod
    def concatenate(cls, batches: Sequence[Variants]) -> Variants:
        """Return the rows of all batches as one, padded to the widest."""
        if len(batches) == 1:
            return batches[0]
        if len({batch.kind for batch in batches}) > 1:
            raise MaskingError("batches: got tokens and texts; they cannot be put into one batch")
        if batches[0].texts is not None:
            return cls(texts=[text for batch in batches for text in batch.texts or ()])
        ids = [batch.token_ids for batch in batches if batch.token_ids is not None]
        width = max(part.shape[1] for part in ids)
        return cls(
            token_ids=_stack(ids, width, batches[0].pad_id),
            lengths=torch.cat([b.lengths for b in batches if b.lengths is not None]),
            extras={
                name: _stack([batch.extras[name] for batch in batches], width, 0)
                for name in batches[0].extras
            },
            pad_id=batches[0].pad_id,
        )


def _stack(parts: Sequence[torch.Tensor], width: int, fill: int) -> torch.Tensor:
    return torch.cat(
        [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=fill) for part in parts]
    )
