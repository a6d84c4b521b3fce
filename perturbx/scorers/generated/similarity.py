"""`EmbeddingSimilarity`: the cosine of two texts' embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from perturbx.exceptions import ArgumentError, ScoringError
from perturbx.scorers.generated.pooled import in_batches
from perturbx.typing import FloatArray


@dataclass(frozen=True, eq=False)
class EmbeddingSimilarity:
    """The cosine of the angle between two texts' embeddings.

    Between -1 and 1; 1 for equal texts. Not a probability.

    Parameters
    ----------
    encoder : (model, tokenizer) or callable
        An encoder of transformers, whose token vectors are averaged; or a function from a list of
        str to vectors ``(m, d)``.
    """

    encoder: Any
    name: ClassVar[str] = "similarity"
    is_probability: ClassVar[bool] = False

    def __post_init__(self) -> None:
        is_pair = isinstance(self.encoder, tuple | list) and len(self.encoder) == 2
        if not is_pair and not callable(self.encoder):
            raise ArgumentError(
                f"encoder: expected (model, tokenizer) or a function of a list of str, got "
                f"{self.encoder!r:.80}"
            )

    def __call__(self, reference: str, texts: Sequence[str]) -> FloatArray:
        """Return the cosine of each text and the reference, ``(m,)``.

        Raises
        ------
        ScoringError
            If the function returns no vector for each text.
        """
        vectors = self._embedded([reference, *texts])
        norms = np.linalg.norm(vectors, axis=1)
        unit = vectors / np.where(norms > 0, norms, 1.0)[:, None]
        cosines: FloatArray = unit[1:] @ unit[0]
        return cosines

    def _embedded(self, texts: list[str]) -> FloatArray:
        if isinstance(self.encoder, tuple | list):
            model, tokenizer = self.encoder
            return in_batches(model, tokenizer, [texts], _mean_of_tokens).double().numpy()
        vectors = np.asarray(self.encoder(texts), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ScoringError(
                f"encoder: expected a vector for each of {len(texts)} texts, got shape "
                f"{vectors.shape}"
            )
        return vectors


def _mean_of_tokens(output: Any, mask: torch.Tensor) -> torch.Tensor:
    hidden: torch.Tensor = output[0]
    weights = mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1.0)
