"""Texts as rows of token ids, ready for a model's forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from perturbx.typing import TextInput


@dataclass(frozen=True, eq=False)
class TokenRows:
    """Rows of token ids, filled up on the right.

    Parameters
    ----------
    ids : torch.Tensor of int64, (m, width)
        Token ids; what lies beyond a row's length has no meaning.
    lengths : torch.Tensor of int64, (m,)
        Number of real tokens in each row.
    extras : mapping of str to torch.Tensor (m, width)
        Other inputs of the model, column by column (``token_type_ids``).
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    extras: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def to(self, device: torch.device) -> TokenRows:
        """Return the rows on `device`."""
        # unfinished copies are safe to compute on only where one stream orders both
        later = device.type == "cuda"
        return TokenRows(
            self.ids.to(device, non_blocking=later),
            self.lengths.to(device, non_blocking=later),
            {name: part.to(device, non_blocking=later) for name, part in self.extras.items()},
        )

    def take(self, rows: torch.Tensor) -> TokenRows:
        """Return the rows of these indices."""
        return TokenRows(
            self.ids[rows],
            self.lengths[rows],
            {name: part[rows] for name, part in self.extras.items()},
        )

    def with_empty_as(self, token: int) -> TokenRows:
        """Return the same rows with `token` alone where a row has no tokens."""
        missing = max(1 - self.ids.shape[1], 0)
        ids = torch.nn.functional.pad(self.ids, (0, missing))
        ids[self.lengths == 0, 0] = token
        return TokenRows(
            ids,
            self.lengths.clamp(min=1),
            {
                name: torch.nn.functional.pad(part, (0, missing))
                for name, part in self.extras.items()
            },
        )


def tokenized(
    texts: Sequence[TextInput], tokenizer: Any, max_tokens: int | None
) -> tuple[TokenRows, int]:
    """Return the texts as token rows, and how many were cut to `max_tokens`.

    Of a pair that is too long, the longer text is cut first.
    """
    rows: list[dict[str, list[int]]] = [{}] * len(texts)
    # single texts and pairs are two calls of the tokenizer
    for is_pair in (False, True):
        chosen = [i for i, text in enumerate(texts) if isinstance(text, tuple) == is_pair]
        encoded = _encode([texts[i] for i in chosen], tokenizer)
        for i, row in zip(chosen, encoded, strict=True):
            rows[i] = row
    n_cut = 0
    if max_tokens is not None:
        too_long = [i for i, row in enumerate(rows) if len(row["input_ids"]) > max_tokens]
        n_cut = len(too_long)
        for i in too_long:
            (rows[i],) = _encode(
                [texts[i]], tokenizer, truncation="longest_first", max_length=max_tokens
            )
    return _stacked(rows), n_cut


def _encode(
    texts: Sequence[TextInput], tokenizer: Any, **truncation: Any
) -> list[dict[str, list[int]]]:
    """Return the model's inputs for texts that are all single or all pairs."""
    if not texts:
        return []
    parts = [(text,) if isinstance(text, str) else text for text in texts]
    encoded = tokenizer(
        *([encodable(part) for part in column] for column in zip(*parts, strict=True)),
        padding=False,
        return_attention_mask=False,
        verbose=False,
        **truncation,
    )
    return [{name: encoded[name][i] for name in encoded} for i in range(len(texts))]


def encodable(text: str) -> str:
    """Return the text with U+FFFD for lone surrogates, which no model can be given."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _stacked(rows: Sequence[Mapping[str, Sequence[int]]]) -> TokenRows:
    lengths = [len(row["input_ids"]) for row in rows]
    width = max(lengths)
    parts = {}
    for name in rows[0]:
        matrix = np.zeros((len(rows), width), dtype=np.int64)
        for line, row in zip(matrix, rows, strict=True):
            line[: len(row[name])] = row[name]
        parts[name] = torch.from_numpy(matrix)
    return TokenRows(parts.pop("input_ids"), torch.tensor(lengths), parts)
